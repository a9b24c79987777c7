// Which referrals are followed, where to, how far, and what all of it comes to.
#include "authenticator/played_dialogue.hpp"
#include "understudy/actors/authenticator/chasing_dialogue.hpp"
#include "understudy/actors/authenticator/entry_fetch.hpp"
#include "understudy/actors/authenticator/login_state.hpp"

#include <map>
#include <random>

using namespace understudy;
using namespace understudy::internal;
using understudy::test::jane;
using understudy::test::played_dialogue;
using understudy::test::settings_with;

namespace {

constexpr const char* all_people = "dc=example,dc=com";
constexpr const char* janes_branch = "ou=people,dc=example,dc=com";

authenticator_settings chasing_below_example() {
  authenticator_settings how;
  how.base = all_people;
  how.referrals = referral_policy::chase;
  return how;
}

/// Servers "b", "c" … "z" are known, each with port 389.
chase_limits letters(int hops = 5, int most = 20) {
  return {hops, most, [](const std::string& server) -> std::optional<std::string> {
            if (server.size() == 5 && server.substr(1) == ":389" && server != "a:389") return server;
            return std::nullopt;
          }};
}

/// A look-up of jane that begins at a:389.
struct chased_look_up {
  explicit chased_look_up(chase_limits limits = letters())
      : search(settings_with(chasing_below_example()), "jane", {}), chasing(search, std::move(limits)), talk(chasing) {}

