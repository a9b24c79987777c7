// Scenarios 6, 32, 33: results that do not fit, results that break off, referrals, and controls both ways.
#include "scenarios/scenario.hpp"
#include "support/fault_gate.hpp"
#include "understudy/messages/paged_results.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr int many = 50000;
constexpr std::size_t entry_size = 1000;

std::string uid(std::size_t number) { return "user" + std::to_string(number); }

/// So many entries of about 1 KiB, in order.
std::vector<entry> people(int n) {
  std::vector<entry> all;
  all.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i)
    all.push_back(
        {user_dn(i), {{"uid", {uid(static_cast<std::size_t>(i))}}, {"description", {std::string(entry_size, 'x')}}}});
  return all;
}

request_predicate is_search_for(const std::string& filter) {
  return [filter](const directory_request& r) { return r.kind == operation::search && r.filter == filter; };
}

search_request everybody() { return search_for("(uid=*)", people_dn); }

std::string text(const failure_ptr& why) { return why ? describe(*why) : "no error"; }

/// Memory of this process now, in bytes.
std::size_t resident() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::size_t kib = 0;
  while (status >> word && word != "VmRSS:") continue;
  status >> kib;
  return kib * 1024;
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_32_a_plain_result_that_is_too_large_fails_and_says_what_to_use) {
  leak_guard leaks;
  stub_directory a;
  a.when(is_search_for("(uid=*)"), [&](const directory_request&) {
    reply all;
    all.what.entries = people(3000);
    return all;
  });
  auto small = quick_settings({server_at(a.port())});
  small.limits.max_result_bytes = 1024 * 1024;
  connection_manager manager(small);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto whole = manager.try_search(everybody());
  BOOST_TEST(whole.code() == errc::result_too_large, why(whole));
  for (const auto* hint : {"1048576", "stream()", "paged()"})
    BOOST_TEST(whole.error()->message.find(hint) != std::string::npos, whole.error()->message);
  BOOST_TEST(eventually([&] { return a.count(operation::abandon) == 1u; }));
  std::size_t n = 0;
  for (auto& one : manager.stream(everybody())) BOOST_TEST_REQUIRE(one.first("uid") == uid(n++));
  BOOST_TEST(n == 3000u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_32_a_slow_reader_makes_the_server_wait_and_memory_stays_small) {
  leak_guard leaks;
  slapd_options with;
  with.users = many;
  with.long_value = entry_size;
  slapd a(with);
  fault_gate between(a.port());
  auto all = quick_settings({server_at(between.port())});
  // The whole of it is read at the end by who checks the recovery.
  all.limits.max_result_bytes = std::size_t{256} << 20;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  stream_options options;
  options.timeout = 10min;
  options.window = 100;
  const auto before = resident();
  auto found = manager.stream(everybody(), options);
  std::size_t n = 0;
  const auto read = [&](std::size_t until) {
    while (n < until) BOOST_TEST_REQUIRE(found.next().value().first("uid") == uid(n++));
  };
  read(1000);
  // The reader stops: so does the server, as soon as the buffers between them are full. All of it would be 50 MB.
  // (Probes go the same way: a little is always under way.)
  std::uint64_t sent = 0;
  BOOST_TEST(eventually([&] {
    sent = between.bytes_to_client();
    return holds_for([&] { return between.bytes_to_client() - sent < 32 * 1024; }, 500ms);
  }));
  const std::uint64_t whole = static_cast<std::uint64_t>(many) * entry_size;
  BOOST_TEST(sent < whole / 2, sent << " bytes of " << whole << " were sent to a reader who reads nothing");
  // Nobody blames the server for that.
  BOOST_TEST(holds_for([&] { return server_in(manager.snapshot(), between.port()).breaker == breaker_state::closed; },
                       1500ms));
  BOOST_TEST(static_cast<bool>(manager.try_whoami()));
  std::size_t most = 0;
  while (n + 1000 <= many) {
    read(n + 1000);
    most = std::max(most, resident());
  }
  BOOST_TEST(!found.next().has_value());
  BOOST_TEST(n == static_cast<std::size_t>(many));
  BOOST_TEST(found.summary().code == result_code::success);
  const auto grown = most > before ? most - before : 0;
  // AddressSanitizer keeps what is freed for a while.
#ifndef __SANITIZE_ADDRESS__
  BOOST_TEST(grown < 16u * 1024 * 1024, "memory grew by " << grown << " bytes");
#endif
  BOOST_TEST_MESSAGE("memory grew by " << grown << " bytes");
  end_scenario(manager, {{between, a}});
}

BOOST_AUTO_TEST_CASE(scenario_32_pages_of_a_real_server_give_everything_once) {
  leak_guard leaks;
  slapd_options with;
  with.users = 5000;
  slapd a(with);
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  auto pages = manager.paged(everybody());
  std::size_t n = 0, count = 0;
  for (; auto page = pages.next_page(); ++count)
    for (const auto& one : *page) BOOST_TEST_REQUIRE(one.first("uid") == uid(n++));
  BOOST_TEST(n == 5000u);
  BOOST_TEST(count == 10u);
  // One that is given up in the middle leaves a connection that can page again.
  for (int i = 0; i < 3; ++i) BOOST_TEST(manager.paged(everybody(), {700}).next_page().value().size() == 700u);
  auto mine = manager.get_connection();
  for (int i = 0; i < 3; ++i) {
    auto again = mine.paged(everybody(), {700});
    BOOST_TEST(again.next_page().value().size() == 700u);
    BOOST_TEST(again.next_page().value().size() == 700u);
    BOOST_TEST(mine.whoami() == std::string{"dn:"} + admin_dn);
  }
  BOOST_TEST(mine.release());
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_06_a_stream_cut_off_in_the_middle_is_an_error_and_never_short) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto entries = people(500);
  const auto cut = [&](ending how) {
    return [&, how](const directory_request&) {
      reply part;
      part.what.entries = entries;
      part.how.entries = 200;
      part.how.then = how;
      return part;
    };
  };
  for (const auto how : {ending::reset, ending::close}) {
    a.when(is_search_for("(uid=*)"), cut(how), 1);
    stream_options options;
    options.window = 64;
    auto found = manager.stream(everybody(), options);
    std::size_t n = 0;
    while (auto one = found.try_next()) BOOST_TEST_REQUIRE(one->first("uid") == uid(n++));
    BOOST_TEST(n <= 200u);
    BOOST_TEST_REQUIRE((found.error() != nullptr), "a result of " << n << " entries instead of 500 without an error");
    BOOST_TEST(found.error()->code == errc::connection_unhealthy, text(found.error()));
    BOOST_CHECK_THROW(found.next(), connection_unhealthy);
    BOOST_CHECK_THROW(found.summary(), connection_unhealthy);
  }
  // It is never begun anew elsewhere: entries could come twice.
  for (const auto& r : b.requests(operation::search)) BOOST_TEST(r.filter != "(uid=*)");
  // Of pages nothing was read yet: the search begins elsewhere, and nothing comes twice.
  a.when(is_search_for("(uid=*)"), cut(ending::reset), 1);
  auto pages = manager.paged(everybody());
  const auto first = pages.try_next_page();
  BOOST_TEST_REQUIRE(first.has_value(), text(pages.error()));
  BOOST_TEST(!first->empty());
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_06_a_server_killed_in_the_middle_of_a_stream_is_an_error) {
  leak_guard leaks;
  slapd_options with;
  with.users = 20000;
  with.long_value = entry_size;
  slapd a(with);
  slapd b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  stream_options options;
  options.timeout = 1min;
  auto found = manager.stream(everybody(), options);
  std::size_t n = 0;
  while (n < 500) BOOST_TEST_REQUIRE(found.next().value().first("uid") == uid(n++));
  a.kill9();
  while (auto one = found.try_next()) BOOST_TEST_REQUIRE(one->first("uid") == uid(n++));
  BOOST_TEST(n < 20000u);
  BOOST_TEST_REQUIRE((found.error() != nullptr));
  BOOST_TEST(found.error()->code == errc::connection_unhealthy, text(found.error()));
  a.start();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_33_a_referral_is_returned_as_what_it_is) {
  leak_guard leaks;
  stub_directory a, elsewhere;
  const std::string uri = elsewhere.url() + "/dc=example,dc=com??sub";
  const std::vector<control> theirs{{"1.2.3.5", false, std::string("\xff\0", 2)}};
  reply referral;
  referral.what.code = result_code::referral;
  referral.what.referrals = {uri};
  referral.what.controls = theirs;
  a.when(is_search_for("(uid=*)"), [=](const directory_request&) { return referral; });
  a.on(operation::modify, referral);
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto check = [&](const failure_ptr& why) {
    BOOST_TEST_REQUIRE((why != nullptr));
    BOOST_TEST(why->code == errc::ldap_error, text(why));
    BOOST_TEST(why->ldap_code == result_code::referral);
    BOOST_TEST(why->referrals == std::vector<std::string>{uri});
    BOOST_TEST_REQUIRE(why->controls.size() == 1u);
    BOOST_TEST((why->controls[0].value == theirs[0].value));
  };
  check(manager.try_search(everybody()).error());
  check(manager.try_modify(replace_description(user_dn(1), "x")).error());
  auto found = manager.stream(everybody());
  BOOST_TEST(!found.try_next().has_value());
  check(found.error());
  auto pages = manager.paged(everybody());
  BOOST_TEST(!pages.try_next_page().has_value());
  check(pages.error());
  BOOST_TEST(elsewhere.connections() == 0u);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_33_references_of_a_real_server_come_through_and_are_not_chased) {
  leak_guard leaks;
  stub_directory elsewhere;
  slapd_options with;
  with.users = 20;
  with.extra_ldif = std::string("dn: ou=away,") + people_dn +
                    "\nobjectClass: referral\nobjectClass: extensibleObject\n" + "ou: away\nref: " + elsewhere.url() +
                    "/ou=away,dc=elsewhere\n\n";
  slapd a(with);
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto check = [&](const std::vector<std::vector<std::string>>& references) {
    BOOST_TEST_REQUIRE(references.size() == 1u);
    BOOST_TEST(references[0].at(0).find("dc=elsewhere") != std::string::npos, references[0].at(0));
  };
  const auto plain = manager.try_search(everybody());
  BOOST_TEST_REQUIRE(static_cast<bool>(plain), why(plain));
  check(plain->references);
  stream_options options;
  options.window = 3;
  auto found = manager.stream(everybody(), options);
  std::size_t n = 0;
  while (found.next()) ++n;
  BOOST_TEST(n == 20u);
  check(found.summary().references);
  BOOST_TEST(found.summary().reference_positions.at(0) == plain->reference_positions.at(0));
  std::vector<std::vector<std::string>> paged;
  auto pages = manager.paged(everybody(), {7});
  while (pages.next_page()) paged.insert(paged.end(), pages.last().references.begin(), pages.last().references.end());
  check(paged);
  BOOST_TEST(elsewhere.connections() == 0u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_33_controls_pass_both_ways) {
  leak_guard leaks;
  slapd a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  call_options unknown;
  unknown.controls = {{"1.2.3.4.5.6.7", true, std::string("\0x", 2)}};
  BOOST_TEST(manager.try_search(everybody(), unknown).error()->ldap_code ==
             result_code::unavailable_critical_extension);
  stream_options stream_it;
  stream_it.controls = unknown.controls;
  auto refused = manager.stream(everybody(), stream_it);
  BOOST_TEST(!refused.try_next().has_value());
  BOOST_TEST(refused.error()->ldap_code == result_code::unavailable_critical_extension, text(refused.error()));
  unknown.controls[0].critical = false;
  BOOST_TEST(static_cast<bool>(manager.try_search(everybody(), unknown)));
  // A control of ours that the server answers with one of its own.
  call_options paged;
  paged.controls = {paged_results_control({4, ""}, true)};
  const auto some = manager.try_search(everybody(), paged);
  BOOST_TEST_REQUIRE(static_cast<bool>(some), why(some));
  BOOST_TEST(some->entries.size() == 4u);
  const auto* back = find_control(some->controls, paged_results_oid);
  BOOST_TEST_REQUIRE(back != nullptr);
  BOOST_TEST(!decode_paged_results(back->value.value_or("")).value().cookie.empty());
  end_scenario(manager, {a});
}
