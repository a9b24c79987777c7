// Logins, groups and changes of passwords against a real directory server.
#include "authenticator/played_dialogue.hpp"
#include "support/eventually.hpp"
#include "support/slapd.hpp"
#include "understudy/messages/dn.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

using namespace understudy;
using namespace std::chrono_literals;
using test::slapd;

namespace {

constexpr const char* groups_dn = "ou=groups,dc=example,dc=com";

settings settings_of(const slapd& server, const std::string& password = test::admin_password) {
  connection_info info;
  info.host = "127.0.0.1";
  info.port = server.port();
  info.bind_dn = test::admin_dn;
  info.password = secret{password};
  settings all;
  all.servers = {info};
  all.recovery.auto_recovery = false;
  all.recovery.reconnect_attempts = 1;
  all.recovery.reconnect_delay = 10ms;
  return all;
}

authenticator_settings below_people() {
  authenticator_settings how;
  how.base = test::people_dn;
  how.group_base = groups_dn;
  return how;
}

authenticator_settings by_template() {
  authenticator_settings how;
  how.dn_templates = {"uid={user},ou=people,dc=example,dc=com"};
  return how;
}

/// A directory, and who logs users in there.
struct login_fixture {
  explicit login_fixture(test::slapd_options with = {}) : server(std::move(with)), manager(settings_of(server)) {
    BOOST_TEST_REQUIRE(manager.connect().connected);
  }
  slapd server;
  connection_manager manager;
  authenticator users{manager, below_people()};
  authenticator by_dn{manager, by_template()};
};

std::string group_dn(const std::string& name) { return dn::child(dn::rdn("cn", name), groups_dn); }

void add_group(directory& to, const std::string& name, std::vector<std::string> members) {
  to.add({group_dn(name), {{"objectClass", {"groupOfNames"}}, {"cn", {name}}, {"member", std::move(members)}}});
}

std::vector<std::string> sorted_names(const group_result& found) {
  std::vector<std::string> names;
  for (const auto& each : found.groups) names.push_back(each.name);
  std::sort(names.begin(), names.end());
  return names;
}

using words = std::vector<std::string>;

/// A user as slapadd takes it, with operational attributes.
std::string user_ldif(const std::string& name, const std::string& more) {
  return "dn: uid=" + name + "," + test::people_dn + "\nobjectClass: inetOrgPerson\nuid: " + name + "\ncn: " + name +
         "\nsn: " + name + "\nuserPassword: right\n" + more + "\n";
}

std::string policy_ldif(const std::string& name, const std::string& more) {
  return "dn: cn=" + name + ",ou=policies,dc=example,dc=com\nobjectClass: device\nobjectClass: pwdPolicy\ncn: " + name +
         "\npwdAttribute: userPassword\n" + more + "\n";
}

std::string under_policy(const std::string& name) {
  return "pwdPolicySubentry: cn=" + name + ",ou=policies,dc=example,dc=com\n";
}

/// Passwords that have expired, have to be changed, are about to expire; accounts that are locked.
test::slapd_options with_policies() {
  test::slapd_options with;
  with.global_config = {"moduleload ppolicy"};
  with.database_config = {"overlay ppolicy", "ppolicy_use_lockout"};
  const std::string long_ago = "pwdChangedTime: 20200101000000Z\n";
  with.extra_ldif =
      "dn: ou=policies,dc=example,dc=com\nobjectClass: organizationalUnit\nou: policies\n\n" +
      policy_ldif("strict",
                  "pwdMaxAge: 86400\npwdMaxFailure: 2\npwdLockout: TRUE\npwdMinLength: 8\n"
                  "pwdCheckQuality: 2\n") +
      policy_ldif("kind", "pwdMaxAge: 86400\npwdGraceAuthNLimit: 3\n") + policy_ldif("reset", "pwdMustChange: TRUE\n") +
      policy_ldif("long", "pwdMaxAge: 2000000000\npwdExpireWarning: 2000000000\n") +
      user_ldif("expired", under_policy("strict") + long_ago) + user_ldif("graced", under_policy("kind") + long_ago) +
      user_ldif("renewed", under_policy("reset") + "pwdReset: TRUE\n") +
      user_ldif("warned", under_policy("long") + long_ago) + user_ldif("strict", under_policy("strict")) +
      user_ldif("locked", under_policy("strict") + "pwdAccountLockedTime: 000001010000Z\n");
  return with;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_login_by_search_or_by_template_is_the_users_own_bind, login_fixture) {
  for (const auto* way : {&users, &by_dn}) {
    const auto right = way->authenticate("user7", secret{test::user_password(7)});
    BOOST_TEST(right.outcome == login_outcome::ok, right.detail);
    BOOST_TEST(right.dn == test::user_dn(7));
    BOOST_TEST(right.server == "127.0.0.1:" + std::to_string(server.port()));
    const auto wrong = way->authenticate("user7", secret{test::user_password(8)});
    BOOST_TEST(wrong.outcome == login_outcome::bad_credentials, wrong.detail);
    BOOST_TEST_REQUIRE(wrong.failed != nullptr);
    BOOST_TEST(wrong.failed->ldap_code == result_code::invalid_credentials);
    BOOST_TEST(wrong.detail.find(test::user_password(8)) == std::string::npos);
    BOOST_TEST(way->authenticate("user7", secret{""}).outcome == login_outcome::bad_credentials);
  }
  BOOST_TEST(users.authenticate("nobody", secret{"x"}).outcome == login_outcome::no_such_user);
  // What slapd does not tell apart is not told apart.
  BOOST_TEST(by_dn.authenticate("nobody", secret{"x"}).outcome == login_outcome::bad_credentials);
  const auto read = users.lookup("user3", {.attributes = {"mail"}});
  BOOST_TEST(read.outcome == login_outcome::ok, read.detail);
  BOOST_TEST(read.user.first("mail") == "user3@example.com");
  BOOST_TEST(by_dn.lookup("user3").user.first("cn") == "User 3");
  BOOST_TEST(by_dn.lookup("nobody").outcome == login_outcome::no_such_user);
  // No bind of a user's has changed as whom the others' requests run.
  BOOST_TEST(manager.whoami() == std::string{"dn:"} + test::admin_dn);
}

BOOST_FIXTURE_TEST_CASE(several_entries_of_one_name_are_nobody, login_fixture) {
  auto how = below_people();
  how.filter = "(|(uid={user})(uid=user1))";
  const authenticator wide{manager, how};
  BOOST_TEST(wide.authenticate("user2", secret{test::user_password(2)}).outcome == login_outcome::ambiguous);
  BOOST_TEST(wide.authenticate("user1", secret{test::user_password(1)}).outcome == login_outcome::ok);
}

BOOST_FIXTURE_TEST_CASE(hostile_names_log_in_as_themselves_and_as_nobody_else, login_fixture) {
  const words names{"q\"uo'te",    "back\\slash", "(par)en",     "st*ar",         "com,ma",  "pl+us",
                    "#hash",       "se;mi=eq",    "<less>",      "J\xc3\xbcrgen", "a&b|c!",  "{user}",
                    "uid=user1,x", "sl/ash:",     "x@y.example", " ahead",        "behind ", "  both  "};
  for (const auto& name : names)
    manager.add({dn::child(dn::rdn("uid", name), test::people_dn),
                 {{"objectClass", {"inetOrgPerson"}},
                  {"uid", {name}},
                  {"cn", {name}},
                  {"sn", {name}},
                  {"userPassword", {"of " + name}}}});
  for (const auto& name : names) {
    for (const auto* way : {&users, &by_dn}) {
      const auto login = way->authenticate(name, secret{"of " + name});
      BOOST_TEST(login.outcome == login_outcome::ok, name << ": " << login.detail);
      BOOST_TEST(way->authenticate(name, secret{"of another"}).outcome == login_outcome::bad_credentials, name);
    }
    BOOST_TEST(users.lookup(name).user.first("uid") == name, name);
  }
  // The directory says that such spaces do not count; a name without them is the same user's then, and no other's.
  BOOST_TEST(users.authenticate("both", secret{"of   both  "}).dn == users.lookup("  both  ").user.dn);
  BOOST_TEST(users.authenticate(" user1 ", secret{test::user_password(1)}).dn == test::user_dn(1));
  BOOST_TEST(users.authenticate(" user1 ", secret{" " + test::user_password(1)}).outcome ==
             login_outcome::bad_credentials);
  const auto nobody = [&](const std::string& name) {
    const auto found = users.authenticate(name, secret{test::user_password(1)});
    BOOST_TEST(found.outcome == login_outcome::no_such_user, name << ": " << found.detail);
    BOOST_TEST(by_dn.authenticate(name, secret{test::user_password(1)}).outcome != login_outcome::ok, name);
  };
  for (const auto* name : {"*", "user1)(uid=*", "user*", "user1,ou=people,dc=example,dc=com", "\xff\xfe", "us\\65r1"})
    nobody(name);
  nobody(std::string{"user1\0", 6});
  nobody(std::string{"user1\0x", 7});
  nobody("");
}

BOOST_AUTO_TEST_CASE(the_password_policy_of_a_directory_says_why) {
  login_fixture there{with_policies()};
  for (const auto* way : {&there.users, &there.by_dn}) {
    const auto outcome_of = [&](const std::string& name) {
      const auto login = way->authenticate(name, secret{"right"});
      BOOST_TEST_MESSAGE(name << ": " << to_string(login.outcome) << " " << login.detail);
      return login;
    };
    BOOST_TEST(outcome_of("expired").outcome == login_outcome::password_expired);
    BOOST_TEST(outcome_of("renewed").outcome == login_outcome::must_change);
    BOOST_TEST(outcome_of("locked").outcome == login_outcome::account_locked);
    const auto warned = outcome_of("warned");
    BOOST_TEST(warned.outcome == login_outcome::ok);
    BOOST_TEST(warned.password.expires_in.value_or(seconds{0}).count() > 86400);
  }
  const auto graced = there.users.authenticate("graced", secret{"right"});
  BOOST_TEST(graced.outcome == login_outcome::ok);
  BOOST_TEST(graced.password.grace_logins.value_or(-1) == 2);
  // Too many wrong ones, and the right one is of no use.
  for (int i = 0; i < 2; ++i)
    BOOST_TEST(there.users.authenticate("strict", secret{"wrong"}).outcome == login_outcome::bad_credentials);
  BOOST_TEST(there.users.authenticate("strict", secret{"right"}).outcome == login_outcome::account_locked);
}

BOOST_AUTO_TEST_CASE(a_change_of_a_password_is_checked_by_the_directory) {
  login_fixture there{with_policies()};
  const auto& users = there.users;
  BOOST_TEST(users.change_password("user1", secret{"wrong"}, secret{"another one"}).outcome ==
             login_outcome::bad_credentials);
  const auto changed = users.change_password("user1", secret{test::user_password(1)}, secret{"another one"});
  BOOST_TEST(changed.outcome == login_outcome::ok, changed.detail);
  BOOST_TEST(changed.dn == test::user_dn(1));
  BOOST_TEST(users.authenticate("user1", secret{"another one"}).outcome == login_outcome::ok);
  BOOST_TEST(users.authenticate("user1", secret{test::user_password(1)}).outcome == login_outcome::bad_credentials);
  const auto made = users.change_password("user1", secret{}, secret{});
  BOOST_TEST(made.outcome == login_outcome::ok, made.detail);
  BOOST_TEST(users.authenticate("user1", made.generated).outcome == login_outcome::ok);
  BOOST_TEST(users.change_password("nobody", secret{}, secret{"x"}).outcome == login_outcome::no_such_user);
}

BOOST_AUTO_TEST_CASE(groups_are_found_by_every_way_that_a_directory_has) {
  test::slapd_options with;
  with.global_config = {"moduleload memberof", "include /etc/ldap/schema/nis.schema"};
  with.database_config = {"overlay memberof"};
  login_fixture there{with};
  auto& manager = there.manager;
  add_group(manager, "staff", {test::user_dn(1), test::user_dn(2)});
  add_group(manager, "odd, (one)*", {test::user_dn(1)});
  add_group(manager, "company", {group_dn("staff"), group_dn("world")});
  add_group(manager, "world", {group_dn("company")});
  add_group(manager, "others", {test::user_dn(3)});
  manager.add({group_dn("posix"),
               {{"objectClass", {"posixGroup"}}, {"cn", {"posix"}}, {"gidNumber", {"500"}}, {"memberUid", {"user1"}}}});
  const auto found = [&](const std::string& user, std::optional<group_strategy> by = {}) {
    const auto groups = there.users.groups(user, by);
    BOOST_TEST(groups.outcome == login_outcome::ok, groups.detail);
    BOOST_TEST(groups.complete);
    return sorted_names(groups);
  };
  const words own{"odd, (one)*", "staff"}, all{"company", "odd, (one)*", "staff", "world"};
  BOOST_TEST(found("user1") == own, boost::test_tools::per_element());
  BOOST_TEST(found("user1", group_strategy::member_of) == own, boost::test_tools::per_element());
  BOOST_TEST(found("user1", group_strategy::member) == own, boost::test_tools::per_element());
  BOOST_TEST(found("user1", group_strategy::member_uid) == words{"posix"}, boost::test_tools::per_element());
  BOOST_TEST(found("user1", group_strategy::nested) == all, boost::test_tools::per_element());
  BOOST_TEST(found("user9", group_strategy::nested).empty());
  BOOST_TEST(there.users.groups("nobody").outcome == login_outcome::no_such_user);
}

BOOST_AUTO_TEST_CASE(many_groups_of_groups_are_found_in_few_searches) {
  login_fixture there;
  words direct;
  for (int i = 0; i < 60; ++i) add_group(there.manager, "g" + std::to_string(i), {test::user_dn(1)});
  for (int i = 0; i < 60; ++i) direct.push_back(group_dn("g" + std::to_string(i)));
  add_group(there.manager, "top", direct);
  const auto before = there.server.counters().searches;
  const auto found = there.users.groups("user1", group_strategy::nested);
  BOOST_TEST(found.outcome == login_outcome::ok, found.detail);
  BOOST_TEST(found.groups.size() == 61U);
  const auto searches = there.server.counters().searches - before;
  // The user, the groups, three for those of sixty groups, those of the top one; probes and checks beside them.
  BOOST_TEST(searches <= 30U);
}

BOOST_AUTO_TEST_CASE(groups_beyond_a_size_limit_of_the_directory_are_said_to_be_missing) {
  const auto groups_at = [](const std::string& limit, const std::string& user, group_strategy by) {
    test::slapd_options with;
    with.database_config = {"limits * " + limit};
    for (int i = 0; i < 501; ++i) {
      const auto name = "g" + std::to_string(i);
      with.extra_ldif += "dn: " + group_dn(name) + "\nobjectClass: groupOfNames\ncn: " + name +
                         "\nmember: " + test::user_dn(i < 500 ? 1 : 2) + "\nmember: " + test::user_dn(3) + "\n\n";
    }
    const slapd server(with);
    // The limits are not those of the rootdn.
    auto all = settings_of(server, test::user_password(0));
    all.servers[0].bind_dn = test::user_dn(0);
    connection_manager manager(all);
    BOOST_TEST_REQUIRE(manager.connect().connected);
    auto found = authenticator{manager, below_people()}.groups(user, by);
    BOOST_TEST(found.outcome == login_outcome::ok, found.detail);
    return found;
  };
  const std::string limited = "size.soft=500 size.hard=500";
  const auto fits = groups_at(limited, "user1", group_strategy::member);
  BOOST_TEST(fits.complete);
  BOOST_TEST(fits.groups.size() == 500U);
  for (const auto by : {group_strategy::automatic, group_strategy::member, group_strategy::nested}) {
    const auto cut = groups_at(limited, "user3", by);
    BOOST_TEST(!cut.complete);
    BOOST_TEST(cut.groups.size() == 500U);
  }
  // What docs/logins.md tells to set: what is asked for may be more than who does not ask for a number gets.
  const auto whole = groups_at("size.soft=500 size.hard=1001", "user3", group_strategy::member);
  BOOST_TEST(whole.complete);
  BOOST_TEST(whole.groups.size() == 501U);
}

BOOST_AUTO_TEST_CASE(a_wrong_service_password_is_never_told_as_a_users) {
  slapd server;
  connection_manager manager(settings_of(server, "wrong"));
  BOOST_TEST(!manager.connect().connected);
  const authenticator users{manager, below_people()};
  for (const auto* password : {"password1", "wrong"}) {
    const auto login = users.authenticate("user1", secret{password});
    BOOST_TEST(login.outcome == login_outcome::service_identity_rejected, login.detail);
  }
  BOOST_TEST(users.groups("user1").outcome == login_outcome::service_identity_rejected);
  BOOST_TEST(users.lookup("user1").outcome == login_outcome::service_identity_rejected);
}

BOOST_AUTO_TEST_CASE(a_login_at_a_dead_directory_is_unavailable_and_may_be_tried_again) {
  auto server = std::make_unique<slapd>();
  connection_manager manager(settings_of(*server));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const authenticator users{manager, below_people()};
  server->kill9();
  const auto login = users.authenticate("user1", secret{"password1"});
  BOOST_TEST(login.outcome == login_outcome::unavailable, login.detail);
  BOOST_TEST(login.retryable);
  manager.disconnect();
  const auto stopped = users.authenticate("user1", secret{"password1"});
  BOOST_TEST(stopped.outcome == login_outcome::unavailable);
  BOOST_TEST(!stopped.retryable);
}

BOOST_FIXTURE_TEST_CASE(a_hundred_logins_of_one_user_at_once_have_one_result_each, login_fixture) {
  std::vector<std::future<login_result>> logins;
  for (int i = 0; i < 100; ++i)
    logins.push_back(users.async_authenticate("user4", secret{i % 4 == 3 ? "wrong" : test::user_password(4)}));
  for (int i = 0; i < 100; ++i) {
    const auto login = logins[static_cast<std::size_t>(i)].get();
    BOOST_TEST(login.outcome == (i % 4 == 3 ? login_outcome::bad_credentials : login_outcome::ok), login.detail);
  }
}

BOOST_FIXTURE_TEST_CASE(completions_are_told_once_and_never_inside_the_call, login_fixture) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<login_outcome> told;
  const auto note = [&](const login_result& login) {
    std::lock_guard guard{mutex};
    told.push_back(login.outcome);
    changed.notify_all();
  };
  std::unique_lock lock{mutex};
  users.async_authenticate("user1", secret{test::user_password(1)}, note);
  users.async_authenticate("user1", secret{""}, note);
  users.async_authenticate("", secret{"x"}, note);
  BOOST_TEST(told.empty());
  BOOST_TEST_REQUIRE(changed.wait_for(lock, test::patience, [&] { return told.size() == 3; }));
  std::sort(told.begin(), told.end());
  BOOST_TEST(told[0] == login_outcome::ok);
  BOOST_TEST(told[1] == login_outcome::bad_credentials);
  BOOST_TEST(told[2] == login_outcome::no_such_user);
  lock.unlock();
  BOOST_TEST(users.async_lookup("user1").get().user.dn == test::user_dn(1));
  BOOST_TEST(users.async_groups("user1").get().outcome == login_outcome::ok);
  BOOST_TEST(users.async_change_password("user1", secret{"wrong"}, secret{"x"}).get().outcome ==
             login_outcome::bad_credentials);
}

