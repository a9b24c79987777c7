// Scenarios 1, 2, 3: servers that pause, die, or say goodbye before they go.
#include "scenarios/bare_runtime.hpp"
#include "scenarios/evidence.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// The share of `server` in a part of a history.
double share(const std::vector<background_load::served>& all, std::size_t from, std::size_t to,
             const std::string& server) {
  const auto begin = all.begin();
  const auto count = std::count_if(begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to),
                                   [&](const auto& read) { return read.server == server; });
  return static_cast<double>(count) / static_cast<double>(to - from);
}

/// True when the latest reads all came from `server`.
bool serves_alone(const background_load& load, const std::string& server) {
  constexpr std::size_t enough = 300;
  const auto all = load.history();
  return all.size() > enough && share(all, all.size() - enough, all.size(), server) == 1;
}

std::uint64_t unknown_outcomes(const background_load& load) {
  const auto failures = load.failures();
  const auto found = failures.find(errc::outcome_unknown);
  return found == failures.end() ? 0 : found->second;
}

}  // namespace

/// The pause costs `suspect_after` of silence, and as long as the probe then has: half of that, or twice what the
/// server usually took before where that is more, `slow_call` at the most. That makes a second and a half for a server
/// that is not slow. What the machine keeps us, or the server that is left, waiting for a processor comes on top: of
/// one thread it can be told, of all on a request's way it cannot. So the best of a few pauses counts for the time, and
/// each of them for everything else; on virtual time the matrix holds each to its limit.
BOOST_AUTO_TEST_CASE(scenario_01_a_paused_server_costs_its_readers_a_second_and_a_half_at_most) {
  leak_guard leaks;
  slapd a, b;
  const stall_watch stalls;
  const auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  learnt_paces paces;
  replaced_parts with;
  with.connections = paces.connections();
  bare_runtime runtime(all, std::move(with));
  BOOST_TEST_REQUIRE(runtime.connect());
  bool in_time = false;
  std::string too_long;
  for (int round = 0; round < 5 && !in_time; ++round) {
    background_load reads(runtime, 16);
    BOOST_TEST_REQUIRE(eventually([&] { return reads.by_server().count(name_of(a.port())) > 0; }));
    reads.forget();
    const processor_waits ours, theirs(b.pid());
    a.pause();
    const auto paused = std::chrono::steady_clock::now();
    // Answers that came just before are read now, and may change it.
    duration learnt{};
    BOOST_TEST(eventually([&] {
      learnt = std::max(learnt, paces.patience(a.port()));
      return server_in(runtime.snapshot(), a.port()).breaker != breaker_state::closed;
    }));
    BOOST_TEST(eventually([&] { return reads.by_server().count(name_of(b.port())) > 0; }));
    // Others were served by the second server before those whom the pause had caught; these are too, while it lasts.
    BOOST_TEST(reads.finish());
    const auto over = std::chrono::steady_clock::now();
    const auto waits = std::max(stalls.stalled(paused, over), ours.longest()) + theirs.longest();
    a.resume();
    duration longest{};
    for (const auto& read : reads.history()) longest = std::max(longest, read.ended - std::max(read.began, paused));
    const duration suspect_after = all.breaker.suspect_after, slow_call = all.breaker.slow_call;
    const auto limit = suspect_after + std::max(suspect_after / 2, std::min(learnt, slow_call));
    in_time = longest <= limit + waits;
    too_long += std::to_string(longest / 1ms) + " ms of " + std::to_string(limit / 1ms) + " and waits of " +
                std::to_string(waits / 1ms) + "; ";
    BOOST_TEST((longest > 100ms), "nothing was in flight when the server paused");
    BOOST_TEST(reads.failures().empty(), reads.example());
    check_recovery(runtime, {a, b});
  }
  BOOST_TEST(in_time, "the longest reads of each pause took " << too_long);
  end_scenario(runtime, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_01_writes_caught_by_a_pause_are_unknown_and_later_ones_go_elsewhere) {
  leak_guard leaks;
  slapd a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load writes(manager, 4, numbered_write, 8s);
  BOOST_TEST_REQUIRE(eventually([&] { return writes.succeeded() > 50; }));
  a.pause();
  BOOST_TEST(eventually([&] { return writes.by_server().count(name_of(b.port())) > 0; }));
  // The pool ends what is silent as soon as the breaker opens: long before the deadline.
  BOOST_TEST(eventually([&] { return unknown_outcomes(writes) > 0; }));
  BOOST_TEST((writes.longest() < 8s));
  a.resume();
  BOOST_TEST(writes.finish());
  for (const auto& [code, count] : writes.failures())
    BOOST_TEST((code == errc::outcome_unknown), count << " writes: " << writes.example());
  BOOST_TEST(writes.example().find("modify") != std::string::npos, writes.example());
  BOOST_TEST(writes.example().find(name_of(a.port())) != std::string::npos, writes.example());
  check_recovery(manager, {a, b});
  check_carried_out_once({&a, &b}, writes.succeeded(), unknown_outcomes(writes));
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_01_a_write_caught_by_a_pause_ends_at_its_deadline_at_the_latest) {
  leak_guard leaks;
  stub_directory a;
  // Nothing but the deadline can end it.
  auto all = quick_settings({server_at(a.port())});
  all.breaker.suspect_after = 60s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb(operation::modify, {.silent = true});
  const auto caught = manager.try_modify(replace_description(user_dn(1), "x"), {500ms});
  BOOST_TEST_REQUIRE((caught.code() == errc::outcome_unknown), why(caught));
  BOOST_TEST(caught.error()->message.find("modify") != std::string::npos, caught.error()->message);
  BOOST_TEST(caught.error()->server == name_of(a.port()));
  BOOST_TEST(a.count(operation::modify) == 1u);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_01_a_continued_server_serves_after_the_hold_down_and_along_a_ramp) {
  leak_guard leaks;
  slapd a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  all.failover.hold_down = 1s;
  all.failover.ramp = 3s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto preferred = name_of(a.port());
  background_load reads(manager, 4);
  a.pause();
  BOOST_TEST_REQUIRE(eventually([&] { return serves_alone(reads, name_of(b.port())); }));
  reads.forget();
  a.resume();
  time_point last_seen_down{};
  BOOST_TEST_REQUIRE(eventually([&] {
    const auto now = std::chrono::steady_clock::now();
    if (breaker_of(manager, a.port()) == breaker_state::closed) return true;
    last_seen_down = now;
    return false;
  }));
  BOOST_TEST(eventually([&] { return serves_alone(reads, preferred); }));
  const auto history = reads.history();
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());

  const auto is_preferred = [&](const auto& read) { return read.server == preferred; };
  const auto first = std::find_if(history.begin(), history.end(), is_preferred);
  BOOST_TEST_REQUIRE((first != history.end()));
  BOOST_TEST((first->ended - last_seen_down >= all.failover.hold_down), "it served before the hold-down was over");
  const auto last = std::find_if_not(history.rbegin(), history.rend(), is_preferred).base();
  BOOST_TEST_REQUIRE((last - first > 100), "only " << last - first << " reads were shared: no ramp");
  const auto from = static_cast<std::size_t>(first - history.begin());
  const auto to = static_cast<std::size_t>(last - history.begin());
  const auto third = (to - from) / 3;
  const auto early = share(history, from, from + third, preferred), late = share(history, to - third, to, preferred);
  BOOST_TEST(early < late, "its share went from " << early << " to " << late);
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_02_a_killed_server_costs_no_read) {
  leak_guard leaks;
  slapd a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  // Only the end of the connection itself can be what is seen.
  all.breaker.suspect_after = 15s;
  all.failover.health_check_interval = 15s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 64);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > 500; }));
  reads.forget();
  a.kill9();
  BOOST_TEST(eventually([&] { return reads.by_server().count(name_of(b.port())) > 0; }));
  const auto so_far = reads.succeeded();
  BOOST_TEST(eventually([&] { return reads.succeeded() > so_far + 500; }));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  BOOST_TEST((reads.longest() < 10s));
  a.start();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_02_writes_cut_off_by_a_kill_are_carried_out_once_or_unknown) {
  leak_guard leaks;
  slapd a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load writes(manager, 32, numbered_write);
  BOOST_TEST_REQUIRE(eventually([&] { return writes.succeeded() > 200; }));
  a.kill9();
  BOOST_TEST(eventually([&] { return writes.by_server().count(name_of(b.port())) > 0; }));
  BOOST_TEST(writes.finish());
  for (const auto& [code, count] : writes.failures())
    BOOST_TEST((code == errc::outcome_unknown), count << " writes: " << writes.example());
  a.start();
  check_recovery(manager, {a, b});
  check_carried_out_once({&a, &b}, writes.succeeded(), unknown_outcomes(writes));
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_02_a_write_cut_off_is_not_sent_twice) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb(operation::modify, {.silent = true, .then = ending::close});
  std::vector<std::future<outcome>> writes;
  for (int i = 0; i < 20; ++i)
    writes.push_back(manager.async_modify(replace_description(user_dn(i), "once " + std::to_string(i)), {10s}));
  std::uint64_t unknown = 0, done = 0;
  for (auto& w : writes) {
    const auto answer = w.get();
    if (answer) ++done;
    if (answer.code() == errc::outcome_unknown) ++unknown;
  }
  BOOST_TEST(unknown + done == 20u);
  BOOST_TEST(unknown >= 1u);
  std::map<std::string, int> sent;
  for (auto* stub : {&a, &b})
    for (const auto& request : stub->requests(operation::modify)) ++sent[request.dn];
  for (const auto& [dn, times] : sent) BOOST_TEST(times == 1, dn << " was sent " << times << " times");
  a.forget_rules();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_03_after_a_goodbye_reads_go_elsewhere_and_the_breaker_stays_closed) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  // As many failures as connections would open it.
  all.breaker.circuit_breaker_threshold = 2;
  all.breaker.suspect_after = all.breaker.slow_call = 1h;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return ready_connections(manager, a.port()) >= 2; }));
  const auto is_slow = [](const directory_request& r) { return r.filter == "(uid=slow)"; };
  a.when(is_slow, [](const directory_request&) { return reply{{}, {.silent = true}}; });
  const auto slow_ones = [&](const stub_directory& at) {
    const auto all_of_them = at.requests(operation::search);
    return std::count_if(all_of_them.begin(), all_of_them.end(), is_slow);
  };
  std::vector<std::future<outcome>> running;
  for (int i = 0; i < 8; ++i) running.push_back(manager.async_search(search_for("(uid=slow)"), {20s}));
  BOOST_TEST_REQUIRE(eventually([&] { return slow_ones(a) == 8; }));
  background_load reads(manager, 8);

  const auto old_ones = a.identities();
  a.send_to_all(encode_notice_of_disconnection(52, "going down"));
  // No answer comes behind it (RFC 4511, 4.4.1), so none is waited for.
  for (auto& one : running) {
    const auto answer = one.get();
    BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
    BOOST_TEST(answer->server == name_of(b.port()));
  }
  BOOST_TEST(slow_ones(a) == 8);
  BOOST_TEST(slow_ones(b) == 8);
  BOOST_TEST(eventually([&] {
    const auto open = a.identities();
    return std::none_of(old_ones.begin(), old_ones.end(),
                        [&](const auto& connection) { return open.count(connection.first) > 0; });
  }));
  BOOST_TEST(eventually([&] { return ready_connections(manager, a.port()) >= 2; }));
  BOOST_TEST(server_in(manager.snapshot(), a.port()).breaker_opened == 0u);
  BOOST_TEST(breaker_of(manager, a.port()) == breaker_state::closed);

  a.stop();
  BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).breaker_opened >= 1u; }));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  a.start();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_03_a_real_server_stopped_politely_costs_no_read) {
  leak_guard leaks;
  slapd a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 32);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > 500; }));
  a.stop();
  const auto so_far = reads.succeeded();
  BOOST_TEST(eventually([&] { return reads.succeeded() > so_far + 500; }));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  a.start();
  end_scenario(manager, {a, b});
}
