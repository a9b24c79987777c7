// Credits of a streaming search, and whose silence counts.
#include "understudy/actors/connection/stream_flow.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{};
constexpr std::size_t plenty = 1 << 30;

/// A small one.
bool take(stream_flow& flow, time_point now) {
  if (!flow.may_take(now)) return false;
  BOOST_TEST(flow.took(100, now) == 1u);
  return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_entry_costs_a_credit_and_without_one_it_waits) {
  stream_flow flow{2, plenty, start};
  BOOST_TEST(take(flow, start));
  BOOST_TEST(take(flow, start));
  BOOST_TEST(!flow.waiting());
  BOOST_TEST(!flow.may_take(start));
  BOOST_TEST(flow.waiting());
  BOOST_TEST(!flow.may_take(start));
  BOOST_TEST(flow.taken() == 2u);
  BOOST_TEST(!flow.grant(0, start));
  BOOST_TEST(flow.waiting());
  BOOST_TEST(flow.grant(1, start));
  BOOST_TEST(!flow.waiting());
  BOOST_TEST(take(flow, start));
  BOOST_TEST(flow.credits() == 0);
  BOOST_TEST(!flow.grant(5, start), "nothing waited");
  BOOST_TEST(flow.credits() == 5);
}

BOOST_AUTO_TEST_CASE(credits_do_not_overflow) {
  stream_flow flow{UINT32_MAX, plenty, start};
  BOOST_TEST(flow.credits() == stream_flow::most_credits);
  flow.grant(UINT32_MAX, start);
  BOOST_TEST(flow.credits() == stream_flow::most_credits);
}

BOOST_AUTO_TEST_CASE(a_large_entry_costs_its_share_of_the_memory) {
  // 100 credits for 10 000 bytes.
  stream_flow flow{100, 10'000, start};
  BOOST_TEST(flow.took(1, start) == 1u);
  BOOST_TEST(flow.took(100, start) == 1u);
  BOOST_TEST(flow.took(101, start) == 2u);
  BOOST_TEST(flow.took(9'000, start) == 90u);
  BOOST_TEST(flow.credits() == 6);
  // The last one may be larger than what is left, and is owed.
  BOOST_TEST(flow.may_take(start));
  BOOST_TEST(flow.took(10'000, start) == 100u);
  BOOST_TEST(flow.credits() == -94);
  BOOST_TEST(!flow.may_take(start));
  BOOST_TEST(!flow.grant(94, start), "what is owed comes first");
  BOOST_TEST(flow.waiting());
  BOOST_TEST(flow.grant(1, start));
  BOOST_TEST(flow.may_take(start));
  // A reader with one credit gets one entry at a time, however large.
  stream_flow single{1, 10'000, start};
  BOOST_TEST(single.took(10'000, start) == 1u);
  // More credits than bytes.
  stream_flow many{100'000, 1'000, start};
  BOOST_TEST(many.took(500, start) == 500u);
}

BOOST_AUTO_TEST_CASE(silence_is_the_servers_only_while_nobody_waits_for_the_consumer) {
  stream_flow flow{1, plenty, start};
  BOOST_TEST((flow.silence(start + 3s) == 3s));
  flow.heard(start + 3s);
  BOOST_TEST((flow.silence(start + 5s) == 2s));
  BOOST_TEST(take(flow, start + 6s));
  BOOST_TEST((flow.silence(start + 10s) == 4s));
  BOOST_TEST(!flow.may_take(start + 10s));
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
  gathered.reference_controls = {{{"1.2.3", false, {}}}};
  const auto batch = cut_batch(gathered);
  BOOST_TEST(batch.size() == 3u);
  BOOST_TEST(batch.entries[1].dn == "b");
  BOOST_TEST(batch.reference_positions.at(0) == 1u);
  BOOST_TEST(batch.reference_controls.at(0).at(0).oid == "1.2.3");
  BOOST_TEST(batch.credits() == 3u);
  BOOST_TEST(cut_batch(gathered).size() == 0u);
  BOOST_TEST(gathered.code == 4);
}
