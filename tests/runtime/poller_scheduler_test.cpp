// Poller actors run on one thread, or on that of a caller who waits, and are never forgotten.
#include "understudy/runtime/platform/poller_scheduler.hpp"
#include "support/actor_config.hpp"
#include "support/eventually.hpp"
#include "understudy/actors/ports/poller_actor.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using test::eventually;

namespace {

/// A poller that only has a run queue.
class bare_poller final : public poller_port {
 public:
  explicit bare_poller(caf::actor_system& system) : queue(system, [this] { ++wakes; }) {}
  io_id add(int, caf::actor_addr) override { return 0; }
  void arm(io_id, std::uint32_t) override {}
  void remove(io_id) override {}
  timer_id add_timer(caf::actor_addr) override { return 0; }
  void set_timer(timer_id, time_point) override {}
  void clear_timer(timer_id) override {}
  void remove_timer(timer_id) override {}
  caf::execution_unit* unit() noexcept override { return &queue; }

  std::atomic<int> wakes{0};
  poller_scheduler queue;
};

struct poller_fixture {
  // Before the system: its last actors may still note something while it ends.
  std::mutex mutex;
  std::vector<std::pair<int, std::thread::id>> seen;

  test::actor_config cfg;
  caf::actor_system system{cfg};
  std::shared_ptr<bare_poller> poller = std::make_shared<bare_poller>(system);
  poller_scheduler& queue = poller->queue;

  ~poller_fixture() { queue.close(); }

  caf::behavior noting(caf::event_based_actor* self, const caf::actor& next) {
    return {[this, self, next](int number) {
      {
        const std::lock_guard guard{mutex};
        seen.emplace_back(number, std::this_thread::get_id());
      }
      if (next) self->send(next, number + 1);
    }};
  }
  /// On the poller: notes each number it is told, and the thread; tells `next` one more.
  caf::actor spawn_noting(caf::actor next = {}) {
    const auto body = [this, next](caf::event_based_actor* self) { return noting(self, next); };
    auto made = spawn_on_poller(system, poller, body);
    // Its first turn is CAF's; from the next on it is ours.
    BOOST_REQUIRE(eventually([&] {
      caf::anon_send(made, --unused_);
      queue.run();
      return thread_of(unused_) == std::this_thread::get_id();
    }));
    return made;
  }
  void tell_from_another_thread(const caf::actor& whom, int number) {
    std::thread([&] { caf::anon_send(whom, number); }).join();
  }
  std::size_t count(int number) {
    const std::lock_guard guard{mutex};
    return static_cast<std::size_t>(
        std::count_if(seen.begin(), seen.end(), [&](const auto& s) { return s.first == number; }));
  }
  std::thread::id thread_of(int number) {
    const std::lock_guard guard{mutex};
    for (const auto& [n, thread] : seen)
      if (n == number) return thread;
    return {};
  }

