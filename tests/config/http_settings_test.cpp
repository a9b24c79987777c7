// [http]: what is read, and what cannot be meant.
#include "config/config_text.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;

namespace {

const std::string http_file = "[ldap]\nhost = \"a\"\n[http]\n";

std::string http_problems(const std::string& http) { return pool_errors(http_file + http); }

std::string http_files() {
  const auto& files = certificates_of_nodes();
  return "cert_path = \"" + files.server.certificate.string() + "\"\nkey_path = \"" + files.server.key.string() +
         "\"\n";
}

const std::string http_token = "admin_token = \"0123456789abcdef\"\n";

}  // namespace

BOOST_AUTO_TEST_CASE(the_settings_of_http_are_read) {
  const auto read = from_toml(http_file + "listen = \":9389\"\nhosts = [\"node1\", \"node1.example.com\"]\n" +
                                  "admin_token = \"${TOKEN}\"\n" + http_files(),
                              {{"TOKEN", "0123456789abcdef"}});
  BOOST_REQUIRE_MESSAGE(read.ok(), joined(lines_of(read.problems)));
  const auto& http = read.value.http;
  BOOST_TEST(http.listen == ":9389");
  BOOST_TEST(http.hosts.size() == 2U);
  BOOST_TEST(http.admin_token.reveal() == "0123456789abcdef");
  BOOST_TEST(http_problems("") == "");
  BOOST_TEST(http_problems("listen = \"/run/understudy/http\"\n" + http_token) == "");
  BOOST_TEST(http_problems("listen = \"127.0.0.1:9389\"\n" + http_token) == "");
}

BOOST_AUTO_TEST_CASE(what_http_cannot_mean_is_said) {
  const std::string here = "listen = \"127.0.0.1:9389\"\n";
  const std::pair<std::string, std::string> cases[] = {
      {http_token, "http.admin_token: is of no use without listen"},
      {"listen = \"ldap.example.com:1\"\n", "http.listen: must be an address of this machine in numbers"},
      {"listen = \":9389\"\n" + http_token, "http.admin_token: would cross the network in plain text"},
      {here + "admin_token = \"short\"\n", "http.admin_token: must have 16 bytes at least"},
      {here + "admin_token = \"0123456789 abcdef\"\n", "http.admin_token: must be of printable ASCII without spaces"},
      {here + http_token + "admin_token_command = [\"/bin/echo\"]\n",
       "http.admin_token_command: is a second source of the token beside admin_token"},
      {here + "admin_token_file = \"/nowhere\"\n", "http.admin_token_file: \"/nowhere\" cannot be read"},
      {here + "cert_path = \"/nowhere\"\n", "http.cert_path: needs key_path"},
      {here + "key_path = \"/nowhere\"\n", "http.key_path: needs cert_path"},
      {here + "ca_cert_path = \"/nowhere\"\n", "http.ca_cert_path: needs cert_path and key_path"},
      {here + "hosts = [\"a b\"]\n", "http.hosts: "},
      {here + "hosts = [\"a:1\"]\n", "http.hosts: "},
  };
  for (const auto& [text, expected] : cases)
    BOOST_TEST(http_problems(text).find(expected) != std::string::npos, text << http_problems(text));
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_other_machines_reach_without_tls_is_warned_of) {
  const auto warned = [](const std::string& http) { return joined(lines_of(from_toml(http_file + http).warnings)); };
  for (const auto* open : {"0.0.0.0:9389", ":9389", "[::]:9389", "192.0.2.7:9389"}) {
    const auto said = warned("listen = \"" + std::string{open} + "\"\n");
    BOOST_TEST(said.find(":4:") != std::string::npos, said);
    BOOST_TEST(said.find("http.listen: shows the state of this node in plain text") != std::string::npos, said);
  }
  for (const auto* closed : {"127.0.0.1:9389", "[::1]:9389", "/run/understudy/http"})
    BOOST_TEST(warned("listen = \"" + std::string{closed} + "\"\n") == "", closed);
  BOOST_TEST(warned("") == "");
  const std::string open = "listen = \"0.0.0.0:9389\"\n";
  const auto with_tls = from_toml(http_file + open + http_files());
  BOOST_TEST(with_tls.ok());
  BOOST_TEST(with_tls.warnings.empty());
  // Settings that were made in code are looked at, too.
  const auto read = from_toml(http_file + open);
  BOOST_TEST_REQUIRE(warnings(read.value).size() == 1U);
  BOOST_TEST(warnings(read.value)[0].key == "http.listen");
}
