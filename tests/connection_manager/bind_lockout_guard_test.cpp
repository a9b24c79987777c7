// The bind lockout guard on injected time. Sources: when they are read, what becomes of those who wait, how a rotation
// goes through. Verdicts: one bind of an untried secret at a time, none of a refused one, no account locked.
#include "understudy/actors/connection_manager/bind_lockout_guard.hpp"

#include <boost/test/unit_test.hpp>
#include <set>

using namespace understudy;
using namespace understudy::internal;
using std::chrono::minutes;

namespace {

using kind = credential_verdict::kind;

connection_info server(std::string bind_dn = "cn=service") {
  connection_info info;
  info.bind_dn = std::move(bind_dn);
  return info;
}

connection_info with_file(std::string path = "/run/secret") {
  auto info = server();
  info.password_file = std::move(path);
  return info;
}

connection_info with_password(std::string_view password, std::string bind_dn = "cn=service") {
  auto info = server(std::move(bind_dn));
  info.password = secret{password};
  return info;
}

struct source_fixture {
  void set(std::vector<connection_info> servers) {
    guard.emplace(bind_lockout_options{});
    change(servers);
  }
  /// Servers numbered from `first` on.
  void change(const std::vector<connection_info>& servers, server_id first = 0) {
    std::vector<guarded_server> numbered;
    for (const auto& info : servers) numbered.push_back({first++, info});
    known = numbered;
    put(guard->set_servers(numbered, now));
  }
  /// The number of the first read for that server that has not ended; 0: none.
  std::uint64_t read_of(server_id id) {
    const auto server = std::find_if(known.begin(), known.end(), [&](const guarded_server& s) { return s.id == id; });
    for (const auto& r : reads) {
      const bool theirs = server != known.end() && r.source.password_file == server->info.password_file &&
                          r.source.bind_dn == server->info.bind_dn;
      if (theirs && ended.insert(r.number).second) return r.number;
    }
    return 0;
  }

  std::uint64_t ask(server_id id) {
    put(guard->ask(++request_ids, id, now + seconds{30}, now));
    return request_ids;
  }

  void read_done(std::string_view value, server_id source = 0) {
    put(guard->read_done(read_of(source), {secret{value}, {}}, now));
  }
  void read_failed(std::string why, server_id source = 0) {
    put(guard->read_done(read_of(source), {{}, std::move(why)}, now));
  }

  std::uint64_t read_done_after_ask(std::string_view value) {
    const auto t = ask(0);
    read_done(value);
    return t;
  }

  void on_verdict(std::uint64_t request_id, kind verdict) {
    credential_verdict v;
    v.version = told.at(request_id).value.version;
    v.what = verdict;
    put(guard->on_verdict(v, now, {}));
  }

  void advance(duration by) {
    const auto end = now + by;
    for (auto next = guard->next_tick(); next <= end; next = guard->next_tick()) {
      now = std::max(now, next);
      put(guard->tick(now));
    }
    now = end;
  }

  void put(const bind_lockout_actions& done) {
    for (const auto& a : done.answers) {
      BOOST_TEST(told.count(a.request_id) == 0U);  // nobody is answered twice
      told[a.request_id] = a;
    }
    reads.insert(reads.end(), done.reads.begin(), done.reads.end());
    unwanted.insert(unwanted.end(), done.unwanted.begin(), done.unwanted.end());
  }

  bool waits(std::uint64_t request_id) const { return told.count(request_id) == 0; }
  bool may_bind(std::uint64_t request_id) const { return !waits(request_id) && !told.at(request_id).refusal; }
  bool refused(std::uint64_t request_id) const { return !waits(request_id) && told.at(request_id).refusal; }
  std::string_view password(std::uint64_t request_id) const { return told.at(request_id).value.password.reveal(); }

  std::optional<bind_lockout_guard> guard;
  time_point now{std::chrono::hours{1}};
  std::uint64_t request_ids = 0;
  std::map<std::uint64_t, bind_permission> told;
  std::vector<secret_read> reads;
  std::vector<std::uint64_t> unwanted;  ///< reads
  std::vector<guarded_server> known;
  std::set<std::uint64_t> ended;  ///< reads
};

/// Sources that answer at once, so that what is left to see are verdicts. Three accounts: servers below 100 have the
/// same source, those from 100 on another one with the same bind DN, server 200 another bind DN.
struct verdict_fixture {
  static constexpr server_id other = 100, other_dn = 200;

  verdict_fixture() {
    options.fresh_reading = {};
    guard.emplace(options);
    std::vector<guarded_server> servers;
    for (server_id id = 0; id < 6; ++id) {
      servers.push_back({id, with_file()});
      servers.push_back({other + id, with_file("/run/other")});
    }
    servers.push_back({other_dn, with_file("/run/third")});
    servers.back().info.bind_dn = "cn=other";
    put(guard->set_servers(servers, now));
  }

  /// What stands in the source from now on, and that it is read: an asker without time makes it so.
  void change_secret(std::string_view value, server_id server = 0) {
    contents[file_of(server)] = value;
    put(guard->ask(++unheard, server, now, now));
  }

  /// Asks for `server`; what was answered to it at once: a version, 0 (refused), or nothing (waits).
  std::optional<std::uint64_t> ask(server_id server, duration patience = seconds{30}) {
    const auto request_id = ++request_ids;
    put(guard->ask(request_id, server, now + patience, now));
    return answered(request_id);
  }

  std::optional<std::uint64_t> answered(std::uint64_t request_id) {
    const auto found = told.find(request_id);
    return found == told.end() ? std::nullopt : std::optional{found->second.value.version};
  }

  void on_verdict(std::uint64_t version, kind result, server_id server = 1) {
    credential_verdict v;
    v.server = server;
    v.version = version;
    v.what = result;
    if (result != kind::accepted) {
      failure f;
      f.code = result == kind::refused ? errc::service_authentication_failed : errc::connection_timeout;
      f.where = stage::bind;
      f.ldap_code = result == kind::refused ? 49 : 0;
      f.server = "ldap1:389";
      v.cause = std::make_shared<const failure>(f);
    }
    put(guard->on_verdict(v, now, wall));
  }

