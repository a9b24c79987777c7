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

/// A service decides itself what its signals mean; what nohup ignores stays ignored for it too.
BOOST_AUTO_TEST_CASE(signals_are_told_to_a_listener_and_change_nothing_else) {
  const ignored_signal hang_up{SIGHUP};
  interrupt_watch watch;
  std::atomic<int> terminate{0}, user{0}, other{0};
  watch.deliver_to([&](int signal) { ++(signal == SIGTERM ? terminate : signal == SIGUSR1 ? user : other); });
  for (const int signal : {SIGTERM, SIGUSR1, SIGHUP}) ::kill(::getpid(), signal);
  BOOST_TEST(eventually([&] { return terminate == 1 && user == 1; }));
  // A second one does not end the process.
  ::kill(::getpid(), SIGTERM);
  BOOST_TEST(eventually([&] { return terminate == 2; }));
  BOOST_TEST(!watch.tripped());
  BOOST_TEST(other == 0);
}

BOOST_AUTO_TEST_CASE(a_signal_that_came_before_the_listener_is_an_interruption) {
  interrupt_watch watch;
  ::kill(::getpid(), SIGTERM);
  BOOST_TEST(eventually([&] { return watch.tripped(); }));
  BOOST_CHECK_THROW(watch.deliver_to([](int) {}), interrupted);
}
