// Entries by DN or filter, and values that come in ranges.
#include "understudy/actors/authenticator/entry_fetch.hpp"

#include "authenticator/played_dialogue.hpp"

using namespace understudy;
using namespace understudy::internal;
using understudy::test::jane;
using understudy::test::played_dialogue;
using understudy::test::settings_with;

namespace {

authenticator_settings fetching() {
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  return how;
}

result members(const std::string& range, std::vector<std::string> values, const std::string& server = "a:389") {
  result found;
  found.server = server;
  found.entries.push_back(
      {"cn=g", {{"cn", {"g"}}, {"member", {}}, {"member;range=" + range, std::move(values)}, {"description", {"d"}}}});
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_dn_is_read_and_a_filter_is_searched_for) {
  entry_fetch by_dn(settings_with(fetching()), "<GUID=00112233-4455-6677-8899-aabbccddeeff>", {"mail"});
  played_dialogue talk(by_dn);
  BOOST_TEST(talk.asked<search_request>().base == "<GUID=00112233-4455-6677-8899-aabbccddeeff>");
  BOOST_TEST((talk.asked<search_request>().scope == search_scope::base));
  BOOST_TEST(talk.asked<search_request>().attributes == std::vector<std::string>{"mail"},
             boost::test_tools::per_element());
  talk.find({jane});
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(talk.last().entries.at(0).dn == jane);
  BOOST_TEST(talk.last().complete);

  entry_fetch by_filter(settings_with(fetching()), "(mail=*@example.com)", {});
  played_dialogue search(by_filter);
  BOOST_TEST(search.asked<search_request>().base == "dc=example,dc=com");
  BOOST_TEST((search.asked<search_request>().scope == search_scope::subtree));
  BOOST_TEST(search.asked<search_request>().filter == "(mail=*@example.com)");
  BOOST_TEST(search.asked<search_request>().size_limit == entry_fetch::most_entries);
  search.find({jane, "uid=joe"});
  BOOST_TEST(search.last().entries.size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_not_there_and_what_cannot_be_asked_are_told_apart) {
  const auto outcome_of = [](const std::string& text, auto answer) {
    entry_fetch fetch(settings_with(fetching()), text, {});
    played_dialogue talk(fetch);
    answer(talk);
    return talk.last();
  };
  BOOST_TEST(outcome_of("cn=x", [](auto& talk) { talk.refuse(32, {}, {}, errc::ldap_error); }).outcome ==
             login_outcome::no_such_user);
  BOOST_TEST(outcome_of("(cn=x)", [](auto& talk) { talk.find({}); }).outcome == login_outcome::no_such_user);
  BOOST_TEST(outcome_of("cn=x", [](auto& talk) { talk.fail(errc::no_server); }).retryable);
  const auto limited = outcome_of("(cn=*)", [](auto& talk) {
    failure why;
    why.code = errc::ldap_error;
    why.ldap_code = result_code::size_limit_exceeded;
    auto some = std::make_shared<result>();
    some->entries.push_back({jane, {}});
    why.partial = some;
    talk.fail(why);
  });
  BOOST_TEST(limited.outcome == login_outcome::ok);
  BOOST_TEST(limited.entries.size() == 1U);
  BOOST_TEST(!limited.complete);
  entry_fetch nothing(settings_with(fetching()), "", {});
  BOOST_TEST(played_dialogue(nothing).last().outcome == login_outcome::no_such_user);
  authenticator_settings nowhere;
  nowhere.dn_templates = {"uid={user},dc=a"};
  entry_fetch lost(settings_with(nowhere), "(cn=x)", {});
  BOOST_TEST(played_dialogue(lost).last().outcome == login_outcome::unavailable);
}

BOOST_AUTO_TEST_CASE(values_in_ranges_are_read_to_their_end) {
  entry_fetch fetch(settings_with(fetching()), "cn=g", {"member", "cn", "description"});
  played_dialogue talk(fetch);
  talk.answer(members("0-1", {"a", "b"}));
  BOOST_TEST(talk.asked<search_request>().base == "cn=g");
  BOOST_TEST(talk.asked<search_request>().attributes == std::vector<std::string>{"member;range=2-*"},
             boost::test_tools::per_element());
  BOOST_TEST(talk.sent().wish.server == "a:389");
  talk.answer(members("2-3", {"c", "d"}));
  // Another server counts on its own.
  talk.answer(members("4-*", {"e"}, "b:389"));
  BOOST_TEST(talk.asked<search_request>().attributes == std::vector<std::string>{"member"},
             boost::test_tools::per_element());
  talk.answer(members("0-3", {"a", "b", "c", "d"}, "b:389"));
  talk.answer(members("4-*", {"e"}, "b:389"));
  const auto& found = talk.last();
  BOOST_TEST(found.outcome == login_outcome::ok);
  BOOST_TEST(found.complete);
  const auto& all = found.entries.at(0).attributes;
  BOOST_TEST_REQUIRE(all.size() == 3U);
  BOOST_TEST(all[0].name == "cn");
  BOOST_TEST(all[1].name == "member");
  BOOST_TEST(all[1].values == (std::vector<std::string>{"a", "b", "c", "d", "e"}), boost::test_tools::per_element());
  BOOST_TEST(all[2].name == "description");
}

BOOST_AUTO_TEST_CASE(a_directory_that_sends_ranges_without_end_is_given_up) {
  entry_fetch fetch(settings_with(fetching()), "cn=g", {});
  played_dialogue talk(fetch);
  int rounds = 0;
  for (; !talk.over() && rounds < 2000; ++rounds)
    talk.answer(members(std::to_string(rounds) + "-" + std::to_string(rounds), {"m" + std::to_string(rounds)}));
  BOOST_TEST_REQUIRE(talk.over());
  BOOST_TEST(rounds == entry_fetch::most_rounds + 1);
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(!talk.last().complete);
  entry_fetch confused(settings_with(fetching()), "cn=g", {});
  played_dialogue wrong(confused);
  wrong.answer(members("0-1", {"a", "b"}));
  wrong.answer(members("1-*", {"b", "c"}));
  BOOST_TEST(wrong.last().outcome == login_outcome::unavailable);
  BOOST_TEST(wrong.last().entries.empty());
}

BOOST_AUTO_TEST_CASE(however_many_attributes_come_in_ranges_it_ends_within_its_bounds) {
  constexpr int many = 50'000;
  entry_fetch fetch(settings_with(fetching()), "cn=g", {});
  played_dialogue talk(fetch);
  result first;
  first.server = "a:389";
  first.entries.push_back({"cn=g", {}});
  for (int i = 0; i < many; ++i) {
    first.entries[0].attributes.push_back({"a" + std::to_string(i), {}});
    first.entries[0].attributes.push_back({"A" + std::to_string(i) + ";range=0-0", {"v"}});
  }
  talk.answer(std::move(first));
  int rounds = 0;
  for (; !talk.over(); ++rounds) {
    BOOST_TEST_REQUIRE(rounds <= entry_fetch::most_rounds);
    result rest;
    rest.server = "a:389";
    rest.entries.push_back({"cn=g", {{talk.asked<search_request>().attributes.at(0), {"w"}}}});
    talk.answer(std::move(rest));
  }
  BOOST_TEST(rounds == entry_fetch::most_rounds);
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(!talk.last().complete);
  const auto& all = talk.last().entries.at(0).attributes;
  BOOST_TEST_REQUIRE(all.size() == static_cast<std::size_t>(many));
  int wrong = 0;
  for (int i = 0; i < many; ++i) {
    const auto& each = all[static_cast<std::size_t>(i)];
    wrong += each.name != "A" + std::to_string(i);
    wrong += each.values.size() != (i < entry_fetch::most_rounds ? 2U : 1U);
  }
  BOOST_TEST(wrong == 0);
}
