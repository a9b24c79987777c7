// What operators are told of a node, as bytes: whole, and harmless when the bytes are anything.
#include "understudy/actors/node/snapshot_fields.hpp"

#include "support/mutation.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

runtime_snapshot some_state() {
  runtime_snapshot s;
  s.servers.resize(2);
  s.servers[0].host = "ldap1";
  s.servers[0].port = 389;
  s.servers[0].last_error_at = wall_time{seconds{1'700'000'000}};
  s.servers[0].pool.now.size = 3;
  s.servers[0].pool.longest_wait = milliseconds{1700};
  s.servers[1].serving = true;
  s.active_priority = 1;
  s.operations.by_error = {0, 1, 2};
  s.servers[0].budget = {200, 67, 3, 4, 5, 6};
  s.peers.push_back({"node-b", false, wall_time{seconds{1'700'000'000}}, "refused", std::nullopt});
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_state_of_many_servers_and_an_empty_one_cross_whole) {
  for (const auto& sent : {some_state(), runtime_snapshot{}}) {
    const auto came = decode_runtime_snapshot(encode(sent));
    BOOST_TEST_REQUIRE(came.value.has_value());
    BOOST_TEST(came.value->servers.size() == sent.servers.size());
    BOOST_TEST((came.value->active_priority == sent.active_priority));
    BOOST_TEST((came.value->operations.by_error == sent.operations.by_error));
    BOOST_TEST_REQUIRE(came.value->peers.size() == sent.peers.size());
    if (sent.peers.empty()) continue;
    BOOST_TEST(came.value->peers[0].name == "node-b");
    BOOST_TEST((came.value->peers[0].since == sent.peers[0].since));
    BOOST_TEST(came.value->servers[0].budget.wanted == 6U);
    BOOST_TEST((came.value->servers[0].pool.longest_wait == milliseconds{1700}));
    BOOST_TEST(encode(*came.value) == encode(sent));
  }
  BOOST_TEST(decode_probe_reports(encode(std::vector<probe_report>{})).value.value().empty());
  probe_report bad;
  bad.steps = {{stage::resolve, milliseconds{1}, true}, {stage::connect, milliseconds{2}, false}};
  bad.error = make_failure(errc::connection_failed, stage::connect, "refused", "ldap1:389");
  bad.answers_others = true;
  const auto back = decode_probe_report(encode(bad));
  BOOST_TEST_REQUIRE(back.value.has_value());
  BOOST_TEST(encode(*back.value) == encode(bad));
  BOOST_TEST((!back.value->ok && back.value->answers_others && !back.value->steps.at(1).ok));
  BOOST_TEST(back.value->error->server == "ldap1:389");
}

BOOST_AUTO_TEST_CASE(a_state_that_is_anything_is_refused_or_says_the_same_again) {
  check_mutations(encode(some_state()), 3, decode_runtime_snapshot,
                  [](const runtime_snapshot& s) { return encode(s); });
}
