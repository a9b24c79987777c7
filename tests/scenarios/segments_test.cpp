// Scenario 30: the same bytes mean the same, however they are cut into segments and TLS records.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>

#include "support/certificates.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// Ten searches at once on one connection; what was found.
std::vector<std::vector<entry>> ten_results(lease& held) {
  std::vector<std::future<outcome>> asked;
  for (int i = 0; i < 10; ++i)
    asked.push_back(held.async_search(search_for("(uid=user" + std::to_string(i) + ")"), {60s}));
  std::vector<std::vector<entry>> found;
  for (auto& each : asked) {
    const auto answer = each.get();
    BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
    found.push_back(answer->entries);
  }
  return found;
}

bool same(const std::vector<std::vector<entry>>& left, const std::vector<std::vector<entry>>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& l, const auto& r) {
    return std::equal(l.begin(), l.end(), r.begin(), r.end(), [](const entry& x, const entry& y) {
      return x.dn == y.dn && std::equal(x.attributes.begin(), x.attributes.end(), y.attributes.begin(),
                                        y.attributes.end(), [](const attribute& p, const attribute& q) {
                                          return p.name == q.name && p.values == q.values;
                                        });
    });
  });
}

void check_same_results(bool encrypted) {
  const certificate_set certificates;
  stub_options with;
  if (encrypted) with.tls = tls_files{certificates.server.certificate, certificates.server.key};
  with.ldaps = encrypted;
  stub_directory a(with);
  auto info = server_at(a.port());
  info.use_ssl = encrypted;
  if (encrypted) info.ca_cert_path = certificates.ca.certificate();
  auto all = quick_settings({info});
  // Slow is not wrong.
  all.breaker.suspect_after = 60s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.set_entries([](const directory_request& r) {
    std::vector<entry> many;
    for (int i = 0; i < 3; ++i)
      many.push_back({r.filter + std::to_string(i), {{"cn", {r.filter, std::string(60, 'x')}}, {"empty", {""}}}});
    return many;
  });
  {
    auto held = manager.get_connection();
    const auto expected = ten_results(held);
    BOOST_TEST(expected[3].at(2).dn == "(uid=user3)2");
    const std::vector<std::pair<const char*, std::vector<std::pair<delivery, int>>>> ways{
        {"one byte at a time", {{{.slice = 1}, 10}}},
        {"seven bytes at a time", {{{.slice = 7}, 10}}},
        {"all in one piece", {{{.hold = true}, 9}}},
        {"two pieces", {{{.hold = true}, 4}, {{}, 1}, {{.hold = true}, 4}}},
    };
    for (const auto& [name, rules] : ways) {
      BOOST_TEST_CONTEXT(name) {
        // The newest rule decides first.
        for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule)
          a.when([](const directory_request& r) { return r.filter.find("(uid=user") == 0; },
                 [&a, how = rule->first](const directory_request& r) {
                   return reply{a.usual(r).what, how};
                 },
                 rule->second);
        BOOST_TEST(same(ten_results(held), expected));
        a.forget_rules();
      }
    }
  }
  BOOST_TEST(manager.snapshot().protocol_errors == 0u);
  a.set_entries(stub_directory::generator{});
  end_scenario(manager, {a});
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_30_the_same_results_however_segments_are_cut) {
  leak_guard leaks;
  check_same_results(false);
}

BOOST_AUTO_TEST_CASE(scenario_30_the_same_results_however_tls_records_are_cut) {
  leak_guard leaks;
  check_same_results(true);
}