  user_search search;
  chasing_dialogue<lookup_result> chasing;
  played_dialogue<lookup_result> talk;
};

result found_at(const std::string& server, std::vector<std::string> dns,
                std::vector<std::vector<std::string>> references = {}) {
  result found;
  found.server = server;
  for (auto& dn : dns) found.entries.push_back({std::move(dn), {}});
  found.references = std::move(references);
  return found;
}

failure said_by(const std::string& server, int code, std::vector<std::string> referrals = {}) {
  failure why;
  why.code = errc::ldap_error;
  why.ldap_code = code;
  why.server = server;
  why.message = "It refused.";
  why.referrals = std::move(referrals);
  return why;
}

failure failing_with(errc code) {
  failure why;
  why.code = code;
  why.message = "It failed.";
  return why;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_reference_is_followed_to_the_server_that_it_names) {
  chased_look_up it;
  BOOST_TEST(it.talk.sent().wish.server.empty());
  it.talk.answer(found_at("a:389", {}, {{"ldap://b/ou=people,dc=example,dc=com?\?one"}}));
  const auto& there = it.talk.asked<search_request>();
  BOOST_TEST(it.talk.sent().wish.server == "b:389");
  BOOST_TEST(there.base == janes_branch);
  BOOST_TEST((there.scope == search_scope::one));
  BOOST_TEST(there.filter == "(uid=jane)");
  it.talk.answer(found_at("b:389", {jane}));
  BOOST_TEST(it.talk.last().outcome == login_outcome::ok);
  BOOST_TEST(it.talk.last().user.dn == jane);
  BOOST_TEST(it.talk.last().referrals_met == 0U);
  BOOST_TEST(it.search.server() == "b:389");
}

BOOST_AUTO_TEST_CASE(a_referral_in_place_of_an_answer_is_followed_with_what_it_leaves_as_it_was) {
  chased_look_up it;
  it.talk.fail(said_by("a:389", result_code::referral, {"ldap://b/"}));
  const auto& there = it.talk.asked<search_request>();
  BOOST_TEST(there.base == all_people);
  BOOST_TEST((there.scope == search_scope::subtree));
  BOOST_TEST(there.filter == "(uid=jane)");
  // From there to another, which asks for something else.
  it.talk.fail(said_by("b:389", result_code::referral, {"ldap://c/dc=other?\?\?\?", "ldap://d/"}));
  BOOST_TEST(it.talk.sent().wish.server == "c:389");
  BOOST_TEST(it.talk.asked<search_request>().base == "dc=other");
  it.talk.answer(found_at("c:389", {jane}));
  BOOST_TEST(it.talk.last().outcome == login_outcome::ok);
  BOOST_TEST(it.search.server() == "c:389");
  // Without an entry there is none.
  chased_look_up other;
  other.talk.fail(said_by("a:389", result_code::referral, {"ldap://b/?\?\?(mail=jane)"}));
  BOOST_TEST(other.talk.asked<search_request>().filter == "(mail=jane)");
  other.talk.fail(said_by("b:389", result_code::no_such_object));
  BOOST_TEST(other.talk.last().outcome == login_outcome::no_such_user);
}

BOOST_AUTO_TEST_CASE(exactly_one_entry_is_one_wherever_it_is) {
  chased_look_up two;
  two.talk.answer(found_at("a:389", {jane}, {{"ldap://b/"}, {"ldap://c/"}}));
  // One more is enough to know that there is no one entry.
  BOOST_TEST(two.talk.asked<search_request>().size_limit == 1);
  two.talk.answer(found_at("b:389", {"uid=jane,ou=others,dc=example,dc=com"}));
  BOOST_TEST(two.talk.last().outcome == login_outcome::ambiguous);

  chased_look_up same;
  same.talk.answer(found_at("a:389", {jane}, {{"ldap://b/"}}));
  same.talk.answer(found_at("b:389", {"UID=Jane, OU=People, DC=example, DC=com"}));
  BOOST_TEST(same.talk.last().outcome == login_outcome::ok);
  BOOST_TEST(same.talk.last().user.dn == jane);
  BOOST_TEST(same.search.server() == "a:389");

  chased_look_up cut;
  cut.talk.answer(found_at("a:389", {}, {{"ldap://b/"}}));
  auto more = said_by("b:389", result_code::size_limit_exceeded);
  more.partial = std::make_shared<const result>(found_at("b:389", {"uid=1", "uid=2"}));
  cut.talk.fail(more);
  BOOST_TEST(cut.talk.last().outcome == login_outcome::ambiguous);
}

BOOST_AUTO_TEST_CASE(a_server_that_nobody_named_is_not_asked_and_that_is_told) {
  chased_look_up it;
  it.talk.answer(found_at("a:389", {jane}, {{"ldap://stranger.example/"}, {"ldap://evil/", "gopher://b/"}}));
  BOOST_TEST(it.talk.last().outcome == login_outcome::ok);
  BOOST_TEST(it.talk.last().referrals_met == 2U);
  BOOST_TEST(it.talk.last().referrals.size() == 3U);

  chased_look_up alone;
  alone.talk.fail(said_by("a:389", result_code::referral, {"ldap://stranger.example/"}));
  BOOST_TEST(alone.talk.last().outcome == login_outcome::unavailable);
  BOOST_TEST(!alone.talk.last().retryable);
  BOOST_TEST(alone.talk.last().referrals_met == 1U);
  BOOST_TEST(alone.talk.last().referrals.at(0) == "ldap://stranger.example/");
  // A known one among strangers is.
  chased_look_up among;
  among.talk.fail(said_by("a:389", result_code::referral, {"ldap://stranger.example/", "ldap://c/"}));
  BOOST_TEST(among.talk.sent().wish.server == "c:389");
}

BOOST_AUTO_TEST_CASE(the_next_uri_is_tried_where_a_server_does_not_answer) {
  for (const bool by_another : {false, true}) {
    chased_look_up it;
    it.talk.answer(found_at("a:389", {}, {{"ldap://b/", "ldap://c/"}}));
    // Another one answers what b should have: what it says is not what the referral was about.
    if (by_another)
      it.talk.answer(found_at("a:389", {"uid=wrong"}));
    else
      it.talk.fail(errc::connection_failed);
    BOOST_TEST(it.talk.sent().wish.server == "c:389");
    it.talk.answer(found_at("c:389", {jane}));
    BOOST_TEST(it.talk.last().outcome == login_outcome::ok);
    BOOST_TEST(it.talk.last().user.dn == jane);
  }
}

BOOST_AUTO_TEST_CASE(a_part_of_the_directory_that_cannot_be_asked_is_no_answer) {
  for (const auto& why :
       {failing_with(errc::no_server), failing_with(errc::operation_timeout), failing_with(errc::cancelled),
        said_by("b:389", result_code::insufficient_access), said_by("a:389", result_code::no_such_object)}) {
    chased_look_up it;
    // Also where one entry was found: there might have been another.
    it.talk.answer(found_at("a:389", {jane}, {{"ldap://b/"}, {"ldap://c/"}}));
    it.talk.fail(why);
    BOOST_TEST(it.talk.last().outcome == login_outcome::unavailable);
    BOOST_TEST(it.talk.last().user.dn.empty());
    BOOST_TEST(it.talk.last().detail.find("b:389") != std::string::npos, it.talk.last().detail);
  }
  // The identity that is used there is a service's, too.
  chased_look_up it;
  it.talk.answer(found_at("a:389", {}, {{"ldap://b/"}}));
  it.talk.fail(errc::service_authentication_failed);
  BOOST_TEST(it.talk.last().outcome == login_outcome::service_identity_rejected);
  // A filter that is none is no server's fault: that referral is told.
  chased_look_up malformed;
  malformed.talk.answer(found_at("a:389", {jane}, {{"ldap://b/?\?\?(("}}));
  malformed.talk.fail(errc::invalid_request);
  BOOST_TEST(malformed.talk.last().outcome == login_outcome::ok);
  BOOST_TEST(malformed.talk.last().referrals_met == 1U);
}

BOOST_AUTO_TEST_CASE(referrals_that_lead_in_a_circle_end) {
  chased_look_up it;
  it.talk.fail(said_by("z:389", result_code::referral, {"ldap://b/"}));
  it.talk.fail(said_by("b:389", result_code::referral, {"ldap://c/"}));
  it.talk.fail(said_by("c:389", result_code::referral, {"ldap://Z/DC=Example,%20DC=com"}));
  BOOST_TEST(it.talk.last().outcome == login_outcome::unavailable);
  BOOST_TEST(!it.talk.last().retryable);
  BOOST_TEST(it.talk.last().detail.find("circle") != std::string::npos, it.talk.last().detail);
  // One that does not go through the beginning is not gone round until the hops are used up.
  chased_look_up inner;
  inner.talk.fail(said_by("z:389", result_code::referral, {"ldap://b/"}));
  inner.talk.fail(said_by("b:389", result_code::referral, {"ldap://c/"}));
  inner.talk.fail(said_by("c:389", result_code::referral, {"ldap://b/", "ldap://d/"}));
  BOOST_TEST(inner.talk.sent().wish.server == "d:389");
  inner.talk.fail(said_by("d:389", result_code::referral, {"ldap://c/"}));
  BOOST_TEST(inner.talk.last().outcome == login_outcome::unavailable);
  // What was answered already is in the answer, and so is what another URI of the same referral names.
  chased_look_up back;
  back.talk.answer(found_at("b:389", {jane}, {{"ldap://c/ou=people,dc=example,dc=com"}}));
  back.talk.answer(found_at("c:389", {}, {{"ldap://b/dc=example,dc=com", "ldap://d/"}}));
  BOOST_TEST(back.talk.last().outcome == login_outcome::ok);
  BOOST_TEST(back.talk.last().referrals_met == 0U);
}

BOOST_AUTO_TEST_CASE(referrals_are_followed_for_referral_hops) {
  for (const int hops : {1, 3}) {
    chased_look_up it{letters(hops)};
    it.talk.answer(found_at("a:389", {jane}, {{"ldap://b/ou=0"}}));
    for (int hop = 1; hop <= hops; ++hop) {
      const std::string server{static_cast<char>('a' + hop), ':', '3', '8', '9'};
      BOOST_TEST_REQUIRE(!it.talk.over());
      BOOST_TEST(it.talk.sent().wish.server == server);
      it.talk.answer(found_at(server, {}, {{"ldap://" + std::string{static_cast<char>('b' + hop)} + "/"}}));
    }
    BOOST_TEST(it.talk.last().outcome == login_outcome::ok);
    BOOST_TEST(it.talk.last().referrals_met == 1U);
  }
}

BOOST_AUTO_TEST_CASE(one_call_follows_max_referrals) {
  chased_look_up it{letters(5, 3)};
  auto first = found_at("a:389", {jane});
  for (int i = 0; i < 10; ++i) first.references.push_back({"ldap://b/ou=" + std::to_string(i)});
  it.talk.answer(std::move(first));
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(it.talk.asked<search_request>().base == "ou=" + std::to_string(i));
    it.talk.answer(found_at("b:389", {}));
  }
  BOOST_TEST(it.talk.last().outcome == login_outcome::ok);
  BOOST_TEST(it.talk.last().referrals_met == 7U);
}

