// Which server takes a request.
#include "understudy/actors/circuit_breaker/server_selection.hpp"
#include "moments.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

candidate on_level(server_id id, int priority) {
  candidate c;
  c.id = id;
  c.priority = priority;
  return c;
}

selection_query after(std::initializer_list<server_id> tried) {
  selection_query q;
  for (const auto id : tried) q.tried.insert(id);
  return q;
}

struct three_servers {
  std::vector<candidate> all{on_level(0, 1), on_level(1, 2), on_level(2, 3)};
  server_selection selection{make_random(1)};
  int chosen(const selection_query& query = {}) {
    const auto found = selection.choose(all, query);
    return found ? static_cast<int>(all[*found].id) : -1;
  }
  /// How often each server is chosen of `times` requests.
  std::array<int, 3> spread(int times) {
    std::array<int, 3> counts{};
    for (int i = 0; i < times; ++i) ++counts[static_cast<std::size_t>(chosen())];
    return counts;
  }
  void one_level() {
    for (auto& c : all) c.priority = 1;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_lowest_usable_priority_serves, three_servers) {
  BOOST_TEST(chosen() == 0);
  all[0].usable = false;
  BOOST_TEST(chosen() == 1);
  all[1].usable = false;
  BOOST_TEST(chosen() == 2);
  all[2].usable = false;
  BOOST_TEST(chosen() == -1);
}

BOOST_FIXTURE_TEST_CASE(a_half_open_server_comes_last_unless_only_requests_can_tell_whether_it_is_well, three_servers) {
  all[0].trial = true;
  BOOST_TEST(chosen() == 1);
  all[0].trial_due = true;
  BOOST_TEST(chosen() == 0);
  // It serves nobody yet.
  BOOST_TEST(*selection.serving_level(all) == 2);
  all[0].usable = false;  // one is there already
  BOOST_TEST(chosen() == 1);
  // Of those that nobody needs for now nothing is to be known.
  all[0].usable = true;
  all[0].trial = all[0].trial_due = false;
  all[1].trial = all[1].trial_due = true;
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_preferred_server_serves_whatever_its_level_while_it_is_well, three_servers) {
  selection_query query;
  query.preferred = 2;
  BOOST_TEST(chosen(query) == 2);
  all[2].share = 0;  // it has just come back
  BOOST_TEST(chosen(query) == 2);
  BOOST_TEST(chosen() == 0);
  for (const auto spoil : {+[](candidate& c) { c.usable = false; }, +[](candidate& c) { c.trial = true; },
                           +[](candidate& c) { c.silent = true; }, +[](candidate& c) { c.suspected = true; }}) {
    three_servers others;
    spoil(others.all[2]);
    BOOST_TEST(others.chosen(query) == 0);
  }
  query.tried.insert(2);
  BOOST_TEST(chosen(query) == 0);
  query.preferred = 7;  // it was taken out
  BOOST_TEST(chosen(query) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_global_catalog_gets_look_ups_and_nothing_else, three_servers) {
  all[0].global_catalog = true;
  selection_query look_up;
  look_up.global_catalog = true;
  BOOST_TEST(chosen(look_up) == 0);
  BOOST_TEST(chosen() == 1);
  all[1].usable = all[2].usable = false;
  BOOST_TEST(chosen() == -1);
  all[1].usable = true;
  BOOST_TEST(*selection.serving_level(all) == 2);
  // Look-ups go elsewhere as long as it is not well, and to a catalog of any level while one is.
  for (const auto spoil : {+[](candidate& c) { c.usable = false; }, +[](candidate& c) { c.trial = true; },
                           +[](candidate& c) { c.silent = true; }, +[](candidate& c) { c.suspected = true; }}) {
    three_servers others;
    others.all[2].global_catalog = true;
    BOOST_TEST(others.chosen(look_up) == 2);
    spoil(others.all[2]);
    BOOST_TEST(others.chosen(look_up) == 0);
  }
  look_up.preferred = 1;
  BOOST_TEST(chosen(look_up) == 1);
}

BOOST_AUTO_TEST_CASE(a_look_up_at_a_global_catalog_does_not_move_the_level) {
  three_servers servers;
  servers.selection.configure(false, false);
  servers.all[2].global_catalog = true;
  selection_query look_up;
  look_up.global_catalog = true;
  BOOST_TEST(servers.chosen(look_up) == 2);
  BOOST_TEST(servers.chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(order_in_the_table_does_not_matter, three_servers) {
  std::swap(all[0], all[2]);
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(read_only_servers_get_no_writes, three_servers) {
  selection_query write;
  write.write = true;
  all[0].read_only = true;
  BOOST_TEST(chosen(write) == 1);
  BOOST_TEST(chosen() == 0);
  all[1].usable = all[2].usable = false;
  BOOST_TEST(chosen(write) == -1);
}

BOOST_FIXTURE_TEST_CASE(a_lease_prefers_a_writable_server_of_the_level, three_servers) {
  selection_query lease;
  lease.prefer_writable = true;
  all[0].read_only = true;
  all[1].priority = 1;
  BOOST_TEST(chosen(lease) == 1);
  all[1].usable = false;
  BOOST_TEST(chosen(lease) == 0);
}

BOOST_FIXTURE_TEST_CASE(an_untried_server_of_any_level_comes_before_tried_ones, three_servers) {
  BOOST_TEST(chosen(after({0})) == 1);
  BOOST_TEST(chosen(after({0, 1})) == 2);
  BOOST_TEST(chosen(after({0, 1, 2})) == 0);
  all[1].usable = all[2].usable = false;
  BOOST_TEST(chosen(after({0})) == 0);
}

BOOST_FIXTURE_TEST_CASE(an_untried_server_that_is_held_down_comes_before_a_tried_one, three_servers) {
  all[0].share = 0;
  BOOST_TEST(chosen(after({1, 2})) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_half_open_server_gets_requests_only_when_no_other_can, three_servers) {
  all[0].trial = true;
  BOOST_TEST(chosen() == 1);
  all[1].usable = all[2].usable = false;
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_held_server_serves_when_no_other_can, three_servers) {
  all[0].share = 0;
  BOOST_TEST(chosen() == 1);
  all[1].usable = all[2].usable = false;
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(when_all_are_held_the_lowest_priority_serves, three_servers) {
  for (auto& c : all) c.share = 0;
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_ramp_lets_its_share_through, three_servers) {
  all[0].share = 0.3;
  const auto counts = spread(10'000);
  BOOST_TEST(counts[0] > 2700);
  BOOST_TEST(counts[0] < 3300);
  BOOST_TEST(counts[2] == 0);
}

BOOST_FIXTURE_TEST_CASE(equal_servers_of_a_level_share_load, three_servers) {
  one_level();
  for (const int count : spread(9000)) {
    BOOST_TEST(count > 2700);
    BOOST_TEST(count < 3300);
  }
}

BOOST_FIXTURE_TEST_CASE(of_two_the_one_with_less_in_flight_is_taken, three_servers) {
  one_level();
  all[2].usable = false;
  all[0].in_flight = 5;
  BOOST_TEST(spread(100)[1] == 100);
}

BOOST_FIXTURE_TEST_CASE(latency_weighs_what_is_in_flight, three_servers) {
  one_level();
  all[2].usable = false;
  all[0].latency = 0.001;
  all[0].in_flight = 5;
  all[1].latency = 0.01;
  all[1].in_flight = 1;
  BOOST_TEST(spread(100)[0] == 100);
}

BOOST_FIXTURE_TEST_CASE(the_worst_of_three_is_never_taken, three_servers) {
  one_level();
  all[1].in_flight = 10;
  BOOST_TEST(spread(1000)[1] == 0);
}

BOOST_FIXTURE_TEST_CASE(a_suspected_server_is_avoided_within_its_level_only, three_servers) {
  all[0].suspected = true;
  BOOST_TEST(chosen() == 0);
  all[1].priority = 1;
  BOOST_TEST(chosen() == 1);
}

BOOST_FIXTURE_TEST_CASE(failback_by_hand_stays_at_the_level_that_serves, three_servers) {
  selection.configure(false, false);
  BOOST_TEST(chosen() == 0);
  all[0].usable = false;
  BOOST_TEST(chosen() == 1);
  all[0].usable = true;
  BOOST_TEST(chosen() == 1);
  BOOST_TEST(*selection.serving_level(all) == 2);
  all[1].usable = false;
  BOOST_TEST(chosen() == 0);
  all[1].usable = true;
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_write_past_a_read_only_level_does_not_move_the_level, three_servers) {
  selection.configure(false, false);
  selection_query write;
  write.write = true;
  all[0].read_only = true;
  BOOST_TEST(chosen(write) == 1);
  BOOST_TEST(chosen() == 0);
  BOOST_TEST(chosen(write) == 1);
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_full_level_spills_only_when_told_to, three_servers) {
  all[0].full = true;
  BOOST_TEST(chosen() == 0);
  selection.configure(true, true);
  BOOST_TEST(chosen() == 1);
  all[1].full = all[2].full = true;
  BOOST_TEST(chosen() == 0);
}

BOOST_FIXTURE_TEST_CASE(the_serving_level_is_the_one_a_read_would_go_to, three_servers) {
  BOOST_TEST(*selection.serving_level(all) == 1);
  all[0].share = 0;
  BOOST_TEST(*selection.serving_level(all) == 2);
  all[0].share = 0.1;
  BOOST_TEST(*selection.serving_level(all) == 1);
  for (auto& c : all) c.usable = false;
  BOOST_TEST(!selection.serving_level(all).has_value());
}

BOOST_AUTO_TEST_CASE(weights_share_the_load_of_a_level) {
  server_selection selection{make_random(5)};
  std::vector<candidate> all{on_level(0, 1), on_level(1, 1), on_level(2, 1)};
  all[0].weight = 60;
  all[1].weight = 30;
  all[2].weight = 10;
  std::vector<int> taken(3);
  for (int i = 0; i < 10000; ++i) ++taken[*selection.choose(all, {})];
  BOOST_TEST(std::abs(taken[0] - 6000) < 200);
  BOOST_TEST(std::abs(taken[1] - 3000) < 200);
  BOOST_TEST(std::abs(taken[2] - 1000) < 200);
}

BOOST_AUTO_TEST_CASE(weights_do_not_overload_a_server_that_is_behind) {
  server_selection selection{make_random(5)};
  std::vector<candidate> all{on_level(0, 1), on_level(1, 1)};
  all[0].weight = 3;
  std::vector<int> taken(2);
  // Nobody answers: what is under way settles at three to one.
  for (int i = 0; i < 400; ++i) all[*selection.choose(all, {})].in_flight += 1;
  BOOST_TEST(std::abs(all[0].in_flight - 300) <= 5);
  all[0].in_flight = 900;
  for (int i = 0; i < 100; ++i) ++taken[*selection.choose(all, {})];
  BOOST_TEST(taken[0] == 0);
}

BOOST_AUTO_TEST_CASE(weights_do_not_reach_beyond_their_level) {
  server_selection selection{make_random(5)};
  std::vector<candidate> all{on_level(0, 1), on_level(1, 2)};
  all[1].weight = 1000;
  for (int i = 0; i < 100; ++i) BOOST_TEST(*selection.choose(all, {}) == 0U);
}
