// understudy serve --front-door, from nothing to a search.
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/slapd.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>

using namespace understudy::test;

namespace {

/// What stands behind `key` in what it has said; empty: it has not said it yet.
std::string said_behind(const child_process& program, const std::string& key) {
  const auto text = program.error_output();
  const auto at = text.find(key);
  if (at == std::string::npos) return {};
  const auto begin = at + key.size();
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

}  // namespace

BOOST_AUTO_TEST_CASE(serve_lets_ldap_clients_in_at_the_address_of_an_option) {
  slapd server;
  temporary_folder folder;
  const auto password = folder.write("password", admin_password);
  child_process serve{{UNDERSTUDY_PROGRAM, "serve", "-H", server.url(), "-D", admin_dn, "-y", password.string(),
                       "--front-door", "127.0.0.1:0"}};
  const std::string key = "listens for LDAP clients address=";
  BOOST_TEST_REQUIRE(eventually([&] {
                       return !said_behind(serve, key).empty() &&
                              serve.error_output().find("ready: ") != std::string::npos;
                     }),
                     serve.error_output());
  const auto found = run_program({{"ldapsearch", "-x", "-LLL", "-H", "ldap://" + said_behind(serve, key), "-D",
                                   admin_dn, "-w", admin_password, "-b", people_dn, "(uid=user1)", "uid"},
                                  {},
                                  {},
                                  {}});
  BOOST_TEST(found.status == 0, found.error_output);
  BOOST_TEST(found.output.find("dn: " + user_dn(1)) != std::string::npos);
  serve.send_signal(SIGTERM);
  BOOST_TEST(serve.wait().value_or(-1) == 0, serve.error_output());
}

BOOST_AUTO_TEST_CASE(serve_says_what_is_wrong_with_the_address_of_a_front_door) {
  const auto refused = run_program(
      {{UNDERSTUDY_PROGRAM, "serve", "-H", "ldap://127.0.0.1:1", "--front-door", "ldap.example.com:389"}, {}, {}, {}});
  BOOST_TEST(refused.status == 2);
  BOOST_TEST(refused.error_output.find("must be an address of this machine in numbers") != std::string::npos);
}
