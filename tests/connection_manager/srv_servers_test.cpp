// SRV records as servers: priorities, weights, what is taken and what is not.
#include "understudy/actors/connection_manager/srv_servers.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

connection_info pattern() {
  connection_info info;
  info.srv = "_ldap._tcp.example.com";
  info.bind_dn = "cn=service";
  info.password = secret{"x"};
  info.use_tls = true;
  info.role = server_role::read_only;
  return info;
}

}  // namespace

BOOST_AUTO_TEST_CASE(records_become_servers_that_inherit_the_rest) {
  const auto found = servers_of(pattern(), {{"LDAP2.example.com.", 1389, 20, 0}, {"ldap1.example.com", 389, 10, 60}});
  BOOST_REQUIRE(found.servers.size() == 2U);
  const auto& first = found.servers[0];
  BOOST_TEST(first.host == "ldap1.example.com");
  BOOST_TEST(first.priority == 10);
  BOOST_TEST(first.weight == 60);
  BOOST_TEST(first.srv.empty());
  BOOST_TEST(first.bind_dn == "cn=service");
  BOOST_TEST(first.use_tls);
  BOOST_TEST((first.role == server_role::read_only));
  BOOST_TEST(found.servers[1].host == "ldap2.example.com");
  BOOST_TEST(found.servers[1].port == 1389);
  BOOST_TEST(found.servers[1].weight == 0);
  BOOST_TEST(found.ignored.empty());
  for (const auto& server : found.servers) BOOST_TEST(server.validate().valid);
}

BOOST_AUTO_TEST_CASE(a_place_named_twice_is_one_server_with_the_better_record) {
  const auto found = servers_of(pattern(), {{"a.example.com", 389, 20, 0}, {"A.example.com.", 389, 10, 5}});
  BOOST_REQUIRE(found.servers.size() == 1U);
  BOOST_TEST(found.servers[0].priority == 10);
}

BOOST_AUTO_TEST_CASE(a_dot_is_no_server) {
  const auto found = servers_of(pattern(), {{".", 0, 0, 0}});
  BOOST_TEST(found.servers.empty());
  BOOST_TEST(found.ignored.empty());
}

BOOST_AUTO_TEST_CASE(what_can_be_no_host_is_left_out_and_told) {
  const auto found =
      servers_of(pattern(), {{"/run/slapd/ldapi", 389, 0, 0}, {"a b", 389, 0, 0}, {"", 389, 0, 0}, {"c", 0, 0, 0}});
  BOOST_TEST(found.servers.empty());
  BOOST_TEST(found.ignored.size() == 4U);
}

BOOST_AUTO_TEST_CASE(only_the_best_of_too_many_are_taken) {
  std::vector<service_record> records;
  for (std::uint16_t i = 40; i > 0; --i) records.push_back({"s" + std::to_string(i) + ".example.com", 389, i, 0});
  const auto found = servers_of(pattern(), records);
  BOOST_TEST(found.servers.size() == most_srv_servers);
  BOOST_TEST(found.servers.back().priority == 32);
  BOOST_REQUIRE(found.ignored.size() == 8U);
  BOOST_TEST(found.ignored[0].find("s33.example.com:389") == 0U);
}
