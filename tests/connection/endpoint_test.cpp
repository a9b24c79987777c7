// Where a connection_info leads to.
#include "understudy/actors/connection/endpoint.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;

namespace {

std::optional<endpoint> of_uri(const std::string& uri) {
  connection_info server;
  server.uri = uri;
  return endpoint_of(server);
}

}  // namespace

BOOST_AUTO_TEST_CASE(reads_host_and_port_when_there_is_no_uri) {
  connection_info server;
  server.host = "ldap1.example.com";
  server.port = 1389;
  auto to = endpoint_of(server);
  BOOST_REQUIRE(to.has_value());
  BOOST_TEST(to->host == "ldap1.example.com");
  BOOST_TEST(to->port == 1389);
  BOOST_TEST((to->security == channel_security::none));
  server.use_tls = true;
  BOOST_TEST((endpoint_of(server)->security == channel_security::start_tls));
  server.use_tls = false;
  server.use_ssl = true;
  BOOST_TEST((endpoint_of(server)->security == channel_security::tls));
  server.host = "[2001:db8::1]";
  BOOST_TEST(endpoint_of(server)->host == "2001:db8::1");
}

BOOST_AUTO_TEST_CASE(reads_the_parts_of_ldap_uris) {
  BOOST_TEST(of_uri("ldap://ldap1")->port == 389);
  BOOST_TEST(of_uri("LDAPS://ldap1/")->port == 636);
  BOOST_TEST((of_uri("ldaps://ldap1")->security == channel_security::tls));
  BOOST_TEST(of_uri("ldap://ldap1:1389/dc=x??sub")->port == 1389);
  BOOST_TEST(of_uri("ldap://[::1]:1389")->host == "::1");
  BOOST_TEST(of_uri("ldap:///")->host == "localhost");
  const auto local = of_uri("ldapi://%2Frun%2Fslapd%2Fldapi");
  BOOST_REQUIRE(local.has_value());
  BOOST_TEST(local->is_local());
  BOOST_TEST(local->path == "/run/slapd/ldapi");
}

BOOST_AUTO_TEST_CASE(refuses_uris_that_lead_nowhere) {
  for (const auto* uri : {"http://ldap1", "ldap1:389", "ldap://ldap1:99999", "ldap://ldap1:x", "ldap://[::1",
                          "ldap://[::1]x", "ldapi://", "ldapi://%2", "ldapi://%2Frun%00x", "ldap://ldap1:0"}) {
    BOOST_TEST(!of_uri(uri).has_value(), uri);
  }
}
