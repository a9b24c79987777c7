// Which of the connections that clients hold is given up for others.
#include "understudy/actors/front_door/held_connections.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace understudy;
using namespace understudy::internal;

namespace {

struct holders {
  void hold(held_connections::key client, server_id server, std::optional<duration> idle_at,
            const std::string& address = "192.0.2.1") {
    all.enter(client, server, address, [this, client] { given_up += std::to_string(client) + ' '; });
    if (idle_at) all.set_idle(client, time_point{*idle_at});
  }
  bool give_up(std::optional<server_id> server, duration at) {
    return all.give_up_one(server, seconds{1}, time_point{at});
  }

  held_connections all;
  std::string given_up;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_one_that_is_idle_for_longest_is_given_up, holders) {
  hold(1, 0, seconds{10});
  hold(2, 0, seconds{11});
  hold(3, 7, seconds{1});
  // Used again since.
  all.set_idle(1, time_point{seconds{12}});
  BOOST_TEST(all.count() == 3U);
  BOOST_TEST(all.count(0) == 2U);
  BOOST_TEST(give_up(0, seconds{20}));
  BOOST_TEST(given_up == "2 ");
  BOOST_TEST(all.count(0) == 1U);
  BOOST_TEST(give_up(0, seconds{20}));
  BOOST_TEST(!give_up(0, seconds{20}));
  BOOST_TEST(give_up({}, seconds{20}));
  BOOST_TEST(given_up == "2 1 3 ");
}

BOOST_FIXTURE_TEST_CASE(what_is_in_use_or_was_a_moment_ago_is_not_given_up, holders) {
  hold(1, 0, seconds{10});
  hold(2, 0, seconds{12});
  hold(3, 0, std::nullopt);
  all.set_idle(1, std::nullopt);
  BOOST_TEST(!give_up(0, seconds{13} - milliseconds{1}));
  BOOST_TEST(give_up(0, seconds{13}));
  BOOST_TEST(given_up == "2 ");
  all.leave(1);
  BOOST_TEST(!all.contains(1));
  BOOST_TEST(all.contains(3));
  BOOST_TEST(!give_up({}, seconds{30}));
}

BOOST_FIXTURE_TEST_CASE(an_address_that_holds_many_gives_up_its_own_first, holders) {
  hold(1, 0, seconds{1}, "192.0.2.1");
  hold(2, 0, seconds{5}, "198.51.100.7");
  hold(3, 0, seconds{6}, "198.51.100.7");
  hold(4, 0, std::nullopt, "198.51.100.7");
  BOOST_TEST(give_up(0, seconds{20}));
  BOOST_TEST(give_up(0, seconds{20}));
  BOOST_TEST(given_up == "2 3 ");
  BOOST_TEST(give_up(0, seconds{20}));
  BOOST_TEST(given_up == "2 3 1 ");
}

BOOST_FIXTURE_TEST_CASE(who_used_it_before_it_heard_that_it_was_to_go_keeps_it_and_counts, holders) {
  hold(1, 0, seconds{1});
  hold(2, 0, seconds{2});
  BOOST_TEST(give_up(0, seconds{20}));
  BOOST_TEST(all.count(0) == 1U);
  // A request of its client was there already.
  all.set_idle(1, std::nullopt);
  BOOST_TEST(all.contains(1));
  BOOST_TEST(all.count(0) == 2U);
  all.set_idle(1, time_point{seconds{30}});
  BOOST_TEST(give_up(0, seconds{40}));
  BOOST_TEST(give_up(0, seconds{40}));
  BOOST_TEST(given_up == "1 2 1 ");
  BOOST_TEST(all.count() == 0U);
  all.leave(1);
  all.leave(2);
  BOOST_TEST(!all.contains(1));
}
