// Logins, groups and passwords at a real 389 Directory Server.
#include "authenticator/played_dialogue.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/free_port.hpp"
#include "support/installed_client.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"

using namespace understudy;

namespace {

constexpr const char* people_of_389 = "ou=people,dc=example,dc=com";
constexpr const char* groups_of_389 = "ou=groups,dc=example,dc=com";
constexpr const char* service_at_389 = "cn=service,dc=example,dc=com";

std::string person_of_389(const std::string& name, const std::string& more = {}) {
  return "dn: uid=" + name + "," + people_of_389 + "\nobjectClass: inetOrgPerson\nuid: " + name + "\ncn: " + name +
         "\nsn: " + name + "\nuserPassword: right-password\n" + more + "\n";
}

std::string group_of_389(const std::string& name, const std::string& member) {
  return "dn: cn=" + name + "," + groups_of_389 + "\nobjectClass: groupOfNames\ncn: " + name + "\nmember: " + member +
         "\n\n";
}

std::string tree_of_389() {
  const std::string expired = "passwordExpirationTime: 20200101000000Z\n";
  return std::string{"dn: dc=example,dc=com\nobjectClass: domain\ndc: example\naci: (targetattr=\"*\")(version 3.0; "} +
         "acl \"service\"; allow (all) userdn=\"ldap:///" + service_at_389 + "\";)\n\n" + "dn: " + service_at_389 +
         "\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: service\n"
         "userPassword: secret-of-the-service\npasswordExpirationTime: 20600101000000Z\n\n"
         "dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n\n"
         "dn: ou=groups,dc=example,dc=com\nobjectClass: organizationalUnit\nou: groups\n\n" +
         person_of_389("jane") + person_of_389("locked") + person_of_389("renewed") +
         person_of_389("closed", "nsAccountLock: true\n") + person_of_389("expired", expired) +
         person_of_389("graced", expired) + person_of_389("warned", "passwordExpirationTime: 20600101000000Z\n") +
         group_of_389("staff", std::string{"uid=jane,"} + people_of_389) +
         group_of_389("company", std::string{"cn=staff,"} + groups_of_389) +
         group_of_389("world", std::string{"cn=company,"} + groups_of_389);
}

/// One of its own, gone with the test.
struct directory_389 {
  static bool installed() {
    return test::is_installed(
        "root, 389-ds-base",
        {"sh", "-c", "test $(id -u) = 0 -a -x /usr/sbin/ns-slapd -a -x /usr/sbin/dscreate && unshare -m true"}, false);
  }
  /// Over TLS, without which it changes no passwords.
  settings for_account(const std::string& dn, const std::string& password) const {
    connection_info info;
    info.host = "localhost";
    info.port = tls_port.number();
    info.use_ssl = true;
    info.ca_cert_path = folder / "etc/slapd-door/ca.crt";
    info.bind_dn = dn;
    info.password = secret{password};
    settings all;
    all.servers = {info};
    // A busy machine is no fault of the server.
    all.breaker.suspect_after = all.breaker.slow_call = seconds{60};
    return all;
  }
  /// Setting it up takes a script of its own some time.
  void wait_until_up() {
    const auto up = [&] {
      if (!process.running()) return true;
      return test::run_program(
                 {.command = {"ldapwhoami", "-x", "-H", "ldap://127.0.0.1:" + std::to_string(port.number())},
                  .environment = {"LDAPNOINIT=1"}})
                 .status == 0;
    };
    BOOST_TEST_REQUIRE(test::eventually(up, std::chrono::minutes{4}), process.error_output());
    BOOST_TEST_REQUIRE(process.running(), process.error_output());
  }

  test::temporary_folder folder;
  test::reserved_port port, tls_port;
  std::filesystem::path tree = folder.write("tree.ldif", tree_of_389());
  test::child_process process{{"unshare", "-m", "bash", std::string{test::client_scripts()} + "/directory_389.sh",
                               folder.path().string(), std::to_string(port.number()),
                               std::to_string(tls_port.number())}};
};

/// The service's requests, and what only the server's owner may set.
struct house_of_389 {
  explicit house_of_389(const directory_389& server)
      : owner(server.for_account("cn=Directory Manager", "secret-of-the-manager")),
        service(server.for_account(service_at_389, "secret-of-the-service")) {
    for (auto* each : {&owner, &service}) {
      const auto connected = each->connect();
      BOOST_TEST_REQUIRE(connected.connected, connected.connection_error);
    }
  }

  void set(const std::string& attribute, const std::string& value, const std::string& dn = "cn=config") {
    owner.modify({dn, {{modification::kind::replace, {attribute, {value}}}}});
  }
  login_result login(const std::string& user, const std::string& password = "right-password") const {
    auto ended = users.authenticate(user, secret{password});
    BOOST_TEST_MESSAGE(user << ": " << to_string(ended.outcome) << " " << ended.detail);
    return ended;
  }

  void says_why_not();
  void tells_groups() const;
  void changes_passwords();