  /// Who asked had left when the answer came.
  void not_sent(std::uint64_t version) { put(guard->on_verdict({1, version, kind::unknown, nullptr}, now, wall)); }

  // The account gets each of them in turn, and each is refused.
  void refuse_each(std::initializer_list<std::string_view> values) {
    for (const auto value : values) {
      change_secret(value);
      on_verdict(ask(1).value(), kind::refused);
    }
  }

  // Two binds of one secret under way, of which the earlier one is refused: the version of the other.
  std::uint64_t refuse_earlier_of_two() {
    const auto earlier = ask(1).value();
    advance(options.silence);
    const auto other_bind = ask(2).value();
    on_verdict(earlier, kind::refused);
    return other_bind;
  }

  void advance(duration by) {
    now += by;
    put(guard->tick(now));
  }

  void put(const bind_lockout_actions& done) {
    for (const auto& a : done.answers) {
      if (a.request_id > first_unheard) continue;
      BOOST_TEST(told.count(a.request_id) == 0U);  // nobody is answered twice
      BOOST_TEST((a.value.version == 0) == (a.refusal != nullptr));
      told[a.request_id] = a;
    }
    for (const auto& read : done.reads) {
      put(guard->read_done(read.number, {secret{contents[read.source.password_file]}, {}}, now));
    }
  }

  const failure& refusal(std::uint64_t request_id) { return *told.at(request_id).refusal; }

  static std::string file_of(server_id server) {
    return server < other ? "/run/secret" : server < other_dn ? "/run/other" : "/run/third";
  }

