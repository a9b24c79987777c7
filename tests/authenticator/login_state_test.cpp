// What a login, a look-up and a change of a password send, and what they make of the answers.
#include "understudy/actors/authenticator/login_state.hpp"

#include "authenticator/played_dialogue.hpp"
#include "understudy/actors/authenticator/password_change.hpp"

using namespace understudy;
using namespace understudy::internal;
using understudy::test::jane;
using understudy::test::played_dialogue;
using understudy::test::settings_with;

namespace {

constexpr const char* people = "ou=people,dc=example,dc=com";

authenticator_settings searching() {
  authenticator_settings how;
  how.base = people;
  return how;
}

authenticator_settings by_templates() {
  authenticator_settings how;
  how.dn_templates = {"uid={user},ou=people,dc=example,dc=com", "{user}@example.com", "cn={user},ou=apps,dc=example"};
  return how;
}

/// What a server said.
result found_by(const std::string& server, const std::string& dn) {
  result found;
  found.server = server;
  if (!dn.empty()) found.entries.push_back({dn, {}});
  return found;
}

failure refused_by(const std::string& server) {
  failure why;
  why.code = errc::authentication_failed;
  why.ldap_code = result_code::invalid_credentials;
  why.server = server;
  return why;
}

login_state login_of(const authenticator_settings& how, const std::string& user = "jane",
                     std::vector<std::string> attributes = {}) {
  return {settings_with(how), user, secret{"tell-nobody"}, std::move(attributes)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_user_is_searched_for_below_base_by_the_filter) {
  auto how = searching();
  how.filter = "(|(uid={user})(mail={user}))";
  auto login = login_of(how, "jane*");
  played_dialogue talk(login);
  const auto& search = talk.asked<search_request>();
  BOOST_TEST(search.base == people);
  BOOST_TEST(search.filter == "(|(uid=jane\\2a)(mail=jane\\2a))");
  BOOST_TEST((search.scope == search_scope::subtree));
  BOOST_TEST(search.size_limit == 2);
  BOOST_TEST(search.attributes == std::vector<std::string>{"1.1"}, boost::test_tools::per_element());
  talk.find({jane});
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  BOOST_TEST((talk.asked<bind_request>().password == secret{"tell-nobody"}));
  BOOST_TEST((find_control(talk.sent().controls, password_policy_oid) != nullptr));
  result accepted;
  accepted.server = "ldap1:389";
  accepted.controls = {{std::string{password_expiring_oid}, false, "86400"}};
  talk.answer(std::move(accepted));
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(talk.last().dn == jane);
  BOOST_TEST(talk.last().server == "ldap1:389");
  BOOST_TEST(talk.last().password.expires_in.value_or(seconds{0}).count() == 86400);
  BOOST_TEST(talk.last().failed == nullptr);
  BOOST_TEST(talk.last().detail == "");
}

BOOST_AUTO_TEST_CASE(attributes_that_are_asked_for_come_with_a_login) {
  auto login = login_of(searching(), "jane", {"mail"});
  played_dialogue talk(login);
  BOOST_TEST(talk.asked<search_request>().attributes == std::vector<std::string>{"mail"},
             boost::test_tools::per_element());
  result found;
  found.entries.push_back({jane, {{"mail", {"jane@example.com"}}}});
  talk.answer(std::move(found));
  talk.answer();
  BOOST_TEST(talk.last().user.first("mail") == "jane@example.com");
}

BOOST_AUTO_TEST_CASE(exactly_one_entry_is_bound_as) {
  const auto ends_as = [](std::vector<std::string> dns) {
    auto login = login_of(searching());
    played_dialogue talk(login);
    talk.find(std::move(dns));
    return talk.last().outcome;
  };
  BOOST_TEST(ends_as({}) == login_outcome::no_such_user);
  BOOST_TEST(ends_as({""}) == login_outcome::no_such_user);
  BOOST_TEST(ends_as({jane, "uid=jane,ou=other"}) == login_outcome::ambiguous);
  auto login = login_of(searching());
  played_dialogue talk(login);
  talk.refuse(result_code::size_limit_exceeded, {}, {}, errc::ldap_error);
  BOOST_TEST(talk.last().outcome == login_outcome::ambiguous);
  BOOST_TEST(talk.last().detail.find("(uid=jane)") != std::string::npos, talk.last().detail);
}

BOOST_AUTO_TEST_CASE(templates_are_tried_in_turn_until_one_is_accepted) {
  auto login = login_of(by_templates());
  played_dialogue talk(login);
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  talk.refuse(result_code::invalid_credentials);
  BOOST_TEST(talk.asked<bind_request>().dn == "jane@example.com");
  talk.refuse(result_code::no_such_object);
  BOOST_TEST(talk.asked<bind_request>().dn == "cn=jane,ou=apps,dc=example");
  talk.answer();
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(talk.last().dn == "cn=jane,ou=apps,dc=example");
  BOOST_TEST(talk.last().failed == nullptr);

  auto refused = login_of(by_templates());
  played_dialogue other(refused);
  for (int i = 0; i < 3; ++i) other.refuse(result_code::invalid_credentials);
  BOOST_TEST(other.last().outcome == login_outcome::bad_credentials);
}

BOOST_AUTO_TEST_CASE(another_template_is_no_way_round_a_locked_account_or_a_dead_server) {
  auto locked = login_of(by_templates());
  played_dialogue talk(locked);
  talk.refuse(result_code::invalid_credentials, "x, data 775, v1");
  BOOST_TEST(talk.last().outcome == login_outcome::account_locked);
  auto dead = login_of(by_templates());
  played_dialogue other(dead);
  other.fail(errc::no_server);
  BOOST_TEST(other.last().outcome == login_outcome::unavailable);
  BOOST_TEST(other.last().retryable);
}

BOOST_AUTO_TEST_CASE(the_same_name_is_not_tried_twice_and_one_that_does_not_fit_not_at_all) {
  auto how = by_templates();
  how.dn_templates = {"uid={user},dc=a", "uid={name},dc=a", "{name}@{domain}", "{user}@a"};
  auto login = login_of(how, "a,b");
  played_dialogue talk(login);
  BOOST_TEST(talk.asked<bind_request>().dn == "uid=a\\,b,dc=a");
  talk.refuse(result_code::invalid_credentials);
  BOOST_TEST(talk.last().outcome == login_outcome::bad_credentials);
  how.dn_templates = {"{user}@example.com"};
  auto nobody = login_of(how, "cn=admin,dc=example");
  played_dialogue other(nobody);
  BOOST_TEST(other.last().outcome == login_outcome::no_such_user);
}

BOOST_AUTO_TEST_CASE(an_empty_name_or_password_is_refused_unsent) {
  for (const auto& how : {searching(), by_templates()}) {
    for (const auto& password : {secret{}, secret{""}}) {
      login_state login(settings_with(how), "jane", password, {});
      played_dialogue talk(login);
      BOOST_TEST(talk.last().outcome == login_outcome::bad_credentials);
    }
    auto nameless = login_of(how, "");
    played_dialogue talk(nameless);
    BOOST_TEST(talk.last().outcome == login_outcome::no_such_user);
  }
}

BOOST_AUTO_TEST_CASE(what_keeps_from_searching_is_not_the_users_fault) {
  auto login = login_of(searching());
  played_dialogue talk(login);
  talk.refuse(result_code::invalid_credentials, {}, {}, errc::service_authentication_failed);
  BOOST_TEST(talk.last().outcome == login_outcome::service_identity_rejected);
  BOOST_TEST(!talk.last().retryable);
  auto forbidden = login_of(searching());
  played_dialogue other(forbidden);
  other.refuse(result_code::insufficient_access, {}, {}, errc::ldap_error);
  BOOST_TEST(other.last().outcome == login_outcome::unavailable);
}

BOOST_AUTO_TEST_CASE(a_look_up_by_templates_reads_what_they_name) {
  user_search search(settings_with(by_templates()), "jane", {"cn"});
  played_dialogue talk(search);
  BOOST_TEST(talk.asked<search_request>().base == jane);
  BOOST_TEST((talk.asked<search_request>().scope == search_scope::base));
  talk.refuse(result_code::no_such_object, {}, {}, errc::ldap_error);
  BOOST_TEST(talk.asked<search_request>().base == "cn=jane,ou=apps,dc=example");
  talk.find({"cn=jane,ou=apps,dc=example"});
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(talk.last().user.dn == "cn=jane,ou=apps,dc=example");

  user_search absent(settings_with(by_templates()), "jane", {});
  played_dialogue other(absent);
  other.refuse(result_code::no_such_object, {}, {}, errc::ldap_error);
  other.find({});
  BOOST_TEST(other.last().outcome == login_outcome::no_such_user);
}

BOOST_AUTO_TEST_CASE(a_password_is_changed_in_the_entry_that_was_found) {
  password_change change(settings_with(searching()), "jane", secret{"old"}, secret{"new"});
  played_dialogue talk(change);
  talk.find({jane});
  const auto& order = talk.asked<password_modify_request>();
  BOOST_TEST(order.user_identity.value_or("") == jane);
  BOOST_TEST((order.old_password == secret{"old"}));
  BOOST_TEST((order.new_password == secret{"new"}));
  result changed;
  changed.response_value = "generated";
  talk.answer(std::move(changed));
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST((talk.last().generated == secret{"generated"}));

  password_change wrong(settings_with(searching()), "jane", secret{"old"}, secret{"new"});
  played_dialogue other(wrong);
  other.find({jane});
  other.refuse(result_code::unwilling_to_perform, "unwilling to verify old password", {}, errc::ldap_error);
  BOOST_TEST(other.last().outcome == login_outcome::bad_credentials);

  password_change unproved(settings_with(searching()), "jane", secret{""}, secret{"new"});
  BOOST_TEST(played_dialogue(unproved).last().outcome == login_outcome::bad_credentials);
  password_change none(settings_with(searching()), "jane", secret{"old"}, secret{""});
  BOOST_TEST(played_dialogue(none).last().outcome == login_outcome::password_refused);
}

BOOST_AUTO_TEST_CASE(active_directory_gets_passwords_as_quoted_utf_16) {
  const auto bytes = [](std::initializer_list<int> all) {
    std::string text;
    for (const int each : all) text += static_cast<char>(each);
    return text;
  };
  BOOST_TEST(unicode_password("").value_or("") == bytes({'"', 0, '"', 0}));
  BOOST_TEST(unicode_password("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80").value_or("") ==
             bytes({'"', 0, 'a', 0, 0xfc, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde, '"', 0}));
  BOOST_TEST(!unicode_password("\xff").has_value());

  const auto by = password_method::unicode_pwd;
  password_change change(settings_with(searching()), "jane", secret{"old"}, secret{"new"}, by);
  played_dialogue talk(change);
  talk.find({jane});
  const auto& order = talk.asked<modify_request>();
  BOOST_TEST(order.dn == jane);
  BOOST_TEST_REQUIRE(order.changes.size() == 2U);
  BOOST_TEST((order.changes[0].op == modification::kind::remove));
  BOOST_TEST(order.changes[0].target.name == "unicodePwd");
  BOOST_TEST(order.changes[0].target.values.at(0) == unicode_password("old").value_or(""));
  BOOST_TEST((order.changes[1].op == modification::kind::add));
  BOOST_TEST(order.changes[1].target.values.at(0) == unicode_password("new").value_or(""));
  talk.answer();
  BOOST_TEST(talk.last().outcome == login_outcome::ok);

  password_change reset(settings_with(searching()), "jane", secret{}, secret{"new"}, by);
  played_dialogue other(reset);
  other.find({jane});
  BOOST_TEST_REQUIRE(other.asked<modify_request>().changes.size() == 1U);
  BOOST_TEST((other.asked<modify_request>().changes[0].op == modification::kind::replace));

  for (const auto& wrong : {secret{}, secret{"\xff"}}) {
    password_change never(settings_with(searching()), "jane", secret{"old"}, wrong, by);
    BOOST_TEST(played_dialogue(never).last().outcome == login_outcome::password_refused);
  }
}

BOOST_AUTO_TEST_CASE(the_bind_goes_to_the_server_that_has_found_the_entry) {
  auto login = login_of(searching());
  played_dialogue talk(login);
  BOOST_TEST(talk.sent().wish.server == "");
  talk.answer(found_by("a:389", jane));
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  BOOST_TEST(talk.sent().wish.server == "a:389");
  talk.fail(refused_by("a:389"));
  BOOST_TEST(talk.last().outcome == login_outcome::bad_credentials);
  BOOST_TEST(talk.last().server == "a:389");
}

BOOST_AUTO_TEST_CASE(a_refusal_by_another_server_is_looked_into_once) {
  const auto refused_at_b = [](played_dialogue<login_result>& talk) {
    talk.answer(found_by("a:389", jane));
    talk.fail(refused_by("b:389"));
    BOOST_TEST(talk.asked<search_request>().base == people);
    BOOST_TEST(talk.sent().wish.server == "b:389");
  };
  // It has the entry: the password is wrong there.
  auto wrong = login_of(searching());
  played_dialogue same(wrong);
  refused_at_b(same);
  same.answer(found_by("b:389", "UID=Jane,ou=people,dc=example,dc=com"));
  BOOST_TEST(same.last().outcome == login_outcome::bad_credentials);
  // It does not have it yet, and nothing can be said of the password.
  auto early = login_of(searching());
  played_dialogue absent(early);
  refused_at_b(absent);
  absent.answer(found_by("b:389", ""));
  BOOST_TEST(absent.last().outcome == login_outcome::unavailable);
  BOOST_TEST(absent.last().retryable);
  BOOST_TEST(absent.last().detail.find("a:389") != std::string::npos, absent.last().detail);
  // It has it under another name: that is bound as, there, and then it is over.
  auto moved = login_of(searching());
  played_dialogue other(moved);
  refused_at_b(other);
  other.answer(found_by("b:389", "uid=jane,ou=new"));
  BOOST_TEST(other.asked<bind_request>().dn == "uid=jane,ou=new");
  BOOST_TEST(other.sent().wish.server == "b:389");
  other.fail(refused_by("c:389"));
  BOOST_TEST(other.last().outcome == login_outcome::bad_credentials);
  // Who cannot be asked says nothing of the user.
  auto down = login_of(searching());
  played_dialogue dead(down);
  refused_at_b(dead);
  dead.fail(errc::no_server);
  BOOST_TEST(dead.last().outcome == login_outcome::unavailable);
  // What another server accepts, or says of the account, needs no second look.
  auto right = login_of(searching());
  played_dialogue accepted(right);
  accepted.answer(found_by("a:389", jane));
  accepted.answer(found_by("b:389", ""));
  BOOST_TEST(accepted.last().outcome == login_outcome::ok);
  BOOST_TEST(accepted.last().server == "b:389");
}

BOOST_AUTO_TEST_CASE(users_are_looked_up_at_global_catalogs_where_there_are_some) {
  auto how = searching();
  auto plain = login_of(how);
  BOOST_TEST(!played_dialogue(plain).sent().wish.global_catalog);
  how.global_catalog = true;
  auto login = login_of(how);
  played_dialogue talk(login);
  BOOST_TEST(talk.sent().wish.global_catalog);
  talk.answer(found_by("gc:3268", jane));
  BOOST_TEST(!talk.sent().wish.global_catalog);
  // Binds are always another server's there: that is no reason to look again.
  talk.fail(refused_by("dc:389"));
  BOOST_TEST(talk.last().outcome == login_outcome::bad_credentials);
}

BOOST_AUTO_TEST_CASE(referrals_are_counted_and_told_where_that_is_wanted) {
  auto how = searching();
  for (const bool told : {false, true}) {
    how.referrals = told ? referral_policy::report : referral_policy::ignore;
    user_search search(settings_with(how), "jane", {});
    played_dialogue talk(search);
    auto found = found_by("a:389", jane);
    found.references = {{"ldap://x.example/"}, {"ldap://x.example/", "ldap://y.example/"}};
    talk.answer(std::move(found));
    BOOST_TEST(talk.last().outcome == login_outcome::ok);
    BOOST_TEST(talk.last().referrals_met == 2U);
    BOOST_TEST(talk.last().referrals.size() == (told ? 2U : 0U));

    auto login = login_of(how);
    played_dialogue other(login);
    failure elsewhere;
    elsewhere.code = errc::ldap_error;
    elsewhere.ldap_code = result_code::referral;
    elsewhere.referrals = {"ldap://z.example/"};
    other.fail(elsewhere);
    BOOST_TEST(other.last().outcome == login_outcome::unavailable);
    BOOST_TEST(!other.last().retryable);
    BOOST_TEST(other.last().referrals_met == 1U);
    BOOST_TEST(other.last().referrals.size() == (told ? 1U : 0U));
  }
  // Of a bind and of a write too, which no referral takes anywhere.
  failure sent_away;
  sent_away.code = errc::ldap_error;
  sent_away.ldap_code = result_code::referral;
  sent_away.referrals = {"ldap://w.example/"};
  for (const auto policy : {referral_policy::ignore, referral_policy::report, referral_policy::chase}) {
    const auto expected = policy == referral_policy::ignore ? 0U : 1U;
    const auto check = [&](const user_answer& answer) {
      BOOST_TEST(answer.outcome == login_outcome::unavailable);
      BOOST_TEST(answer.referrals_met == 1U);
      BOOST_TEST(answer.referrals.size() == expected);
    };
    how.referrals = policy;
    auto login = login_of(how);
    played_dialogue bound(login);
    bound.answer(found_by("a:389", jane));
    bound.fail(sent_away);
    check(bound.last());
    auto templates = by_templates();
    templates.referrals = policy;
    auto by_template = login_of(templates);
    played_dialogue second(by_template);
    if (policy != referral_policy::chase) {
      second.fail(sent_away);
      check(second.last());
    }
    password_change change(settings_with(how), "jane", secret{"old"}, secret{"new"});
    played_dialogue written(change);
    written.find({jane});
    written.fail(sent_away);
    check(written.last());
    password_change proved(settings_with(how), "jane", secret{"old"}, secret{"new"}, password_method::user_password);
    played_dialogue proof(proved);
    proof.find({jane});
    proof.fail(sent_away);
    check(proof.last());
  }
  // What a second look says stands beside it, unless that finds where it leads.
  how.referrals = referral_policy::chase;
  auto again = login_of(how);
  played_dialogue looked(again);
  looked.answer(found_by("a:389", jane));
  auto by_b = sent_away;
  by_b.server = "b:389";
  looked.fail(by_b);
  auto elsewhere = login_of(how);
  looked.answer(found_by("b:389", ""));
  BOOST_TEST(looked.last().outcome == login_outcome::unavailable);
  BOOST_TEST(looked.last().referrals_met == 1U);
  played_dialogue led(elsewhere);
  led.answer(found_by("a:389", jane));
  led.fail(by_b);
  led.answer(found_by("c:389", jane));
  led.answer(found_by("c:389", ""));
  BOOST_TEST(led.last().outcome == login_outcome::ok);
  BOOST_TEST(led.last().referrals_met == 0U);
  // However many: a directory does not fill the memory.
  how.referrals = referral_policy::report;
  user_search search(settings_with(how), "jane", {});
  played_dialogue talk(search);
  auto found = found_by("a:389", jane);
  for (int i = 0; i < 1000; ++i) found.references.push_back({"ldap://" + std::to_string(i)});
  talk.answer(std::move(found));
  BOOST_TEST(talk.last().referrals_met == 1000U);
  BOOST_TEST(talk.last().referrals.size() == 100U);
}

BOOST_AUTO_TEST_CASE(names_of_windows_are_looked_up_as_they_are) {
  authenticator_settings how;
  how.dn_templates = {"<SID={user}>"};
  user_search search(settings_with(how), "S-1-5-21-1-2-3-1104", {});
  played_dialogue talk(search);
  BOOST_TEST(talk.asked<search_request>().base == "<SID=S-1-5-21-1-2-3-1104>");
  BOOST_TEST((talk.asked<search_request>().scope == search_scope::base));
  talk.find({jane});
  BOOST_TEST(talk.last().user.dn == jane);
  user_search hostile(settings_with(how), "S-1-5>,dc=x", {});
  BOOST_TEST(played_dialogue(hostile).last().outcome != login_outcome::ok);
}

BOOST_AUTO_TEST_CASE(a_plain_modify_of_a_password_follows_a_bind_with_the_old_one) {
  const auto by = password_method::user_password;
  password_change change(settings_with(searching()), "jane", secret{"old"}, secret{"new"}, by);
  played_dialogue talk(change);
  talk.answer(found_by("a:389", jane));
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  BOOST_TEST((talk.asked<bind_request>().password == secret{"old"}));
  BOOST_TEST(talk.sent().wish.server == "a:389");
  talk.answer();
  const auto& order = talk.asked<modify_request>();
  BOOST_TEST(order.dn == jane);
  BOOST_TEST_REQUIRE(order.changes.size() == 1U);
  BOOST_TEST((order.changes[0].op == modification::kind::replace));
  BOOST_TEST(order.changes[0].target.name == "userPassword");
  BOOST_TEST(order.changes[0].target.values == std::vector<std::string>{"new"}, boost::test_tools::per_element());
  BOOST_TEST(talk.sent().wish.server == "a:389");
  talk.answer();
  BOOST_TEST(talk.last().outcome == login_outcome::ok);

  password_change wrong(settings_with(searching()), "jane", secret{"older"}, secret{"new"}, by);
  played_dialogue refused(wrong);
  refused.find({jane});
  refused.refuse(result_code::invalid_credentials);
  BOOST_TEST(refused.last().outcome == login_outcome::bad_credentials);

  password_change reset(settings_with(searching()), "jane", secret{}, secret{"new"}, by);
  played_dialogue other(reset);
  other.find({jane});
  BOOST_TEST(other.asked<modify_request>().dn == jane);
  password_change none(settings_with(searching()), "jane", secret{"old"}, secret{}, by);
  BOOST_TEST(played_dialogue(none).last().outcome == login_outcome::password_refused);
}
