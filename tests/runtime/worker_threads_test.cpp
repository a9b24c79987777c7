// Blocking jobs run on few threads, and one that hangs holds up neither the stop nor, for long, the others.
#include "understudy/runtime/platform/worker_threads.hpp"
#include "runtime/process_counts.hpp"
#include "support/eventually.hpp"

#include <boost/test/unit_test.hpp>
#include <condition_variable>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using test::eventually;

namespace {

/// Holds jobs until it is opened.
class latch {
 public:
  void pass() {
    std::unique_lock lock{mutex_};
    ++inside_;
    changed_.wait(lock, [this] { return open_; });
    --inside_;
  }
  void open() {
    std::lock_guard guard{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  int inside() {
    std::lock_guard guard{mutex_};
    return inside_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int inside_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(jobs_run_and_their_threads_are_joined) {
  const auto threads = test::threads_now();
  std::atomic<int> done{0};
  {
    worker_threads workers{3, 100};
    for (int i = 0; i < 50; ++i) BOOST_TEST(workers.run([&] { ++done; }));
    BOOST_TEST(eventually([&] { return done == 50; }));
    BOOST_TEST(workers.stop(10s));
    BOOST_TEST(!workers.run([&] { ++done; }));
  }
  BOOST_TEST(done == 50);
  BOOST_TEST(test::threads_now() == threads);
}

BOOST_AUTO_TEST_CASE(jobs_beyond_the_bound_are_refused) {
  auto held = std::make_shared<latch>();
  worker_threads workers{2, 3};
  for (int i = 0; i < 2; ++i) BOOST_TEST(workers.run([held] { held->pass(); }));
  BOOST_TEST(eventually([&] { return held->inside() == 2; }));
  for (int i = 0; i < 3; ++i) BOOST_TEST(workers.run([held] { held->pass(); }));
  BOOST_TEST(!workers.run([held] { held->pass(); }));
  held->open();
  BOOST_TEST(workers.stop(10s));
}

BOOST_AUTO_TEST_CASE(a_job_that_hangs_does_not_hold_up_the_stop) {
  auto held = std::make_shared<latch>();
  auto dropped = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = dropped;
  {
    worker_threads workers{1, 3};
    BOOST_TEST(workers.run([held] { held->pass(); }));
    BOOST_TEST(eventually([&] { return held->inside() == 1; }));
    BOOST_TEST(workers.run([kept = std::move(dropped)] { BOOST_ERROR("ran after the stop"); }));
    BOOST_TEST(!workers.stop(10ms));
    BOOST_TEST(watched.expired());
  }
  const auto threads = test::threads_now();
  held->open();
  BOOST_TEST(eventually([&] { return test::threads_now() == threads - 1; }));
}

/// The runtime stops them, and so does their destructor: by then a job that was left behind may have ended.
BOOST_AUTO_TEST_CASE(a_job_that_ends_after_it_was_left_behind_does_not_disturb_another_stop) {
  const auto threads = test::threads_now();
  auto held = std::make_shared<latch>();
  worker_threads workers{1, 3};
  BOOST_TEST(workers.run([held] { held->pass(); }));
  BOOST_TEST(eventually([&] { return held->inside() == 1; }));
  BOOST_TEST(!workers.stop(10ms));
  held->open();
  BOOST_TEST(eventually([&] { return test::threads_now() == threads; }));
  BOOST_TEST(workers.stop(10ms));
}