BOOST_AUTO_TEST_CASE(a_login_binds_where_a_referral_has_led_to_the_entry) {
  login_state login{settings_with(chasing_below_example()), "jane", secret{"tell-nobody"}, {}};
  chasing_dialogue<login_result> chasing(login, letters());
  played_dialogue talk(chasing);
  talk.answer(found_at("z:389", {}, {{"ldap://b/"}}));
  talk.answer(found_at("b:389", {jane}));
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  BOOST_TEST(talk.sent().wish.server == "b:389");
  // Another one takes the bind: it does not have the entry, and its word is none. The entry is looked for again, and
  // where it is the bind is tried once more.
  auto refused = said_by("z:389", result_code::invalid_credentials);
  refused.code = errc::authentication_failed;
  talk.fail(refused);
  BOOST_TEST(talk.sent().wish.server == "z:389");
  talk.answer(found_at("z:389", {}, {{"ldap://b/"}}));
  talk.answer(found_at("b:389", {jane}));
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  BOOST_TEST(talk.sent().wish.server == "b:389");
  auto wrong = said_by("b:389", result_code::invalid_credentials);
  wrong.code = errc::authentication_failed;
  talk.fail(wrong);
  BOOST_TEST(talk.last().outcome == login_outcome::bad_credentials);
}

