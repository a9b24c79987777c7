// What an operator reads at level info, line by line: a start, a takeover and the way back, a refused password.
#include "made_up_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

struct two_servers : whole {
  two_servers() : whole({1, 2}) { all.pool.min_connections = 2; }

  /// Searches once a second.
  void serve(seconds span) {
    if (!manager) begin();
    for (seconds passed{}; passed < span; ++passed) {
      BOOST_TEST(search().ok());
      advance(seconds{1});
    }
  }
  /// What was written since the last call, without what level info leaves out.
  std::string told() {
    std::string text;
    for (const auto& line : log->lines()) {
      if (line.level == log_level::debug) continue;
      recording_log one;
      log_port::fields more{line.more.begin(), line.more.end()};
      one.write(line.level, line.component, line.text, more);
      text += one.text();
    }
    log->clear();
    return text;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_log_of_a_start, two_servers) {
  begin();
  BOOST_TEST(search().ok());
  advance(seconds{20});
  BOOST_TEST(told() == "info manager: understudy " UNDERSTUDY_VERSION
                       " starts servers=ldap1:389 (priority 1), ldap2:389 (priority 2)\n"
                       "info breaker: connected to ldap1:389\n"
                       "info breaker: ldap1:389 serves\n"
                       "info breaker: connected to ldap2:389\n");
}

BOOST_FIXTURE_TEST_CASE(the_log_of_a_takeover_and_of_the_way_back, two_servers) {
  serve(seconds{20});
  log->clear();
  take_down(0);
  serve(seconds{300});
  // However often the server is tried meanwhile, this is all.
  BOOST_TEST(told() ==
             "warning breaker: ldap1:389 is lost cause=connection_failed: made up [server ldap1:389] "
             "next_try_in=973ms\n"
             "info breaker: ldap2:389 serves instead_of=ldap1:389\n");
  bring_up(0);
  serve(seconds{120});
  BOOST_TEST(told() ==
             "info breaker: ldap1:389 answers again; it is held back until 2019-12-20T01:05:37Z hold_down=10s\n"
             "info breaker: ldap1:389 serves again instead_of=ldap2:389\n");
  take_down(1);
  serve(seconds{120});
  bring_up(1);
  serve(seconds{120});
  BOOST_TEST(told() ==
             "warning breaker: ldap2:389 is lost cause=connection_failed: made up [server ldap2:389] "
             "next_try_in=947ms\n"
             "info breaker: ldap2:389 answers again and stands by\n");
}

BOOST_FIXTURE_TEST_CASE(the_log_of_a_way_back_by_hand, two_servers) {
  all.failover.auto_failback = false;
  serve(seconds{20});
  take_down(0);
  serve(seconds{20});
  log->clear();
  bring_up(0);
  serve(seconds{120});
  BOOST_TEST(told() == "info breaker: ldap1:389 answers again; requests stay where they are (auto_failback is off)\n");
  tell(manager, suspend_atom_v, server_id{1}, std::uint32_t{60});
  serve(seconds{120});
  BOOST_TEST(told() ==
             "info breaker: ldap2:389 is suspended by command for=1m\n"
             "info breaker: ldap1:389 serves again instead_of=ldap2:389\n"
             "info breaker: ldap2:389 is no longer suspended\n");
}

BOOST_FIXTURE_TEST_CASE(the_log_of_an_outage, two_servers) {
  serve(seconds{20});
  log->clear();
  take_down(1);
  take_down(0);
  for (int i = 0; i < 300; ++i) {
    BOOST_TEST(!search().ok());
    advance(seconds{1});
  }
  bring_up(1);
  advance(seconds{120});
  BOOST_TEST(
      told() ==
      "warning breaker: ldap2:389 is lost cause=connection_failed: made up [server ldap2:389] next_try_in=973ms\n"
      "warning breaker: ldap1:389 is lost cause=connection_failed: made up [server ldap1:389] "
      "next_try_in=1157ms\n"
      "warning breaker: no server is left that serves; requests are refused until one answers again\n"
      "info breaker: ldap2:389 serves\n");
}

BOOST_FIXTURE_TEST_CASE(the_log_of_the_end_of_an_outage, two_servers) {
  serve(seconds{20});
  take_down(1);
  take_down(0);
  advance(seconds{60});
  log->clear();
  bring_up(1);
  while (status().servers[1].breaker != breaker_state::closed) advance(seconds{1});
  bring_up(0);
  while (status().servers[0].breaker != breaker_state::closed) advance(seconds{1});
  serve(seconds{120});
  BOOST_TEST(told() ==
             "info breaker: ldap2:389 serves\n"
             "info breaker: ldap1:389 serves again instead_of=ldap2:389\n");
}

BOOST_FIXTURE_TEST_CASE(the_log_of_a_takeover_by_a_server_that_was_not_connected_to_yet, two_servers) {
  all.pool.min_connections = 0;
  all.failover.health_check_interval = std::chrono::hours{1};
  begin();
  BOOST_TEST(search().ok());
  world->servers[1].connect_time = milliseconds{100};
  log->clear();
  take_down(0);
  BOOST_TEST(search().ok());
  advance(seconds{5});
  BOOST_TEST(told() ==
             "warning breaker: ldap1:389 is lost cause=connection_failed: made up [server ldap1:389] "
             "next_try_in=973ms\n"
             "info breaker: connected to ldap2:389\n"
             "info breaker: ldap2:389 serves instead_of=ldap1:389\n");
}

BOOST_FIXTURE_TEST_CASE(the_log_of_a_start_before_a_hung_server, two_servers) {
  pause(0);
  serve(seconds{20});
  BOOST_TEST(told() ==
             "info manager: understudy " UNDERSTUDY_VERSION
             " starts servers=ldap1:389 (priority 1), ldap2:389 (priority 2)\n"
             "info breaker: connected to ldap2:389\n"
             "info breaker: ldap2:389 serves\n"
             "warning breaker: ldap1:389 cannot be used cause=connection_timeout: ldap1:389 did not answer a probe in "
             "time. [server ldap1:389] next_try_in=973ms\n");
}

BOOST_FIXTURE_TEST_CASE(the_log_of_connections_that_are_cut_from_time_to_time, two_servers) {
  serve(seconds{20});
  log->clear();
  for (int i = 0; i < 30; ++i) {
    // The end of idle ones is nothing; one of these has a request on it.
    pause(0);
    const auto caught = start<result_ptr>(manager, perform_atom_v, call_of(search_request{}, seconds{3}));
    run();
    world->servers[0].paused = false;
    cut(0);
    serve(seconds{10});
    BOOST_TEST(caught->ok());
  }
  // The first line a second after the first loss, the next ones a minute apart.
  const std::string line = "warning breaker: ldap1:389 fails now and then and stays in use failures=";
  const std::string latest = " latest=connection_failed: made up [server ldap1:389]\n";
  const auto minute = line + "6" + latest;
  BOOST_TEST(told() == line + "1" + latest + minute + minute + minute + minute);
}

BOOST_FIXTURE_TEST_CASE(the_log_of_a_refused_password, two_servers) {
  in_file = "wrong";
  begin();
  for (int i = 0; i < 60; ++i) {
    BOOST_TEST(!search().ok());
    advance(seconds{1});
  }
  BOOST_TEST(told() ==
             "info manager: understudy " UNDERSTUDY_VERSION
             " starts servers=ldap1:389 (priority 1), ldap2:389 (priority 2)\n"
             "error credentials: the directory refused the service's password; nothing binds with it until it is "
             "changed cause=service_authentication_failed: made up [server ldap1:389; result invalidCredentials "
             "(49)]\n");
  in_file = "right";
  advance(seconds{120});
  BOOST_TEST(search().ok());
  BOOST_TEST(told() ==
             "info credentials: the service binds again: its password is no longer refused\n"
             "info breaker: connected to ldap1:389\n"
             "info breaker: ldap1:389 serves\n"
             "info breaker: connected to ldap2:389\n");
}
