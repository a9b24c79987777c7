// Logins, look-ups and groups at a directory that speaks as Active Directory does, by a transcript made by hand, and at
// several servers at once.
#include "authenticator/played_dialogue.hpp"
#include "support/eventually.hpp"
#include "support/stub_directory.hpp"
#include "understudy/actors/authenticator/password_change.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"

using namespace understudy;
using namespace std::chrono_literals;
using test::directory_request;
using test::operation;
using test::reply;
using test::stub_directory;

namespace {

constexpr const char* jane_dn = "CN=Doe\\, Jane,OU=Staff,DC=ad,DC=example,DC=com";
constexpr const char* jane_sid = "S-1-5-21-1004336348-1177238915-682003330-1104";
constexpr const char* in_chain_oid = "1.2.840.113556.1.4.1941";

std::string group_of_windows(int number) {
  return "CN=g" + std::to_string(number) + ",OU=Groups,DC=ad,DC=example,DC=com";
}

/// As Active Directory gives `memberOf` of somebody in `count` groups, `step` at a time.
entry jane_with_groups(const std::vector<std::string>& asked, int count, int step) {
  entry found{jane_dn, {}};
  for (const auto& name : asked) {
    int begin = 0;
    if (name.rfind("memberOf;range=", 0) == 0)
      begin = std::stoi(name.substr(15));
    else if (name != "memberOf")
      continue;
    const bool last = begin + step >= count;
    const int end = last ? count : begin + step;
    attribute part{"memberOf;range=" + std::to_string(begin) + "-" + (last ? "*" : std::to_string(end - 1)), {}};
    for (int i = begin; i < end; ++i) part.values.push_back(group_of_windows(i));
    found.attributes.push_back({"memberOf", {}});
    found.attributes.push_back(std::move(part));
  }
  return found;
}

/// What a domain controller answers.
reply windows_answer(const stub_directory& stub, const directory_request& asked) {
  if (asked.kind == operation::search) {
    if (asked.dn.empty() && asked.scope == search_scope::base)
      return reply{{.entries = {{"",
                                 {{"supportedCapabilities", {"1.2.840.113556.1.4.800"}},
                                  {"defaultNamingContext", {"DC=ad,DC=example,DC=com"}}}}}},
                   {}};
    if (asked.filter.find(in_chain_oid) != std::string::npos)
      return reply{{.entries = {{group_of_windows(1), {}}, {group_of_windows(2), {}}}}, {}};
    const bool is_jane = asked.filter == "(sAMAccountName=jane)" || asked.dn == jane_dn ||
                         asked.dn == "<SID=" + std::string{jane_sid} + ">";
    if (!is_jane) return reply{{.references = {{"ldap://ForestDnsZones.ad.example.com/DC=ForestDnsZones"}}}, {}};
    return reply{{.entries = {jane_with_groups(asked.names, 7, 3)},
                  .references = {{"ldap://ForestDnsZones.ad.example.com/DC=ForestDnsZones"}}},
                 {}};
  }
  if (asked.kind == operation::bind && !asked.dn.empty() && asked.password != "right")
    return reply{{.code = 49,
                  .diagnostic = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data " +
                                asked.password + ", v4563"},
                 {}};
  return stub.usual(asked);
}

void speak_as_windows(stub_directory& stub) {
  stub.when([](const directory_request&) { return true; },
            [&stub](const directory_request& asked) { return windows_answer(stub, asked); });
}

settings at_stubs(std::vector<const stub_directory*> stubs) {
  settings all;
  for (const auto* stub : stubs) {
    connection_info info;
    info.host = "127.0.0.1";
    info.port = stub->port();
    all.servers.push_back(info);
  }
  all.recovery.auto_recovery = false;
  return all;
}

authenticator_settings as_in_windows() {
  authenticator_settings how;
  how.base = "DC=ad,DC=example,DC=com";
  how.filter = "(sAMAccountName={name})";
  return how;
}

struct windows_fixture {
  windows_fixture() {
    speak_as_windows(directory);
    BOOST_TEST_REQUIRE(manager.connect().connected);
  }
  stub_directory directory;
  connection_manager manager{at_stubs({&directory})};
  authenticator users{manager, as_in_windows()};
};

/// Users' searches that reached it; probes and checks ask otherwise.
std::size_t searches_for_users(const stub_directory& stub) {
  std::size_t count = 0;
  for (const auto& asked : stub.requests(operation::search)) count += asked.filter == "(uid=jane)";
  return count;
}

std::size_t binds_of_users(const stub_directory& stub) {
  std::size_t count = 0;
  for (const auto& each : stub.binds()) count += !each.dn.empty();
  return count;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_form_of_a_windows_name_logs_in, windows_fixture) {
  for (const auto* name : {"jane", "EXAMPLE\\jane", "jane@ad.example.com"}) {
    const auto login = users.authenticate(name, secret{"right"});
    BOOST_TEST(login.outcome == login_outcome::ok, name << ": " << login.detail);
    BOOST_TEST(login.dn == jane_dn);
    // References to other parts of the forest are no entries.
    BOOST_TEST(login.referrals_met == 1U);
    BOOST_TEST(login.referrals.empty());
  }
  BOOST_TEST(users.authenticate("joe", secret{"right"}).outcome == login_outcome::no_such_user);
  using enum login_outcome;
  const std::pair<const char*, login_outcome> known[] = {
      {"525", no_such_user},    {"52e", bad_credentials},  {"530", restricted},
      {"531", restricted},      {"532", password_expired}, {"533", account_disabled},
      {"701", account_expired}, {"773", must_change},      {"775", account_locked}};
  for (const auto& [data, outcome] : known) {
    const auto login = users.authenticate("jane", secret{data});
    BOOST_TEST(login.outcome == outcome, data);
    BOOST_TEST(!login.retryable, data);
    const bool may_be_told = outcome == password_expired || outcome == must_change;
    BOOST_TEST((public_message(login.outcome) == public_message(bad_credentials)) == !may_be_told, data);
  }
  // As search and bind in one: without the service, by the principal's name.
  auto how = as_in_windows();
  how.base.clear();
  how.dn_templates = {"{domain}\\{name}", "{name}@ad.example.com"};
  const authenticator by_principal{manager, how};
  BOOST_TEST(by_principal.authenticate("EXAMPLE\\jane", secret{"right"}).dn == "EXAMPLE\\jane");
  BOOST_TEST(by_principal.authenticate("jane", secret{"right"}).dn == "jane@ad.example.com");
}

BOOST_FIXTURE_TEST_CASE(groups_of_windows_come_in_ranges_or_by_the_chain, windows_fixture) {
  const auto listed = users.groups("jane", group_strategy::member_of);
  BOOST_TEST(listed.outcome == login_outcome::ok, listed.detail);
  BOOST_TEST(listed.groups.size() == 7U);
  BOOST_TEST(listed.groups.at(6).name == "g6");
  BOOST_TEST(listed.complete);
  const auto chain = users.groups("jane", group_strategy::in_chain);
  BOOST_TEST(chain.groups.size() == 2U);
  // None of a directory that knows the rule are none.
  directory.when([](const directory_request& asked) { return asked.filter.find(in_chain_oid) != std::string::npos; },
                 [](const directory_request&) { return reply{}; });
  const auto none = users.groups("jane", group_strategy::in_chain);
  BOOST_TEST(none.outcome == login_outcome::ok, none.detail);
  BOOST_TEST(none.groups.empty());
  // Of one that passes over it they are no answer.
  directory.forget_rules();
  directory.on(operation::search, [&](const directory_request& asked) {
    return asked.filter.find(in_chain_oid) != std::string::npos ? reply{} : directory.usual(asked);
  });
  auto how = as_in_windows();
  how.filter = "(uid={user})";
  const authenticator elsewhere{manager, how};
  const auto unknown = elsewhere.groups("jane", group_strategy::in_chain);
  BOOST_TEST(unknown.outcome == login_outcome::unavailable);
  BOOST_TEST(!unknown.retryable);
  BOOST_TEST(unknown.detail.find(in_chain_oid) != std::string::npos, unknown.detail);
}

BOOST_FIXTURE_TEST_CASE(entries_are_fetched_by_sid_and_passwords_changed_as_windows_wants_them, windows_fixture) {
  const auto by_sid = users.fetch("<SID=" + std::string{jane_sid} + ">", {.attributes = {"memberOf"}});
  BOOST_TEST(by_sid.outcome == login_outcome::ok, by_sid.detail);
  BOOST_TEST_REQUIRE(by_sid.entries.size() == 1U);
  BOOST_TEST(by_sid.entries[0].dn == jane_dn);
  BOOST_TEST_REQUIRE(by_sid.entries[0].attributes.size() == 1U);
  BOOST_TEST(by_sid.entries[0].attributes[0].name == "memberOf");
  BOOST_TEST(by_sid.entries[0].attributes[0].values.size() == 7U);
  BOOST_TEST(users.fetch("(sAMAccountName=joe)").outcome == login_outcome::no_such_user);
  BOOST_TEST(users.fetch("(sAMAccountName=jane)").entries.size() == 1U);

  const auto changed = users.change_password("jane", secret{"old"}, secret{"new"}, password_method::unicode_pwd);
  BOOST_TEST(changed.outcome == login_outcome::ok, changed.detail);
  const auto writes = directory.requests(operation::modify);
  BOOST_TEST_REQUIRE(writes.size() == 1U);
  BOOST_TEST(writes[0].dn == jane_dn);
  BOOST_TEST_REQUIRE(writes[0].changes.size() == 2U);
  BOOST_TEST(writes[0].changes[1].target.values.at(0) == internal::unicode_password("new").value_or(""));
  auto how = as_in_windows();
  how.referrals = referral_policy::report;
  const authenticator telling{manager, how};
  const auto told = telling.lookup("jane");
  BOOST_TEST(told.referrals.size() == 1U);
  BOOST_TEST(told.referrals.at(0).rfind("ldap://ForestDnsZones", 0) == 0U);
}

BOOST_AUTO_TEST_CASE(look_ups_go_to_the_global_catalog_and_binds_to_a_domain_controller) {
  stub_directory controller, catalog;
  auto all = at_stubs({&controller, &catalog});
  all.servers[1].role = server_role::global_catalog;
  connection_manager manager{all};
  BOOST_TEST_REQUIRE(manager.connect().connected);
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  how.global_catalog = true;
  const authenticator users{manager, how};
  for (int i = 0; i < 10; ++i) BOOST_TEST(users.authenticate("jane", secret{"x"}).outcome == login_outcome::ok);
  BOOST_TEST(searches_for_users(catalog) == 10U);
  BOOST_TEST(searches_for_users(controller) == 0U);
  BOOST_TEST(binds_of_users(controller) == 10U);
  BOOST_TEST(binds_of_users(catalog) == 0U);
  // What is no look-up does not go there, also when nothing else is left.
  BOOST_TEST(users.groups("jane").outcome == login_outcome::ok);
  manager.add({"cn=x,dc=example,dc=com", {{"cn", {"x"}}}});
  BOOST_TEST(catalog.count(operation::add) == 0U);
  catalog.stop();
  BOOST_TEST(users.authenticate("jane", secret{"x"}).outcome == login_outcome::ok);
  BOOST_TEST(searches_for_users(controller) == 1U);
  catalog.start();
  controller.stop();
  const auto alone = users.authenticate("jane", secret{"x"}, {.timeout = 5s});
  BOOST_TEST(alone.outcome == login_outcome::unavailable, alone.detail);
  BOOST_TEST(binds_of_users(catalog) == 0U);
}

BOOST_AUTO_TEST_CASE(a_user_is_bound_as_at_the_server_that_has_found_the_entry) {
  stub_directory first, second;
  connection_manager manager{at_stubs({&first, &second})};
  BOOST_TEST_REQUIRE(manager.connect().connected);
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  const authenticator users{manager, how};
  const auto used = [](const stub_directory& stub) {
    return std::pair{searches_for_users(stub), binds_of_users(stub)};
  };
  for (int i = 0; i < 40; ++i) {
    const auto before_first = used(first), before_second = used(second);
    BOOST_TEST(users.authenticate("jane", secret{"x"}).outcome == login_outcome::ok);
    BOOST_TEST(used(first).first - before_first.first == used(first).second - before_first.second);
    BOOST_TEST(used(second).first - before_second.first == used(second).second - before_second.second);
  }
  BOOST_TEST(searches_for_users(first) + searches_for_users(second) == 40U);
}

BOOST_AUTO_TEST_CASE(a_replica_that_does_not_have_the_user_yet_is_not_believed_about_the_password) {
  stub_directory ahead, behind;
  auto all = at_stubs({&ahead, &behind});
  all.servers[0].priority = 1;
  all.servers[1].priority = 2;
  connection_manager manager{all};
  BOOST_TEST_REQUIRE(manager.connect().connected);
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  const authenticator users{manager, how};
  // It finds users and is too busy for their binds; the other one knows none of them.
  ahead.when([](const directory_request& asked) { return asked.kind == operation::bind && !asked.dn.empty(); },
             [](const directory_request&) {
               return reply{{.code = result_code::busy}, {}};
             });
  behind.when([](const directory_request& asked) { return asked.kind == operation::bind && !asked.dn.empty(); },
              [](const directory_request&) {
                return reply{{.code = 49}, {}};
              });
  behind.when([](const directory_request& asked) { return asked.filter == "(uid=jane)"; },
              [](const directory_request&) { return reply{}; });
  const auto login = users.authenticate("jane", secret{"x"});
  BOOST_TEST(login.outcome == login_outcome::unavailable, login.detail);
  BOOST_TEST(login.retryable);
  BOOST_TEST(searches_for_users(behind) == 1U);
  BOOST_TEST(binds_of_users(behind) == 1U);
  // Once it has: the password is wrong, and was tried there once more, not twice.
  behind.forget_rules();
  behind.when([](const directory_request& asked) { return asked.kind == operation::bind && !asked.dn.empty(); },
              [](const directory_request&) {
                return reply{{.code = 49}, {}};
              });
  BOOST_TEST(users.authenticate("jane", secret{"x"}).outcome == login_outcome::bad_credentials);
  BOOST_TEST(binds_of_users(behind) == 2U);
}
