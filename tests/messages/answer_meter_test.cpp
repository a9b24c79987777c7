// Bytes of answers that are on their way: counted once each, never beyond the bound, given back whatever happens.
#include "understudy/messages/answer_meter.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <thread>
#include <vector>

using namespace understudy;

BOOST_AUTO_TEST_CASE(an_answer_counts_until_it_ends) {
  const auto meter = std::make_shared<answer_meter>(100);
  {
    metered_answer one{meter}, other{meter};
    BOOST_TEST(one.take(60));
    BOOST_TEST(!other.take(41));
    BOOST_TEST(other.refused());
    BOOST_TEST(!one.refused());
    BOOST_TEST(other.take(40));
    BOOST_TEST(meter->taken() == 100U);
    one.shrink_to(10);
    BOOST_TEST(meter->taken() == 50U);
    one.shrink_to(30);
    BOOST_TEST(meter->taken() == 50U);
  }
  BOOST_TEST(meter->taken() == 0U);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_read_again_counts_once) {
  const auto meter = std::make_shared<answer_meter>(100);
  metered_answer one{meter};
  BOOST_TEST(one.take(60));
  BOOST_TEST(!one.take(60));
  one.begin();
  BOOST_TEST(!one.refused());
  BOOST_TEST(one.take(60));
  BOOST_TEST(meter->taken() == 60U);
  BOOST_TEST(one.take(40));
  BOOST_TEST(meter->taken() == 100U);
}

BOOST_AUTO_TEST_CASE(what_is_reserved_is_there_when_nothing_else_is) {
  const auto meter = std::make_shared<answer_meter>(100);
  BOOST_TEST_REQUIRE(meter->take(100));
  {
    metered_answer one{meter, 40};
    BOOST_TEST(one.take(40));
    BOOST_TEST(!one.take(1));
    BOOST_TEST(meter->taken() == 100U);
    one.shrink_to(5);
    BOOST_TEST(meter->taken() == 65U);
  }
  BOOST_TEST(meter->taken() == 60U);
}

BOOST_AUTO_TEST_CASE(the_greatest_count_is_no_way_past_the_bound) {
  const auto meter = std::make_shared<answer_meter>(SIZE_MAX);
  BOOST_TEST(meter->take(SIZE_MAX - 1));
  BOOST_TEST(!meter->take(2));
  BOOST_TEST(meter->take(1));
}

BOOST_AUTO_TEST_CASE(what_is_within_another_bound_counts_there_as_well) {
  const auto all = std::make_shared<answer_meter>(100);
  const auto meter = std::make_shared<answer_meter>(70, all), other = std::make_shared<answer_meter>(70, all);
  {
    metered_answer one{meter}, second{other};
    BOOST_TEST(one.take(60));
    BOOST_TEST(!second.take(41));
    BOOST_TEST((second.refused() && other->taken() == 0U && all->taken() == 60U));
    BOOST_TEST(second.take(40));
    BOOST_TEST(all->taken() == 100U);
    BOOST_TEST(!one.take(1));
    one.shrink_to(10);
    BOOST_TEST(all->taken() == 50U);
  }
  BOOST_TEST((meter->taken() == 0U && other->taken() == 0U && all->taken() == 0U));
}

BOOST_AUTO_TEST_CASE(threads_together_never_take_more_than_there_is_and_leave_nothing) {
  constexpr std::size_t most = 10'000;
  const auto all_meters = std::make_shared<answer_meter>(most);
  const auto meter = std::make_shared<answer_meter>(most, all_meters);
  std::atomic<bool> beyond{false};
  std::vector<std::thread> all;
  for (unsigned seed = 0; seed < 4; ++seed)
    all.emplace_back([&, seed] {
      std::mt19937 random{seed};
      for (int i = 0; i < 2000; ++i) {
        metered_answer one{meter};
        for (int part = 0; part < 5; ++part)
          if (!one.take(random() % 1500)) one.begin();
        if (all_meters->taken() > most) beyond = true;
        one.shrink_to(random() % 1000);
      }
    });
  for (auto& each : all) each.join();
  BOOST_TEST(!beyond);
  BOOST_TEST(meter->taken() == 0U);
  BOOST_TEST(all_meters->taken() == 0U);
}
