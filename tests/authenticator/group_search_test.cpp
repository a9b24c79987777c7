// The ways to a user's groups, and where they end.
#include "understudy/actors/authenticator/group_search.hpp"

#include "authenticator/played_dialogue.hpp"

#include <map>
#include <random>

using namespace understudy;
using namespace understudy::internal;
using understudy::test::jane;
using understudy::test::played_dialogue;
using understudy::test::settings_with;

namespace {

constexpr const char* members_of_jane =
    "(|(member=uid=jane,ou=people,dc=example,dc=com)(uniqueMember=uid=jane,ou=people,dc=example,dc=com))";

authenticator_settings how_by(group_strategy by) {
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  how.group_base = "ou=groups,dc=example,dc=com";
  how.groups = by;
  return how;
}

std::string dn_of(const std::string& name) { return "cn=" + name + ",ou=groups,dc=example,dc=com"; }

std::vector<std::string> names_of(const group_result& found) {
  std::vector<std::string> names;
  for (const auto& each : found.groups) names.push_back(each.name);
  return names;
}

using words = std::vector<std::string>;

/// Answers the searches of a walk from a table: which groups list a name.
void walk(played_dialogue<group_result>& talk, const std::map<std::string, words>& listed_by, int& searches) {
  while (!talk.over()) {
    const auto filter = talk.asked<search_request>().filter;
    words found;
    for (const auto& [dn, groups] : listed_by)
      if (filter.find("(member=" + dn + ")") != std::string::npos)
        for (const auto& group : groups) found.push_back(dn_of(group));
    ++searches;
    talk.find(std::move(found));
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_strategy_asks_what_it_says) {
  const std::pair<group_strategy, std::string> asked[] = {
      {group_strategy::member, members_of_jane},
      {group_strategy::member_uid, "(|(memberUid=jd)(memberUid=j\\2a))"},
      {group_strategy::in_chain, "(member:1.2.840.113556.1.4.1941:=" + std::string{jane} + ")"},
      {group_strategy::nested, "(|" + std::string{members_of_jane} + ")"},
      {group_strategy::automatic, "(|" + std::string{members_of_jane} + "(memberUid=jd)(memberUid=j\\2a))"}};
  for (const auto& [by, filter] : asked) {
    group_search search(settings_with(how_by(by)), "jane");
    played_dialogue talk(search);
    // Named otherwise than what was typed, which may be a mail address of anybody's choice.
    result found;
    found.entries.push_back({jane, {{"uid", {"jd", "j*"}}}});
    talk.answer(std::move(found));
    BOOST_TEST(talk.asked<search_request>().filter == filter);
    talk.find({dn_of("staff")});
    if (by == group_strategy::nested) talk.find({});
    BOOST_TEST(talk.last().outcome == login_outcome::ok);
    BOOST_TEST(talk.last().dn == jane);
    BOOST_TEST(names_of(talk.last()) == words{"staff"}, boost::test_tools::per_element());
    BOOST_TEST(talk.last().complete);
  }
}

BOOST_AUTO_TEST_CASE(a_user_without_a_uid_is_in_no_group_that_lists_names) {
  group_search search(settings_with(how_by(group_strategy::member_uid)), "jane");
  played_dialogue talk(search);
  talk.find({jane});
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(talk.last().groups.empty());
}

BOOST_AUTO_TEST_CASE(groups_that_the_entry_lists_need_no_search) {
  for (const auto by : {group_strategy::member_of, group_strategy::automatic}) {
    group_search search(settings_with(how_by(group_strategy::member)), "jane", by);
    played_dialogue talk(search);
    BOOST_TEST(talk.asked<search_request>().attributes[0] == "memberOf");
    result found;
    found.entries.push_back({jane, {{"MEMBEROF", {dn_of("a"), dn_of("b"), "CN=A, ou=groups,dc=example,dc=com"}}}});
    talk.answer(std::move(found));
    BOOST_TEST(names_of(talk.last()) == (words{"a", "b"}), boost::test_tools::per_element());
  }
  group_search none(settings_with(how_by(group_strategy::member_of)), "jane");
  played_dialogue talk(none);
  talk.find({jane});
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(talk.last().groups.empty());
}

BOOST_AUTO_TEST_CASE(groups_are_searched_below_group_base) {
  auto how = how_by(group_strategy::member);
  group_search there(settings_with(how), "jane");
  played_dialogue talk(there);
  talk.find({jane});
  BOOST_TEST(talk.asked<search_request>().base == how.group_base);
  how.group_base.clear();
  group_search elsewhere(settings_with(how), "jane");
  played_dialogue other(elsewhere);
  other.find({jane});
  BOOST_TEST(other.asked<search_request>().base == how.base);
  how.base.clear();
  how.dn_templates = {"uid={user},dc=a"};
  group_search nowhere(settings_with(how), "jane");
  played_dialogue last(nowhere);
  last.find({jane});
  BOOST_TEST(last.last().outcome == login_outcome::unavailable);
}

BOOST_AUTO_TEST_CASE(groups_of_groups_are_found_and_circles_end) {
  const std::map<std::string, words> listed_by{
      {jane, {"a", "b"}}, {dn_of("a"), {"c"}}, {dn_of("b"), {"c", "a"}}, {dn_of("c"), {"d", "a", "c"}}};
  group_search search(settings_with(how_by(group_strategy::nested)), "jane");
  played_dialogue talk(search);
  talk.find({jane});
  int searches = 0;
  walk(talk, listed_by, searches);
  BOOST_TEST(names_of(talk.last()) == (words{"a", "b", "c", "d"}), boost::test_tools::per_element());
  BOOST_TEST(talk.last().complete);
  BOOST_TEST(searches == 4);  // jane; a and b; c; d
}

BOOST_AUTO_TEST_CASE(a_walk_ends_at_group_depth) {
  std::map<std::string, words> chain{{jane, {"g0"}}};
  for (int i = 0; i < 50; ++i) chain[dn_of("g" + std::to_string(i))] = {"g" + std::to_string(i + 1)};
  auto how = how_by(group_strategy::nested);
  how.group_depth = 3;
  group_search search(settings_with(how), "jane");
  played_dialogue talk(search);
  talk.find({jane});
  int searches = 0;
  walk(talk, chain, searches);
  BOOST_TEST(names_of(talk.last()) == (words{"g0", "g1", "g2", "g3"}), boost::test_tools::per_element());
  BOOST_TEST(!talk.last().complete);
  how.group_depth = 60;
  group_search deeper(settings_with(how), "jane");
  played_dialogue whole(deeper);
  whole.find({jane});
  walk(whole, chain, searches);
  BOOST_TEST(whole.last().groups.size() == 51U);
  BOOST_TEST(whole.last().complete);
}

BOOST_AUTO_TEST_CASE(more_than_max_groups_are_left_out_and_that_is_said) {
  auto how = how_by(group_strategy::member);
  how.max_groups = 2;
  group_search search(settings_with(how), "jane");
  played_dialogue talk(search);
  talk.find({jane});
  BOOST_TEST(talk.asked<search_request>().size_limit == 3);
  talk.find({dn_of("a"), dn_of("b"), dn_of("c")});
  BOOST_TEST(names_of(talk.last()) == (words{"a", "b"}), boost::test_tools::per_element());
  BOOST_TEST(!talk.last().complete);
}

BOOST_AUTO_TEST_CASE(a_limit_of_the_directorys_own_is_said_too) {
  group_search search(settings_with(how_by(group_strategy::member)), "jane");
  played_dialogue talk(search);
  talk.find({jane});
  failure limited;
  limited.code = errc::ldap_error;
  limited.ldap_code = result_code::size_limit_exceeded;
  auto some = std::make_shared<result>();
  some->entries.push_back({dn_of("a"), {}});
  limited.partial = some;
  talk.fail(limited);
  BOOST_TEST(talk.last().outcome == login_outcome::ok);
  BOOST_TEST(names_of(talk.last()) == words{"a"}, boost::test_tools::per_element());
  BOOST_TEST(!talk.last().complete);
}

BOOST_AUTO_TEST_CASE(a_failure_on_the_way_leaves_no_part_that_looks_like_all) {
  group_search search(settings_with(how_by(group_strategy::nested)), "jane");
  played_dialogue talk(search);
  talk.find({jane});
  talk.find({dn_of("a")});
  talk.fail(errc::operation_timeout);
  BOOST_TEST(talk.last().outcome == login_outcome::unavailable);
  BOOST_TEST(talk.last().groups.empty());
  BOOST_TEST(talk.last().retryable);
  group_search nobody(settings_with(how_by(group_strategy::nested)), "jane");
  played_dialogue other(nobody);
  other.find({});
  BOOST_TEST(other.last().outcome == login_outcome::no_such_user);
}

BOOST_AUTO_TEST_CASE(walks_through_any_graph_find_what_can_be_reached_in_few_searches) {
  std::mt19937 random{7};
  for (int round = 0; round < 100; ++round) {
    const int groups = 1 + static_cast<int>(random() % 60);
    std::map<std::string, words> listed_by;
    const auto some = [&] {
      words names;
      for (int i = static_cast<int>(random() % 4); i > 0; --i) names.push_back("g" + std::to_string(random() % groups));
      return names;
    };
    listed_by[jane] = some();
    for (int i = 0; i < groups; ++i) listed_by[dn_of("g" + std::to_string(i))] = some();
    std::set<std::string> reached;
    auto open = listed_by[jane];
    while (!open.empty()) {
      const auto name = open.back();
      open.pop_back();
      if (!reached.insert(name).second) continue;
      for (const auto& next : listed_by[dn_of(name)]) open.push_back(next);
    }
    auto how = how_by(group_strategy::nested);
    how.group_depth = 100;
    group_search search(settings_with(how), "jane");
    played_dialogue talk(search);
    talk.find({jane});
    int searches = 0;
    walk(talk, listed_by, searches);
    const auto names = names_of(talk.last());
    BOOST_TEST_REQUIRE((std::set<std::string>{names.begin(), names.end()} == reached));
    BOOST_TEST_REQUIRE(names.size() == reached.size());
    BOOST_TEST_REQUIRE(searches <= static_cast<int>(reached.size()) + 1);
  }
}

namespace {

/// "memberOf;range=begin-end" with groups of those numbers.
result part_of_list(const std::string& server, int begin, int end, bool last) {
  attribute listed;
  listed.name = "memberOf;range=" + std::to_string(begin) + "-" + (last ? "*" : std::to_string(end));
  for (int i = begin; i <= end; ++i) listed.values.push_back(dn_of("g" + std::to_string(i)));
  result found;
  found.server = server;
  found.entries.push_back({jane, {{"memberOf", {}}, std::move(listed)}});
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_list_that_comes_in_ranges_is_read_to_its_end) {
  group_search search(settings_with(how_by(group_strategy::member_of)), "jane");
  played_dialogue talk(search);
  talk.answer(part_of_list("a:389", 0, 1, false));
  BOOST_TEST(talk.asked<search_request>().base == jane);
  BOOST_TEST((talk.asked<search_request>().scope == search_scope::base));
  BOOST_TEST(talk.asked<search_request>().attributes == words{"memberOf;range=2-*"}, boost::test_tools::per_element());
  BOOST_TEST(talk.sent().wish.server == "a:389");
  talk.answer(part_of_list("a:389", 2, 3, false));
  talk.answer(part_of_list("a:389", 4, 4, true));
  BOOST_TEST(names_of(talk.last()) == (words{"g0", "g1", "g2", "g3", "g4"}), boost::test_tools::per_element());
  BOOST_TEST(talk.last().complete);

  // Another server counts on its own; one that contradicts itself is believed in nothing.
  group_search moved(settings_with(how_by(group_strategy::member_of)), "jane");
  played_dialogue other(moved);
  other.answer(part_of_list("a:389", 0, 1, false));
  other.answer(part_of_list("b:389", 2, 3, true));
  BOOST_TEST(other.asked<search_request>().attributes == words{"memberOf"}, boost::test_tools::per_element());
  BOOST_TEST(other.sent().wish.server == "b:389");
  other.answer(part_of_list("b:389", 0, 2, true));
  BOOST_TEST(other.last().groups.size() == 3U);
  group_search confused(settings_with(how_by(group_strategy::member_of)), "jane");
  played_dialogue wrong(confused);
  wrong.answer(part_of_list("a:389", 0, 1, false));
  wrong.answer(part_of_list("a:389", 1, 2, true));
  BOOST_TEST(wrong.last().outcome == login_outcome::unavailable);
  BOOST_TEST(wrong.last().groups.empty());

  auto how = how_by(group_strategy::automatic);
  how.max_groups = 3;
  group_search bounded(settings_with(how), "jane");
  played_dialogue last(bounded);
  last.answer(part_of_list("a:389", 0, 1, false));
  last.answer(part_of_list("a:389", 2, 3, false));
  BOOST_TEST(last.last().groups.size() == 3U);
  BOOST_TEST(!last.last().complete);
}

BOOST_AUTO_TEST_CASE(no_groups_of_a_directory_that_does_not_know_the_rule_are_no_answer) {
  const auto begin = [](group_search& search) {
    played_dialogue<group_result> talk(search);
    talk.find({jane});
    result none;
    none.server = "a:389";
    talk.answer(std::move(none));
    BOOST_TEST(talk.asked<search_request>().base == "");
    BOOST_TEST((talk.asked<search_request>().scope == search_scope::base));
    BOOST_TEST(talk.sent().wish.server == "a:389");
    return talk;
  };
  const auto root = [](attribute said) {
    result found;
    found.entries.push_back({"", {std::move(said)}});
    return found;
  };
  const auto how = settings_with(how_by(group_strategy::in_chain));
  group_search at_windows(how, "jane");
  auto windows = begin(at_windows);
  windows.answer(root({"supportedCapabilities", {"1.2.840.113556.1.4.800"}}));
  BOOST_TEST(windows.last().outcome == login_outcome::ok);
  BOOST_TEST(windows.last().groups.empty());

  for (const bool knows : {false, true}) {
    group_search at_other(how, "jane");
    auto other = begin(at_other);
    other.answer(root({"subschemaSubentry", {"cn=Subschema"}}));
    BOOST_TEST(other.asked<search_request>().base == "cn=Subschema");
    BOOST_TEST(other.asked<search_request>().filter == "(objectClass=subschema)");
    const std::string rule =
        knows ? "( 1.2.840.113556.1.4.1941 NAME 'x' )" : "( 2.5.13.1 DESC '1.2.840.113556.1.4.1941' )";
    other.answer(root({"matchingRules", {"( 2.5.13.0 NAME 'y' )", rule}}));
    BOOST_TEST(other.last().outcome == (knows ? login_outcome::ok : login_outcome::unavailable));
    BOOST_TEST(!other.last().retryable);
    BOOST_TEST((other.last().detail.find("1.2.840.113556.1.4.1941") != std::string::npos) == !knows,
               other.last().detail);
  }
  // 389 Directory Server refuses the search itself ("Bad search filter"), others call the matching inappropriate.
  for (const int code : {result_code::unavailable_critical_extension, 18}) {
    group_search refused(how, "jane");
    played_dialogue talk(refused);
    talk.find({jane});
    talk.refuse(code, "Bad search filter", {}, errc::ldap_error);
    BOOST_TEST(talk.last().outcome == login_outcome::unavailable);
    BOOST_TEST(!talk.last().retryable);
    BOOST_TEST(talk.last().detail.find("set authenticator.groups to nested") != std::string::npos, talk.last().detail);
  }
  group_search silent(how, "jane");
  auto mute = begin(silent);
  mute.fail(errc::operation_timeout);
  BOOST_TEST(mute.last().outcome == login_outcome::unavailable);
  BOOST_TEST(mute.last().retryable);
}
