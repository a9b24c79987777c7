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
  s.servers[1].serving = s.servers[1].untried = true;
  s.servers[1].last_check = {wall_time{seconds{1'700'000'000}},
                             false,
                             milliseconds{9},
                             {{stage::resolve, milliseconds{1}, true}, {stage::connect, milliseconds{8}, false}},
                             "refused"};
  s.servers[1].last_connect_check = s.servers[1].last_check;
  s.servers[1].last_connect_check.error = "refused before";
  s.operations.last_minute = {9, 2, 4};
  s.active_priority = 1;
  s.operations.by_error = {0, 1, 2};
  s.operations.latency = {{1, 2, 5}, 7, milliseconds{9}};
  s.connects = {{3}, 4, milliseconds{5}};
  s.servers[0].budget = {200, 67, 3, 4, 5, 6};
  s.peers.push_back(
      {"node-b", false, wall_time{seconds{1'700'000'000}}, "refused", std::nullopt, "it has dialled this node"});
  s.client_listeners.push_back(
      {"127.0.0.1:389", 2, 7, 1, {{"search", client_standing::user, result_class::negative, 5}}});
  s.clients.push_back({"192.0.2.7:51312", "127.0.0.1:389", client_standing::proxied, 3, true, 9, milliseconds{1500}});
  s.node_clients.push_back(
      {"client.example", "192.0.2.9:40000", "write", 5'000'000'000, 7, wall_time{seconds{1'700'000'000}}});
  s.more_node_clients = 3;
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
    BOOST_TEST(came.value->operations.latency.at_most == sent.operations.latency.at_most,
               boost::test_tools::per_element());
    BOOST_TEST(came.value->operations.latency.count == sent.operations.latency.count);
    BOOST_TEST((came.value->connects.total == sent.connects.total));
    BOOST_TEST_REQUIRE(came.value->peers.size() == sent.peers.size());
    if (sent.peers.empty()) continue;
    BOOST_TEST(came.value->peers[0].name == "node-b");
    BOOST_TEST((came.value->peers[0].since == sent.peers[0].since));
    BOOST_TEST(came.value->peers[0].link == "it has dialled this node");
    BOOST_TEST(came.value->servers[0].budget.wanted == 6U);
    BOOST_TEST(came.value->servers[1].untried);
    BOOST_TEST(!came.value->servers[0].last_check.at.has_value());
    const auto& check = came.value->servers[1].last_check;
    BOOST_TEST((check.at == sent.servers[1].last_check.at && check.took == milliseconds{9} && !check.ok));
    BOOST_TEST_REQUIRE(check.steps.size() == 2U);
    BOOST_TEST((check.steps[1].what == stage::connect && !check.steps[1].ok));
    BOOST_TEST(check.error == "refused");
    BOOST_TEST(came.value->servers[1].last_connect_check.error == "refused before");
    BOOST_TEST(came.value->operations.last_minute.failed == 4U);
    BOOST_TEST((came.value->servers[0].pool.longest_wait == milliseconds{1700}));
    BOOST_TEST_REQUIRE(came.value->client_listeners.size() == 1U);
    BOOST_TEST(came.value->client_listeners[0].turned_away == 1U);
    BOOST_TEST((came.value->client_listeners[0].operations.at(0).ended == result_class::negative));
    BOOST_TEST_REQUIRE(came.value->clients.size() == 1U);
    BOOST_TEST((came.value->clients[0].identity == client_standing::proxied));
    BOOST_TEST(came.value->clients[0].parked);
    BOOST_TEST((came.value->clients[0].age == milliseconds{1500}));
    BOOST_TEST_REQUIRE(came.value->node_clients.size() == 1U);
    BOOST_TEST(came.value->node_clients[0].permission == "write");
    BOOST_TEST(came.value->node_clients[0].received == 5'000'000'000U);
    BOOST_TEST((came.value->node_clients[0].since == sent.node_clients[0].since));
    BOOST_TEST(came.value->more_node_clients == 3U);
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

BOOST_AUTO_TEST_CASE(requests_that_ended_cross_whole_and_harmless) {
  operation_samples sent;
  sent.samples.push_back({wall_time{seconds{1'700'000'000}}, "search", 32, "", "ldap1:389", milliseconds{3}});
  sent.samples.push_back({std::nullopt, "bind", 0, "operation_timeout", "", seconds{30}});
  sent.next = 77;
  sent.dropped = 5;
  const auto came = decode_operation_samples(encode(sent));
  BOOST_TEST_REQUIRE(came.value.has_value());
  BOOST_TEST(came.value->next == 77U);
  BOOST_TEST_REQUIRE(came.value->samples.size() == 2U);
  BOOST_TEST(came.value->samples[0].code == 32);
  BOOST_TEST(came.value->samples[1].error == "operation_timeout");
  BOOST_TEST(encode(*came.value) == encode(sent));
  check_mutations(encode(sent), 3, decode_operation_samples, [](const operation_samples& s) { return encode(s); });
}
