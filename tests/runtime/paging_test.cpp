// Paged searches through the facade, and controls that go with a call and come back with its answer.
#include "runtime/stream_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using test::eventually;
using test::info_of;
using test::nothing_is_leased;
using test::people;
using test::text;
using test::users;

BOOST_AUTO_TEST_CASE(pages_give_every_entry_once) {
  test::slapd_options with;
  with.users = 1000;
  test::slapd server(with);
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  paged_options options;
  options.page_size = 300;
  auto pages = manager.paged(users(), options);
  std::vector<std::size_t> sizes;
  std::size_t n = 0;
  while (auto page = pages.next_page()) {
    sizes.push_back(page->size());
    for (auto& one : *page) BOOST_TEST_REQUIRE(one.first("uid") == "user" + std::to_string(n++));
    BOOST_TEST((find_control(pages.last().controls, paged_results_oid) != nullptr));
    BOOST_TEST(pages.last().entries.empty());
  }
  BOOST_TEST(n == 1000u);
  BOOST_TEST((sizes == std::vector<std::size_t>{300, 300, 300, 100}));
  BOOST_TEST(pages.ended());
  BOOST_TEST((pages.error() == nullptr));
  BOOST_TEST(!pages.next_page().has_value());
  BOOST_TEST(nothing_is_leased(manager));
}

BOOST_AUTO_TEST_CASE(pages_that_are_not_read_to_the_end_are_given_up_at_the_server) {
  test::stub_directory server;
  server.on(test::operation::search, [&](const test::directory_request& request) {
    auto usual = server.usual(request);
    const auto* asked = find_control(request.controls, paged_results_oid);
    if (asked == nullptr) return usual;
    const auto wanted = decode_paged_results(asked->value.value_or("")).value();
    usual.what.entries = people(wanted.size);
    const std::string cookie = wanted.size == 0 ? "" : wanted.cookie + std::string("\0c", 2);
    usual.what.controls = {paged_results_control({77, cookie}, false)};
    return usual;
  });
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  const auto pages_asked = [&] {
    std::vector<paged_results> all;
    for (const auto& r : server.requests(test::operation::search)) {
      const auto* c = find_control(r.controls, paged_results_oid);
      if (c != nullptr) all.push_back(decode_paged_results(c->value.value_or("")).value());
    }
    return all;
  };
  {
    auto unread = manager.paged(users(), {5});
    BOOST_TEST(unread.next_page().value().size() == 5u);
    BOOST_TEST(unread.next_page().value().size() == 5u);
    BOOST_TEST(unread.estimate() == 77);
  }
  BOOST_TEST(eventually([&] { return pages_asked().size() == 3u; }));
  BOOST_TEST(pages_asked()[0].size == 5);
  BOOST_TEST(pages_asked()[0].cookie == "");
  BOOST_TEST((pages_asked()[1].cookie == std::string("\0c", 2)));
  BOOST_TEST(pages_asked()[2].size == 0);
  BOOST_TEST((pages_asked()[2].cookie == std::string("\0c\0c", 4)));
  BOOST_TEST(nothing_is_leased(manager));
  auto cancelled = manager.paged(users(), {5});
  BOOST_TEST(cancelled.next_page().has_value());
  cancelled.cancel();
  BOOST_TEST(!cancelled.try_next_page().has_value());
  BOOST_TEST(cancelled.error()->code == errc::cancelled);
  BOOST_TEST(eventually([&] { return pages_asked().size() == 5u; }));
  // Not one page asked for: nothing to give up.
  { auto never = manager.paged(users(), {5}); }
  BOOST_TEST(nothing_is_leased(manager));
  BOOST_TEST(pages_asked().size() == 5u);
}

