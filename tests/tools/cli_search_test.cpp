// `understudy search` of what is more than a directory gives at once, and of entries with names of every kind.
#include "cli.hpp"
#include "support/stub_directory.hpp"
#include "understudy/messages/paged_results.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

std::vector<entry> numbered_entries(int first, int count) {
  std::vector<entry> all;
  for (int i = first; i < first + count; ++i) all.push_back({"cn=" + std::to_string(i), {}});
  return all;
}

std::string printed(int first, int count) {
  std::string text;
  for (int i = first; i < first + count; ++i) text += "dn: cn=" + std::to_string(i) + "\n\n";
  return text;
}

std::optional<paged_results> paging_of(const directory_request& request) {
  const auto* asked = find_control(request.controls, paged_results_oid);
  return asked == nullptr ? std::nullopt : decode_paged_results(asked->value.value_or(""));
}

/// As a directory that gives no more than `most` entries at once, and holds `all`.
void limit_answers(stub_directory& directory, int most, int all) {
  directory.when([](const directory_request& r) { return r.kind == operation::search && !r.dn.empty(); },
                 [=](const directory_request& request) {
                   reply answer;
                   const auto paging = paging_of(request);
                   if (!paging) {
                     answer.what.entries = numbered_entries(0, most);
                     answer.what.code = result_code::size_limit_exceeded;
                     return answer;
                   }
                   const int first = paging->cookie.empty() ? 0 : std::stoi(paging->cookie);
                   const int count = std::min({most, static_cast<int>(paging->size), all - first});
                   answer.what.entries = numbered_entries(first, count);
                   const auto next = first + count < all ? std::to_string(first + count) : std::string{};
                   answer.what.controls = {paged_results_control({0, next}, false)};
                   return answer;
                 });
}

struct stub_fixture : command_line {
  stub_directory directory;
  std::string file = write("[ldap]\nuri = \"" + directory.url() + "\"\n");
  std::vector<std::string> search(std::vector<std::string> more) const {
    std::vector<std::string> all{"search", "-c", file, "-b", "dc=x", "(cn=*)", "1.1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(what_a_directory_cuts_short_is_read_in_pages, stub_fixture) {
  limit_answers(directory, 10, 25);
  const auto whole = run(search({}));
  check_exit(whole, 0);
  BOOST_TEST(whole.output == printed(0, 25));
  BOOST_TEST(whole.error_output == "");
  const auto cut = run(search({"--page-size", "0"}));
  check_exit(cut, 1);
  BOOST_TEST(cut.output == printed(0, 10));
  BOOST_TEST(contains(cut.error_output, "sizeLimitExceeded (4)"), cut.error_output);
  BOOST_TEST(contains(cut.error_output, "10 entries are shown"), cut.error_output);
  // A limit of one's own is no reason to page.
  check_exit(run(search({"-z", "10"})), 1);
  const auto before = directory.count(operation::search);
  const auto small = run(search({"--page-size", "7"}));
  check_exit(small, 0);
  BOOST_TEST(small.output == printed(0, 25));
  BOOST_TEST(directory.count(operation::search) - before >= 4u);
}

BOOST_AUTO_TEST_CASE(a_real_directory_with_a_limit_is_read_in_pages) {
  slapd_options with;
  with.database_config = {"limits * size.soft=3 size.hard=3 size.prtotal=unlimited"};
  const slapd server(with);
  const command_line shell;
  const auto file = shell.write("[ldap]\nuri = \"" + server.url() + "\"\n");
  const auto whole = shell.run({"search", "-c", file, "--page-size", "2", "(uid=*)", "1.1"});
  check_exit(whole, 0);
  std::string all;
  for (int i = 0; i < 10; ++i) all += "dn: " + user_dn(i) + "\n\n";
  BOOST_TEST(whole.output == all);
  check_exit(shell.run({"search", "-c", file, "--page-size", "0", "(uid=*)", "1.1"}), 1);
}

BOOST_FIXTURE_TEST_CASE(a_directory_that_refuses_pages_is_asked_for_all_at_once, stub_fixture) {
  directory.set_entries(numbered_entries(0, 3));
  for (const int code : {result_code::unwilling_to_perform, result_code::unavailable_critical_extension}) {
    directory.forget_rules();
    directory.when([](const directory_request& r) { return paging_of(r).has_value(); },
                   [code](const directory_request&) {
                     return reply{{.code = code}, {}};
                   });
    const auto found = run(search({}));
    check_exit(found, 0);
    BOOST_TEST(found.output == printed(0, 3));
    BOOST_TEST(found.error_output == "");
  }
}

BOOST_FIXTURE_TEST_CASE(pages_are_printed_as_they_come, stub_fixture) {
  limit_answers(directory, 10, 25);
  directory.when([](const directory_request& r) { return paging_of(r) && paging_of(r)->cookie == "20"; },
                 [](const directory_request&) {
                   return reply{{}, {.silent = true}};
                 });
  const auto running = start(search({}));
  BOOST_TEST(eventually([&] { return running->output() == printed(0, 20); }), running->output());
  BOOST_TEST(running->running());
  running->send_signal(SIGINT);
  BOOST_TEST(running->wait().value_or(-1) == 3);
  BOOST_TEST(contains(running->error_output(), "interrupted"), running->error_output());
  const auto late = run(search({"--timeout", "1s"}));
  check_exit(late, 3);
  BOOST_TEST(late.output == printed(0, 20));
  BOOST_TEST(contains(late.error_output, "20 entries are shown"), late.error_output);
}

BOOST_FIXTURE_TEST_CASE(names_of_every_kind_are_printed_as_they_came_and_sent_as_they_were_given, stub_fixture) {
  const std::vector<std::string> names{"cn=what\\?,dc=x",         "CN=Doe\\2C Jane,dc=x", "cn=\"Doe, Jane\",dc=x",
                                       "OID.2.5.4.3=a+sn=b,dc=x", "no dn at all",         "cn=a ;dc=x"};
  std::vector<entry> entries;
  std::string expected;
  for (const auto& name : names) {
    entries.push_back({name, {}});
    expected += "dn: " + name + "\n\n";
  }
  entries.push_back({"<GUID=00>", {}});
  directory.set_entries(entries);
  const auto found = run(search({}));
  check_exit(found, 0);
  BOOST_TEST(found.output == expected + "dn:: PEdVSUQ9MDA+\n\n", "a value that begins with < is a URL in LDIF");
  for (const auto& name : names) {
    check_exit(run({"search", "-c", file, "-b", name, "(cn=*)"}), 0);
    const auto asked = directory.requests(operation::search);
    BOOST_TEST(std::any_of(asked.begin(), asked.end(), [&](const auto& r) { return r.dn == name; }), name);
  }
}

BOOST_FIXTURE_TEST_CASE(a_directory_without_a_naming_context_needs_a_base, stub_fixture) {
  directory.when([](const directory_request& r) { return r.kind == operation::search && r.dn.empty(); },
                 [](const directory_request&) {
                   return reply{{.entries = {{"", {}}}}, {}};
                 });
  const auto result = run({"search", "-c", file, "(cn=*)"});
  check_exit(result, 2);
  BOOST_TEST(contains(result.error_output, "give a base with -b"), result.error_output);
}
