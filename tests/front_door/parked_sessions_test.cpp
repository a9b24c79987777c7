// Which parked connection is given up for others.
#include "understudy/actors/front_door/parked_sessions.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace understudy;
using namespace understudy::internal;

namespace {

struct parking {
  void park(parked_sessions::key client, server_id server, duration at) {
    all.park(client, server, time_point{at}, [this, client] { given_up += std::to_string(client) + ' '; });
  }
  bool give_up(server_id server, std::size_t least, duration at) {
    return all.give_up_oldest(server, least, seconds{1}, time_point{at});
  }

  parked_sessions all;
  std::string given_up;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_one_that_is_idle_for_longest_is_given_up, parking) {
  park(1, 0, seconds{10});
  park(2, 0, seconds{11});
  park(3, 7, seconds{1});
  // Used again since.
  park(1, 0, seconds{12});
  BOOST_TEST(give_up(0, 2, seconds{20}));
  BOOST_TEST(given_up == "2 ");
  // It is one no more, and those elsewhere do not count.
  BOOST_TEST(!give_up(0, 2, seconds{20}));
  BOOST_TEST(give_up(0, 1, seconds{20}));
  BOOST_TEST(!give_up(0, 1, seconds{20}));
  BOOST_TEST(given_up == "2 1 ");
  BOOST_TEST(all.count() == 1U);
}

BOOST_FIXTURE_TEST_CASE(what_is_in_use_or_was_a_moment_ago_is_not_given_up, parking) {
  park(1, 0, seconds{10});
  park(2, 0, seconds{12});
  all.take(1);
  BOOST_TEST(!give_up(0, 1, seconds{13} - milliseconds{1}));
  BOOST_TEST(give_up(0, 1, seconds{13}));
  BOOST_TEST(given_up == "2 ");
}