BOOST_AUTO_TEST_CASE(a_server_without_paging_says_all_at_once_or_refuses) {
  test::stub_directory server;
  server.set_entries(people(20));
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  paged_options tolerant;
  tolerant.page_size = 5;
  tolerant.critical = false;
  auto ignored = manager.paged(users(), tolerant);
  BOOST_TEST(ignored.next_page().value().size() == 20u);
  BOOST_TEST(!ignored.next_page().has_value());
  server.on(test::operation::search, test::reply{{.code = result_code::unavailable_critical_extension}});
  auto refused = manager.paged(users());
  BOOST_TEST(!refused.try_next_page().has_value());
  BOOST_TEST(refused.error()->ldap_code == result_code::unavailable_critical_extension);
  BOOST_TEST(refused.error()->message.find("stream()") != std::string::npos, refused.error()->message);
  BOOST_CHECK_THROW(refused.next_page(), ldap_error);
  server.on(test::operation::search, [&](const test::directory_request& request) {
    auto usual = server.usual(request);
    usual.what.controls = {{std::string{paged_results_oid}, false, std::string{"\x30\x7fgarbage"}}};
    return usual;
  });
  auto garbage = manager.paged(users());
  BOOST_TEST(!garbage.try_next_page().has_value());
  BOOST_TEST(garbage.error()->code == errc::connection_failed, text(garbage.error()));
  auto wrong = manager.paged(users(), {0});
  BOOST_TEST(!wrong.try_next_page().has_value());
  BOOST_TEST(wrong.error()->code == errc::invalid_request);
  BOOST_TEST(nothing_is_leased(manager));
}

BOOST_AUTO_TEST_CASE(a_size_limit_met_while_paging_is_an_error_with_that_pages_entries) {
  test::slapd_options with;
  with.users = 300;
  test::slapd server(with);
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  auto limited = users();
  limited.size_limit = 120;
  auto pages = manager.paged(limited, {50});
  std::size_t n = 0;
  while (auto page = pages.try_next_page()) n += page->size();
  BOOST_TEST_REQUIRE((pages.error() != nullptr));
  BOOST_TEST(pages.error()->ldap_code == result_code::size_limit_exceeded, text(pages.error()));
  if (pages.error()->partial) n += pages.error()->partial->entries.size();
  BOOST_TEST(n == 120u);
  BOOST_TEST(nothing_is_leased(manager));
}

BOOST_AUTO_TEST_CASE(controls_of_a_call_are_sent_with_it_and_answers_bring_theirs) {
  test::stub_directory server;
  const control ours{"1.2.3.4", true, std::string("v\0w", 3)};
  const control theirs{"1.2.3.5", false, std::string("\xff\0", 2)};
  server.on(test::operation::modify, test::reply{{.code = 0, .controls = {theirs}}}, 1);
  server.on(test::operation::remove, test::reply{{.code = 122, .controls = {theirs}}}, 1);
  connection_manager manager(info_of(server));
  BOOST_REQUIRE(manager.connect().connected);
  call_options with;
  with.controls = {ours};
  const auto changed = manager.try_modify({test::user_dn(1), {{modification::kind::replace, {"sn", {"x"}}}}}, with);
  BOOST_TEST_REQUIRE(static_cast<bool>(changed));
  BOOST_TEST_REQUIRE(changed->controls.size() == 1u);
  BOOST_TEST((changed->controls[0].value == theirs.value));
  const auto refused = manager.try_remove({test::user_dn(1)}, with);
  BOOST_TEST(refused.error()->ldap_code == result_code::assertion_failed);
  BOOST_TEST(refused.error()->controls.size() == 1u);
  const control own{"1.2.3.6", false, {}};
  manager.perform(make_request(users(), {own}), with);
  stream_options streaming;
  streaming.controls = {ours};
  while (auto one = manager.stream(users(), streaming).next()) break;
  paged_options paging;
  paging.controls = {ours};
  paging.critical = false;
  manager.paged(users(), paging).next_page();
  for (const auto kind : {test::operation::modify, test::operation::remove}) {
    const auto sent = server.requests(kind).at(0).controls;
    BOOST_TEST_REQUIRE(sent.size() == 1u);
    BOOST_TEST(sent[0].oid == ours.oid);
    BOOST_TEST(sent[0].critical);
    BOOST_TEST((sent[0].value == ours.value));
  }
  std::vector<std::size_t> counts;
  for (const auto& r : server.requests(test::operation::search)) {
    if (find_control(r.controls, ours.oid) != nullptr) counts.push_back(r.controls.size());
  }
  BOOST_TEST((counts == std::vector<std::size_t>{2, 1, 2}));
}
