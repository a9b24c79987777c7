// Logins, groups and passwords at a real domain controller of Active Directory's kind.
#include "authenticator/played_dialogue.hpp"
#include "authenticator/samba.hpp"
#include "support/installed_client.hpp"
#include "understudy/actors/authenticator/password_change.hpp"
#include "understudy/messages/dn.hpp"
#include "understudy/messages/hex.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <algorithm>
#include <set>

using namespace understudy;
using test::samba;

namespace {

constexpr const char* first_password = "R1ght-pass";

/// Domain controller by StartTLS, global catalog by LDAPS.
settings at_controller(const samba& controller) {
  settings all;
  for (const bool catalog : {false, true}) {
    connection_info info;
    info.host = controller.address();
    info.port = catalog ? 3269 : 389;
    info.use_ssl = catalog;
    info.use_tls = !catalog;
    info.ca_cert_path = controller.authority().string();
    info.bind_dn = samba::administrator;
    info.password = secret{samba::password};
    info.role = catalog ? server_role::global_catalog : server_role::read_write;
    all.servers.push_back(info);
  }
  // A busy machine is no fault of the server.
  all.breaker.suspect_after = all.breaker.slow_call = seconds{60};
  return all;
}

std::string in_users(const std::string& name) {
  return dn::child(dn::rdn("CN", name), std::string{"CN=Users,"} + samba::base);
}

void set(directory& to, const std::string& dn, const std::string& attribute, std::vector<std::string> values) {
  to.modify({dn, {{modification::kind::replace, {attribute, std::move(values)}}}});
}

void add_group_of_windows(directory& to, const std::string& name, std::vector<std::string> members) {
  to.add({in_users(name), {{"objectClass", {"group"}}, {"sAMAccountName", {name}}, {"member", std::move(members)}}});
}

/// "S-1-5-21-…" of the bytes of an `objectSid`.
std::string sid_text(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes.at(i)); };
  std::string text = "S-1-" + std::to_string(byte(7));
  for (std::size_t i = 0; i < byte(1); ++i) {
    const auto at = 8 + 4 * i;
    text += "-" + std::to_string(byte(at) | byte(at + 1) << 8U | byte(at + 2) << 16U |
                                 static_cast<std::uint32_t>(byte(at + 3)) << 24U);
  }
  return text;
}

/// The text of an `objectGUID`, whose first three fields are little-endian.
std::string guid_text(std::string_view bytes) {
  std::string text;
  for (const std::size_t i : {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}) {
    if (i == 5 || i == 7 || i == 8 || i == 10) text += '-';
    internal::append_hex(text, bytes.substr(i, 1));
  }
  return text;
}

std::vector<std::string> names_in(const group_result& found) {
  std::vector<std::string> names;
  for (const auto& each : found.groups) names.push_back(each.name);
  std::sort(names.begin(), names.end());
  return names;
}

using group_names = std::vector<std::string>;

/// Jane, who is in "staff", which is in "company".
struct domain_of_jane {
  explicit domain_of_jane(const samba& at) : controller(at), manager(at_controller(at)) {
    const auto connected = manager.connect();
    BOOST_TEST_REQUIRE(connected.connected, connected.connection_error);
    manager.add({jane_dn,
                 {{"objectClass", {"user"}},
                  {"sAMAccountName", {"jane"}},
                  {"userPrincipalName", {"jane@ad.example.com"}},
                  {"unicodePwd", {internal::unicode_password(first_password).value_or("")}},
                  {"userAccountControl", {"512"}}}});
    add_group_of_windows(manager, "staff", {jane_dn});
    add_group_of_windows(manager, "company", {in_users("staff")});
  }

  login_result login(const std::string& password, const std::string& as = "jane") const {
    return users.authenticate(as, secret{password});
  }

  void logs_in_by_every_form_of_a_name();
  void says_why_not();
  void tells_groups();
  void finds_entries();
  void changes_passwords();

  const samba& controller;
  connection_manager manager;
  std::string jane_dn = in_users("Doe, Jane");
  authenticator_settings how = [] {
    authenticator_settings all;
    all.base = samba::base;
    all.filter = "(&(objectCategory=person)(sAMAccountName={name}))";
    all.global_catalog = true;
    return all;
  }();
  authenticator users{manager, how};
};

