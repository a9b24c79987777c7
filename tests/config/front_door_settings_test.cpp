// [[front_door.listeners]]: what is read, and what cannot be meant.
#include "config/config_text.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;

namespace {

const std::string ldap = "[ldap]\nhost = \"a\"\n";

std::string problems_of(const std::string& listener) {
  return pool_errors(ldap + "[[front_door.listeners]]\n" + listener);
}

std::string with_files() {
  const auto& files = certificates_of_nodes();
  return "cert_path = \"" + files.server.certificate.string() + "\"\nkey_path = \"" + files.server.key.string() +
         "\"\n";
}

}  // namespace

BOOST_AUTO_TEST_CASE(listeners_for_clients_are_read) {
  const auto read =
      from_toml(ldap + "[[front_door.listeners]]\naddress = \"127.0.0.1:3890\"\n" +
                "[[front_door.listeners]]\naddress = \":636\"\nuse_ssl = true\nmax_clients = 7\n" + with_files() +
                "[[front_door.listeners]]\naddress = \"/run/ldapi\"\nidentity = \"service\"\n"
                "bases = [\"ou=people,dc=a\"]\nidle_timeout = \"5s\"\n");
  BOOST_REQUIRE_MESSAGE(read.ok(), joined(lines_of(read.problems)));
  const auto& all = read.value.front_door.listeners;
  BOOST_TEST_REQUIRE(all.size() == 3U);
  BOOST_TEST(all[0].address == "127.0.0.1:3890");
  BOOST_TEST(!all[0].use_ssl);
  BOOST_TEST((all[0].identity == client_identity::session));
  BOOST_TEST(all[1].use_ssl);
  BOOST_TEST(all[1].max_clients == 7);
  BOOST_TEST((all[2].identity == client_identity::service));
  BOOST_TEST(all[2].bases == std::vector<std::string>{"ou=people,dc=a"}, boost::test_tools::per_element());
  BOOST_TEST((all[2].idle_timeout == std::chrono::seconds{5}));
}

BOOST_AUTO_TEST_CASE(what_a_listener_for_clients_cannot_mean_is_said) {
  BOOST_TEST(problems_of("max_clients = 3\n") ==
             "f:3:1: front_door.listeners[0].address: is required: where it listens, as 127.0.0.1:389\n");
  BOOST_TEST(problems_of("address = \"ldap.example.com:389\"\n") ==
             "f:4:1: front_door.listeners[0].address: must be an address of this machine in numbers, as "
             "127.0.0.1:389, [::1]:389 or 0.0.0.0:389, not \"ldap.example.com:389\"\n");
  BOOST_TEST(problems_of("address = \"0.0.0.0:389\"\n").find("would take no password") != std::string::npos);
  BOOST_TEST(problems_of("address = \"0.0.0.0:389\"\nallow_plaintext = true\n") == "");
  BOOST_TEST(problems_of("address = \"0.0.0.0:389\"\n" + with_files()) == "");
  BOOST_TEST(problems_of("address = \"127.0.0.1:636\"\nuse_ssl = true\n") ==
             "f:5:1: front_door.listeners[0].use_ssl: needs cert_path and key_path, the certificate to show\n");
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\nidentity = \"service\"\n") ==
             "f:5:1: front_door.listeners[0].bases: is required with identity = \"service\": what everybody may "
             "read\n");
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\nbases = [\"dc=a\"]\n").find("is of no use without identity") !=
             std::string::npos);
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\nidentity = \"service\"\nbases = [\"dc=a\", \"\"]\n")
                 .find("must not contain an empty DN") != std::string::npos);
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\nidentity = \"service\"\nbases = [\"dc=a\"]\n"
                         "allow_anonymous = true\n")
                 .find("contradicts identity") != std::string::npos);
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\nidentity = \"proxy\"\n").find("needs servers with bind_dn") !=
             std::string::npos);
  BOOST_TEST(pool_errors("[ldap]\nhost = \"a\"\nbind_dn = \"cn=a\"\npassword = \"p\"\n[[front_door.listeners]]\n"
                         "address = \"127.0.0.1:389\"\nidentity = \"proxy\"\nwrite_coherence = \"2s\"\n") == "");
  const auto authority = "client_ca_cert_path = \"" + certificates_of_nodes().ca.certificate().string() + "\"\n";
  BOOST_TEST(
      problems_of("address = \"127.0.0.1:389\"\n" + with_files() + authority).find("needs identity = \"proxy\"") !=
      std::string::npos);
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\n" + authority).find("within TLS alone") != std::string::npos);
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\nidentity = \"proxy\"\n" + with_files() +
                         "client_ca_cert_path = \"/nonexistent\"\n")
                 .find("front_door.listeners[0].client_ca_cert_path: \"/nonexistent\" cannot be read") !=
             std::string::npos);
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\nallow_anonymous = true\n") == "");
  BOOST_TEST(pool_errors("[ldap]\nhost = \"a\"\nbind_dn = \"cn=a\"\npassword = \"p\"\n[[front_door.listeners]]\n"
                         "address = \"127.0.0.1:389\"\nallow_anonymous = true\n")
                 .find("needs servers without bind_dn") != std::string::npos);
  BOOST_TEST(problems_of("address = \"/a\"\n[[front_door.listeners]]\naddress = \"/a\"\n")
                 .find("is at the address of front_door.listeners[0]: /a") != std::string::npos);
  BOOST_TEST(problems_of("address = \"/a\"\n[[front_door.listeners]]\naddress = \"/b\"\n") == "");
  // One that is every address of this machine leaves the other nothing to listen at.
  BOOST_TEST(problems_of("address = \"127.0.0.1:389\"\n[[front_door.listeners]]\naddress = \"0.0.0.0:389\"\n"
                         "allow_plaintext = true\n")
                 .find("is at the address of front_door.listeners[0]: 0.0.0.0:389") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(networks_of_a_listener_are_networks) {
  const std::string here = "address = \"127.0.0.1:389\"\n";
  BOOST_TEST(problems_of(here + "allow_from = [\"10.0.0.0/8\", \"::1\"]\nproxy_protocol_from = [\"192.0.2.10\"]\n") ==
             "");
  BOOST_TEST(problems_of(here + "allow_from = [\"10.0.0.0/8\", \"example.com\"]\n") ==
             "f:5:1: front_door.listeners[0].allow_from: must be addresses or networks, as 192.0.2.1, 10.0.0.0/8 or "
             "2001:db8::/32: \"example.com\"\n");
  BOOST_TEST(problems_of(here + "proxy_protocol_from = [\"10.0.0.1/8\"]\n") ==
             "f:5:1: front_door.listeners[0].proxy_protocol_from: its address has bits beyond the length of the "
             "network: \"10.0.0.1/8\"\n");
  BOOST_TEST(problems_of("address = \"/run/ldapi\"\nallow_from = [\"::1\"]\n").find("is of no use at a Unix socket") !=
             std::string::npos);
}