BOOST_AUTO_TEST_CASE(a_password_goes_nowhere_where_a_referral_says) {
  auto how = chasing_below_example();
  how.base.clear();
  how.dn_templates = {"uid={user},ou=people,dc=example,dc=com"};
  login_state login{settings_with(how), "jane", secret{"tell-nobody"}, {}};
  chasing_dialogue<login_result> chasing(login, letters());
  played_dialogue talk(chasing);
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  talk.fail(said_by("a:389", result_code::referral, {"ldap://b/"}));
  BOOST_TEST(talk.last().outcome == login_outcome::unavailable);
}

BOOST_AUTO_TEST_CASE(a_dn_that_was_found_elsewhere_before_is_looked_for_again) {
  login_state login{settings_with(chasing_below_example()), "jane", secret{"tell-nobody"}, {}, std::string{jane}};
  chasing_dialogue<login_result> chasing(login, letters());
  played_dialogue talk(chasing);
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  talk.fail(said_by("z:389", result_code::referral, {"ldap://b/"}));
  BOOST_TEST(talk.sent().wish.server == "z:389");
  talk.answer(found_at("z:389", {}, {{"ldap://b/"}}));
  talk.answer(found_at("b:389", {jane}));
  BOOST_TEST(talk.asked<bind_request>().dn == jane);
  BOOST_TEST(talk.sent().wish.server == "b:389");
  talk.answer(found_at("b:389", {}));
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
}

BOOST_AUTO_TEST_CASE(entries_of_all_places_are_fetched_and_a_limit_is_one_of_all) {
  entry_fetch fetch(settings_with(chasing_below_example()), "(objectClass=person)", {});
  chasing_dialogue<fetch_result> chasing(fetch, letters());
  played_dialogue talk(chasing);
  auto first = found_at("a:389", {}, {{"ldap://b/"}, {"ldap://c/"}});
  for (int i = 0; i < entry_fetch::most_entries - 1; ++i) first.entries.push_back({"uid=" + std::to_string(i), {}});
  talk.answer(std::move(first));
  BOOST_TEST(talk.asked<search_request>().size_limit == 1);
  talk.answer(found_at("b:389", {"uid=b"}));
  // There is no room for what c may have.
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(talk.last().entries.size() == static_cast<std::size_t>(entry_fetch::most_entries));
  BOOST_TEST(!talk.last().complete);
  BOOST_TEST(talk.last().referrals_met == 1U);
}

BOOST_AUTO_TEST_CASE(any_web_of_referrals_is_walked_in_bounded_searches_and_finds_what_can_be_reached) {
  std::mt19937 random{7};
  for (int round = 0; round < 300; ++round) {
    // Each server has its own entry, and references to others.
    const int servers = 2 + static_cast<int>(random() % 6);
    std::map<std::string, std::vector<std::string>> web;
    for (int i = 0; i < servers; ++i)
      for (int n = static_cast<int>(random() % 4); n > 0; --n)
        web[std::string{static_cast<char>('b' + i)} + ":389"].push_back(
            "ldap://" + std::string{static_cast<char>('b' + static_cast<int>(random() % servers))} + "/");
    std::set<std::string> reachable{"b:389"};
    for (std::vector<std::string> open{"b:389"}; !open.empty();) {
      const auto from = open.back();
      open.pop_back();
      for (const auto& uri : web[from])
        if (const auto to = uri.substr(7, 1) + ":389"; reachable.insert(to).second) open.push_back(to);
    }
    entry_fetch fetch(settings_with(chasing_below_example()), "(a=b)", {});
    chasing_dialogue<fetch_result> chasing(fetch, letters(20, 100));
    played_dialogue talk(chasing);
    std::string server = "b:389";
    int searches = 0;
    for (; !talk.over(); ++searches) {
      BOOST_TEST_REQUIRE(searches < 10);
      if (!talk.sent().wish.server.empty()) server = talk.sent().wish.server;
      auto answer = found_at(server, {"cn=" + server});
      for (const auto& uri : web[server]) answer.references.push_back({uri});
      talk.answer(std::move(answer));
    }
    BOOST_TEST_REQUIRE(talk.last().entries.size() == reachable.size());
    BOOST_TEST_REQUIRE(searches == static_cast<int>(reachable.size()));
    BOOST_TEST_REQUIRE(talk.last().referrals_met == 0U);
  }
}
