// Scenarios 29, 34: late answers, and special characters both ways.
#include "scenarios/scenario.hpp"
#include "understudy/messages/dn.hpp"
#include "understudy/messages/filter.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(scenario_29_a_late_answer_of_an_abandoned_operation_is_ignored) {
  leak_guard leaks;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  probe_nobody(all);
  all.servers[0].max_pool_size = all.servers[0].pool_size;  // it grows for nobody
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.now.idle == 2u; }));
  a.disturb(operation::search, {.after_abandon = true}, 1);
  const auto slow = manager.try_search(search_for("(uid=slow)"), {1s});
  BOOST_TEST(slow.code() == errc::operation_timeout, why(slow));
  BOOST_TEST(eventually([&] { return a.count(operation::abandon) == 1u; }));
  const auto connections = a.connections();
  for (int i = 0; i < 50; ++i) {
    const auto filter = "(uid=user" + std::to_string(i) + ")";
    const auto answer = manager.try_search(search_for(filter));
    BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
    BOOST_TEST(answer->entries.at(0).dn == "uid=user" + std::to_string(i) + "," + people_dn);
  }
  BOOST_TEST(a.connections() == connections);
  BOOST_TEST(manager.snapshot().protocol_errors == 0u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_29_late_answers_under_load_reach_nobody) {
  leak_guard leaks;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  probe_nobody(all);
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.when([](const directory_request& r) { return r.filter == "(uid=slow)"; },
         [&a](const directory_request& r) {
           return reply{a.usual(r).what, {.after_abandon = true}};
         },
         stub_directory::forever);
  {
    background_load reads(manager, 16);
    std::vector<std::future<outcome>> slow;
    for (int i = 0; i < 50; ++i) slow.push_back(manager.async_search(search_for("(uid=slow)"), {200ms}));
    for (auto& each : slow) BOOST_TEST(each.get().code() == errc::operation_timeout);
    // Only what was sent is abandoned; and each answer that comes then is thrown away.
    const auto sent = [&a] {
      std::uint64_t count = 0;
      for (const auto& request : a.requests(operation::search)) count += request.filter == "(uid=slow)" ? 1 : 0;
      return count;
    };
    BOOST_TEST(eventually([&] { return a.count(operation::abandon) == sent(); }),
               a.count(operation::abandon) << " of " << sent() << " were abandoned");
    const auto so_far = reads.succeeded();
    BOOST_TEST(eventually([&] { return reads.succeeded() > so_far + 200; }));
    BOOST_TEST(reads.finish());
    BOOST_TEST(reads.failures().empty(), reads.example());
  }
  BOOST_TEST(server_in(manager.snapshot(), a.port()).pool.closed == 0u);
  BOOST_TEST(manager.snapshot().protocol_errors == 0u);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_29_a_slow_modify_reaches_the_server_once) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb(operation::modify, {.delay = 2s});
  b.disturb(operation::modify, {.delay = 2s});
  const auto slow = manager.try_modify(replace_description(user_dn(1), "slow"), {1s});
  BOOST_TEST(slow.code() == errc::outcome_unknown, why(slow));
  BOOST_TEST(holds_for([&] { return a.count(operation::modify) + b.count(operation::modify) == 1u; }, 2s));
  const auto patient = manager.try_modify(replace_description(user_dn(2), "slow"), {30s});
  BOOST_TEST(static_cast<bool>(patient), why(patient));
  BOOST_TEST(a.count(operation::modify) + b.count(operation::modify) == 2u);
  a.forget_rules();
  b.forget_rules();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_34_special_characters_and_large_values_round_trip) {
  leak_guard leaks;
  slapd a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const std::vector<std::string> names{"plain",        " lead and trail ", "#hash", "a,b+c\"d\\e<f>g;h=i",
                                       "star*(paren)", "Zoë Łukasz",       "山田",  "x,ou=people,dc=example,dc=com"};
  const std::string large(1024 * 1024, 'v');
  for (const auto& name : names) {
    const auto where = dn::child(dn::rdn("cn", name), directory_suffix);
    manager.add({where, {{"objectClass", {"device"}}, {"cn", {name}}, {"description", {name + " *()\\"}}}});
    const auto found = manager.search(directory_suffix, filter::equal("cn", name));
    BOOST_TEST_REQUIRE(found.size() == 1u, name);
    BOOST_TEST(found[0].first("cn") == name);
    BOOST_TEST(manager.search(directory_suffix, filter::equal("description", name + " *()\\")).size() == 1u);
    BOOST_TEST(manager.compare({where, "description", name + " *()\\"}));
    manager.modify(replace_description(where, large));
    BOOST_TEST(manager.search(where, "(objectClass=*)").at(0).first("description") == large);
    manager.remove({where});
  }
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_34_binary_values_and_nul_bytes_round_trip) {
  leak_guard leaks;
  slapd_options with;
  with.binary_values = true;
  slapd a(with);
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto found = manager.search(people_dn, "(uid=user1)");
  BOOST_TEST_REQUIRE(found.size() == 1u);
  BOOST_TEST((found[0].first("jpegPhoto") == all_bytes()));
  modify_request change;
  change.dn = user_dn(1);
  change.changes.push_back({modification::kind::replace, {"jpegPhoto", {std::string("\0\xff\0", 3)}}});
  manager.modify(change);
  BOOST_TEST((manager.search(people_dn, "(uid=user1)")[0].first("jpegPhoto") == std::string_view("\0\xff\0", 3)));
  BOOST_TEST(manager.search(people_dn, filter::equal("uid", std::string_view("user1\0x", 7))).empty());
  const auto nul = manager.try_search(search_for("(uid=user1)", std::string("ou=people\0,dc=x", 15)));
  BOOST_TEST(nul.code() == errc::invalid_request, why(nul));
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_34_injection_finds_nothing_and_malformed_filters_are_refused_before_they_are_sent) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const std::string typed = "*)(uid=*))(|(uid=*";
  manager.search(directory_suffix, filter::equal("uid", typed));
  bool seen = false;
  for (const auto& request : a.requests(operation::search))
    seen = seen || request.filter == filter::equal("uid", typed);
  BOOST_TEST(seen);
  const auto searches = a.count(operation::search);
  for (const auto* bad : {"(uid=x", "uid=x)", "((uid=x)", "(&(uid=x)", "(uid)", "", "(=x)", "(uid=\\zz)"}) {
    const auto answer = manager.try_search(search_for(bad));
    BOOST_TEST(answer.code() == errc::invalid_request, bad);
    BOOST_TEST(answer.error()->message.find("filter") != std::string::npos, answer.error()->message);
  }
  BOOST_TEST(a.count(operation::search) <= searches + 3, "malformed filters were sent");
  end_scenario(manager, {a});
}