  static constexpr std::uint64_t first_unheard = 1'000'000;
  bind_lockout_options options;
  std::optional<bind_lockout_guard> guard;
  std::map<std::string, std::string> contents{{"/run/secret", "right"}, {"/run/other", "x"}, {"/run/third", "y"}};
  time_point now{std::chrono::hours{1}};
  wall_time wall{std::chrono::hours{1}};
  std::uint64_t request_ids = 0, unheard = first_unheard;
  std::map<std::uint64_t, bind_permission> told;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(server_without_bind_dn_needs_no_credential, source_fixture) {
  set({server("")});
  const auto t = ask(0);
  BOOST_TEST(may_bind(t));
  BOOST_TEST(told[t].value.version == 0U);
  BOOST_TEST(reads.empty());
}

BOOST_FIXTURE_TEST_CASE(unknown_server_needs_no_credential, source_fixture) {
  set({with_password("x")});
  BOOST_TEST(told[ask(7)].value.version == 0U);
}

BOOST_FIXTURE_TEST_CASE(short_timeout_leaves_time_for_the_turns_of_silent_servers, source_fixture) {
  auto short_of_time = with_password("s3cret"), patient = short_of_time;
  short_of_time.timeout = seconds{1};
  patient.timeout = seconds{30};
  set({short_of_time, patient, connection_info{}});
  BOOST_TEST((guard->patience_of(0) == seconds{5}));
  BOOST_TEST((guard->patience_of(1) == seconds{30}));
  BOOST_TEST((guard->patience_of(2) == duration::zero()));
}

BOOST_FIXTURE_TEST_CASE(configured_password_is_given_at_once, source_fixture) {
  set({with_password("hunter2")});
  const auto t = ask(0);
  BOOST_TEST(may_bind(t));
  BOOST_TEST(told[t].value.bind_dn == "cn=service");
  BOOST_TEST(password(t) == "hunter2");
  BOOST_TEST(told[t].value.version != 0U);
}

BOOST_FIXTURE_TEST_CASE(empty_password_is_never_sent, source_fixture) {
  set({with_password(""), with_file()});
  BOOST_TEST(refused(ask(0)));
  const auto t = ask(1);
  read_done("", 1);
  BOOST_TEST(refused(t));
  BOOST_TEST(told[t].refusal->message.find("password_file /run/secret is empty") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(source_is_read_once_for_all_who_wait, source_fixture) {
  set({with_file(), with_file()});
  const auto a = ask(0), b = ask(1);
  BOOST_TEST(reads.size() == 1U);
  BOOST_TEST((waits(a) && waits(b)));
  read_done("hunter2");
  BOOST_TEST(password(a) == "hunter2");
  BOOST_TEST(waits(b));  // for the verdict now
  on_verdict(a, kind::accepted);
  BOOST_TEST(password(b) == "hunter2");
}

BOOST_FIXTURE_TEST_CASE(every_later_bind_reads_anew, source_fixture) {
  set({with_file()});
  const auto first = ask(0);
  read_done("old");
  on_verdict(first, kind::accepted);
  ask(0);
  BOOST_TEST(reads.size() == 1U);  // within a second
  advance(seconds{2});
  const auto later = ask(0);
  BOOST_TEST(reads.size() == 2U);
  read_done("new");
  BOOST_TEST(password(later) == "new");
}

BOOST_FIXTURE_TEST_CASE(unreadable_source_is_named_with_its_reason, source_fixture) {
  set({with_file()});
  const auto t = ask(0);
  read_failed("password_file \"/run/secret\" cannot be read: No such file or directory");
  BOOST_TEST(refused(t));
  const auto& f = *told[t].refusal;
  BOOST_TEST(f.message.find("/run/secret") != std::string::npos);
  BOOST_TEST(f.message.find("No such file or directory") != std::string::npos);
  BOOST_TEST(static_cast<int>(classify(f)) == static_cast<int>(failure_class::credential));
}

BOOST_FIXTURE_TEST_CASE(last_secret_serves_while_its_source_cannot_be_read, source_fixture) {
  set({with_file()});
  on_verdict(read_done_after_ask("good"), kind::accepted);
  advance(seconds{5});
  const auto t = ask(0);
  read_failed("Permission denied");
  BOOST_TEST(password(t) == "good");
}

BOOST_FIXTURE_TEST_CASE(read_that_never_ends_keeps_nobody_and_is_not_doubled, source_fixture) {
  set({with_file()});
  const auto t = ask(0);
  advance(seconds{10});
  BOOST_TEST(refused(t));
  BOOST_TEST(refused(ask(0)));
  advance(minutes{10});
  BOOST_TEST(refused(ask(0)));
  BOOST_TEST(reads.size() == 1U);
  read_done("late");
  BOOST_TEST(password(ask(0)) == "late");
}

/// All connections are lost while the source hangs: they are bound again with what the directory accepted last.
BOOST_FIXTURE_TEST_CASE(read_that_hangs_keeps_nobody_for_long_whom_an_accepted_secret_serves, source_fixture) {
  set({with_file(), with_file()});
  on_verdict(read_done_after_ask("good"), kind::accepted);
  advance(minutes{1});
  const auto first = ask(0), second = ask(1);
  advance(milliseconds{999});
  BOOST_TEST(waits(first));
  advance(milliseconds{1});
  BOOST_TEST_REQUIRE(may_bind(first));
  BOOST_TEST(password(first) == "good");
  on_verdict(first, kind::accepted);
  BOOST_TEST(may_bind(second));
  advance(seconds{1});
  BOOST_TEST(may_bind(ask(0)));  // at once: it is known by now that the read takes long
  BOOST_TEST(reads.size() == 2U);
  read_failed("did not finish within 10s");
  advance(minutes{1});
  BOOST_TEST(may_bind(ask(0)));  // … and so may the next one
  BOOST_TEST(reads.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(what_a_slow_read_brings_counts_for_later_binds, source_fixture) {
  set({with_file()});
  on_verdict(read_done_after_ask("old"), kind::accepted);
  advance(minutes{1});
  const auto now_bound = ask(0);
  advance(seconds{3});
  BOOST_TEST(password(now_bound) == "old");
  on_verdict(now_bound, kind::accepted);
  read_done("new");
  const auto later = ask(0);
  BOOST_TEST(password(later) == "new");
  on_verdict(later, kind::accepted);
  advance(minutes{1});
  const auto next = ask(0);
  BOOST_TEST(waits(next));  // for a moment: the last read came to an end
  read_done("newest");
  BOOST_TEST(password(next) == "newest");
}

BOOST_FIXTURE_TEST_CASE(read_that_hangs_sends_nobody_with_a_secret_that_was_not_accepted, source_fixture) {
  set({with_file()});
  on_verdict(read_done_after_ask("wrong"), kind::refused);
  read_done("wrong");
  advance(minutes{1});
  const auto second = ask(0);
  advance(seconds{5});
  BOOST_TEST(waits(second));
  read_done("right");
  BOOST_TEST(password(second) == "right");
  advance(seconds{2});  // its verdict has not come
  const auto third = ask(0);
  advance(seconds{5});
  BOOST_TEST(waits(third));
}

BOOST_FIXTURE_TEST_CASE(wrong_password_of_three_servers_costs_one_bind, source_fixture) {
  set({with_password("wrong"), with_password("wrong"), with_password("wrong")});
  int binds = 0;
  for (int second = 0; second < 3600; ++second) {
    for (server_id id = 0; id < 3; ++id) {
      if (const auto t = ask(id); may_bind(t)) {
        ++binds;
        on_verdict(t, kind::refused);
      }
    }
    BOOST_TEST(binds == 1 + second / 900);
    advance(seconds{1});
  }
  BOOST_TEST(guard->any_refused());
}

BOOST_FIXTURE_TEST_CASE(refused_source_is_read_at_once_and_every_minute, source_fixture) {
  set({with_file()});
  on_verdict(read_done_after_ask("wrong"), kind::refused);
  BOOST_TEST(reads.size() == 2U);
  read_done("wrong");
  for (int i = 0; i < 5; ++i) {
    const auto before = reads.size();
    advance(minutes{1});
    BOOST_TEST(reads.size() == before + 1);
    read_done("wrong");
  }
  const auto t = ask(0);
  read_done("wrong");
  BOOST_TEST(refused(t));
}

BOOST_FIXTURE_TEST_CASE(rotated_secret_is_found_and_tried_at_once, source_fixture) {
  set({with_file(), with_file()});
  const auto first = read_done_after_ask("old");
  on_verdict(first, kind::accepted);
  advance(minutes{30});
  const auto t = ask(0);
  read_done("old");  // the directory has the new one, the file not yet
  on_verdict(t, kind::refused);
  read_done("old");
  advance(minutes{1});
  read_done("new");
  const auto next = ask(1);
  BOOST_TEST(password(next) == "new");
  on_verdict(next, kind::accepted);
  BOOST_TEST(!guard->any_refused());
  const auto reads_then = reads.size();
  advance(minutes{10});
  BOOST_TEST(reads.size() == reads_then);  // nothing to watch any more
}

BOOST_FIXTURE_TEST_CASE(configured_password_is_retried_after_a_while, source_fixture) {
  set({with_password("wrong")});
  on_verdict(ask(0), kind::refused);
  advance(seconds{899});
  BOOST_TEST(refused(ask(0)));
  advance(seconds{1});
  BOOST_TEST(may_bind(ask(0)));
}

BOOST_FIXTURE_TEST_CASE(command_allows_another_try_for_that_account, source_fixture) {
  set({with_password("wrong"), with_password("wrong"), with_password("fine", "cn=other")});
  on_verdict(ask(0), kind::refused);
  guard->resume(2, now);
  BOOST_TEST(refused(ask(0)));
  guard->resume(1, now);
  BOOST_TEST(may_bind(ask(0)));
  BOOST_TEST(waits(ask(1)));
}

BOOST_FIXTURE_TEST_CASE(refused_file_is_read_for_those_who_ask, source_fixture) {
  set({with_file()});
  on_verdict(read_done_after_ask("wrong"), kind::refused);
  read_done("wrong");
  advance(seconds{5});
  const auto t = ask(0);
  read_done("right");
  BOOST_TEST(password(t) == "right");
}

BOOST_FIXTURE_TEST_CASE(refused_command_runs_now_and_then_for_those_who_ask, source_fixture) {
  auto info = server();
  info.password_command = {"/bin/get-secret"};
  set({info});
  on_verdict(read_done_after_ask("wrong"), kind::refused);
  read_done("wrong");
  const auto before = reads.size();
  for (int i = 0; i < 40; ++i) {
    advance(milliseconds{100});
    BOOST_TEST(refused(ask(0)));
  }
  BOOST_TEST(reads.size() == before);
  advance(seconds{2});
  const auto t = ask(0);
  BOOST_TEST(waits(t));
  BOOST_TEST(reads.size() == before + 1);
  read_done("right");
  BOOST_TEST(password(t) == "right");
}

BOOST_FIXTURE_TEST_CASE(equal_answers_of_callbacks_share_a_verdict, source_fixture) {
  auto a = server(), b = server();
  a.password_callback = b.password_callback = [] { return std::string{"x"}; };
  set({a, b});
  const auto first = ask(0), second = ask(1);
  BOOST_TEST(reads.size() == 2U);
  read_done("wrong", 0);
  read_done("wrong", 1);
  BOOST_TEST(may_bind(first));
  on_verdict(first, kind::refused);
  BOOST_TEST(refused(second));
}

BOOST_FIXTURE_TEST_CASE(nothing_is_said_of_a_command_but_its_program, source_fixture) {
  auto info = server();
  info.password_command = {"/bin/get-secret", "--token=hunter2"};
  set({info});
  const auto t = ask(0);
  read_failed("exit status 1");
  const auto second = ask(0);
  advance(seconds{10});
  BOOST_TEST(describe(*told[t].refusal).find("hunter2") == std::string::npos);
  BOOST_TEST(
      told[second].refusal->message ==
      "There is no password for \"cn=service\": password_command /bin/get-secret was not read within 10s; run it "
      "by hand, without input, to see what it waits for. Nothing was sent; it is read again when the next "
      "connection needs it.");
  BOOST_TEST(describe(*told[second].refusal).find("hunter2") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(refused_secret_stays_refused_when_other_servers_come_and_go, source_fixture) {
  auto caller = server("cn=caller");
  caller.password_callback = [] { return std::string{"x"}; };
  set({with_file(), caller});
  const auto from_file = read_done_after_ask("wrong");
  on_verdict(from_file, kind::refused);
  const auto called = ask(1);
  read_done("wrong too", 1);
  on_verdict(called, kind::refused);
  change({with_file(), caller, with_password("fine", "cn=other")});
  BOOST_TEST(guard->any_refused());
  BOOST_TEST(may_bind(ask(2)));
  advance(seconds{2});
  const auto again = ask(0);
  read_done("wrong");
  BOOST_TEST(refused(again));
  const auto called_again = ask(1);
  read_done("wrong too", 1);
  BOOST_TEST(refused(called_again));
}

BOOST_FIXTURE_TEST_CASE(who_waits_for_credentials_that_are_taken_away_is_told, source_fixture) {
  set({with_file(), with_file("/run/other")});
  const auto reading = ask(0);
  change({with_file("/run/other")}, 1);
  BOOST_TEST(refused(reading));
  // It is of no use to anybody: a command is ended.
  BOOST_TEST(unwanted == std::vector{reads.front().number}, boost::test_tools::per_element());
  read_done("late");
  const auto other = ask(1);
  read_done("right", 1);
  BOOST_TEST(password(other) == "right");
  // The first tries it, the second waits for its verdict.
  advance(seconds{2});
  const auto second = ask(1);
  read_done("right", 1);
  BOOST_TEST(waits(second));
  change({with_password("x")}, 2);
  BOOST_TEST(refused(second));
  BOOST_TEST(told[second].refusal->message.find("no longer configured") != std::string::npos);
  on_verdict(other, kind::accepted);
}

BOOST_FIXTURE_TEST_CASE(what_was_read_from_the_old_source_is_not_used_for_the_new_one, source_fixture) {
  set({with_file()});
  ask(0);
  const auto old = reads.back().number;
  auto other = with_file("/run/other");
  other.bind_dn = "cn=other";
  change({other});
  const auto t = ask(0);
  put(guard->read_done(old, {secret{"of the old"}, {}}, now));
  BOOST_TEST(waits(t));
  read_done("of the new");
  BOOST_TEST(password(t) == "of the new");
  BOOST_TEST(told[t].value.bind_dn == "cn=other");
}

/// A certificate that the directory refuses is tried once in all, and again when its file has changed.
BOOST_FIXTURE_TEST_CASE(guards_a_client_certificate_like_a_password, source_fixture) {
  connection_info certified;
  certified.uri = "ldaps://a";
  certified.client_cert_path = "/etc/service.pem";
  certified.client_key_path = "/etc/service.key";
  connection_info anonymous;
  anonymous.host = "b";
  set({certified, certified, anonymous});
  const auto first = ask(0), second = ask(1), nobody = ask(2);
  BOOST_TEST(may_bind(nobody));
  BOOST_TEST(told.at(nobody).value.version == 0u);
  read_done("state 1");
  BOOST_TEST(may_bind(first));
  BOOST_TEST(waits(second));
  on_verdict(first, kind::refused);
  BOOST_TEST(refused(second));
  BOOST_TEST(told.at(second).refusal->message.find("SASL EXTERNAL") != std::string::npos,
             told.at(second).refusal->message);
  advance(minutes{1});
  read_done("state 1");
  const auto third = ask(0);
  if (waits(third)) read_done("state 1");
  BOOST_TEST(refused(third));
  advance(minutes{1});
  read_done("state 2");
  const auto fourth = ask(1);
  if (waits(fourth)) read_done("state 2");
  BOOST_TEST(may_bind(fourth));
}

BOOST_FIXTURE_TEST_CASE(first_bind_goes_alone, verdict_fixture) {
  BOOST_TEST(ask(1).value_or(0) != 0U);
  BOOST_TEST(!ask(2).has_value());
  BOOST_TEST(!ask(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(accepted_secret_lets_all_go, verdict_fixture) {
  const auto version = ask(1).value();
  ask(2);
  ask(3);
  on_verdict(version, kind::accepted);
  BOOST_TEST(answered(2).value_or(0) != 0U);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  BOOST_TEST(ask(1).value_or(0) != 0U);
}

/// All connections are opened anew just after the directory's password was changed.
BOOST_FIXTURE_TEST_CASE(accepted_secret_that_is_changed_in_the_directory_is_refused_once, verdict_fixture) {
  on_verdict(ask(1).value(), kind::accepted);
  advance(seconds{2});
  const auto again = ask(1);
  BOOST_TEST_REQUIRE(again.value_or(0) != 0U);
  for (server_id server = 1; server <= 3; ++server) BOOST_TEST(!ask(server).has_value());
  on_verdict(*again, kind::refused);
  for (std::uint64_t request_id = 3; request_id <= 5; ++request_id) BOOST_TEST(answered(request_id).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(accepted_secret_lets_all_go_who_came_while_it_was_tried_again, verdict_fixture) {
  on_verdict(ask(1).value(), kind::accepted);
  const auto again = ask(1).value();
  for (server_id server = 1; server <= 3; ++server) BOOST_TEST(!ask(server).has_value());
  on_verdict(again, kind::accepted);
  for (std::uint64_t request_id = 3; request_id <= 5; ++request_id) BOOST_TEST(answered(request_id).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(silent_bind_with_a_fresh_secret_keeps_other_servers_waiting_for_an_instant, verdict_fixture) {
  on_verdict(ask(1).value(), kind::accepted);
  BOOST_TEST(ask(1).value_or(0) != 0U);
  ask(1);
  ask(2);
  advance(options.fresh_silence - milliseconds{1});
  BOOST_TEST(!answered(4).has_value());
  advance(milliseconds{1});
  BOOST_TEST(answered(4).value_or(0) != 0U);
  BOOST_TEST(!answered(3).has_value());
  advance(options.renewed_turn - options.fresh_silence);
  BOOST_TEST(answered(3).value_or(0) != 0U);
}

/// A server that left a bind unanswered is bound to at once when the secret is known to be right.
BOOST_FIXTURE_TEST_CASE(bind_that_began_before_the_secret_was_accepted_keeps_nobody_waiting, verdict_fixture) {
  const auto silent = ask(1).value();
  advance(options.silence);
  on_verdict(ask(2).value(), kind::accepted, 2);
  BOOST_TEST(ask(1).value_or(0) != 0U);
  on_verdict(silent, kind::unknown);
}

BOOST_FIXTURE_TEST_CASE(what_a_server_left_unanswered_before_it_answered_says_nothing, verdict_fixture) {
  change_secret("first");
  change_secret("first", other);
  BOOST_TEST(ask(2).value_or(0) != 0U);
  advance(options.turn);
  change_secret("second");
  on_verdict(ask(2).value(), kind::accepted, 2);
  // Only now the turn before is found to be over: somebody else still has that secret.
  BOOST_TEST(ask(other).value_or(0) != 0U);
  BOOST_TEST(ask(2).value_or(0) != 0U);
  BOOST_TEST(!ask(1).has_value());
  advance(options.fresh_silence);
  BOOST_TEST(answered(request_ids).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(refused_secret_is_sent_by_nobody, verdict_fixture) {
  const auto version = ask(1).value();
  ask(2);
  on_verdict(version, kind::refused);
  BOOST_TEST(answered(2).value_or(1) == 0U);
  for (int i = 0; i < 100; ++i) {
    advance(seconds{8});
    BOOST_TEST(ask(static_cast<server_id>(i % 3)).value_or(1) == 0U);
  }
  BOOST_TEST(guard->any_refused());
  BOOST_TEST(guard->any_refused());
}

BOOST_FIXTURE_TEST_CASE(refusal_says_who_when_and_what_to_do, verdict_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  advance(minutes{5});
  ask(2);
  const auto& f = refusal(2);
  BOOST_TEST(static_cast<int>(f.code) == static_cast<int>(errc::service_authentication_failed));
  BOOST_TEST(static_cast<int>(classify(f)) == static_cast<int>(failure_class::credential));
  BOOST_TEST(f.ldap_code == 49);
  BOOST_TEST(f.server == "ldap1:389");
  BOOST_TEST(f.message.find("cn=service") != std::string::npos);
  BOOST_TEST(f.message.find("password_file /run/secret") != std::string::npos);
  BOOST_TEST(f.message.find("tried again in 600 s") != std::string::npos);
  BOOST_TEST((f.retry_after == std::optional<milliseconds>{minutes{1}}));
  BOOST_TEST((f.cause_at == std::optional<wall_time>{wall}));
}

BOOST_FIXTURE_TEST_CASE(hour_of_a_wrong_password_costs_one_bind_a_retry, verdict_fixture) {
  int binds = 0;
  for (int second = 0; second < 3600; ++second) {
    for (server_id server = 0; server < 3; ++server) {
      if (const auto version = ask(server); version.value_or(0) != 0) {
        ++binds;
        on_verdict(*version, kind::refused, server);
      }
    }
    advance(seconds{1});
  }
  BOOST_TEST(binds == 4);
}

BOOST_FIXTURE_TEST_CASE(changed_secret_is_tried_at_once_and_alone, verdict_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  change_secret("new");
  BOOST_TEST(!guard->any_refused());
  const auto version = ask(2);
  BOOST_TEST(version.value_or(0) != 0U);
  BOOST_TEST(!ask(3).has_value());
  on_verdict(*version, kind::accepted);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  BOOST_TEST(!guard->any_refused());
}

BOOST_FIXTURE_TEST_CASE(same_bytes_are_no_change, verdict_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  change_secret("right");
  BOOST_TEST(ask(2).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(waiters_go_on_with_a_changed_secret, verdict_fixture) {
  const auto old = ask(1).value();
  ask(2);
  change_secret("new");
  BOOST_TEST(answered(2).value_or(0) != 0U);
  on_verdict(old, kind::refused);
  BOOST_TEST(!guard->any_refused());
  BOOST_TEST(!ask(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(stream_of_wrong_secrets_is_stopped, verdict_fixture) {
  int binds = 0;
  for (int i = 0; i < 55; ++i) {
    change_secret("guess " + std::to_string(i));
    if (const auto version = ask(1); version.value_or(0) != 0) {
      ++binds;
      on_verdict(*version, kind::refused);
    }
    advance(minutes{1});
  }
  BOOST_TEST(binds == 12);  // three each quarter of an hour
  change_secret("another");
  ask(1);
  BOOST_TEST(refusal(request_ids).message.find("last 3 passwords") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(secret_that_changes_while_its_bind_is_under_way_counts_all_the_same, verdict_fixture) {
  std::vector<std::uint64_t> under_way;
  for (int i = 0; i < 10; ++i) {
    change_secret("guess " + std::to_string(i));
    if (const auto version = ask(1); version.value_or(0) != 0) under_way.push_back(*version);
  }
  BOOST_TEST(under_way.size() == 3U);
  for (const auto version : under_way) on_verdict(version, kind::refused);
  advance(minutes{14});
  BOOST_TEST(ask(1).value_or(1) == 0U);
  advance(minutes{1});
  BOOST_TEST(ask(1).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(binds_that_bring_no_verdict_do_not_count_for_long, verdict_fixture) {
  for (int i = 0; i < 10; ++i) {
    change_secret("guess " + std::to_string(i));
    BOOST_TEST(ask(1).value_or(0) != 0U);
    advance(seconds{5});
  }
}

BOOST_FIXTURE_TEST_CASE(secret_that_returns_while_its_bind_is_under_way_does_not_go_twice, verdict_fixture) {
  const auto version = ask(1).value();
  change_secret("another");
  change_secret("right");
  BOOST_TEST(!ask(2).has_value());
  on_verdict(version, kind::accepted);
  BOOST_TEST(answered(request_ids).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(refusal_counts_also_when_a_later_bind_brings_no_verdict, verdict_fixture) {
  change_secret("right", other);
  on_verdict(ask(1).value(), kind::refused);
  guard->resume(other, now);
  on_verdict(ask(1).value(), kind::unknown);
  for (int i = 0; i < 2; ++i) {
    change_secret("guess " + std::to_string(i));
    on_verdict(ask(1).value(), kind::refused);
  }
  change_secret("another");
  BOOST_TEST(ask(1).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(binds_refused_together_count_once, verdict_fixture) {
  const auto version = ask(1).value();
  for (server_id server = 0; server < 5; ++server) {
    ask(server);
  }
  on_verdict(version, kind::accepted);
  for (server_id server = 0; server < 5; ++server) {
    on_verdict(version, kind::refused, server);
  }
  change_secret("new");
  BOOST_TEST(ask(1).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(command_lifts_a_refusal, verdict_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  guard->resume(1, now);
  BOOST_TEST(ask(2).value_or(0) != 0U);
  BOOST_TEST(!ask(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(unknown_hands_the_turn_to_another_server_first, verdict_fixture) {
  const auto version = ask(1).value();
  ask(1);
  ask(2);
  on_verdict(version, kind::unknown);
  BOOST_TEST(!answered(2).has_value());
  BOOST_TEST(answered(3).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(server_that_had_no_turn_goes_before_those_that_had_one, verdict_fixture) {
  const auto first = ask(1).value();
  ask(2);
  on_verdict(first, kind::unknown);
  ask(1);
  ask(3);
  on_verdict(answered(2).value(), kind::unknown, 2);
  BOOST_TEST(!answered(3).has_value());
  BOOST_TEST_REQUIRE(answered(4).value_or(0) != 0U);
  ask(2);
  advance(options.silence);  // whose turn is longest ago
  BOOST_TEST(answered(3).value_or(0) != 0U);
  BOOST_TEST(!answered(5).has_value());
}

/// Else whoever asks for a moment only, as probes do, would send the others of their server to the end of the row.
BOOST_FIXTURE_TEST_CASE(turn_that_was_not_used_leaves_its_server_its_place, verdict_fixture) {
  const auto hung = ask(1).value();
  ask(2);
  ask(1);
  ask(2);
  on_verdict(hung, kind::unknown);
  BOOST_TEST_REQUIRE(answered(2).value_or(0) != 0U);
  not_sent(*answered(2));
  BOOST_TEST(answered(4).value_or(0) != 0U);
  BOOST_TEST(!answered(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(server_that_hangs_keeps_nobody_waiting_while_the_secret_is_fresh, verdict_fixture) {
  const auto first = ask(1).value();
  ask(2);
  on_verdict(first, kind::unknown);
  on_verdict(answered(2).value(), kind::accepted, 2);
  BOOST_TEST(ask(1).value_or(0) != 0U);
  BOOST_TEST(ask(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(unknown_without_waiters_frees_the_turn, verdict_fixture) {
  on_verdict(ask(1).value(), kind::unknown);
  BOOST_TEST(ask(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(late_unknown_does_not_end_the_turn_of_the_next, verdict_fixture) {
  const auto first = ask(1).value();
  ask(2);
  ask(3);
  advance(options.silence);
  BOOST_TEST(answered(2).value_or(0) != 0U);
  on_verdict(first, kind::unknown);
  BOOST_TEST(!answered(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(silent_bind_keeps_other_servers_waiting_for_a_moment_only, verdict_fixture) {
  ask(1);
  ask(2);
  advance(options.silence - milliseconds{1});
  BOOST_TEST(!answered(2).has_value());
  BOOST_TEST((guard->next_tick() == now + milliseconds{1}));
  advance(milliseconds{1});
  BOOST_TEST(answered(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(several_silent_servers_cost_a_moment_each, verdict_fixture) {
  ask(1);
  ask(2);
  ask(3);
  advance(options.silence);
  BOOST_TEST(answered(2).value_or(0) != 0U);
  BOOST_TEST(!answered(3).has_value());
  advance(options.silence);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  on_verdict(*answered(3), kind::accepted, 3);
  BOOST_TEST(ask(4).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(who_asks_when_the_bind_is_silent_already_does_not_wait, verdict_fixture) {
  ask(1);
  advance(options.silence);
  BOOST_TEST(ask(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(silent_server_gets_no_second_bind_before_the_turn_is_over, verdict_fixture) {
  ask(1);
  ask(1);
  ask(2);
  advance(options.silence);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  advance(options.turn - options.silence - milliseconds{1});
  BOOST_TEST(!answered(2).has_value());
  advance(milliseconds{1});
  BOOST_TEST(answered(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(only_one_server_refuses_a_wrong_secret_beside_mute_ones, verdict_fixture) {
  for (server_id server = 1; server <= 4; ++server) {
    ask(server);
  }
  advance(options.silence);
  on_verdict(answered(2).value(), kind::refused, 2);
  for (std::uint64_t request_id : {3, 4}) {
    BOOST_TEST(answered(request_id).value_or(1) == 0U);
  }
  advance(seconds{30});
  BOOST_TEST(ask(1).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(unknown_of_a_silent_bind_leaves_the_others_turns_alone, verdict_fixture) {
  const auto first = ask(1).value();
  ask(2);
  advance(options.silence);
  on_verdict(first, kind::unknown);
  BOOST_TEST(!ask(3).has_value());
  BOOST_TEST(!ask(2).has_value());
  on_verdict(*answered(2), kind::unknown, 2);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  BOOST_TEST(!answered(4).has_value());
}

BOOST_FIXTURE_TEST_CASE(late_refusal_counts, verdict_fixture) {
  const auto first = ask(1).value();
  ask(2);
  advance(options.silence);
  on_verdict(first, kind::refused);
  BOOST_TEST(ask(3).value_or(1) == 0U);
}

// An account is as near to its lock with somebody else's bind under way as without.
BOOST_FIXTURE_TEST_CASE(secret_that_another_account_tries_is_blocked_all_the_same, verdict_fixture) {
  change_secret("shared", other);
  refuse_each({"wrong 1", "wrong 2", "wrong 3"});
  BOOST_TEST(ask(other).value_or(0) != 0U);
  change_secret("shared");
  advance(options.silence);
  BOOST_TEST(ask(2).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(bind_under_way_counts_although_another_secret_is_accepted, verdict_fixture) {
  const auto later = refuse_earlier_of_two();
  change_secret("right after all");
  on_verdict(ask(3).value(), kind::accepted);
  on_verdict(later, kind::refused, 2);
  refuse_each({"wrong 1", "wrong 2"});
  change_secret("wrong 3");
  BOOST_TEST(ask(1).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(bind_under_way_counts_although_a_command_lifts_a_refusal, verdict_fixture) {
  const auto later = refuse_earlier_of_two();
  guard->resume(1, now);
  change_secret("wrong 1");
  on_verdict(later, kind::refused, 2);
  on_verdict(ask(1).value(), kind::refused);
  refuse_each({"wrong 2"});
  change_secret("wrong 3");
  BOOST_TEST(ask(1).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(bind_without_a_verdict_ends_no_turn_but_its_own, verdict_fixture) {
  const auto first = ask(1).value();
  advance(options.silence);
  const auto silent = ask(2).value();
  on_verdict(first, kind::accepted);
  const auto together = ask(1).value();
  BOOST_TEST(together != silent);
  BOOST_TEST(!ask(1).has_value());
  on_verdict(silent, kind::unknown, 2);
  BOOST_TEST(!answered(4).has_value());
  on_verdict(together, kind::unknown);
  BOOST_TEST(answered(4).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(secret_that_nobody_has_is_forgotten_when_its_binds_are_over, verdict_fixture) {
  const auto first = ask(1).value();
  advance(options.silence);
  ask(2);  // never judged
  on_verdict(first, kind::accepted);
  change_secret("another");
  now += options.turn;  // nobody asked to be told of it
  change_secret("right");
  BOOST_TEST(ask(1).value_or(0) != 0U);
  BOOST_TEST(!ask(3).has_value());  // untried again: alone
}

BOOST_FIXTURE_TEST_CASE(waiting_ends_at_the_deadline, verdict_fixture) {
  ask(1);
  ask(1, seconds{2});
  advance(seconds{2});
  BOOST_TEST(answered(2).value_or(1) == 0U);
  // That it waited for us speaks neither against the server nor against the password.
  BOOST_TEST(static_cast<int>(classify(refusal(2))) == static_cast<int>(failure_class::local));
  BOOST_TEST(!counts_against_server(classify(refusal(2))));
}

BOOST_FIXTURE_TEST_CASE(old_acceptance_is_renewed_by_one_bind, verdict_fixture) {
  on_verdict(ask(1).value(), kind::accepted);
  advance(options.fresh_verdict);
  const auto version = ask(1);
  BOOST_TEST(version.value_or(0) != 0U);
  BOOST_TEST(!ask(2).has_value());
  BOOST_TEST(!ask(3).has_value());
  on_verdict(*version, kind::refused);  // rotated meanwhile: one bind, not three
  BOOST_TEST(answered(3).value_or(1) == 0U);
  BOOST_TEST(answered(4).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(renewal_waits_a_short_turn_only, verdict_fixture) {
  on_verdict(ask(1).value(), kind::accepted);
  advance(options.fresh_verdict);
  ask(1);
  ask(2);
  advance(options.renewed_turn);
  BOOST_TEST(answered(3).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(equal_credentials_share_a_verdict, verdict_fixture) {
  change_secret("right", other);
  const auto version = ask(1).value();
  BOOST_TEST(!ask(other).has_value());
  on_verdict(version, kind::refused);
  BOOST_TEST(answered(2).value_or(1) == 0U);
  BOOST_TEST(ask(other).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(different_accounts_do_not_wait_for_each_other, verdict_fixture) {
  change_secret("different", other);
  change_secret("right", other_dn);
  on_verdict(ask(1).value(), kind::refused);
  BOOST_TEST(ask(other).value_or(0) != 0U);
  BOOST_TEST(ask(other_dn).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(unknown_versions_are_ignored, verdict_fixture) {
  on_verdict(0, kind::accepted);
  on_verdict(~std::uint64_t{0}, kind::refused);
  BOOST_TEST(ask(1).value_or(0) != 0U);
  BOOST_TEST(!ask(2).has_value());
}

BOOST_FIXTURE_TEST_CASE(refused_secret_is_tried_again_after_a_while_and_counts_as_refused_until_then, verdict_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  advance(options.retry - milliseconds{1});
  BOOST_TEST(ask(1).value_or(1) == 0U);
  BOOST_TEST((refusal(request_ids).retry_after == std::optional{milliseconds{1}}));
  advance(milliseconds{1});
  const auto again = ask(1);
  BOOST_TEST_REQUIRE(again.value_or(0) != 0U);
  BOOST_TEST(guard->any_refused());  // until it is accepted
  on_verdict(*again, kind::accepted);
  BOOST_TEST(!guard->any_refused());
}

// ---- who presents the service's own name ----

BOOST_FIXTURE_TEST_CASE(who_presents_the_services_name_is_judged_by_what_the_directory_accepted, source_fixture) {
  const auto says = [&](std::string_view dn, std::string_view password) {
    return guard->check_claim(dn, secret{password});
  };
  set({with_password("good"), with_password("third", "cn=third,dc=a")});
  BOOST_TEST((says("cn=nobody", "good") == service_claim::other));
  BOOST_TEST((says("cn=service", "good") == service_claim::unknown));
  // A bind will tell, of a wrong one too.
  for (const auto* password : {"good", "guessed"})
    BOOST_TEST(guard->is_undecided("cn=service", secret{std::string_view{password}}));
  BOOST_TEST(!guard->is_undecided("cn=nobody", secret{std::string_view{"good"}}));
  on_verdict(ask(0), kind::accepted);
  BOOST_TEST(!guard->is_undecided("cn=service", secret{std::string_view{"good"}}));
  BOOST_TEST((says("cn=service", "good") == service_claim::right));
  BOOST_TEST((says("2.5.4.3 = SERVICE", "good") == service_claim::right));
  BOOST_TEST((says("cn=service", "goodgood") == service_claim::wrong));
  BOOST_TEST((says("cn=service", "goo") == service_claim::wrong));
  BOOST_TEST((says("cn=third,dc=a", "good") == service_claim::unknown));
}

BOOST_FIXTURE_TEST_CASE(after_a_rotation_both_passwords_are_known_until_the_directory_takes_the_new_one,
                        source_fixture) {
  const auto says = [&](std::string_view password) { return guard->check_claim("cn=service", secret{password}); };
  set({with_file()});
  on_verdict(read_done_after_ask("old"), kind::accepted);
  BOOST_TEST((says("old") == service_claim::right));
  BOOST_TEST((says("new") == service_claim::wrong));
  // The reading is fresh; after a while somebody who presents another password has the source looked at, once.
  put(guard->look_again("cn=service", now));
  BOOST_TEST(!guard->is_reading("cn=service"));
  advance(seconds{5});
  put(guard->look_again("cn=nobody", now));
  BOOST_TEST(!guard->is_reading("cn=service"));
  put(guard->look_again("CN=Service", now));
  put(guard->look_again("cn=service", now));
  BOOST_TEST(guard->is_reading("cn=service"));
  read_done("new");
  BOOST_TEST(read_of(0) == 0U);
  BOOST_TEST(!guard->is_reading("cn=service"));
  BOOST_TEST((says("old") == service_claim::right));
  BOOST_TEST((says("new") == service_claim::unknown));
  BOOST_TEST((says("guessed") == service_claim::wrong));
  BOOST_TEST(guard->is_undecided("cn=service", secret{std::string_view{"new"}}));
  BOOST_TEST(!guard->is_undecided("cn=service", secret{std::string_view{"old"}}));
  on_verdict(read_done_after_ask("new"), kind::accepted);
  BOOST_TEST((says("new") == service_claim::right));
  BOOST_TEST((says("old") == service_claim::wrong));
  BOOST_TEST(!guard->is_undecided("cn=service", secret{std::string_view{"new"}}));
}

BOOST_FIXTURE_TEST_CASE(a_new_password_that_the_directory_refuses_leaves_the_old_one, source_fixture) {
  const auto says = [&](std::string_view password) { return guard->check_claim("cn=service", secret{password}); };
  set({with_file()});
  on_verdict(read_done_after_ask("old"), kind::accepted);
  advance(seconds{5});
  on_verdict(read_done_after_ask("mistyped"), kind::refused);
  BOOST_TEST((says("old") == service_claim::right));
  BOOST_TEST((says("mistyped") == service_claim::wrong));
  BOOST_TEST(!guard->is_undecided("cn=service", secret{std::string_view{"mistyped"}}));
}

BOOST_FIXTURE_TEST_CASE(a_secret_that_the_directory_refuses_proves_nothing, source_fixture) {
  set({with_password("bad")});
  on_verdict(ask(0), kind::refused);
  BOOST_TEST((guard->check_claim("cn=service", secret{std::string_view{"bad"}}) == service_claim::wrong));
  BOOST_TEST((guard->check_claim("cn=service", secret{std::string_view{"new"}}) == service_claim::unknown));
  BOOST_TEST(!guard->is_undecided("cn=service", secret{std::string_view{"new"}}));
}
