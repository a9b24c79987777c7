// Leak checks see what is left behind, and wait for what goes away.
#include "support/leak_check.hpp"
#include "support/free_port.hpp"
#include "support/slapd.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(an_open_socket_is_found_and_named) {
  leak_guard guard(1ms);
  BOOST_TEST(guard.leaked() == "");
  const auto before = count_resources();
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  BOOST_TEST(count_resources().sockets == before.sockets + 1);
  BOOST_TEST(guard.leaked().find(std::to_string(fd) + "=socket:") != std::string::npos);
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(a_thread_is_found_and_waited_for) {
  std::mutex guard;
  std::condition_variable changed;
  bool go = false;
  leak_guard patient, hasty(1ms);
  std::thread helper([&] {
    std::unique_lock lock(guard);
    changed.wait(lock, [&] { return go; });
  });
  BOOST_TEST(hasty.leaked().find("1 thread(s)") != std::string::npos);
  {
    std::lock_guard lock(guard);
    go = true;
  }
  changed.notify_one();
  helper.join();
  BOOST_TEST(patient.leaked() == "");
}

BOOST_AUTO_TEST_CASE(reserved_ports_are_no_leak) {
  leak_guard guard(1ms);
  BOOST_TEST(free_port() != 0);
}

BOOST_AUTO_TEST_CASE(a_slapd_leaves_nothing_behind) {
  leak_guard guard;
  std::filesystem::path folder;
  {
    slapd server;
    folder = server.folder();
    server.kill9();
    server.start();
    BOOST_TEST(server.counters().binds == 0u);
  }
  BOOST_TEST(!std::filesystem::exists(folder));
}

BOOST_AUTO_TEST_CASE(conditions_are_waited_for_within_bounds) {
  int asked = 0;
  BOOST_TEST(eventually([&] { return ++asked == 3; }));
  BOOST_TEST(!eventually([] { return false; }, 5ms));
  BOOST_TEST(holds_for([] { return true; }, 5ms));
  BOOST_TEST(!holds_for([&] { return ++asked < 6; }, 1min));
}

BOOST_AUTO_TEST_CASE(balanced_leases_pass) {
  understudy::pool_snapshot pool;
  pool.acquired = 3;
  pool.released = 2;
  pool.leased = 1;
  check_leases(pool);
  understudy::runtime_snapshot all;
  all.servers.resize(1);
  check_leases(all, true);
}
