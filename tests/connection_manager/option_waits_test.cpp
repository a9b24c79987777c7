// What each option about waiting and about room bounds, measured on virtual time: servers that do as they are told,
// real actors before them, and requests of threads. docs/configuration.md names these tests in "What waits, and for how
// long".
#include "made_up_directory.hpp"
#include "support/print.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/recovery_plan.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A connect is begun only when somebody asks for a connection; no pause is stretched by the breaker.
struct waiting : whole {
  explicit waiting(const std::vector<int>& levels = {1}) : whole(levels) {
    all.pool.preload_connections = false;
    all.pool.min_connections = 0;
    all.breaker.circuit_breaker_threshold = 1000;
    all.failover.health_check_interval = std::chrono::hours{1};
    all.pool.health_check_interval = std::chrono::hours{1};
    all.limits.operation_timeout = std::chrono::minutes{5};
    for (auto& server : all.servers) server.timeout = 2s;
  }
  ~waiting() {
    if (client) client->close();
    run();
    client.reset();
  }

  void begin() {
    whole::begin();
    client = std::make_shared<runtime_client>(system, env, all);
    client->connect_to(*ask<circuit_breaker_actor>(manager, router_atom_v).value, manager);
    for (auto& [id, server] : world->servers) server.connects.clear();
  }

  struct told {
    outcome what{failure_ptr{}};
    duration after{};
    bool done = false;
    bool ok() const { return done && what.code() == errc::none; }
  };
  /// A search of a thread, to its end.
  told request(
      duration patience = duration::zero(), const std::function<void()>& once_sent = [] {}) {
    const auto began = now();
    auto seen = std::make_shared<told>();
    call_options options;
    options.timeout = patience;
    client->start(make_request(search_request{}),
                  [this, seen, began](outcome o) {
                    seen->what = std::move(o);
                    seen->after = now() - began;
                    seen->done = true;
                  },
                  options, {});
    run();
    once_sent();
    for (int i = 0; i < 6000 && !seen->done; ++i) advance(100ms);
    BOOST_TEST_REQUIRE(seen->done);
    return *seen;
  }
  /// A lease, granted or refused.
  std::pair<test::answer<lease_grant>, duration> borrow(lease_request wish = {}) {
    const auto began = now();
    wish.deadline = now() + all.pool.timeout;
    const auto got = virtual_runtime::start<lease_grant>(manager, lease_atom_v, wish);
    run();
    for (int i = 0; i < 6000 && !got->done(); ++i) advance(10ms);
    BOOST_TEST_REQUIRE(got->done());
    if (got->ok()) tell(manager, claim_atom_v, got->value->server, got->value->id);
    return {*got, now() - began};
  }
  /// As connect() does it: attempts, and what it waits in between.
  std::pair<bool, duration> connect() {
    const auto began = now();
    connect_plan plan{all.recovery};
    for (;;) {
      lease_request wish;
      wish.anew = true;
      wish.attempts = static_cast<std::uint16_t>(most_retries());
      const auto [got, took] = borrow(wish);
      if (got.ok()) return {true, now() - began};
      const auto pause = plan.next(*got.error, 1h);
      if (!pause) return {false, now() - began};
      advance(*pause);
    }
  }
  int most_retries() const { return all.servers.front().max_retries; }
  const std::vector<time_point>& connects(server_id id = 0) { return world->servers[id].connects; }
  /// The pauses between the connects, in whole tenths of a second.
  std::vector<int> pauses(server_id id = 0) {
    std::vector<int> found;
    for (std::size_t i = 1; i < connects(id).size(); ++i)
      found.push_back(static_cast<int>((connects(id)[i] - connects(id)[i - 1]) / 100ms));
    return found;
  }
  void without_suspicion() { all.breaker.suspect_after = all.breaker.slow_call = 1h; }
  /// The only connection of the first server carries an operation that is not answered, and has room for no other.
  void occupy() {
    all.pool.max_in_flight = 1;
    without_suspicion();
    begin();
    BOOST_TEST_REQUIRE(request().ok());
    pause(0);
    client->start(make_request(search_request{}), [](const outcome&) {}, {}, {});
    run();
  }
  void without_waiting() { all.recovery.auto_recovery = all.recovery.auto_reconnect = false; }

  std::shared_ptr<runtime_client> client;
};

struct waiting_for_two : waiting {
  waiting_for_two() : waiting({1, 2}) {}
};

bool about(duration span, duration expected, duration more = 300ms) {
  return span >= expected && span <= expected + more;
}

