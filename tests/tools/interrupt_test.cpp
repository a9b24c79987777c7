// Signals of the program: taken over, but for those that whoever started it has ignored.
#include "understudy/tools/interrupt.hpp"
#include "support/eventually.hpp"

#include <signal.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

using namespace understudy::cli;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

struct ignored_signal {
  explicit ignored_signal(int number) : number_(number) {
    struct sigaction action {};
    action.sa_handler = SIG_IGN;
    ::sigaction(number, &action, &before_);
  }
  ~ignored_signal() { ::sigaction(number_, &before_, nullptr); }
  ignored_signal(const ignored_signal&) = delete;
  ignored_signal& operator=(const ignored_signal&) = delete;

 private:
  int number_;
  struct sigaction before_ {};
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_nohup_ignores_stays_ignored) {
  const ignored_signal hang_up{SIGHUP}, interrupt{SIGINT};
  interrupt_watch watch;
  ::kill(::getpid(), SIGHUP);
  ::kill(::getpid(), SIGINT);
  BOOST_TEST(holds_for([&] { return !watch.tripped(); }, 200ms));
  ::kill(::getpid(), SIGTERM);
  BOOST_TEST(eventually([&] { return watch.tripped(); }));
}

/// One that comes a moment before what it is to end has begun would have no effect.
BOOST_AUTO_TEST_CASE(action_is_repeated_until_what_it_ends_has_begun) {
  interrupt_watch watch;
  std::atomic<int> calls{0};
  const interrupt_action counted(watch, [&] { ++calls; });
  ::kill(::getpid(), SIGTERM);
  BOOST_TEST(eventually([&] { return calls >= 3; }));
}
