// The one deadline of a command.
#include "understudy/tools/command_time.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::cli;
using namespace std::chrono_literals;

namespace {

constexpr auto begun = time_point{} + 1h;

}  // namespace

BOOST_AUTO_TEST_CASE(a_command_has_one_deadline_from_its_beginning) {
  const command_time time{2s, begun};
  BOOST_TEST((time.deadline() == begun + 2s));
}

BOOST_AUTO_TEST_CASE(a_command_without_a_timeout_has_no_deadline) {
  command_time time{duration{}, begun};
  time.give_back(1s);
  BOOST_TEST(!time.deadline().has_value());
}

BOOST_AUTO_TEST_CASE(what_input_takes_does_not_count) {
  command_time time{2s, begun};
  time.give_back(5s);
  time.give_back(1s);
  BOOST_TEST((time.deadline() == begun + 8s));
  const auto before = *time.deadline();
  BOOST_TEST(time.waiting_for_input([] { return 7; }) == 7);
  BOOST_TEST((*time.deadline() >= before));
}

BOOST_AUTO_TEST_CASE(a_timeout_beyond_all_time_is_the_end_of_time) {
  command_time time{duration::max(), begun};
  BOOST_TEST((time.deadline() == time_point::max()));
  time.give_back(1h);
  BOOST_TEST((time.deadline() == time_point::max()));
}
