// Other people's LDAP clients are told the same through a front door as by the directory itself.
#include "scenarios/front_door_clients.hpp"
#include "support/installed_client.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A script of `clients/`, and what of Debian's it needs.
struct other_client {
  std::string package;
  std::vector<std::string> probe, command;
  bool of_debian = true;
};

void check_same_answers(const other_client& client) {
  if (!is_installed(client.package, client.probe, client.of_debian)) return;
  leak_guard leaks;
  slapd direct, behind;
  served_clients door(with_front_door(quick_settings({server_at(behind.port())})));
  const auto play = [&](const std::string& uri) {
    child_process::options with;
    with.command = client.command;
    with.command.push_back(uri);
    with.environment = {std::string{"DIRECTORY_PASSWORD="} + admin_password, "LDAPNOINIT=1",
                        "UNDERSTUDY_NODE_MODULES=" UNDERSTUDY_NODE_MODULES};
    return run_program(std::move(with), 2 * patience);
  };
  const auto expected = play(direct.url()), got = play(door.uri());
  BOOST_TEST(expected.status == 0, expected.error_output);
  // It went through to the end.
  BOOST_TEST(expected.output.find("\ndelete again: ") != std::string::npos, expected.output);
  BOOST_TEST(got.status == expected.status, got.error_output);
  BOOST_TEST(got.output == expected.output);
  BOOST_TEST(door.all_gone());
  end_scenario(door.get(), {behind});
}

other_client script(const std::string& package, std::vector<std::string> probe, const std::string& interpreter,
                    const std::string& file) {
  return {package, std::move(probe), {interpreter, std::string{client_scripts()} + "/" + file}, true};
}

}  // namespace

BOOST_AUTO_TEST_CASE(client_openldap_is_told_the_same) {
  check_same_answers(script("ldap-utils", {"ldapwhoami", "-VV"}, "bash", "openldap.sh"));
}

BOOST_AUTO_TEST_CASE(client_python_ldap_is_told_the_same) {
  check_same_answers(script("python3-ldap", python_with("ldap"), debian_python, "python_ldap.py"));
}

BOOST_AUTO_TEST_CASE(client_python_ldap3_is_told_the_same) {
  check_same_answers(script("python3-ldap3", python_with("ldap3"), debian_python, "python_ldap3.py"));
}

BOOST_AUTO_TEST_CASE(client_perl_net_ldap_is_told_the_same) {
  check_same_answers(script("libnet-ldap-perl", {"perl", "-MNet::LDAP", "-e1"}, "perl", "net_ldap.pl"));
}

BOOST_AUTO_TEST_CASE(client_php_ldap_is_told_the_same) {
  check_same_answers(
      script("php-ldap", {"php", "-r", "exit(extension_loaded('ldap') ? 0 : 1);"}, "php", "php_ldap.php"));
}

BOOST_AUTO_TEST_CASE(client_ruby_net_ldap_is_told_the_same) {
  check_same_answers(script("ruby-net-ldap", {"ruby", "-rnet/ldap", "-e", "1"}, "ruby", "net_ldap.rb"));
}

BOOST_AUTO_TEST_CASE(client_node_ldapts_is_told_the_same) {
  auto client = script("npm's ldapts", {"test", "-d", UNDERSTUDY_NODE_MODULES "/ldapts"}, "node", "ldapts.mjs");
  client.of_debian = false;
  check_same_answers(client);
}
