// Logins and groups at a real 389 Directory Server.
#include "authenticator/played_dialogue.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/free_port.hpp"
#include "support/installed_client.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <unistd.h>
#include <cstdio>

using namespace understudy;

namespace {

constexpr const char* people_of_389 = "ou=people,dc=example,dc=com";
constexpr const char* groups_of_389 = "ou=groups,dc=example,dc=com";

std::string person_of_389(const std::string& name, const std::string& more = {}) {
  return "dn: uid=" + name + "," + people_of_389 + "\nobjectClass: inetOrgPerson\nuid: " + name + "\ncn: " + name +
         "\nsn: " + name + "\nuserPassword: right-password\n" + more + "\n";
}

std::string group_of_389(const std::string& name, const std::string& member) {
  return "dn: cn=" + name + "," + groups_of_389 + "\nobjectClass: groupOfNames\ncn: " + name + "\nmember: " + member +
         "\n\n";
}

std::string tree_of_389() {
  return "dn: dc=example,dc=com\nobjectClass: domain\ndc: example\n\n"
         "dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n\n"
         "dn: ou=groups,dc=example,dc=com\nobjectClass: organizationalUnit\nou: groups\n\n" +
         person_of_389("jane") + person_of_389("locked") + person_of_389("closed", "nsAccountLock: true\n") +
         person_of_389("expired", "passwordExpirationTime: 20200101000000Z\n") +
         person_of_389("renewed", "passwordExpirationTime: 19700101000000Z\n") +
         group_of_389("staff", std::string{"uid=jane,"} + people_of_389) +
         group_of_389("company", std::string{"cn=staff,"} + groups_of_389) +
         group_of_389("world", std::string{"cn=company,"} + groups_of_389);
}

/// One of its own, gone with the test.
struct directory_389 {
  static bool installed() {
    if (::geteuid() != 0) {
      std::fprintf(stderr, "NOT INSTALLED: a 389 Directory Server of the test's own takes root\n");
      return false;
    }
    return test::is_installed("389-ds-base", {"test", "-x", "/usr/sbin/ns-slapd"}, false);
  }
  settings at() const {
    connection_info info;
    info.host = "127.0.0.1";
    info.port = port.number();
    info.bind_dn = "cn=Directory Manager";
    info.password = secret{"secret-of-the-manager"};
    settings all;
    all.servers = {info};
    return all;
  }

  test::temporary_folder folder;
  test::reserved_port port;
  std::filesystem::path tree = folder.write("tree.ldif", tree_of_389());
  test::child_process process{{"unshare", "-m", "bash", std::string{test::client_scripts()} + "/directory_389.sh",
                               folder.path().string(), std::to_string(port.number())}};
};

}  // namespace

BOOST_AUTO_TEST_CASE(application_389_directory_server_says_why_a_user_may_not_log_in) {
  if (!directory_389::installed()) return;
  directory_389 server;
  connection_manager manager{server.at()};
  // Setting it up takes a script of its own some time.
  const auto up = [&] { return !server.process.running() || manager.connect().connected; };
  BOOST_TEST_REQUIRE(test::eventually(up, std::chrono::minutes{4}), server.process.error_output());
  BOOST_TEST_REQUIRE(server.process.running(), server.process.error_output());
  const std::pair<const char*, const char*> rules[] = {
      {"passwordExp", "on"}, {"passwordMustChange", "on"}, {"passwordLockout", "on"}, {"passwordMaxFailure", "3"}};
  for (const auto& [attribute, value] : rules)
    manager.modify({"cn=config", {{modification::kind::replace, {attribute, {value}}}}});

  using enum login_outcome;
  authenticator_settings how;
  how.base = people_of_389;
  how.group_base = groups_of_389;
  auto by_template = how;
  by_template.base.clear();
  by_template.dn_templates = {"uid={user},ou=people,dc=example,dc=com"};
  const authenticator users{manager, how}, by_dn{manager, by_template};
  for (const auto* way : {&users, &by_dn}) {
    const auto login = [&](const std::string& user, const std::string& password = "right-password") {
      const auto ended = way->authenticate(user, secret{password});
      BOOST_TEST_MESSAGE(user << ": " << to_string(ended.outcome) << " " << ended.detail);
      return ended.outcome;
    };
    BOOST_TEST(login("jane") == ok);
    BOOST_TEST(login("jane", "wrong") == bad_credentials);
    BOOST_TEST(login("closed") == account_disabled);
    BOOST_TEST(login("expired") == password_expired);
    BOOST_TEST(login("renewed") == must_change);
  }
  BOOST_TEST(users.authenticate("nobody", secret{"x"}).outcome == no_such_user);
  for (int i = 0; i < 3; ++i) BOOST_TEST(users.authenticate("locked", secret{"wrong"}).outcome != ok);
  BOOST_TEST(users.authenticate("locked", secret{"right-password"}).outcome == account_locked);

  BOOST_TEST(users.groups("jane", group_strategy::nested).groups.size() == 3U);
  BOOST_TEST(users.groups("jane", group_strategy::member).groups.size() == 1U);
  const auto chain = users.groups("jane", group_strategy::in_chain);
  BOOST_TEST(chain.outcome == unavailable, chain.detail);
  BOOST_TEST(!chain.retryable);
  BOOST_TEST(users.fetch(std::string{"cn=staff,"} + groups_of_389).entries.size() == 1U);

  const auto by = password_method::user_password;
  BOOST_TEST(users.change_password("jane", secret{"wrong"}, secret{"another-password"}, by).outcome == bad_credentials);
  const auto changed = users.change_password("jane", secret{"right-password"}, secret{"another-password"}, by);
  BOOST_TEST(changed.outcome == ok, changed.detail);
  const auto after = users.authenticate("jane", secret{"another-password"}).outcome;
  BOOST_TEST((after == ok || after == must_change));  // the manager has set it
}
