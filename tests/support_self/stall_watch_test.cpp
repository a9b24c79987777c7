// What the machine kept a process waiting for, told apart from what something took.
#include "support/stall_watch.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A thread that computes without end, on one processor with all others of its kind.
class hog {
 public:
  hog() {
    cpu_set_t allowed, first;
    BOOST_TEST_REQUIRE(::sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    CPU_ZERO(&first);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&first) == 0; ++i)
      if (CPU_ISSET(i, &allowed)) CPU_SET(i, &first);
    BOOST_TEST_REQUIRE(::pthread_setaffinity_np(thread_.native_handle(), sizeof first, &first) == 0);
  }
  ~hog() {
    over_ = true;
    thread_.join();
  }
  hog(const hog&) = delete;
  hog& operator=(const hog&) = delete;

 private:
  std::atomic<bool> over_{false};
  std::thread thread_{[this] {
    while (!over_) continue;
  }};
};

/// Threads that keep each other waiting as long as this lives: what ended threads waited nobody knows any more.
class contention {
 public:
  /// Returns when one has waited for `span` more.
  static void keep_waiting(duration span) {
    const processor_waits waits;
    while (waits.longest() < span) std::this_thread::sleep_for(1ms);
  }

 private:
  hog one_, other_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(waits_for_a_processor_are_those_of_the_thread_that_waited_most) {
  const auto from = std::chrono::steady_clock::now();
  const contention here;
  const processor_waits all, same(::getpid());
  here.keep_waiting(100ms);
  BOOST_TEST((all.longest() >= 100ms));
  BOOST_TEST((same.longest() >= 100ms));
  const processor_waits later;
  BOOST_TEST((later.longest() < all.longest()), "what was before is none of its business");
  // Both waited, in turn: their sum would be about all of the time.
  const auto longest = all.longest();
  BOOST_TEST((longest < std::chrono::steady_clock::now() - from));
}

BOOST_AUTO_TEST_CASE(a_stopwatch_leaves_out_waits_for_a_processor) {
  const contention here;
  const stopwatch watch;
  const auto from = std::chrono::steady_clock::now();
  here.keep_waiting(100ms);
  const auto shown = watch.elapsed();
  BOOST_TEST((shown <= std::chrono::steady_clock::now() - from - 100ms));
}

BOOST_AUTO_TEST_CASE(a_stopwatch_takes_nothing_off_for_what_was_before_it_learnt) {
  const contention here;
  stopwatch watch;
  here.keep_waiting(200ms);
  watch.learn();
  watch.restart();
  BOOST_TEST((watch.elapsed() > -100ms));
}

BOOST_AUTO_TEST_CASE(a_stopwatch_takes_off_waits_between_learning_and_its_start) {
  const contention here;
  stopwatch watch;
  watch.learn();
  here.keep_waiting(200ms);
  watch.restart();
  BOOST_TEST((watch.elapsed() < 0ms));
}

BOOST_AUTO_TEST_CASE(stalls_count_for_the_span_in_which_they_were) {
  const contention here;
  const stall_watch stalls;
  const auto from = std::chrono::steady_clock::now();
  here.keep_waiting(50ms);
  const auto to = std::chrono::steady_clock::now();
  BOOST_TEST((stalls.stalled(from, to) <= to - from));
  BOOST_TEST((stalls.stalled(to, from) == duration::zero()));
  BOOST_TEST((stalls.stalled(from, to) <= stalls.total()));
}
