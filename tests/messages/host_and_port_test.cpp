// "HOST:PORT" as it is read and written.
#include "understudy/messages/host_and_port.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::internal;

BOOST_AUTO_TEST_CASE(address_with_colons_stands_in_brackets_before_its_port) {
  BOOST_TEST(to_string(host_and_port{"ldap1.example.com", 389}) == "ldap1.example.com:389");
  BOOST_TEST(to_string(host_and_port{"::1", 636}) == "[::1]:636");
  BOOST_TEST(to_string(host_and_port{"/run/slapd/a:b", 0}) == "/run/slapd/a:b");
  BOOST_TEST(to_string(host_and_port{"/run/slapd/a:b", 389}) == "/run/slapd/a:b");
}

BOOST_AUTO_TEST_CASE(a_host_and_its_port_are_told_apart) {
  std::string problem;
  const auto name = parse_host_and_port("node2.example.com:4100", problem);
  BOOST_TEST_REQUIRE(name.has_value());
  BOOST_TEST(name->host == "node2.example.com");
  BOOST_TEST(name->port == 4100);
  const auto address = parse_host_and_port("[2001:db8::1]:1", problem);
  BOOST_TEST_REQUIRE(address.has_value());
  BOOST_TEST(address->host == "2001:db8::1");
  BOOST_TEST(parse_host_and_port("127.0.0.1:0", problem)->port == 0);
  BOOST_TEST(problem == "");
}

BOOST_AUTO_TEST_CASE(what_is_no_host_and_port_is_refused_with_the_reason) {
  for (const auto* bad : {"", ":", ":1", "a", "a:", "a:b", "a:-1", "a:+1", "a: 1", "a:1 ", "a:65536", "2001:db8::1:1",
                          "[a]:1", "[::1]", "[]:1:1"}) {
    std::string problem;
    BOOST_TEST(!parse_host_and_port(bad, problem).has_value(), bad);
    BOOST_TEST((problem.starts_with("must ") || problem.starts_with("its port ")), bad << ": " << problem);
  }
}

BOOST_AUTO_TEST_CASE(a_port_alone_is_every_address_to_listen_at) {
  std::string problem;
  const auto all = parse_listening_place(":4100", problem);
  BOOST_TEST_REQUIRE(all.has_value());
  BOOST_TEST(all->host == "::");
  BOOST_TEST(all->port == 4100);
  BOOST_TEST(parse_listening_place("127.0.0.1:0", problem)->host == "127.0.0.1");
  BOOST_TEST(problem == "");
  BOOST_TEST(!parse_listening_place(":", problem).has_value());
  BOOST_TEST(problem == "its port must be a number up to 65535");
}
