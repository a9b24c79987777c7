// Streaming searches at a connection: credits, batches, a server that waits, and exactly one outcome whatever happens.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;
using kind = connection_event::kind;

namespace {

constexpr lease_id mine = 41;
constexpr std::uint64_t my_number = 7;

/// What a consumer was sent, in order.
struct reading {
  std::vector<entry> entries;
  std::vector<std::vector<std::string>> references;
  std::vector<std::size_t> places;  ///< entries before each reference
  std::size_t batches = 0, largest = 0, late = 0, ends = 0;
  answer<result_ptr> end;
  caf::actor who;
  bool done() const { return ends != 0; }
};
using reading_ptr = std::shared_ptr<reading>;

void note(reading& r, const search_batch& b) {
  if (r.done()) ++r.late;
  for (const auto at : b.reference_positions) r.places.push_back(r.entries.size() + at);
  r.references.insert(r.references.end(), b.references.begin(), b.references.end());
  r.entries.insert(r.entries.end(), b.entries.begin(), b.entries.end());
  ++r.batches;
  r.largest = std::max(r.largest, b.size());
}

std::vector<entry> people(int n, std::size_t padding = 0) {
  std::vector<entry> all;
  for (int i = 0; i < n; ++i) {
    const auto uid = "user" + std::to_string(i);
    all.push_back({"uid=" + uid + ",ou=people,dc=example,dc=com",
                   {{"uid", {uid}}, {"description", {std::string(padding, 'x')}}}});
  }
  return all;
}

request_ptr everybody() {
  search_request what;
  what.base = "ou=people,dc=example,dc=com";
  return make_request(std::move(what));
}

struct stream_rig : connection_rig {
  stub_directory directory;
  connection_actor one;

  stream_rig() {
    use(directory);
    one = open_ready();
    tell(one, lease_atom_v, mine);
  }
  ~stream_rig() { remove(one); }

  reading_ptr stream(request_ptr what, std::uint32_t credits, duration limit = 30s, lease_id lease = mine) {
    return stream(order(std::move(what), limit), credits, lease);
  }
  reading_ptr stream(call what, std::uint32_t credits, lease_id lease = mine) {
    auto seen_by = std::make_shared<reading>();
    seen_by->who = system.spawn([=, to = one](caf::event_based_actor* self) -> caf::behavior {
      self->request(to, caf::infinite, stream_atom_v, lease, what, my_number, credits)
          .then(
              [=](const result_ptr& value) {
                ++seen_by->ends;
                seen_by->end.value = value;
              },
              [=](const caf::error& e) {
                ++seen_by->ends;
                seen_by->end.error = failure_of(e);
              });
      return {[=](batch_atom, std::uint64_t number, const search_batch& b) {
        BOOST_TEST(number == my_number);
        note(*seen_by, b);
      }};
    });
    own(seen_by->who);
    return seen_by;
  }
  void grant(std::uint32_t more, std::uint64_t number = my_number) { tell(one, credit_atom_v, mine, number, more); }
  answer<result_ptr> leased(request_ptr what) {
    const auto slot = perform_leased(one, mine, std::move(what));
    BOOST_REQUIRE(reaches([&] { return slot->done(); }));
    return *slot;
  }
  /// Streams everybody with that many credits and waits until they are used up.
  reading_ptr paused(std::uint32_t credits, duration limit = 30s) {
    auto r = stream(everybody(), credits, limit);
    BOOST_REQUIRE(reaches([&] { return r->entries.size() == credits && poller_is_idle(); }));
    return r;
  }
  /// Nothing is waited for: the socket is not read.
  bool poller_is_idle() const {
    for (poller_port::io_id id = 1; id < 100; ++id) {
      if (poller->interest(id) != 0) return false;
    }
    return true;
  }
  std::uint32_t failures_reported() const {
    return static_cast<std::uint32_t>(
        std::count_if(seen->reports.begin(), seen->reports.end(), [](const auto& r) { return r.failed.has_value(); }));
  }
};

void check_in_order(const reading& r, std::size_t n) {
  BOOST_TEST(r.entries.size() == n);
  for (std::size_t i = 0; i < r.entries.size(); ++i) {
    BOOST_TEST_REQUIRE(r.entries[i].first("uid") == "user" + std::to_string(i));
  }
  BOOST_TEST(r.late == 0u);
  BOOST_TEST(r.ends <= 1u);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(streams_entries_in_batches_and_the_result_at_the_end, stream_rig) {
  directory.set_entries(people(1000, 200));
  const auto r = stream(everybody(), 5000);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST_REQUIRE(r->end.ok());
  check_in_order(*r, 1000);
  BOOST_TEST((*r->end.value)->code == 0);
  BOOST_TEST((*r->end.value)->entries.empty());
  BOOST_TEST((*r->end.value)->server == "127.0.0.1:" + std::to_string(directory.port()));
  BOOST_TEST(r->batches < 1000u);
  BOOST_TEST(leased(find_user()).ok());
}

BOOST_FIXTURE_TEST_CASE(an_entry_waits_for_a_credit_and_the_socket_is_not_read_meanwhile, stream_rig) {
  directory.set_entries(people(1000, 200));
  const auto r = paused(10);
  for (int round = 1; round < 100; ++round) {
    grant(10);
    BOOST_REQUIRE(reaches([&] { return r->entries.size() == 10u * (static_cast<unsigned>(round) + 1) || r->done(); }));
    BOOST_TEST(r->largest <= 10u);
  }
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 1000);
  BOOST_TEST(r->ends == 1u);
}

BOOST_FIXTURE_TEST_CASE(the_end_needs_no_credit, stream_rig) {
  directory.set_entries(people(10));
  const auto r = stream(everybody(), 10);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 10);
}

