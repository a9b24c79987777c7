// Addresses and networks: what is read, what is inside.
#include "understudy/messages/ip_network.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::internal;

namespace {

bool is_in(const std::string& network, const std::string& address) {
  std::string problem;
  const auto read = ip_network::parse(network, problem);
  BOOST_TEST_REQUIRE(read.has_value(), network << ": " << problem);
  const auto found = parse_ip_address(address);
  BOOST_TEST_REQUIRE(found.has_value(), address);
  return read->contains(*found);
}

std::string problem_of(const std::string& network) {
  std::string problem;
  return ip_network::parse(network, problem) ? "" : problem;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_network_has_the_addresses_that_begin_alike) {
  BOOST_TEST(is_in("10.0.0.0/8", "10.255.0.1"));
  BOOST_TEST(!is_in("10.0.0.0/8", "11.0.0.1"));
  BOOST_TEST(is_in("192.0.2.128/25", "192.0.2.200"));
  BOOST_TEST(!is_in("192.0.2.128/25", "192.0.2.127"));
  BOOST_TEST(is_in("192.0.2.7", "192.0.2.7"));
  BOOST_TEST(!is_in("192.0.2.7", "192.0.2.6"));
  BOOST_TEST(is_in("0.0.0.0/0", "203.0.113.9"));
  BOOST_TEST(is_in("2001:db8::/33", "2001:db8:7fff::1"));
  BOOST_TEST(!is_in("2001:db8::/33", "2001:db8:8000::1"));
  BOOST_TEST(is_in("fe80::/10", "fe80::1%eth0"));
}

BOOST_AUTO_TEST_CASE(both_spellings_of_an_ipv4_address_are_one_and_ipv6_networks_have_none) {
  BOOST_TEST(is_in("10.0.0.0/8", "::ffff:10.1.2.3"));
  BOOST_TEST(is_in("::ffff:10.0.0.0/104", "10.1.2.3"));
  BOOST_TEST(!is_in("::/0", "10.1.2.3"));
  BOOST_TEST(!is_in("0.0.0.0/0", "2001:db8::1"));
}

BOOST_AUTO_TEST_CASE(what_is_no_network_is_refused_with_the_reason) {
  for (const auto* text : {"", "example.com", "10.0.0", "10.0.0.0/", "[::1]", "::1%lo", "10.0.0.0/8/8", " 10.0.0.1"})
    BOOST_TEST(problem_of(text) != "", text);
  BOOST_TEST(problem_of("10.0.0.0/33") == "the length of a network must be a number up to 32");
  BOOST_TEST(problem_of("::/129") == "the length of a network must be a number up to 128");
  BOOST_TEST(problem_of("10.0.0.1/8") == "its address has bits beyond the length of the network");
  BOOST_TEST(problem_of("2001:db8::1/64") == "its address has bits beyond the length of the network");
  BOOST_TEST(!parse_ip_address("192.0.2.1%eth0"));
}

BOOST_AUTO_TEST_CASE(loopback_is_what_never_leaves_this_machine) {
  for (const auto* text : {"127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"})
    BOOST_TEST(is_loopback(*parse_ip_address(text)), text);
  for (const auto* text : {"128.0.0.1", "::", "::2", "::ffff:10.0.0.1", "2001:db8::7f00:1"})
    BOOST_TEST(!is_loopback(*parse_ip_address(text)), text);
}
