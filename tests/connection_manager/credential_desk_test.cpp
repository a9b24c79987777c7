// Sources of secrets on injected time: when they are read, what becomes of those who wait, how a rotation goes through.
#include "understudy/actors/connection_manager/credential_desk.hpp"

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

struct desk_fixture {
  void set(std::vector<connection_info> servers) {
    desk.emplace(gate_options{});
    change(servers);
  }
  /// Servers numbered from `first` on.
  void change(const std::vector<connection_info>& servers, server_id first = 0) {
    std::vector<desk_server> numbered;
    for (const auto& info : servers) numbered.push_back({first++, info});
    known = numbered;
    put(desk->set_servers(numbered, now));
  }
  /// The number of the first read for that server that has not ended; 0: none.
  std::uint64_t read_of(server_id id) {
    const auto server = std::find_if(known.begin(), known.end(), [&](const desk_server& s) { return s.id == id; });
    for (const auto& r : reads) {
      const bool theirs = server != known.end() && r.source.password_file == server->info.password_file &&
                          r.source.bind_dn == server->info.bind_dn;
      if (theirs && ended.insert(r.number).second) return r.number;
    }
    return 0;
  }

  std::uint64_t ask(server_id id) {
    put(desk->ask(++tickets, id, now + seconds{30}, now));
    return tickets;
  }

  void read_done(std::string_view value, server_id source = 0) {
    put(desk->read_done(read_of(source), {secret{value}, {}}, now));
  }
  void read_failed(std::string why, server_id source = 0) {
    put(desk->read_done(read_of(source), {{}, std::move(why)}, now));
  }

  std::uint64_t read_done_after_ask(std::string_view value) {
    const auto t = ask(0);
    read_done(value);
    return t;
  }

  void on_verdict(std::uint64_t ticket, kind what) {
    credential_verdict v;
    v.version = told.at(ticket).value.version;
    v.what = what;
    put(desk->on_verdict(v, now, {}));
  }

  void advance(duration by) {
    const auto end = now + by;
    for (auto next = desk->next_tick(); next && *next <= end; next = desk->next_tick()) {
      now = std::max(now, *next);
      put(desk->tick(now));
    }
    now = end;
  }

  void put(const desk_actions& done) {
    for (const auto& a : done.answers) {
      BOOST_TEST(told.count(a.ticket) == 0U);  // nobody is answered twice
      told[a.ticket] = a;
    }
    reads.insert(reads.end(), done.reads.begin(), done.reads.end());
    unwanted.insert(unwanted.end(), done.unwanted.begin(), done.unwanted.end());
  }

  bool waits(std::uint64_t ticket) const { return told.count(ticket) == 0; }
  bool may_bind(std::uint64_t ticket) const { return !waits(ticket) && !told.at(ticket).refusal; }
  bool refused(std::uint64_t ticket) const { return !waits(ticket) && told.at(ticket).refusal; }
  std::string_view password(std::uint64_t ticket) const { return told.at(ticket).value.password.reveal(); }