void domain_of_jane::logs_in_by_every_form_of_a_name() {
  for (const auto* name : {"jane", "EXAMPLE\\jane", "jane@ad.example.com"}) {
    const auto found = login(first_password, name);
    BOOST_TEST(found.outcome == login_outcome::ok, name << ": " << found.detail);
    BOOST_TEST(found.dn == jane_dn);
    BOOST_TEST(found.server == controller.address() + ":389");  // no catalog takes binds
  }
  BOOST_TEST(login("wrong").outcome == login_outcome::bad_credentials);
  BOOST_TEST(login("wrong", "joe").outcome == login_outcome::no_such_user);
  BOOST_TEST(login("wrong", "*").outcome == login_outcome::no_such_user);
  auto by_name = how;
  by_name.base.clear();
  by_name.global_catalog = false;
  by_name.dn_templates = {"{domain}\\{name}", "{name}@ad.example.com"};
  authenticator by_principal{manager, by_name};
  for (const auto* name : {"jane", "EXAMPLE\\jane"}) {
    const auto found = by_principal.authenticate(name, secret{first_password});
    BOOST_TEST(found.outcome == login_outcome::ok, name << ": " << found.detail);
    // It does not tell an unknown name from a wrong password.
    BOOST_TEST(by_principal.authenticate(name, secret{"wrong"}).outcome == login_outcome::bad_credentials);
  }
  BOOST_TEST(by_principal.authenticate("joe", secret{first_password}).outcome == login_outcome::bad_credentials);
}

void domain_of_jane::says_why_not() {
  using enum login_outcome;
  const std::string never(21, '\0');
  const struct {
    const char* attribute;
    std::string value;
    std::vector<std::string> back;
    login_outcome outcome;
  } reasons[] = {{"pwdLastSet", "0", {"-1"}, must_change},
                 {"accountExpires", "116444736000000000", {"0"}, account_expired},  // 1970
                 {"userAccountControl", "514", {"512"}, account_disabled},
                 {"logonHours", never, {}, restricted},
                 {"userWorkstations", "OTHER", {}, restricted}};
  for (const auto& reason : reasons) {
    set(manager, jane_dn, reason.attribute, {reason.value});
    const auto refused = login(first_password);
    BOOST_TEST(refused.outcome == reason.outcome, reason.attribute << ": " << refused.detail);
    BOOST_TEST(!refused.retryable);
    // Who does not know the password learns nothing of the account.
    BOOST_TEST(login("wrong").outcome == bad_credentials, reason.attribute);
    set(manager, jane_dn, reason.attribute, reason.back);
    BOOST_TEST(login(first_password).outcome == ok, reason.attribute);
  }
  controller.age_password(jane_dn);
  BOOST_TEST(login(first_password).outcome == password_expired);
  BOOST_TEST(login("wrong").outcome == bad_credentials);
  set(manager, jane_dn, "pwdLastSet", {"0"});
  set(manager, jane_dn, "pwdLastSet", {"-1"});
  BOOST_TEST(login(first_password).outcome == ok);

  set(manager, samba::base, "lockoutThreshold", {"3"});
  for (int i = 0; i < 3; ++i) BOOST_TEST(login("wrong").outcome == bad_credentials);
  BOOST_TEST(login(first_password).outcome == account_locked);
  BOOST_TEST(login("wrong").outcome == account_locked);
  set(manager, samba::base, "lockoutThreshold", {"0"});
  set(manager, jane_dn, "lockoutTime", {"0"});
  BOOST_TEST(login(first_password).outcome == ok);
}

void domain_of_jane::tells_groups() {
  const group_names direct{"staff"}, both{"company", "staff"};
  const auto per_element = boost::test_tools::per_element();
  BOOST_TEST(names_in(users.groups("jane", group_strategy::member_of)) == direct, per_element);
  BOOST_TEST(names_in(users.groups("jane", group_strategy::member)) == direct, per_element);
  BOOST_TEST(names_in(users.groups("jane", group_strategy::in_chain)) == both, per_element);
  BOOST_TEST(names_in(users.groups("jane", group_strategy::nested)) == both, per_element);
  // None, of a directory that knows the rule.
  manager.add({in_users("lone"), {{"objectClass", {"user"}}, {"sAMAccountName", {"lone"}}}});
  const auto none = users.groups("lone", group_strategy::in_chain);
  BOOST_TEST(none.outcome == login_outcome::ok, none.detail);
  BOOST_TEST(none.groups.empty());

  // More members than one answer of a Windows server has. What a new domain has of entries is enough of them.
  search_request all;
  all.base = std::string{"CN=Configuration,"} + samba::base;
  all.filter = "(!(|(objectClass=classSchema)(objectClass=attributeSchema)(objectClass=dMD)))";
  all.attributes = {"1.1"};
  std::vector<std::string> crowd{jane_dn};
  for (const auto& each : manager.search(all).entries) crowd.push_back(each.dn);
  BOOST_TEST_REQUIRE(crowd.size() > 1500U);
  add_group_of_windows(manager, "crowd", crowd);
  const auto read = users.fetch(in_users("crowd"), {.attributes = {"member;range=0-699"}});
  BOOST_TEST_REQUIRE(read.entries.size() == 1U, read.detail);
  BOOST_TEST(read.complete);
  BOOST_TEST_REQUIRE(read.entries[0].attributes.size() == 1U);
  BOOST_TEST(read.entries[0].attributes[0].name == "member");
  const auto& members = read.entries[0].attributes[0].values;
  BOOST_TEST(
      (std::set<std::string>(members.begin(), members.end()) == std::set<std::string>(crowd.begin(), crowd.end())));
  BOOST_TEST(members.size() == crowd.size());
}

