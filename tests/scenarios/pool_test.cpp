// Scenarios 19, 20, 24, 27: bursts, saturation, leases that are kept too long or whose holder dies, and stopping.
#include "scenarios/scenario.hpp"
#include "understudy/runtime/runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

settings one_pool(std::uint16_t port, int min, int max) {
  auto server = server_at(port);
  server.pool_size = min;
  server.max_pool_size = max;
  return quick_settings({server});
}

/// The log's lines, and whether one of them holds a text.
class log_lines {
 public:
  auto sink() {
    return [this](log_level, const std::string& line) {
      const std::lock_guard lock(guard_);
      lines_.push_back(line);
    };
  }
  bool has(const std::string& text) const {
    const std::lock_guard lock(guard_);
    for (const auto& line : lines_)
      if (line.find(text) != std::string::npos) return true;
    return false;
  }

 private:
  mutable std::mutex guard_;
  std::vector<std::string> lines_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_19_a_burst_is_multiplexed_over_what_is_there) {
  leak_guard leaks;
  stub_directory a;
  a.disturb(operation::search, {.delay = 2ms});
  connection_manager manager(one_pool(a.port(), 5, 50));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.now.idle >= 5u; }));
  a.disturb(operation::bind, {.delay = 150ms});
  std::vector<std::future<outcome>> burst;
  for (int i = 0; i < 50; ++i) burst.push_back(manager.async_search(search_for("(uid=user1)")));
  for (auto& one : burst) BOOST_TEST(static_cast<bool>(one.get()));
  // The monitor's own connection is one more.
  BOOST_TEST(server_in(manager.snapshot(), a.port()).pool.now.size <= 7u);
  BOOST_TEST(a.connections() <= 7u);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_20_beyond_the_queue_callers_are_refused_at_once_and_the_rest_served_in_order) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 2, 3);
  all.pool.max_in_flight = 1;
  all.pool.max_waiters = 10;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.now.idle >= 2u; }));
  a.disturb(operation::search, {.delay = 100ms});
  std::vector<std::future<outcome>> all_of_them;
  for (int i = 0; i < 60; ++i)
    all_of_them.push_back(manager.async_search(search_for("(uid=number" + std::to_string(i) + ")"), {15s}));
  std::uint64_t served = 0, refused = 0;
  for (auto& one : all_of_them) {
    const auto answer = one.get();
    if (answer) ++served;
    if (answer.code() == errc::queue_full) {
      ++refused;
      BOOST_TEST(answer.error()->pool.has_value());
    }
  }
  BOOST_TEST(served + refused == 60u);
  BOOST_TEST(served >= 10u);
  BOOST_TEST(refused >= 40u);
  std::vector<int> order;
  for (const auto& request : a.requests(operation::search)) {
    const auto at = request.filter.find("number");
    if (at != std::string::npos) order.push_back(std::stoi(request.filter.substr(at + 6)));
  }
  // Two sockets (three without the monitor's) carry one each: neighbours may overtake each other by one place.
  for (std::size_t i = 1; i < order.size(); ++i) BOOST_TEST(order[i] + 3 > order[i - 1]);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_20_a_waiter_whose_deadline_passes_is_never_granted_late) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 1, 2);
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::vector<lease> held;
  lease_options brief;
  brief.timeout = 200ms;
  held.push_back(manager.get_connection());
  try {
    for (;;) held.push_back(manager.get_connection(brief));
  } catch (const pool_timeout& e) {
    BOOST_TEST(e.reason().pool.has_value());
  }
  const auto before = server_in(manager.snapshot(), a.port()).pool;
  BOOST_TEST(before.now.waiters == 0u);
  held.clear();
  BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.leased == 0u; }));
  BOOST_TEST(server_in(manager.snapshot(), a.port()).pool.acquired == before.acquired);
  BOOST_TEST(manager.get_connection(brief).whoami() == "dn:" + std::string{admin_dn});
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_24_a_lease_held_too_long_is_reported_with_its_holder) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 2, 5);
  all.pool.leak_threshold = 1s;
  log_lines log;
  connection_manager manager(all);
  manager.set_log(log.sink());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  lease_options named;
  named.holder = "nightly-export";
  auto held = manager.get_connection(named);
  BOOST_TEST(eventually([&] { return log.has("nightly-export"); }));
  BOOST_TEST(server_in(manager.snapshot(), a.port()).pool.leaks == 1u);
  BOOST_TEST(held.release());
  BOOST_TEST(eventually([&] { return log.has("returned"); }));
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_24_the_lease_of_a_dead_actor_returns) {
  leak_guard leaks;
  stub_directory a;
  const auto all = std::make_shared<const settings>(one_pool(a.port(), 2, 5));
  runtime stage(all);
  auto granted = std::make_shared<std::promise<void>>();
  auto holder = stage.system().spawn([&stage, granted](caf::event_based_actor* self) -> caf::behavior {
    lease_request ask;
    ask.deadline = std::chrono::steady_clock::now() + 10s;
    ask.holder = "an actor";
    self->request(stage.router(), std::chrono::seconds{11}, lease_atom_v, ask)
        .then([=, &stage](const lease_grant& grant) {
          self->send(stage.manager(), claim_atom_v, grant.server, grant.id);
          granted->set_value();
        });
    return {[](int) {}};
  });
  BOOST_TEST_REQUIRE((granted->get_future().wait_for(15s) == std::future_status::ready));
  const auto leased = [&] {
    const auto now = stage.snapshot();
    return now ? server_in(*now.value, a.port()).pool.leased : 99u;
  };
  BOOST_TEST(eventually([&] { return leased() == 1u; }));
  caf::anon_send_exit(holder, caf::exit_reason::kill);
  holder = nullptr;
  BOOST_TEST(eventually([&] { return leased() == 0u; }));
  const auto after = stage.snapshot();
  BOOST_TEST_REQUIRE(static_cast<bool>(after));
  check_leases(*after.value, true);
  BOOST_TEST(stage.stop(5s));
}