  connection_manager owner, service;
  authenticator users{service, [] {
                        authenticator_settings how;
                        how.base = people_of_389;
                        how.group_base = groups_of_389;
                        return how;
                      }()};
  authenticator by_dn{service, [] {
                        authenticator_settings how;
                        how.dn_templates = {"uid={user},ou=people,dc=example,dc=com"};
                        return how;
                      }()};
};

void house_of_389::says_why_not() {
  using enum login_outcome;
  const std::pair<const char*, const char*> rules[] = {{"passwordExp", "on"},
                                                       {"passwordMustChange", "on"},
                                                       {"passwordSendExpiringTime", "on"},
                                                       {"passwordLockout", "on"},
                                                       {"passwordMaxFailure", "3"}};
  for (const auto& [attribute, value] : rules) set(attribute, value);
  set("userPassword", "right-password", std::string{"uid=renewed,"} + people_of_389);  // a reset
  const std::pair<const char*, login_outcome> known[] = {{"jane", ok},
                                                         {"warned", ok},
                                                         {"closed", account_disabled},
                                                         {"expired", password_expired},
                                                         {"renewed", must_change}};
  for (const auto* way : {&users, &by_dn})
    for (const auto& [user, outcome] : known) {
      const auto ended = way->authenticate(user, secret{"right-password"});
      BOOST_TEST(ended.outcome == outcome, user << ": " << ended.detail);
      BOOST_TEST(!ended.retryable);
    }
  for (const auto* user : {"jane", "expired", "renewed"}) {
    BOOST_TEST(login(user, "wrong").outcome == bad_credentials, user);
    (void)login(user);  // takes back what the wrong one has counted
  }
  // Of an account that is closed it says so whatever the password.
  BOOST_TEST(login("closed", "wrong").outcome == account_disabled);
  BOOST_TEST(login("warned").password.expires_in.value_or(seconds{0}).count() > 30L * 365 * 86400);
  BOOST_TEST(login("nobody").outcome == no_such_user);
  BOOST_TEST(by_dn.authenticate("nobody", secret{"x"}).outcome == bad_credentials);

  for (int i = 0; i < 3; ++i) BOOST_TEST(login("locked", "wrong").outcome == bad_credentials);
  BOOST_TEST(login("locked").outcome == account_locked);
  BOOST_TEST(by_dn.authenticate("locked", secret{"wrong"}).outcome == account_locked);

  set("passwordGraceLimit", "2");
  for (const int left : {1, 0}) {
    const auto graced = login("graced");
    BOOST_TEST(graced.outcome == ok);
    BOOST_TEST(graced.password.grace_logins.value_or(-1) == left);
  }
  BOOST_TEST(login("graced").outcome == password_expired);
}

void house_of_389::tells_groups() const {
  BOOST_TEST(users.groups("jane").groups.size() == 1U);
  BOOST_TEST(users.groups("jane", group_strategy::member).groups.size() == 1U);
  BOOST_TEST(users.groups("jane", group_strategy::nested).groups.size() == 3U);
  // It does not know the rule, and answers with an error.
  const auto chain = users.groups("jane", group_strategy::in_chain);
  BOOST_TEST(chain.outcome == login_outcome::unavailable);
  BOOST_TEST(!chain.retryable);
  BOOST_TEST(chain.detail.find("set authenticator.groups to nested") != std::string::npos, chain.detail);
  BOOST_TEST(users.fetch(std::string{"cn=staff,"} + groups_of_389).entries.size() == 1U);
  BOOST_TEST(users.fetch(std::string{"cn=nobody,"} + groups_of_389).outcome == login_outcome::no_such_user);
}

void house_of_389::changes_passwords() {
  set("passwordMustChange", "off");
  set("passwordCheckSyntax", "on");
  using enum login_outcome;
  std::string old = "right-password";
  for (const auto by : {password_method::extended, password_method::user_password}) {
    const std::string next = by == password_method::extended ? "An0ther-password" : "Th1rd-password";
    const auto changed = [&](const std::string& from, const std::string& to) {
      auto ended = users.change_password("jane", secret{from}, secret{to}, by);
      BOOST_TEST_MESSAGE(to_string(ended.outcome) << " " << ended.detail);
      return ended.outcome;
    };
    BOOST_TEST(changed("wrong", next) == bad_credentials);
    BOOST_TEST(changed(old, "x") == password_refused);
    BOOST_TEST(changed(old, next) == ok);
    BOOST_TEST(login("jane", next).outcome == ok);
    old = next;
  }
  const auto made = users.change_password("jane", {}, {}, password_method::extended);
  BOOST_TEST_REQUIRE(made.outcome == ok, made.detail);
  BOOST_TEST(login("jane", std::string{made.generated.reveal()}).outcome == ok);
}

}  // namespace

BOOST_AUTO_TEST_CASE(application_389_directory_server_says_why_a_user_may_not_log_in) {
  if (!test::is_asked_for("a 389 Directory Server, set up anew in some twenty seconds")) return;
  if (!directory_389::installed()) return;
  directory_389 server;
  server.wait_until_up();
  house_of_389 house{server};
  house.tells_groups();
  house.says_why_not();
  house.changes_passwords();
}
