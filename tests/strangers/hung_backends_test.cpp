// Servers whose front lives and whose data does not: binds and reads of the root DSE are answered, searches are not.
#include "scenarios/evidence.hpp"
#include "strangers/usual_pace.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

#include <future>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

bool asks_for_data(const directory_request& r) {
  const bool root_dse = r.kind == operation::search && r.dn.empty();
  return !root_dse && r.kind != operation::bind && r.kind != operation::unbind && r.kind != operation::abandon;
}

reply nothing(const directory_request&) { return reply{{}, {.silent = true}}; }

struct outcomes_of_callers {
  int timeouts = 0;
  std::string server;
  duration took{};
};

/// One caller after the other until one is served.
outcomes_of_callers ask_until_served(connection_manager& manager, milliseconds patience) {
  outcomes_of_callers seen;
  const stopwatch watch;
  while (watch.elapsed() < 20s) {
    const auto found = manager.try_search(search_for("(uid=user1)"), {patience});
    if (found) {
      seen.server = found->server;
      break;
    }
    ++seen.timeouts;
  }
  seen.took = watch.elapsed();
  return seen;
}

struct two_servers {
  two_servers() : all(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)})) {
    all.breaker.suspect_after = 1s;
    all.breaker.slow_call = 5s;
  }
  stub_directory a, b;
  settings all;
};

/// The preferred one answers data as `how` says, callers are few and have a second.
void left_soon(const responder& how) {
  leak_guard leaks;
  two_servers s;
  connection_manager manager(s.all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] {
    const auto found = manager.try_search(search_for("(uid=user1)"), {1s});
    return found && found->server == name_of(s.a.port());
  }));
  const auto rule = s.a.when(asks_for_data, how);
  const auto seen = ask_until_served(manager, 1s);
  BOOST_TEST(seen.server == name_of(s.b.port()));
  // The second of them ends a second after the first, and the probe that finds out takes half of one.
  BOOST_TEST((seen.took <= 2500ms), seen.timeouts << " time-outs in " << seen.took / 1ms << " ms");
  // It says that it is well all the time; nobody is sent back.
  const auto before = s.a.count(operation::search);
  BOOST_TEST(holds_for(
      [&] {
        const auto found = manager.try_search(search_for("(uid=user1)"), {1s});
        return found && found->server == name_of(s.b.port());
      },
      4s));
  const auto asked = s.a.requests(operation::search);
  const auto sent = std::count_if(asked.begin() + static_cast<std::ptrdiff_t>(before), asked.end(),
                                  [](const directory_request& r) { return r.filter == "(uid=user1)"; });
  BOOST_TEST(sent == 0);
  s.a.forget(rule);
  end_scenario(manager, {s.a, s.b});
}

/// The preferred one answers data as `how` says: whoever has time is served by the other.
void costs_little(const responder& how) {
  leak_guard leaks;
  two_servers s;
  stopwatch watch;
  connection_manager manager(s.all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  await_usual_pace(s.a, watch);
  const auto rule = s.a.when(asks_for_data, how);
  watch.restart();
  const auto found = manager.try_search(search_for("(uid=user1)"), {30s});
  const auto took = watch.elapsed();
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST(found->server == name_of(s.b.port()));
  BOOST_TEST((took <= 1500ms), took / 1ms << " ms");
  s.a.forget(rule);
  end_scenario(manager, {s.a, s.b});
}

}  // namespace

BOOST_AUTO_TEST_CASE(stranger_whose_backend_hangs_is_left_after_two_timeouts_of_a_second) { left_soon(nothing); }

BOOST_AUTO_TEST_CASE(stranger_that_begins_an_answer_and_never_ends_it_is_left_after_two_timeouts) {
  stub_directory usual;
  left_soon([&](const directory_request& r) { return reply{usual.usual(r).what, {.half = true}}; });
}

BOOST_AUTO_TEST_CASE(stranger_that_sends_entries_and_never_a_result_is_left_after_two_timeouts) {
  stub_directory usual;
  left_soon([&](const directory_request& r) { return reply{usual.usual(r).what, {.entries = 1}}; });
}

BOOST_AUTO_TEST_CASE(stranger_whose_backend_hangs_costs_who_has_time_a_second_and_a_half) { costs_little(nothing); }

BOOST_AUTO_TEST_CASE(stranger_that_sends_entries_and_never_a_result_costs_who_has_time_a_second_and_a_half) {
  stub_directory usual;
  costs_little([&](const directory_request& r) { return reply{usual.usual(r).what, {.entries = 1}}; });
}

namespace {

/// Whoever is connected to it now is answered nothing any more; who connects anew is served. As behind something that
/// has forgotten its connections, or with a process for each.
stub_script::rule_id deafen(stub_directory& server) {
  return server.when([last = server.connections()](const directory_request& r) { return r.connection <= last; },
                     nothing);
}

/// So long a read may take: silence, half of that for a look at the connection, and a moment on a new one.
constexpr milliseconds deaf_costs = 1600ms;

}  // namespace

