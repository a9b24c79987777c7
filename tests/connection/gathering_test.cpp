// When requests leave: at once for a server that is idle, together for one that is not.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_FIXTURE_TEST_CASE(sends_what_one_turn_gathered_together_and_matches_answers_by_id, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  std::vector<answer_ptr<result_ptr>> answers;
  for (int i = 0; i < 64; ++i) answers.push_back(perform(one, find_user(i)));
  BOOST_REQUIRE(reaches([&] { return load->completed == 64u; }));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    BOOST_REQUIRE(answers[i]->ok());
    BOOST_TEST((*answers[i]->value)->entries.front().dn ==
               "uid=user" + std::to_string(i) + ",ou=people,dc=example,dc=com");
  }
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(gives_an_idle_server_the_first_of_many_requests_at_once_and_gathers_the_others,
                        connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  std::vector<answer_ptr<result_ptr>> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(perform(one, find_user(i)));
  // One message a step: the callers send theirs, then the connection takes the first request, then the second.
  for (int i = 0; i < 5; ++i) scheduler.run_once();
  scheduler.run_once();
  BOOST_TEST(eventually([&] { return directory.count(operation::search) == 1; }));
  scheduler.run_once();
  BOOST_TEST(holds_for([&] { return directory.count(operation::search) == 1; }, 20ms));
  BOOST_TEST(reaches([&] { return load->completed == 5u; }));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(gathers_the_first_of_a_few_requests_too, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  std::vector<answer_ptr<result_ptr>> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(perform(one, find_user(i)));
  for (int i = 0; i < 4; ++i) scheduler.run_once();
  for (int i = 0; i < 4; ++i) scheduler.run_once();
  BOOST_TEST(holds_for([&] { return directory.count(operation::search) == 0; }, 20ms));
  scheduler.run_once();
  BOOST_TEST(eventually([&] { return directory.count(operation::search) == 4; }));
  BOOST_TEST(reaches([&] { return load->completed == 4u; }));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(does_not_gather_more_than_is_worth_sending, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::search, {.silent = true}, 1);
  const auto first = perform(one, find_user());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
  search_request large;
  large.base = std::string(5000, 'x');
  const auto small = perform(one, find_user()), second = perform(one, make_request(large));
  for (int i = 0; i < 2; ++i) scheduler.run_once();
  scheduler.run_once();
  BOOST_TEST(holds_for([&] { return directory.count(operation::search) == 1; }, 20ms));
  scheduler.run_once();
  BOOST_TEST(eventually([&] { return directory.count(operation::search) == 3; }));
  BOOST_TEST(reaches([&] { return small->done() && second->done(); }));
  remove(one);
}
