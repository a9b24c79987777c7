// Credits of a streaming search, and whose silence counts.
#include "understudy/actors/connection/stream_flow.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{};

}  // namespace

BOOST_AUTO_TEST_CASE(an_entry_costs_a_credit_and_without_one_it_waits) {
  stream_flow flow{2, start};
  BOOST_TEST(flow.take(start));
  BOOST_TEST(flow.take(start));
  BOOST_TEST(!flow.waiting());
  BOOST_TEST(!flow.take(start));
  BOOST_TEST(flow.waiting());
  BOOST_TEST(!flow.take(start));
  BOOST_TEST(flow.taken() == 2u);
  BOOST_TEST(!flow.grant(0, start));
  BOOST_TEST(flow.waiting());
  BOOST_TEST(flow.grant(1, start));
  BOOST_TEST(!flow.waiting());
  BOOST_TEST(flow.take(start));
  BOOST_TEST(flow.credits() == 0u);
  BOOST_TEST(!flow.grant(5, start), "nothing waited");
  BOOST_TEST(flow.credits() == 5u);
}

BOOST_AUTO_TEST_CASE(credits_do_not_overflow) {
  stream_flow flow{UINT32_MAX, start};
  BOOST_TEST(flow.credits() == stream_flow::most_credits);
  flow.grant(UINT32_MAX, start);
  BOOST_TEST(flow.credits() == stream_flow::most_credits);
}

BOOST_AUTO_TEST_CASE(silence_is_the_servers_only_while_nobody_waits_for_the_consumer) {
  stream_flow flow{1, start};
  BOOST_TEST((flow.silence(start + 3s) == 3s));
  flow.heard(start + 3s);
  BOOST_TEST((flow.silence(start + 5s) == 2s));
  BOOST_TEST(flow.take(start + 6s));
  BOOST_TEST((flow.silence(start + 10s) == 4s));
  BOOST_TEST(!flow.take(start + 10s));
  BOOST_TEST((flow.silence(start + 1h) == 0s));
  BOOST_TEST(flow.grant(1, start + 1h));
  BOOST_TEST((flow.silence(start + 1h + 2s) == 2s));
}

BOOST_AUTO_TEST_CASE(a_batch_is_everything_that_was_gathered_and_nothing_twice) {
  result gathered;
  gathered.code = 4;
  gathered.entries = {{"a", {}}, {"b", {}}};
  gathered.references = {{"ldap://x"}};
  gathered.reference_positions = {1};
  const auto batch = cut_batch(gathered);
  BOOST_TEST(batch.size() == 3u);
  BOOST_TEST(batch.entries[1].dn == "b");
  BOOST_TEST(batch.reference_positions.at(0) == 1u);
  BOOST_TEST(cut_batch(gathered).size() == 0u);
  BOOST_TEST(gathered.code == 4);
}