  std::optional<credential_desk> desk;
  time_point now{std::chrono::hours{1}};
  std::uint64_t tickets = 0;
  std::map<std::uint64_t, desk_answer> told;
  std::vector<desk_read> reads;
  std::vector<std::uint64_t> unwanted;  ///< reads
  std::vector<desk_server> known;
  std::set<std::uint64_t> ended;  ///< reads
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(server_without_bind_dn_needs_no_credential, desk_fixture) {
  set({server("")});
  const auto t = ask(0);
  BOOST_TEST(may_bind(t));
  BOOST_TEST(told[t].value.version == 0U);
  BOOST_TEST(reads.empty());
}

BOOST_FIXTURE_TEST_CASE(unknown_server_needs_no_credential, desk_fixture) {
  set({with_password("x")});
  BOOST_TEST(told[ask(7)].value.version == 0U);
}

BOOST_FIXTURE_TEST_CASE(short_timeout_leaves_time_for_the_turns_of_silent_servers, desk_fixture) {
  auto short_of_time = with_password("s3cret"), patient = short_of_time;
  short_of_time.timeout = seconds{1};
  patient.timeout = seconds{30};
  set({short_of_time, patient, connection_info{}});
  BOOST_TEST((desk->patience_of(0) == seconds{5}));
  BOOST_TEST((desk->patience_of(1) == seconds{30}));
  BOOST_TEST((desk->patience_of(2) == duration::zero()));
}

BOOST_FIXTURE_TEST_CASE(configured_password_is_given_at_once, desk_fixture) {
  set({with_password("hunter2")});
  const auto t = ask(0);
  BOOST_TEST(may_bind(t));
  BOOST_TEST(told[t].value.bind_dn == "cn=service");
  BOOST_TEST(password(t) == "hunter2");
  BOOST_TEST(told[t].value.version != 0U);
}

BOOST_FIXTURE_TEST_CASE(empty_password_is_never_sent, desk_fixture) {
  set({with_password(""), with_file()});
  BOOST_TEST(refused(ask(0)));
  const auto t = ask(1);
  read_done("", 1);
  BOOST_TEST(refused(t));
  BOOST_TEST(told[t].refusal->message.find("password_file /run/secret is empty") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(source_is_read_once_for_all_who_wait, desk_fixture) {
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

BOOST_FIXTURE_TEST_CASE(every_later_bind_reads_anew, desk_fixture) {
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

BOOST_FIXTURE_TEST_CASE(unreadable_source_is_named_with_its_reason, desk_fixture) {
  set({with_file()});
  const auto t = ask(0);
  read_failed("password_file \"/run/secret\" cannot be read: No such file or directory");
  BOOST_TEST(refused(t));
  const auto& f = *told[t].refusal;
  BOOST_TEST(f.message.find("/run/secret") != std::string::npos);
  BOOST_TEST(f.message.find("No such file or directory") != std::string::npos);
  BOOST_TEST(static_cast<int>(classify(f)) == static_cast<int>(failure_class::credential));
}

BOOST_FIXTURE_TEST_CASE(last_secret_serves_while_its_source_cannot_be_read, desk_fixture) {
  set({with_file()});
  on_verdict(read_done_after_ask("good"), kind::accepted);
  advance(seconds{5});
  const auto t = ask(0);
  read_failed("Permission denied");
  BOOST_TEST(password(t) == "good");
}

BOOST_FIXTURE_TEST_CASE(read_that_never_ends_keeps_nobody_and_is_not_doubled, desk_fixture) {
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

BOOST_FIXTURE_TEST_CASE(wrong_password_of_three_servers_costs_one_bind, desk_fixture) {
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
  BOOST_TEST(desk->any_refused());
}

BOOST_FIXTURE_TEST_CASE(refused_source_is_read_at_once_and_every_minute, desk_fixture) {
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

BOOST_FIXTURE_TEST_CASE(rotated_secret_is_found_and_tried_at_once, desk_fixture) {
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
  BOOST_TEST(!desk->any_refused());
  const auto reads_then = reads.size();
  advance(minutes{10});
  BOOST_TEST(reads.size() == reads_then);  // nothing to watch any more
}

BOOST_FIXTURE_TEST_CASE(configured_password_is_retried_after_a_while, desk_fixture) {
  set({with_password("wrong")});
  on_verdict(ask(0), kind::refused);
  advance(seconds{899});
  BOOST_TEST(refused(ask(0)));
  advance(seconds{1});
  BOOST_TEST(may_bind(ask(0)));
}

BOOST_FIXTURE_TEST_CASE(command_allows_another_try_for_that_account, desk_fixture) {
  set({with_password("wrong"), with_password("wrong"), with_password("fine", "cn=other")});
  on_verdict(ask(0), kind::refused);
  desk->resume(2);
  BOOST_TEST(refused(ask(0)));
  desk->resume(1);
  BOOST_TEST(may_bind(ask(0)));
  BOOST_TEST(waits(ask(1)));
}

BOOST_FIXTURE_TEST_CASE(refused_file_is_read_for_those_who_ask, desk_fixture) {
  set({with_file()});
  on_verdict(read_done_after_ask("wrong"), kind::refused);
  read_done("wrong");
  advance(seconds{5});
  const auto t = ask(0);
  read_done("right");
  BOOST_TEST(password(t) == "right");
}

BOOST_FIXTURE_TEST_CASE(refused_command_runs_now_and_then_for_those_who_ask, desk_fixture) {
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

BOOST_FIXTURE_TEST_CASE(equal_answers_of_callbacks_share_a_verdict, desk_fixture) {
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

BOOST_FIXTURE_TEST_CASE(nothing_is_said_of_a_command_but_its_program, desk_fixture) {
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

BOOST_FIXTURE_TEST_CASE(refused_secret_stays_refused_when_other_servers_come_and_go, desk_fixture) {
  auto caller = server("cn=caller");
  caller.password_callback = [] { return std::string{"x"}; };
  set({with_file(), caller});
  const auto from_file = read_done_after_ask("wrong");
  on_verdict(from_file, kind::refused);
  const auto called = ask(1);
  read_done("wrong too", 1);
  on_verdict(called, kind::refused);
  change({with_file(), caller, with_password("fine", "cn=other")});
  BOOST_TEST(desk->any_refused());
  BOOST_TEST(may_bind(ask(2)));
  advance(seconds{2});
  const auto again = ask(0);
  read_done("wrong");
  BOOST_TEST(refused(again));
  const auto called_again = ask(1);
  read_done("wrong too", 1);
  BOOST_TEST(refused(called_again));
}

BOOST_FIXTURE_TEST_CASE(who_waits_for_credentials_that_are_taken_away_is_told, desk_fixture) {
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

BOOST_FIXTURE_TEST_CASE(what_was_read_from_the_old_source_is_not_used_for_the_new_one, desk_fixture) {
  set({with_file()});
  ask(0);
  const auto old = reads.back().number;
  auto other = with_file("/run/other");
  other.bind_dn = "cn=other";
  change({other});
  const auto t = ask(0);
  put(desk->read_done(old, {secret{"of the old"}, {}}, now));
  BOOST_TEST(waits(t));
  read_done("of the new");
  BOOST_TEST(password(t) == "of the new");
  BOOST_TEST(told[t].value.bind_dn == "cn=other");
}

/// A certificate that the directory refuses is tried once in all, and again when its file has changed.
BOOST_FIXTURE_TEST_CASE(gates_a_client_certificate_like_a_password, desk_fixture) {
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
