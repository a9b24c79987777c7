// What a pool has noted of its server, in the snapshot of one that the breaker has not heard from.
#include "understudy/actors/connection_manager/pool_evidence.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

server_snapshot seen(std::uint64_t opened, std::uint64_t failures, bool untried = true,
                     server_state state = server_state::healthy) {
  server_snapshot server;
  server.untried = untried;
  server.state = state;
  pool_snapshot pool;
  pool.opened = opened;
  pool.connect_failures = failures;
  add_pool_evidence(server, pool);
  BOOST_TEST(server.pool.opened == opened);
  return server;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_whose_pool_only_failed_is_not_called_healthy) {
  BOOST_TEST(state_name(seen(0, 1)) == "suspect");
  BOOST_TEST(!seen(0, 1).untried);
  BOOST_TEST(state_name(seen(0, 1, true, server_state::down)) == "down");
}

BOOST_AUTO_TEST_CASE(a_server_that_its_pool_has_not_reached_is_not_tried_yet_and_one_that_it_has_is_healthy) {
  BOOST_TEST(state_name(seen(0, 0)) == "not tried yet");
  BOOST_TEST(state_name(seen(1, 0)) == "healthy");
  BOOST_TEST(state_name(seen(1, 3)) == "healthy");
}

BOOST_AUTO_TEST_CASE(what_the_breaker_has_heard_counts_more_than_what_its_pool_failed_in) {
  BOOST_TEST(state_name(seen(0, 5, false)) == "healthy");
  BOOST_TEST(state_name(seen(5, 5, false, server_state::suspect)) == "suspect");
}
