// Logins, groups and passwords at a real domain controller of Active Directory's kind.
#include "authenticator/played_dialogue.hpp"
#include "authenticator/samba.hpp"
#include "understudy/actors/authenticator/password_change.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <algorithm>

using namespace understudy;
using test::samba;

namespace {

settings at_controller(const samba& controller) {
  settings all;
  for (const bool catalog : {false, true}) {
    connection_info info;
    info.host = controller.address();
    info.port = catalog ? 3269 : 636;
    info.use_ssl = true;
    info.validate_cert = false;  // it makes its own
    info.bind_dn = samba::administrator;
    info.password = secret{samba::password};
    info.role = catalog ? server_role::global_catalog : server_role::read_write;
    all.servers.push_back(info);
  }
  return all;
}

std::string in_users(const std::string& name) { return "CN=" + name + ",CN=Users," + samba::base; }

void set(directory& to, const std::string& dn, const std::string& attribute, const std::string& value) {
  to.modify({dn, {{modification::kind::replace, {attribute, {value}}}}});
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

std::vector<std::string> names_in(const group_result& found) {
  std::vector<std::string> names;
  for (const auto& each : found.groups) names.push_back(each.name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

BOOST_AUTO_TEST_CASE(application_samba_logs_users_in_as_active_directory_does) {
  if (!samba::installed()) return;
  const samba controller;
  connection_manager manager{at_controller(controller)};
  const auto connected = manager.connect();
  BOOST_TEST_REQUIRE(connected.connected, connected.connection_error);
  const auto jane_dn = in_users("jane");
  manager.add({jane_dn,
               {{"objectClass", {"user"}},
                {"sAMAccountName", {"jane"}},
                {"userPrincipalName", {"jane@ad.example.com"}},
                {"unicodePwd", {internal::unicode_password("R1ght-pass").value_or("")}},
                {"userAccountControl", {"512"}}}});
  manager.add({in_users("staff"), {{"objectClass", {"group"}}, {"sAMAccountName", {"staff"}}, {"member", {jane_dn}}}});
  manager.add({in_users("company"),
               {{"objectClass", {"group"}}, {"sAMAccountName", {"company"}}, {"member", {in_users("staff")}}}});
  authenticator_settings how;
  how.base = samba::base;
  how.filter = "(&(objectCategory=person)(sAMAccountName={name}))";
  how.global_catalog = true;
  const authenticator users{manager, how};

  for (const auto* name : {"jane", "EXAMPLE\\jane", "jane@ad.example.com"}) {
    const auto login = users.authenticate(name, secret{"R1ght-pass"});
    BOOST_TEST(login.outcome == login_outcome::ok, name << ": " << login.detail);
    BOOST_TEST(login.dn == jane_dn);
    BOOST_TEST(login.server == controller.address() + ":636");
  }
  BOOST_TEST(users.authenticate("jane", secret{"wrong"}).outcome == login_outcome::bad_credentials);
  BOOST_TEST(users.authenticate("joe", secret{"wrong"}).outcome == login_outcome::no_such_user);
  auto by_name = how;
  by_name.base.clear();
  by_name.dn_templates = {"{domain}\\{name}", "{name}@ad.example.com"};
  const authenticator by_principal{manager, by_name};
  for (const auto* name : {"jane", "EXAMPLE\\jane"})
    BOOST_TEST(by_principal.authenticate(name, secret{"R1ght-pass"}).outcome == login_outcome::ok, name);

  BOOST_TEST(names_in(users.groups("jane", group_strategy::member_of)) == std::vector<std::string>{"staff"},
             boost::test_tools::per_element());
  const std::vector<std::string> both{"company", "staff"};
  BOOST_TEST(names_in(users.groups("jane", group_strategy::in_chain)) == both, boost::test_tools::per_element());
  BOOST_TEST(names_in(users.groups("jane", group_strategy::nested)) == both, boost::test_tools::per_element());
  const auto none = users.groups("Guest", group_strategy::in_chain);
  BOOST_TEST(none.outcome == login_outcome::ok, none.detail);

  const auto read = users.lookup("jane", {.attributes = {"objectSid"}});
  const auto sid = sid_text(read.user.first("objectSid"));
  const auto by_sid = users.fetch("<SID=" + sid + ">", {.attributes = {"sAMAccountName"}});
  BOOST_TEST_REQUIRE(by_sid.entries.size() == 1U, sid << ": " << by_sid.detail);
  BOOST_TEST(by_sid.entries[0].dn == jane_dn);

  set(manager, samba::base, "minPwdAge", "0");
  const auto by = password_method::unicode_pwd;
  BOOST_TEST(users.change_password("jane", secret{"wrong"}, secret{"An0ther-pass"}, by).outcome ==
             login_outcome::bad_credentials);
  BOOST_TEST(users.change_password("jane", secret{"R1ght-pass"}, secret{"x"}, by).outcome ==
             login_outcome::password_refused);
  const auto changed = users.change_password("jane", secret{"R1ght-pass"}, secret{"An0ther-pass"}, by);
  BOOST_TEST(changed.outcome == login_outcome::ok, changed.detail);
  const auto outcome = [&] { return users.authenticate("jane", secret{"An0ther-pass"}).outcome; };
  BOOST_TEST(outcome() == login_outcome::ok);
  set(manager, jane_dn, "pwdLastSet", "0");
  BOOST_TEST(outcome() == login_outcome::must_change);
  set(manager, jane_dn, "pwdLastSet", "-1");
  BOOST_TEST(outcome() == login_outcome::ok);
  set(manager, jane_dn, "accountExpires", "116444736000000000");  // 1970
  BOOST_TEST(outcome() == login_outcome::account_expired);
  set(manager, jane_dn, "accountExpires", "0");
  set(manager, jane_dn, "userAccountControl", "514");
  BOOST_TEST(outcome() == login_outcome::account_disabled);
  set(manager, jane_dn, "userAccountControl", "512");
  BOOST_TEST(outcome() == login_outcome::ok);
}
