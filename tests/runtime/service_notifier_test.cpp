// The datagrams of sd_notify(3): where they go, and which values of the environment make sense.
#include "understudy/runtime/platform/service_notifier.hpp"
#include "support/notify_socket.hpp"

#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <map>

using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

service_notifier notifier_in(const std::map<std::string, std::string>& environment) {
  return service_notifier{[&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional{found->second};
  }};
}

}  // namespace

BOOST_AUTO_TEST_CASE(without_a_notify_socket_nothing_is_told) {
  const auto nobody = notifier_in({{"WATCHDOG_USEC", "1000000"}});
  BOOST_TEST(!nobody.wanted());
  BOOST_TEST(!nobody.watchdog().has_value());
  BOOST_TEST(nobody.tell("READY=1"));
  BOOST_TEST(!notifier_in({{"NOTIFY_SOCKET", ""}}).wanted());
}

BOOST_AUTO_TEST_CASE(a_notification_arrives_at_a_path_and_at_an_abstract_name) {
  for (const bool abstract : {false, true}) {
    notify_socket manager{abstract};
    const auto told = notifier_in({{"NOTIFY_SOCKET", manager.name()}});
    BOOST_TEST(told.tell("READY=1\nSTATUS=serving"));
    BOOST_TEST(told.tell("STOPPING=1"));
    BOOST_TEST(manager.next() == "READY=1\nSTATUS=serving");
    BOOST_TEST(manager.next() == "STOPPING=1");
  }
}

BOOST_AUTO_TEST_CASE(a_service_manager_that_does_not_read_is_not_waited_for_for_ever) {
  notify_socket manager;
  const auto told = notifier_in({{"NOTIFY_SOCKET", manager.name()}});
  int sent = 0;
  while (sent < 100'000 && told.tell("STATUS=" + std::string(1000, 'x'))) ++sent;
  BOOST_TEST(sent > 0);
  BOOST_TEST(sent < 100'000);
}

BOOST_AUTO_TEST_CASE(a_service_manager_that_is_gone_is_no_harm) {
  std::string name;
  {
    const notify_socket manager;
    name = manager.name();
  }
  BOOST_TEST(!notifier_in({{"NOTIFY_SOCKET", name}}).tell("READY=1"));
}

BOOST_AUTO_TEST_CASE(the_watchdog_is_the_one_of_this_process) {
  const std::string ours = std::to_string(::getpid()), other = std::to_string(::getppid());
  const auto watchdog = [](const std::string& pid) {
    return notifier_in({{"NOTIFY_SOCKET", "/run/x"}, {"WATCHDOG_USEC", "3000000"}, {"WATCHDOG_PID", pid}}).watchdog();
  };
  BOOST_TEST((watchdog(ours) == 3s));
  BOOST_TEST(!watchdog(other).has_value());
  BOOST_TEST((notifier_in({{"NOTIFY_SOCKET", "/run/x"}, {"WATCHDOG_USEC", "500"}}).watchdog() == 500us));
}

BOOST_AUTO_TEST_CASE(values_that_make_no_sense_are_named) {
  const auto names = [](const std::string& variable) {
    return [variable](const std::invalid_argument& e) { return std::string{e.what()}.find(variable) == 0; };
  };
  for (const auto* name : {"relative/path", "@", "/"})
    BOOST_CHECK_EXCEPTION(notifier_in({{"NOTIFY_SOCKET", name}}), std::invalid_argument, names("NOTIFY_SOCKET"));
  BOOST_CHECK_EXCEPTION(notifier_in({{"NOTIFY_SOCKET", "/" + std::string(200, 'x')}}), std::invalid_argument,
                        names("NOTIFY_SOCKET"));
  for (const auto* usec : {"", "soon", "-1", "0", "1s"})
    BOOST_CHECK_EXCEPTION(notifier_in({{"NOTIFY_SOCKET", "/run/x"}, {"WATCHDOG_USEC", usec}}), std::invalid_argument,
                          names("WATCHDOG_USEC"));
}
