// What operators are told of the links of a node.
#include "understudy/runtime/platform/node_clients.hpp"

#include "understudy/runtime/platform/node_links.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(of_many_clients_of_a_node_those_who_came_first_are_told_and_how_many_there_are_beside) {
  std::vector<node_peer> all(node_clients::most_told + 9);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].name = "client " + std::to_string(i);
  all[0].side = link_side::dialled;
  all[1].name.assign(5000, 'n');
  all[1].address = "192.0.2.7:51312";
  all[1].permission = node_permission::admin;
  all[1].received = 3;
  all[1].sent = 4;
  all[1].since = wall_time{seconds{7}};
  runtime_snapshot state;
  tell_of_clients(all, state);
  BOOST_TEST_REQUIRE(state.node_clients.size() == node_clients::most_told);
  BOOST_TEST(state.more_node_clients == 8U);
  const auto& first = state.node_clients.front();
  BOOST_TEST(first.name.size() < 300U);
  BOOST_TEST(first.name.find("(5000 bytes)") != std::string::npos, first.name);
  BOOST_TEST(first.address == "192.0.2.7:51312");
  BOOST_TEST(first.permission == "admin");
  BOOST_TEST(first.received == 3U);
  BOOST_TEST(first.sent == 4U);
  BOOST_TEST((first.since == wall_time{seconds{7}}));
  BOOST_TEST(state.node_clients[1].name == "client 2");
  // Without links there is nobody.
  node_clients{}.fill(state);
  BOOST_TEST(state.node_clients.empty());
  BOOST_TEST(state.more_node_clients == 0U);
}