BOOST_FIXTURE_TEST_CASE(references_come_through_in_their_places, stream_rig) {
  directory.on(operation::search, [&](const directory_request& request) {
    auto usual = directory.usual(request);
    usual.what.entries = people(3);
    usual.what.references = {{"ldap://a/", "ldap://b/"}, {"ldap://c/"}};
    usual.what.controls = {{"1.2.3.4", false, std::string{"v\0w", 3}}};
    return usual;
  });
  const auto r = stream(everybody(), 4);
  BOOST_REQUIRE(reaches([&] { return r->entries.size() + r->references.size() == 4; }));
  run();
  BOOST_TEST(!r->done());
  grant(1);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_REQUIRE(r->end.ok());
  check_in_order(*r, 3);
  BOOST_TEST_REQUIRE(r->references.size() == 2u);
  BOOST_TEST(r->references[0].size() == 2u);
  BOOST_TEST(r->references[1].at(0) == "ldap://c/");
  BOOST_TEST(r->places[0] == 3u);
  BOOST_TEST_REQUIRE((*r->end.value)->controls.size() == 1u);
  BOOST_TEST(((*r->end.value)->controls[0].value.value_or("") == std::string{"v\0w", 3}));
  BOOST_TEST((*r->end.value)->references.empty());
}

BOOST_FIXTURE_TEST_CASE(a_slow_consumer_is_no_silent_server, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  advance(20s);
  BOOST_TEST(seen->suspicions == 0);
  BOOST_TEST(failures_reported() == 0u);
  BOOST_TEST(!gauge->silent.load());
  grant(100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 100);
  tell(one, reset_atom_v, mine);
  advance(1s);
  BOOST_TEST(failures_reported() == 0u);
  BOOST_TEST_REQUIRE(!seen->reports.empty());
  // How long the consumer took is no latency of the server's.
  BOOST_TEST((seen->reports.back().latency_total < 1s));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_falls_silent_in_a_stream_is_suspected, stream_rig) {
  directory.set_entries(people(10));
  directory.disturb(operation::search, {.entries = 5});
  const auto r = stream(everybody(), 100, 30s);
  BOOST_REQUIRE(reaches([&] { return r->entries.size() == 5; }));
  advance(1500ms);
  BOOST_TEST(seen->suspicions == 1);
  BOOST_TEST(failures_reported() == 0u);
  advance(4s);
  BOOST_TEST_REQUIRE(failures_reported() == 1u);
  BOOST_TEST((seen->reports.back().failed == failure_class::slow));
  advance(30s);
  BOOST_TEST((r->end.code() == errc::operation_timeout));
  BOOST_TEST(failures_reported() == 1u);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
}