BOOST_AUTO_TEST_CASE(scenario_24_wrong_returns_are_told_apart) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(one_pool(a.port(), 2, 5)), other(one_pool(a.port(), 1, 3));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(other.connect().connected);
  auto mine = manager.get_connection();
  BOOST_CHECK_THROW(other.return_connection(mine), connection_unhealthy);
  BOOST_TEST(manager.return_connection(mine));
  BOOST_TEST(!manager.return_connection(mine));
  BOOST_TEST(!mine.release());
  BOOST_TEST(mine.try_whoami().code() == errc::invalid_lease);
  auto cut = manager.get_connection();
  a.close_all();
  BOOST_TEST(eventually([&] { return cut.try_whoami({1s}).code() == errc::connection_unhealthy; }));
  (void)cut.release();
  auto late = manager.get_connection();
  manager.disconnect();
  BOOST_TEST(!late.release());
  other.disconnect();
}

BOOST_AUTO_TEST_CASE(scenario_27_stopping_with_mute_peers_ends_in_time_with_an_outcome_for_each) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 3, 5);
  all.limits.drain_timeout = 500ms;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb_all({.silent = true});
  std::vector<std::future<outcome>> under_way;
  for (int i = 0; i < 40; ++i) under_way.push_back(manager.async_search(search_for("(uid=user1)"), {60s}));
  for (int i = 0; i < 5; ++i) under_way.push_back(manager.async_modify(replace_description(user_dn(i), "x"), {60s}));
  BOOST_TEST_REQUIRE(eventually([&] { return a.count(operation::modify) >= 1u; }));
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(!manager.disconnect());
  BOOST_TEST((std::chrono::steady_clock::now() - began < 10s));
  for (auto& one : under_way) {
    BOOST_TEST_REQUIRE((one.wait_for(0s) == std::future_status::ready));
    BOOST_TEST(!one.get());
  }
  a.forget_rules();
  BOOST_TEST(manager.connect().connected);
  end_scenario(manager, {a});
}