std::string ms(duration span) { return std::to_string(std::chrono::duration_cast<milliseconds>(span).count()) + " ms"; }

/// For six seconds, whenever one is asked for.
void check_leases_fail_at_once(waiting& at) {
  for (int i = 0; i < 20; ++i) {
    const auto [got, after] = at.borrow();
    BOOST_TEST((got.code() == errc::connection_failed || got.code() == errc::breaker_open));
    BOOST_TEST((after == 0s), ms(after));
    at.advance(300ms);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(max_retries_is_how_many_connects_follow_a_failed_one) {
  for (const int retries : {0, 1, 3}) {
    waiting it;
    it.without_waiting();
    it.all.servers[0].max_retries = retries;
    it.begin();
    it.take_down(0);
    const auto [what, after, done] = it.request();
    BOOST_TEST(what.code() == errc::connection_failed);
    BOOST_TEST(it.connects().size() == static_cast<std::size_t>(retries) + 1, retries);
    BOOST_TEST(about(after, retries * 1s, retries * 100ms + 100ms), retries << ": " << ms(after));
  }
}

BOOST_AUTO_TEST_CASE(priority_decides_who_serves_and_not_the_order) {
  for (const int first : {1, 2}) {
    waiting_for_two it;
    it.all.servers[0].priority = first;
    it.all.servers[1].priority = 3 - first;
    it.begin();
    const auto [what, after, done] = it.request();
    BOOST_TEST_REQUIRE(what.code() == errc::none);
    BOOST_TEST(what->server == (first == 1 ? "ldap1:389" : "ldap2:389"));
  }
}

BOOST_FIXTURE_TEST_CASE(retry_delay_is_the_pause_between_connects, waiting) {
  without_waiting();
  all.servers[0].retry_delay = 2s;
  begin();
  take_down(0);
  request();
  BOOST_TEST_REQUIRE(pauses().size() == 3U);
  for (const int tenths : pauses()) BOOST_TEST((tenths >= 20 && tenths <= 22), tenths);
}

BOOST_AUTO_TEST_CASE(reconnect_attempts_and_delay_are_attempts_of_connect_and_the_pause_between) {
  struct row {
    int attempts;
    duration delay, whole;
  };
  for (const auto& [attempts, delay, expected] : {row{5, 500ms, 2s}, row{3, 1s, 2s}, row{5, 2s, 8s}, row{1, 1s, 0s}}) {
    waiting it;
    it.all.recovery.reconnect_attempts = attempts;
    it.all.recovery.reconnect_delay = delay;
    it.begin();
    it.take_down(0);
    const auto [connected, took] = it.connect();
    BOOST_TEST(!connected);
    BOOST_TEST(about(took, expected, 100ms), attempts << " x " << ms(delay) << ": " << ms(took));
    BOOST_TEST(it.connects().size() == static_cast<std::size_t>(attempts));
  }
}

BOOST_FIXTURE_TEST_CASE(reconnect_attempts_find_a_server_whose_breaker_is_open, waiting) {
  all.breaker.circuit_breaker_threshold = 1;
  all.breaker.open_base = all.breaker.open_cap = 1min;
  begin();
  take_down(0);
  request(1s);
  BOOST_TEST_REQUIRE((status().servers[0].breaker == breaker_state::open));
  bring_up(0);
  BOOST_TEST(connect().first);
}

BOOST_FIXTURE_TEST_CASE(reconnect_attempts_bound_a_callers_wait_after_a_loss, waiting) {
  all.servers[0].max_retries = 0;
  all.recovery.reconnect_attempts = 3;
  all.recovery.reconnect_delay = 1s;
  without_suspicion();
  begin();
  BOOST_TEST(request().ok());
  pause(0);
  const auto lost = request(duration::zero(), [this] { take_down(0); });
  BOOST_TEST(lost.what.code() == errc::connection_failed);
  BOOST_TEST(about(lost.after, 3s, 400ms), ms(lost.after));
  BOOST_TEST(lost.what.error()->message.find("reconnect_attempts") != std::string::npos, lost.what.error()->message);
  BOOST_TEST(lost.what.error()->message.find("3 more times") != std::string::npos, lost.what.error()->message);
}

BOOST_FIXTURE_TEST_CASE(auto_reconnect_off_connects_again_only_when_connect_is_called, waiting) {
  all.recovery.auto_reconnect = false;
  all.pool.min_connections = 2;
  begin();
  BOOST_TEST(connect().first);
  const auto pool_connects = [this] {
    const auto pool = status().servers[0].pool;
    return pool.opened + pool.connect_failures;
  };
  const auto before = pool_connects();
  take_down(0);
  bring_up(0);
  world->servers[0].connects.clear();
  advance(10min);
  for (int i = 0; i < 5; ++i) {
    const auto [what, after, done] = request();
    BOOST_TEST(what.code() == errc::connection_failed);
    BOOST_TEST((after == 0s), ms(after));
    BOOST_TEST(what.error()->message.find("connect()") != std::string::npos, what.error()->message);
    BOOST_TEST(borrow().first.code() == errc::connection_failed);
    advance(1min);
  }
  BOOST_TEST(pool_connects() == before);
  BOOST_TEST(connects().empty(), "nor do probes connect");
  BOOST_TEST(connect().first);
  BOOST_TEST(request().ok());
}

BOOST_FIXTURE_TEST_CASE(auto_recovery_off_refuses_at_once_when_all_servers_are_known_to_be_down, waiting_for_two) {
  all.recovery.auto_recovery = false;
  all.recovery.reconnect_attempts = 0;
  begin();
  BOOST_TEST(request().ok());
  take_down(0);
  take_down(1);
  request();  // finds out
  for (int i = 0; i < 10; ++i) {
    const auto began = now();
    const auto [what, after, done] = request();
    BOOST_TEST(what.code() == errc::breaker_open);
    BOOST_TEST((after == 0s && now() == began), ms(after));
    for (const char* name : {"ldap1:389", "ldap2:389"})
      BOOST_TEST(what.error()->message.find(name) != std::string::npos, what.error()->message);
    BOOST_TEST((borrow().second == 0s));
    advance(50ms);
  }
}

BOOST_FIXTURE_TEST_CASE(auto_recovery_waits_when_all_servers_are_known_to_be_down_and_says_so, waiting) {
  all.breaker.circuit_breaker_threshold = 1;
  all.breaker.open_base = all.breaker.open_cap = 10min;
  all.recovery.reconnect_attempts = 0;
  all.recovery.recovery_attempts = 3;
  all.recovery.recovery_delay = 5s;
  begin();
  take_down(0);
  request(1s);
  BOOST_TEST_REQUIRE((status().servers[0].breaker == breaker_state::open));
  const auto [what, after, done] = request();
  BOOST_TEST(what.code() == errc::breaker_open);
  BOOST_TEST(about(after, 15s, 400ms), ms(after));
  BOOST_TEST(what.error()->message.find("3 more times") != std::string::npos, what.error()->message);
  BOOST_TEST(what.error()->message.find("recovery_attempts") != std::string::npos, what.error()->message);
}

BOOST_FIXTURE_TEST_CASE(auto_recovery_goes_on_as_soon_as_a_server_is_back, waiting) {
  all.breaker.circuit_breaker_threshold = 1;
  all.breaker.open_base = all.breaker.open_cap = 2s;
  all.recovery.reconnect_attempts = 0;
  all.recovery.recovery_delay = 60s;
  begin();
  take_down(0);
  request(1s);
  bring_up(0);
  const auto [what, after, done] = request();
  BOOST_TEST(what.code() == errc::none);
  BOOST_TEST((after < 4s), ms(after));
}

BOOST_FIXTURE_TEST_CASE(max_retries_0_and_no_waiting_fails_a_lease_of_a_dead_server_at_once, waiting) {
  without_waiting();
  all.servers[0].max_retries = 0;
  begin();
  BOOST_TEST(borrow().first.ok());
  take_down(0);
  check_leases_fail_at_once(*this);
}

BOOST_FIXTURE_TEST_CASE(max_retries_0_fails_a_lease_of_a_server_that_was_never_there_at_once, waiting) {
  without_waiting();
  all.servers[0].max_retries = 0;
  begin();
  take_down(0);
  check_leases_fail_at_once(*this);
}

BOOST_FIXTURE_TEST_CASE(pool_timeout_is_the_longest_wait_for_a_connection_and_ends_as_pool_timeout, waiting) {
  all.pool.max_connections = 1;
  all.pool.timeout = 4s;
  occupy();
  const auto [what, after, done] = request();
  BOOST_TEST(what.code() == errc::pool_timeout);
  BOOST_TEST(about(after, 4s), ms(after));
}

BOOST_FIXTURE_TEST_CASE(failover_timeout_is_the_longest_wait_at_one_server_while_there_are_others, waiting_for_two) {
  all.pool.max_connections = 1;
  all.failover.failover_timeout = 3s;
  occupy();
  const auto [what, after, done] = request();
  BOOST_TEST_REQUIRE(what.code() == errc::none);
  BOOST_TEST(what->server == "ldap2:389");
  BOOST_TEST(about(after, 3s), ms(after));
}

BOOST_FIXTURE_TEST_CASE(operation_timeout_is_the_deadline_of_a_request_that_sets_none, waiting) {
  all.limits.operation_timeout = 7s;
  without_suspicion();
  begin();
  BOOST_TEST(request().ok());
  pause(0);
  const auto [what, after, done] = request();
  BOOST_TEST(what.code() == errc::operation_timeout);
  BOOST_TEST(about(after, 7s), ms(after));
}

BOOST_FIXTURE_TEST_CASE(suspect_after_is_how_long_a_silent_server_keeps_a_request_from_the_next, waiting_for_two) {
  all.breaker.suspect_after = 3s;
  begin();
  BOOST_TEST(request().ok());
  pause(0);
  const auto [what, after, done] = request();
  BOOST_TEST_REQUIRE(what.code() == errc::none);
  BOOST_TEST(what->server == "ldap2:389");
  BOOST_TEST(about(after, 3s, 2s), ms(after));
}

BOOST_FIXTURE_TEST_CASE(suspect_after_bounds_the_wait_for_a_server_that_hangs_before_it_is_connected_to,
                        waiting_for_two) {
  all.breaker.suspect_after = 2s;
  for (auto& server : all.servers) server.timeout = 20s;
  pause(0);
  begin();
  const auto [what, after, done] = request();
  BOOST_TEST_REQUIRE(what.code() == errc::none);
  BOOST_TEST(what->server == "ldap2:389");
  BOOST_TEST(about(after, 2s), ms(after));
}

BOOST_FIXTURE_TEST_CASE(open_base_and_open_cap_are_how_long_a_server_that_failed_gets_nothing, waiting) {
  all.breaker.circuit_breaker_threshold = 1;
  all.breaker.open_base = 4s;
  all.breaker.open_cap = 10s;
  without_waiting();
  begin();
  take_down(0);
  request();
  // It is refused at once when it is tried again: half-open for no time at all.
  std::vector<duration> open;
  auto times = status().servers[0].breaker_opened;
  BOOST_TEST_REQUIRE(times == 1U);
  for (auto began = now(); open.size() < 4; began = now()) {
    while (status().servers[0].breaker_opened == times && now() - began < 1min) advance(20ms);
    open.push_back(now() - began);
    ++times;
  }
  const auto within_a_fifth = [](duration span, duration of) {
    return span >= of * 8 / 10 && span <= of * 12 / 10 + 50ms;
  };
  BOOST_TEST(within_a_fifth(open[0], 4s), ms(open[0]));
  BOOST_TEST(within_a_fifth(open[1], 8s), ms(open[1]));
  for (const std::size_t i : {2, 3}) BOOST_TEST(within_a_fifth(open[i], 10s), ms(open[i]));
}

BOOST_FIXTURE_TEST_CASE(pool_timeout_of_the_servers_is_the_wait_where_they_have_their_own, waiting_for_two) {
  all.server_pools = true;
  all.pool.timeout = 1s;
  all.failover.failover_timeout = 1h;
  for (auto& server : all.servers) server.max_pool_size = 1, server.pool_size = 0;
  all.servers[0].pool_timeout = 4s;
  all.servers[1].pool_timeout = 6s;
  occupy();
  const auto [what, after, done] = request();
  BOOST_TEST(what.code() == errc::pool_timeout);
  BOOST_TEST(about(after, 4s), ms(after));
}

BOOST_FIXTURE_TEST_CASE(max_in_flight_is_how_many_operations_one_connection_carries, waiting) {
  all.pool.max_connections = 1;
  all.pool.max_in_flight = 3;
  without_suspicion();
  begin();
  BOOST_TEST_REQUIRE(request().ok());
  pause(0);
  for (int i = 0; i < 5; ++i) client->start(make_request(search_request{}), [](const outcome&) {}, {}, {});
  run();
  const auto now = status().servers[0].pool.now;
  BOOST_TEST(now.in_flight == 3U);
  BOOST_TEST(now.waiters == 2U);
}

BOOST_AUTO_TEST_CASE(bind_connections_is_how_many_binds_of_users_run_at_once) {
  std::map<int, std::uint64_t> opened;  // those for other requests too
  for (const int most : {1, 3}) {
    waiting it;
    it.all.pool.bind_connections = most;
    it.begin();
    it.world->servers[0].answer_time = 100ms;
    int accepted = 0;
    for (int i = 0; i < 6; ++i)
      it.client->start(make_request(bind_request{"cn=user", secret{"right"}}),
                       [&](const outcome& o) { accepted += o.code() == errc::none; }, {}, {});
    it.run();
    it.advance(10s);
    BOOST_TEST(accepted == 6);
    opened[most] = it.status().servers[0].pool.opened;
  }
  BOOST_TEST(opened[3] == opened[1] + 2);
}

BOOST_AUTO_TEST_CASE(spill_sends_to_the_next_level_what_a_busy_server_has_no_room_for) {
  for (const bool spill : {true, false}) {
    waiting_for_two it;
    it.all.failover.spill = spill;
    it.all.pool.max_connections = 1;
    it.all.failover.failover_timeout = 3s;
    it.occupy();
    const auto [what, after, done] = it.request();
    BOOST_TEST_REQUIRE(what.code() == errc::none);
    BOOST_TEST(what->server == "ldap2:389");
    BOOST_TEST(about(after, spill ? 0s : 3s), ms(after));
  }
}

BOOST_AUTO_TEST_CASE(slow_call_is_how_long_an_unanswered_operation_is_no_failure) {
  for (const auto limit : {duration{2s}, duration{20s}}) {
    waiting_for_two it;
    it.all.breaker.circuit_breaker_threshold = 1;
    it.all.breaker.suspect_after = 1h;
    it.all.breaker.slow_call = limit;
    it.begin();
    BOOST_TEST_REQUIRE(it.request().ok());
    it.pause(0);
    it.client->start(make_request(search_request{}), [](const outcome&) {}, {}, {});
    it.run();
    it.advance(limit - 100ms);
    BOOST_TEST(it.status().servers[0].breaker_opened == 0U);
    it.advance(200ms);
    BOOST_TEST(it.status().servers[0].breaker_opened == 1U);
  }
}

BOOST_AUTO_TEST_CASE(credential_retry_is_how_long_a_refused_password_is_not_tried_again) {
  for (const auto span : {duration{5min}, duration{30min}}) {
    waiting it;
    it.all.recovery.credential_retry = span;
    it.in_file = "wrong";
    it.begin();
    BOOST_TEST(it.request(1s).what.code() == errc::service_authentication_failed);
    const auto began = it.now();
    BOOST_TEST_REQUIRE(it.world->binds == 1);
    while (it.world->binds == 1 && it.now() - began < 2 * span) {
      it.request(1s);
      it.advance(10s);
    }
    BOOST_TEST(about(it.now() - began, span, 2min), ms(it.now() - began));
  }
}

BOOST_FIXTURE_TEST_CASE(a_server_that_is_not_reconnected_is_passed_by, waiting_for_two) {
  all.recovery.auto_reconnect = false;
  all.pool.min_connections = 1;
  all.pool.preload_connections = true;
  all.failover.health_check_interval = 1s;
  begin();
  BOOST_TEST_REQUIRE(request().ok());
  take_down(0);
  bring_up(0);
  BOOST_TEST(request().ok());
  BOOST_TEST((status().servers[0].breaker == breaker_state::open));
  world->servers[0].connects.clear();
  advance(10min);
  BOOST_TEST(connects().empty(), connects().size());
  const auto [what, after, done] = request();
  BOOST_TEST(what.code() == errc::none);
  BOOST_TEST((after == 0s), ms(after));
  client->resume();
  BOOST_TEST(connect().first);
  advance(2min);  // the longest backoff, and probes
  BOOST_TEST((status().servers[0].breaker == breaker_state::closed));
}

BOOST_FIXTURE_TEST_CASE(connect_brings_back_every_server_and_not_only_the_one_that_serves, waiting_for_two) {
  all.recovery.auto_reconnect = false;
  all.pool.min_connections = 1;
  all.pool.preload_connections = true;
  begin();
  BOOST_TEST(request().ok());
  for (const server_id id : {0U, 1U}) take_down(id);
  for (const server_id id : {0U, 1U}) bring_up(id);
  advance(1min);
  for (const auto& server : status().servers) BOOST_TEST(server.pool.now.idle == 0U, server.host);
  client->resume();
  BOOST_TEST(connect().first);
  advance(5s);
  for (const auto& server : status().servers)
    BOOST_TEST(server.pool.now.idle + server.pool.now.in_use > 0U, server.host);
}