BOOST_FIXTURE_TEST_CASE(the_deadline_holds_while_the_consumer_takes_his_time, stream_rig) {
  directory.set_entries(people(20000, 500));
  const auto r = paused(10, 10s);
  advance(10s);
  BOOST_TEST((r->end.code() == errc::operation_timeout));
  BOOST_TEST(r->ends == 1u);
  BOOST_TEST(r->entries.size() == 10u);
  BOOST_TEST(failures_reported() == 0u);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
  // What the server still sends is read and dropped; then the connection is as good as ever.
  directory.set_entries(stub_directory::generator{});
  BOOST_TEST(leased(find_user()).ok());
  BOOST_TEST(r->entries.size() == 10u);
  grant(10);
  BOOST_TEST(r->late == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_stream_is_abandoned_and_the_lease_goes_on, stream_rig) {
  directory.set_entries(people(20000, 500));
  auto what = order(everybody());
  const auto r = stream(what, 10);
  BOOST_REQUIRE(reaches([&] { return r->entries.size() == 10; }));
  tell(one, cancel_atom_v, what.token);
  BOOST_TEST((r->end.code() == errc::cancelled));
  directory.set_entries(stub_directory::generator{});
  const auto found = leased(find_user());
  BOOST_TEST(found.ok());
  BOOST_TEST(directory.count(operation::abandon) == 1u);
  BOOST_TEST(directory.connections() == 1u);
  check_in_order(*r, 10);
}

BOOST_FIXTURE_TEST_CASE(the_leases_end_is_the_streams, stream_rig) {
  directory.set_entries(people(20000, 500));
  const auto r = paused(10);
  tell(one, reset_atom_v, mine);
  BOOST_TEST((r->end.code() == errc::invalid_lease));
  BOOST_TEST((seen->events.back().what == kind::ready));
  directory.set_entries(stub_directory::generator{});
  BOOST_TEST(outcome(one, find_user()).ok());
  BOOST_TEST(directory.connections() == 1u);
  check_in_order(*r, 10);
}

BOOST_FIXTURE_TEST_CASE(a_consumer_that_ends_takes_its_stream_along, stream_rig) {
  directory.set_entries(people(20000, 500));
  const auto r = paused(10);
  kill(r->who);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
  directory.set_entries(stub_directory::generator{});
  BOOST_TEST(leased(find_user()).ok());
  BOOST_TEST(status(one).in_flight == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_breaks_in_a_stream_says_so_and_how_far_it_came, stream_rig) {
  directory.set_entries(people(50));
  directory.disturb(operation::search, {.entries = 20, .then = ending::close});
  const auto r = stream(everybody(), 100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  BOOST_TEST(r->end.error->message.find("after 20 entries") != std::string::npos, r->end.error->message);
  check_in_order(*r, 20);
  BOOST_TEST(seen->recasts.empty());
  BOOST_TEST((seen->events.back().what == kind::closed));
  const auto later = stream(everybody(), 100);
  run();
  BOOST_TEST((later->end.code() == errc::connection_unhealthy));
  BOOST_TEST(seen->recasts.empty());
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_breaks_behind_a_paused_stream_says_so, stream_rig) {
  directory.set_entries(people(50));
  directory.disturb(operation::search, {.entries = 20, .then = ending::reset});
  const auto r = paused(5);
  grant(100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  BOOST_TEST(r->entries.size() <= 20u);
  check_in_order(*r, r->entries.size());
}

BOOST_FIXTURE_TEST_CASE(what_came_before_garbage_is_delivered_before_the_error, stream_rig) {
  directory.on(operation::search, [](const directory_request& request) {
    directory_answer answer;
    answer.entries = people(3);
    auto messages = encode_answer(operation::search, request.id, answer);
    messages.back() = "no LDAP message";
    std::string bytes;
    for (const auto& m : messages) bytes += m;
    return reply{{}, {.raw = bytes}};
  });
  const auto r = stream(everybody(), 100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  check_in_order(*r, 3);
  BOOST_TEST(metrics->protocol_errors() == 1u);
}

BOOST_FIXTURE_TEST_CASE(limits_of_the_server_end_a_stream_after_its_entries, stream_rig) {
  for (const int code : {result_code::size_limit_exceeded, result_code::time_limit_exceeded}) {
    directory.on(
        operation::search,
        [&](const directory_request& request) {
          auto usual = directory.usual(request);
          usual.what.entries = people(5);
          usual.what.code = code;
          return usual;
        },
        1);
    const auto r = stream(everybody(), 100);
    BOOST_REQUIRE(reaches([&] { return r->done(); }));
    BOOST_TEST((r->end.code() == errc::ldap_error));
    BOOST_TEST(r->end.error->ldap_code == code);
    BOOST_TEST((r->end.error->partial == nullptr), "they were delivered already");
    check_in_order(*r, 5);
  }
}

BOOST_FIXTURE_TEST_CASE(the_sum_of_a_stream_may_exceed_max_result_bytes, stream_rig) {
  BOOST_TEST(all.limits.max_result_bytes > 0);
  remove(one);
  all.limits.max_result_bytes = 1000;
  one = open_ready();
  tell(one, lease_atom_v, mine);
  directory.set_entries(people(100, 100));
  const auto whole = leased(everybody());
  BOOST_TEST((whole.code() == errc::result_too_large));
  BOOST_TEST(whole.error->message.find("stream()") != std::string::npos, whole.error->message);
  BOOST_TEST(whole.error->message.find("paged()") != std::string::npos, whole.error->message);
  const auto r = stream(everybody(), 200);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 100);
}

BOOST_FIXTURE_TEST_CASE(nothing_else_runs_on_the_lease_of_a_stream, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  const auto other = leased(find_user());
  BOOST_TEST((other.code() == errc::invalid_request));
  BOOST_TEST(other.error->message.find("streaming search is open") != std::string::npos, other.error->message);
  const auto second = stream(everybody(), 10);
  run();
  BOOST_TEST((second->end.code() == errc::invalid_request));
  const auto checked = ask<probe_report>(one, check_atom_v, now() + 1s);
  BOOST_TEST_REQUIRE(checked.ok());
  BOOST_TEST(checked.value->ok);
  grant(1000);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 100);
}

BOOST_FIXTURE_TEST_CASE(a_stream_waits_until_nothing_else_is_under_way, stream_rig) {
  const auto hold = directory.disturb(operation::modify, {.silent = true});
  const auto before = perform_leased(one, mine, change_mail());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  const auto late = stream(everybody(), 100, 2s);
  run();
  BOOST_TEST(!late->done());
  BOOST_TEST(directory.count(operation::search) == 0u);
  BOOST_TEST((leased(find_user()).code() == errc::invalid_request));
  advance(2s);
  BOOST_TEST((late->end.code() == errc::operation_timeout));
  const auto gone = stream(everybody(), 100, 20s);
  run();
  kill(gone->who);
  const auto ended = stream(everybody(), 100, 20s);
  run();
  directory.forget(hold);
  directory.close_all();
  BOOST_REQUIRE(reaches([&] { return before->done() && ended->done(); }));
  BOOST_TEST((ended->end.code() == errc::connection_unhealthy));
  BOOST_TEST(directory.count(operation::search) == 0u);
  BOOST_TEST(seen->recasts.empty());
}

BOOST_FIXTURE_TEST_CASE(streams_that_make_no_sense_are_refused, stream_rig) {
  const auto no_search = stream(change_mail(), 10);
  const auto no_lease = stream(everybody(), 10, 30s, 0);
  const auto not_mine = stream(everybody(), 10, 30s, 99);
  search_request bad;
  bad.filter = "(uid=";
  const auto malformed = stream(make_request(bad), 10);
  tell(one, stream_atom_v, mine, order(everybody()), my_number, std::uint32_t{10});  // without a sender
  BOOST_TEST((no_search->end.code() == errc::invalid_request));
  BOOST_TEST((no_lease->end.code() == errc::invalid_lease));
  BOOST_TEST((not_mine->end.code() == errc::invalid_lease));
  BOOST_TEST((malformed->end.code() == errc::invalid_request));
  BOOST_TEST(directory.count(operation::search) == 0u);
  BOOST_TEST(leased(find_user()).ok());
}

BOOST_FIXTURE_TEST_CASE(credits_for_another_stream_are_ignored, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  grant(50, my_number + 1);
  tell(one, credit_atom_v, lease_id{99}, my_number, std::uint32_t{50});
  run();
  BOOST_TEST(r->entries.size() == 10u);
  grant(90);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  check_in_order(*r, 100);
}

BOOST_FIXTURE_TEST_CASE(a_draining_connection_lets_its_stream_finish, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  tell(one, drain_atom_v);
  grant(1000);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  tell(one, reset_atom_v, mine);
  BOOST_TEST((seen->events.back().what == kind::closed));
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_is_closed_ends_its_stream, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  tell(one, close_atom_v);
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  BOOST_TEST(r->ends == 1u);
}