void domain_of_jane::finds_entries() {
  const auto read = users.lookup("jane", {.attributes = {"objectSid", "objectGUID"}});
  BOOST_TEST_REQUIRE(read.outcome == login_outcome::ok, read.detail);
  for (const auto& base : {"<SID=" + sid_text(read.user.first("objectSid")) + ">",
                           "<GUID=" + guid_text(read.user.first("objectGUID")) + ">"}) {
    const auto found = users.fetch(base, {.attributes = {"sAMAccountName"}});
    BOOST_TEST_REQUIRE(found.entries.size() == 1U, base << ": " << found.detail);
    BOOST_TEST(found.entries[0].dn == jane_dn);
    BOOST_TEST(found.entries[0].first("sAMAccountName") == "jane");
  }
  BOOST_TEST(users.fetch("<SID=S-1-5-21-1-2-3-4>").outcome == login_outcome::no_such_user);
  BOOST_TEST(users.fetch("<SID=x>").outcome == login_outcome::unavailable);
}

void domain_of_jane::changes_passwords() {
  set(manager, samba::base, "minPwdAge", {"0"});
  using enum login_outcome;
  const auto changed = [&](const std::string& old, const std::string& to,
                           password_method by = password_method::unicode_pwd) {
    return users.change_password("jane", secret{old}, secret{to}, by);
  };
  BOOST_TEST(changed("wrong", "An0ther-pass").outcome == bad_credentials);
  BOOST_TEST(changed(first_password, "x").outcome == password_refused);
  BOOST_TEST(changed(first_password, first_password).outcome == password_refused);  // it is in the history
  const auto extended = changed(first_password, "An0ther-pass", password_method::extended);
  BOOST_TEST(extended.outcome == unavailable);
  BOOST_TEST(!extended.retryable);
  const auto done = changed(first_password, "An0ther-pass");
  BOOST_TEST(done.outcome == ok, done.detail);
  BOOST_TEST(login("An0ther-pass").outcome == ok);
  const auto reset = users.change_password("jane", {}, secret{"Th1rd-pass"}, password_method::unicode_pwd);
  BOOST_TEST(reset.outcome == ok, reset.detail);
  BOOST_TEST(login("Th1rd-pass").outcome == ok);
}

}  // namespace

BOOST_AUTO_TEST_CASE(application_samba_logs_users_in_as_active_directory_does) {
  if (!test::is_asked_for("a domain of Samba's, set up anew in some ten seconds")) return;
  const auto controller = samba::started();
  if (controller == nullptr) return;
  domain_of_jane domain{*controller};
  domain.logs_in_by_every_form_of_a_name();
  domain.tells_groups();
  domain.finds_entries();
  domain.says_why_not();
  domain.changes_passwords();

  // Without encryption it takes nobody's password, the service's included.
  auto plain = at_controller(*controller);
  plain.servers.resize(1);
  plain.servers[0].use_tls = false;
  plain.servers[0].ca_cert_path.clear();
  plain.recovery.auto_recovery = false;
  connection_manager unprotected{plain};
  BOOST_TEST(!unprotected.connect().connected);
  const authenticator there{unprotected, domain.how};
  const auto refused = there.authenticate("jane", secret{"Th1rd-pass"});
  BOOST_TEST(refused.outcome == login_outcome::service_identity_rejected);
  BOOST_TEST(refused.detail.find("strongerAuthRequired") != std::string::npos, refused.detail);
}