BOOST_FIXTURE_TEST_CASE(an_authenticator_without_a_place_for_users_is_refused, login_fixture) {
  BOOST_CHECK_THROW(authenticator(manager, authenticator_settings{}), config_error);
  auto how = below_people();
  how.filter = "(uid=jane)";
  BOOST_CHECK_THROW(authenticator(manager, how), config_error);
  how = below_people();
  how.max_groups = 0;
  BOOST_CHECK_THROW(authenticator(manager, how), config_error);
}

BOOST_FIXTURE_TEST_CASE(a_remembered_login_asks_no_directory_until_it_is_forgotten, login_fixture) {
  auto how = below_people();
  how.cache_ttl = 1h;
  how.cache_grace = 2h;
  authenticator remembering{manager, how};
  const auto login = [&](const std::string& password) { return remembering.authenticate("user1", secret{password}); };
  BOOST_TEST(!login(test::user_password(1)).cached);
  // As the directory would not say any more.
  manager.modify({test::user_dn(1), {{modification::kind::replace, {"userPassword", {"another"}}}}});
  for (int i = 0; i < 3; ++i) {
    const auto again = login(test::user_password(1));
    BOOST_TEST(again.outcome == login_outcome::ok);
    BOOST_TEST(again.cached);
  }
  BOOST_TEST(remembering.async_authenticate("user1", secret{test::user_password(1)}).get().cached);
  BOOST_TEST(login("wrong").outcome == login_outcome::bad_credentials);
  remembering.forget("user1");
  BOOST_TEST(login(test::user_password(1)).outcome == login_outcome::bad_credentials);
  manager.modify({test::user_dn(1), {{modification::kind::replace, {"userPassword", {test::user_password(1)}}}}});
  BOOST_TEST(!login(test::user_password(1)).cached);
  server.kill9();
  BOOST_TEST(login(test::user_password(1)).cached);
  BOOST_TEST(login("wrong").outcome == login_outcome::unavailable);
  remembering.forget_all();
  BOOST_TEST(login(test::user_password(1)).outcome == login_outcome::unavailable);
}