BOOST_AUTO_TEST_CASE(stranger_that_is_deaf_on_its_old_connections_costs_a_read_a_second_and_a_half) {
  leak_guard leaks;
  two_servers s;
  connection_manager manager(s.all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(
      eventually([&] { return manager.try_search(search_for("(uid=user1)"), {1s}).code() == errc::none; }));
  const auto rule = deafen(s.a);
  const stopwatch watch;
  auto found = manager.try_search(search_for("(uid=user1)"), {30s});
  const auto took = watch.elapsed();
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST((took <= deaf_costs), took / 1ms << " ms");
  BOOST_TEST(holds_for([&] { return static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {3s})); }, 4s));
  // It is well: nobody has left it.
  BOOST_TEST(eventually([&] {
    const auto last = manager.try_search(search_for("(uid=user1)"), {3s});
    return last && last->server == name_of(s.a.port());
  }));
  s.a.forget(rule);
  end_scenario(manager, {s.a, s.b});
}

BOOST_AUTO_TEST_CASE(stranger_that_is_deaf_on_its_old_connections_and_alone_serves_on_new_ones) {
  leak_guard leaks;
  stub_directory a;
  auto all = quick_settings({server_at(a.port(), 1)});
  all.breaker.suspect_after = 1s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto rule = deafen(a);
  const stopwatch watch;
  auto found = manager.try_search(search_for("(uid=user1)"), {30s});
  const auto took = watch.elapsed();
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST((took <= deaf_costs), took / 1ms << " ms");
  BOOST_TEST(holds_for([&] { return static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {3s})); }, 3s));
  a.forget(rule);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_hangs_and_is_taken_out_leaves_its_reads_to_another) {
  leak_guard leaks;
  // Before it is suspected, and after.
  for (const auto before : {100ms, 1100ms}) {
    two_servers s;
    s.all.limits.drain_timeout = 30s;
    connection_manager manager(s.all);
    BOOST_TEST_REQUIRE(manager.connect().connected);
    s.a.pause();
    const stopwatch watch;
    auto found = std::async(std::launch::async, [&] { return manager.try_search(search_for("(uid=user1)"), {20s}); });
    BOOST_TEST((found.wait_for(before) == std::future_status::timeout));
    auto without = s.all;
    without.servers.erase(without.servers.begin());
    manager.reload(without);
    const auto answer = found.get();
    const auto took = watch.elapsed();
    BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
    BOOST_TEST(answer->server == name_of(s.b.port()));
    BOOST_TEST((took <= 5s), std::chrono::duration_cast<milliseconds>(took).count());
    s.a.resume();
    end_scenario(manager, {s.b});
  }
}

BOOST_AUTO_TEST_CASE(stranger_that_says_goodbye_in_place_of_an_answer_costs_no_read) {
  leak_guard leaks;
  two_servers s;
  connection_manager manager(s.all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto rule = s.a.when(asks_for_data, [](const directory_request&) {
    return reply{{}, {.raw = encode_notice_of_disconnection(52, "going down")}};
  });
  const stopwatch watch;
  const auto found = manager.try_search(search_for("(uid=user1)"), {10s});
  const auto took = watch.elapsed();
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST(found->server == name_of(s.b.port()));
  BOOST_TEST((took <= 500ms), std::chrono::duration_cast<milliseconds>(took).count());
  // What was a write may have been carried out.
  const auto write = manager.try_modify(replace_description("cn=x,dc=example,dc=com", "y"), {10s});
  BOOST_TEST((static_cast<bool>(write) || write.code() == errc::outcome_unknown), why(write));
  s.a.forget(rule);
  end_scenario(manager, {s.a, s.b});
}

BOOST_AUTO_TEST_CASE(stranger_whose_backend_hangs_is_kept_when_there_is_no_other) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port(), 1)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto rule = a.when(asks_for_data, nothing);
  for (int i = 0; i < 5; ++i) {
    const auto found = manager.try_search(search_for("(uid=user1)"), {500ms});
    BOOST_TEST((found.code() == errc::operation_timeout), why(found));
  }
  a.forget(rule);
  BOOST_TEST(static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {1s})));
  BOOST_TEST(server_in(manager.snapshot(), a.port()).breaker_opened == 0u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_hangs_keeps_no_health_check_waiting) {
  leak_guard leaks;
  two_servers s;
  connection_manager manager(s.all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto check = [&](const stub_directory& hung, const stub_directory& well, duration most) {
    const stopwatch watch;
    const auto found = manager.health_check();
    const auto took = watch.elapsed();
    BOOST_TEST(found.connected, found.connection_error);
    BOOST_TEST(found.port == well.port());
    BOOST_TEST((took <= most), hung.port() << " hangs, and it took " << took / 1ms << " ms");
  };
  s.b.pause();
  check(s.b, s.a, 1s);
  s.b.resume();
  s.a.pause();
  check(s.a, s.b, 2s);
  s.a.resume();
  end_scenario(manager, {s.a, s.b});
}