 private:
  int unused_ = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(actors_on_the_poller_run_where_the_queue_is_run, poller_fixture) {
  const auto last = spawn_noting();
  const auto first = spawn_noting(last);
  tell_from_another_thread(first, 10);
  BOOST_TEST(count(10) == 0u);
  BOOST_TEST(!queue.run());
  BOOST_TEST((thread_of(10) == std::this_thread::get_id()));
  BOOST_TEST((thread_of(11) == std::this_thread::get_id()));
}

BOOST_FIXTURE_TEST_CASE(others_are_woken_on_their_own_scheduler, poller_fixture) {
  const auto plain = system.spawn([this](caf::event_based_actor* self) { return noting(self, {}); });
  const auto first = spawn_noting(plain);
  tell_from_another_thread(first, 10);
  queue.run();
  BOOST_TEST(eventually([&] { return count(11) == 1; }));
  BOOST_TEST((thread_of(11) != std::this_thread::get_id()));
}

BOOST_FIXTURE_TEST_CASE(a_sleeping_thread_is_woken_once, poller_fixture) {
  const auto one = spawn_noting();
  BOOST_REQUIRE(queue.may_sleep());
  tell_from_another_thread(one, 10);
  tell_from_another_thread(one, 11);
  BOOST_TEST(poller->wakes == 1);
  queue.woke();
  queue.run();
  BOOST_TEST(count(10) + count(11) == 2u);
}

BOOST_FIXTURE_TEST_CASE(nobody_goes_to_sleep_over_what_has_just_come, poller_fixture) {
  const auto one = spawn_noting();
  tell_from_another_thread(one, 10);
  BOOST_TEST(!queue.may_sleep());
  BOOST_TEST(poller->wakes == 0);
}

BOOST_FIXTURE_TEST_CASE(a_caller_who_waits_runs_them_himself, poller_fixture) {
  const auto last = spawn_noting();
  const auto first = spawn_noting(last);
  BOOST_REQUIRE(queue.may_sleep());
  std::thread::id caller;
  std::thread([&] {
    caller = std::this_thread::get_id();
    queue.run_inline([&] { caf::anon_send(first, 10); });
  }).join();
  BOOST_TEST((thread_of(10) == caller));
  BOOST_TEST((thread_of(11) == caller));
  BOOST_TEST(poller->wakes == 0);
}

BOOST_FIXTURE_TEST_CASE(a_caller_who_waits_leaves_them_to_a_thread_that_is_awake, poller_fixture) {
  const auto one = spawn_noting();
  std::thread([&] { queue.run_inline([&] { caf::anon_send(one, 10); }); }).join();
  BOOST_TEST(count(10) == 0u);
  queue.run();
  BOOST_TEST(count(10) == 1u);
}

BOOST_FIXTURE_TEST_CASE(what_is_more_than_a_caller_does_is_left_to_the_thread, poller_fixture) {
  constexpr int hops = 40;
  auto first = spawn_noting();
  for (int i = 1; i < hops; ++i) first = spawn_noting(first);
  BOOST_REQUIRE(queue.may_sleep());
  std::thread([&] { queue.run_inline([&] { caf::anon_send(first, 1000); }); }).join();
  BOOST_TEST(count(1000) == 1u);
  BOOST_TEST(count(1000 + hops - 1) == 0u);
  BOOST_TEST(poller->wakes == 1);
  queue.woke();
  while (queue.run()) {
  }
  BOOST_TEST(count(1000 + hops - 1) == 1u);
}

BOOST_FIXTURE_TEST_CASE(posted_jobs_are_run_by_the_queues_own_thread, poller_fixture) {
  int done = 0;
  BOOST_REQUIRE(queue.post([&] { ++done; }));
  BOOST_TEST(!queue.may_sleep());
  queue.run();
  BOOST_TEST(done == 1);
  BOOST_REQUIRE(queue.may_sleep());
  BOOST_REQUIRE(queue.post([&] { ++done; }));
  BOOST_TEST(poller->wakes == 1);
  queue.woke();
  // The last one is not lost at the end, and later ones are refused.
  queue.close();
  BOOST_TEST(done == 2);
  BOOST_TEST(!queue.post([&] { ++done; }));
}

BOOST_FIXTURE_TEST_CASE(many_callers_lose_no_message_while_the_thread_comes_and_goes, poller_fixture) {
  const auto last = spawn_noting();
  const auto first = spawn_noting(last);
  constexpr int callers = 4, each = 500;
  std::vector<std::thread> threads;
  std::atomic<int> ended{0};
  for (int i = 0; i < callers; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < each; ++k) queue.run_inline([&] { caf::anon_send(first, 10); });
      ++ended;
    });
  // As the poller does it: sleeps until it is woken.
  int woken = 0;
  while (ended < callers || count(11) < callers * each) {
    if (!queue.run() && queue.may_sleep())
      BOOST_REQUIRE(
          eventually([&] { return poller->wakes > woken || (ended == callers && count(11) == callers * each); }));
    woken = poller->wakes;
    queue.woke();
  }
  for (auto& t : threads) t.join();
  BOOST_TEST(count(10) == static_cast<std::size_t>(callers * each));
}

BOOST_FIXTURE_TEST_CASE(after_its_end_actors_go_on_elsewhere, poller_fixture) {
  const auto one = spawn_noting();
  tell_from_another_thread(one, 10);
  queue.close();
  BOOST_TEST(eventually([&] { return count(10) == 1; }));
  tell_from_another_thread(one, 11);
  BOOST_TEST(eventually([&] { return count(11) == 1; }));
}
