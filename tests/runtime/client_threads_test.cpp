// Many threads, a router that answers, fails, loses and delays at random, cancels and a stop in the middle: still
// exactly one outcome for each request.
#include "runtime/fake_router.hpp"
#include "support/actor_config.hpp"
#include "support/eventually.hpp"
#include "support/manual_ports.hpp"
#include "support/print.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/platform/epoll_poller.hpp"
#include "understudy/runtime/platform/system_clock.hpp"

#include <caf/scoped_actor.hpp>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using test::eventually;

namespace {

struct real_bridge {
  test::actor_config cfg{2, caf::atom("sharing")};
  caf::actor_system system{cfg};
  std::shared_ptr<epoll_poller> poller = std::make_shared<epoll_poller>();
  std::shared_ptr<environment> env = std::make_shared<environment>();
  test::fake_router router{system};
  std::shared_ptr<runtime_client> client;

  real_bridge() {
    env->clock = std::make_shared<system_clock>();
    env->poller = poller;
    env->log = std::make_shared<test::recording_log>();
    env->metrics = std::make_shared<metrics_registry>();
    client = std::make_shared<runtime_client>(system, env, settings{});
    client->connect_to(router.router(), router.manager());
  }
  ~real_bridge() {
    client->close();
    caf::anon_send_exit(router.actor(), caf::exit_reason::user_shutdown);
    // What is in its mailbox still needs the router.
    caf::scoped_actor { system } -> wait_for(router.actor());
  }
  outcome perform(duration timeout = 10s) { return client->perform(make_request(search_request{}), {timeout}); }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_blocking_call_returns_the_answer, real_bridge) {
  router.treat([](caf::response_promise p, const call&) { p.deliver(test::fake_router::found("here")); });
  BOOST_TEST(perform().value().server == "here");
}

BOOST_FIXTURE_TEST_CASE(a_blocking_call_whose_answer_is_lost_returns_in_the_end, real_bridge) {
  BOOST_TEST(perform(50ms).code() == errc::operation_timeout);
  BOOST_TEST(client->in_flight() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_stop_wakes_blocked_callers, real_bridge) {
  std::vector<std::thread> threads;
  std::atomic<int> stopped{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      if (perform(1h).code() == errc::stopped) ++stopped;
    });
  BOOST_TEST(eventually([&] { return router.seen() == 4; }));
  client->close();
  for (auto& t : threads) t.join();
  BOOST_TEST(stopped == 4);
}

BOOST_FIXTURE_TEST_CASE(a_question_to_an_actor_is_answered_or_times_out, real_bridge) {
  auto counter = system.spawn([](caf::event_based_actor* self) -> caf::behavior {
    return {[](check_atom) { return std::uint32_t{7}; },
            [self](drain_atom) { return self->make_response_promise<bool>(); }};
  });
  auto seven = client->ask<std::uint32_t>(counter, 10s, check_atom_v);
  BOOST_TEST(seven.value.value_or(0) == 7U);
  auto never = client->ask<bool>(counter, 50ms, drain_atom_v);
  BOOST_REQUIRE((never.error != nullptr));
  BOOST_TEST(never.error->code == errc::operation_timeout);
  caf::anon_send_exit(counter, caf::exit_reason::user_shutdown);
}

BOOST_FIXTURE_TEST_CASE(whatever_happens_each_request_has_exactly_one_outcome, real_bridge) {
  constexpr int callers = 4, each = 2000;
  // Shared: the router goes on with what is in its mailbox after the last outcome.
  struct whims {
    std::mt19937 random{11};
    std::vector<caf::response_promise> late;
  };
  router.treat([w = std::make_shared<whims>()](caf::response_promise p, const call&) {
    switch (w->random() % 5) {
      case 0:
        return p.deliver(test::fake_router::failing(errc::no_server));
      case 1:
        return;  // lost
      case 2:
        w->late.push_back(std::move(p));
        if (w->late.size() <= 10) return;
        w->late.front().deliver(test::fake_router::found("late"));
        w->late.erase(w->late.begin());
        return;
      default:
        return p.deliver(test::fake_router::found("now"));
    }
  });
  auto told = std::make_shared<std::vector<std::atomic<int>>>(callers * each);
  std::vector<std::thread> threads;
  for (int c = 0; c < callers; ++c)
    threads.emplace_back([&, c] {
      for (int i = 0; i < each; ++i) {
        cancel_source source;
        const auto number = static_cast<std::size_t>(c * each + i);
        client->start(make_request(search_request{}), [told, number](outcome) { ++(*told)[number]; },
                      {milliseconds{i % 30}, &source}, {});
        if (i % 7 == 0) source.cancel();
        if (c == 0 && i == each - 200) client->close();
      }
    });
  for (auto& t : threads) t.join();
  const auto all_at_least_once = [&] { return std::all_of(told->begin(), told->end(), [](auto& n) { return n > 0; }); };
  BOOST_TEST(eventually(all_at_least_once));
  BOOST_TEST(client->in_flight() == 0U);
  BOOST_TEST(std::none_of(told->begin(), told->end(), [](auto& n) { return n > 1; }));
}
