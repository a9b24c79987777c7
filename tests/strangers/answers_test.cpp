// Strangers whose answers are odd: legal and unusual ones are understood, the others cost their connection and never
// give a short result.
#include "scenarios/scenario.hpp"
#include "support/ber.hpp"
#include "support/stall_watch.hpp"
#include "understudy/messages/paged_results.hpp"
#include "understudy/messages/password_policy.hpp"
#include "understudy/runtime/ranged_values.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint8_t entry_tag = 0x64, done_tag = 0x65;

bool is_odd(const directory_request& r) { return r.filter == "(uid=odd)"; }

search_request odd() { return search_for("(uid=odd)"); }

std::string message(std::int64_t id, std::uint8_t tag, std::string_view content, std::string_view rest = {}) {
  return ber(ber_tag::sequence, ber_number(ber_tag::integer, id) + ber(tag, content) + std::string{rest});
}

std::string entry_of(std::int64_t id, const std::string& dn, const std::string& attributes = {},
                     std::string_view rest = {}) {
  return message(id, entry_tag, ber(ber_tag::octets, dn) + ber(ber_tag::sequence, attributes), rest);
}

std::string done_of(std::int64_t id) {
  return message(id, done_tag,
                 ber_number(ber_tag::enumerated, 0) + ber(ber_tag::octets, "") + ber(ber_tag::octets, ""));
}

/// Odd searches are answered with these bytes.
void answer(stub_directory& server, std::function<std::string(const directory_request&)> bytes, delivery how = {}) {
  server.when(is_odd, [bytes = std::move(bytes), how](const directory_request& r) {
    auto with = how;
    with.raw = bytes(r);
    return reply{{}, with};
  });
}

/// Everything that the request asks of one long attribute, in ranges of `step`; `lie` changes what is said.
void serve_ranges(stub_directory& server, std::size_t count, std::size_t step,
                  std::function<std::string(std::string)> lie = {}) {
  server.set_entries([=](const directory_request& r) {
    if (r.names.empty()) return std::vector<entry>{};
    const auto& asked = r.names[0];
    const auto option = asked.find(";range=");
    const auto from = option == std::string::npos ? 0 : std::stoul(asked.substr(option + 7));
    const auto end = std::min(from + step, count);
    std::vector<std::string> values;
    for (auto i = from; i < end; ++i) values.push_back("cn=" + std::to_string(i));
    auto name = "member;range=" + std::to_string(from) + "-" + (end == count ? "*" : std::to_string(end - 1));
    if (lie) name = lie(name);
    return std::vector<entry>{{r.dn, {{"member", {}}, {name, values}}}};
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(stranger_that_writes_long_lengths_and_later_components_is_understood) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  answer(a, [](const directory_request& r) {
    const auto later = ber(0xa9, ber(ber_tag::octets, "later"));
    const auto id = ber_number(ber_tag::integer, r.id).substr(2);
    // X.690, 8.1.3.5: 02 81 01 05 is 5.
    const auto long_id = std::string{"\x02\x81"} + static_cast<char>(id.size()) + id;
    const auto content = ber(ber_tag::octets, "cn=odd") + ber(ber_tag::sequence, "") + later;
    return ber(ber_tag::sequence, long_id + ber(entry_tag, content) + later) + done_of(r.id);
  });
  const auto found = manager.try_search(odd(), {10s});
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST(found->entries.at(0).dn == "cn=odd");
  BOOST_TEST(manager.snapshot().protocol_errors == 0u);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_answers_with_message_id_0_loses_its_connection_at_once) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  answer(a, [](const directory_request&) { return entry_of(0, "cn=odd") + done_of(0); });
  const stopwatch watch;
  const auto found = manager.try_search(odd(), {10s});
  const auto took = watch.elapsed();
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST(manager.snapshot().protocol_errors >= 1u);
  BOOST_TEST((took < 900ms), "before any suspicion");
  a.forget_rules();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(stranger_that_answers_and_then_breaks_the_protocol_sees_few_connects) {
  using bytes_of = std::function<std::string(const directory_request&)>;
  const std::vector<bytes_of> breaches{
      [](const directory_request& r) { return entry_of(r.id, "cn=odd") + done_of(r.id) + done_of(r.id); },
      [](const directory_request& r) { return done_of(r.id) + entry_of(r.id, "cn=odd"); },
      [](const directory_request& r) { return done_of(r.id) + done_of(1'000'000 + r.id); }};
  for (const auto& breach : breaches) {
    leak_guard leaks;
    stub_directory a;
    connection_manager manager(quick_settings({server_at(a.port())}));
    BOOST_TEST_REQUIRE(manager.connect().connected);
    answer(a, breach);
    const auto before = a.connections();
    background_load reads(
        manager, 8, [](int) { return make_request(odd()); }, 5s);
    BOOST_TEST(eventually([&] { return manager.snapshot().protocol_errors >= 5u; }));
    holds_for([] { return true; }, 2s);
    const auto made = a.connections() - before;
    BOOST_TEST(made <= 60u, made << " connects");
    BOOST_TEST(reads.succeeded() > 0u, "what it answered before is valid");
    a.forget_rules();
    BOOST_TEST(reads.finish());
    end_scenario(manager, {a});
  }
}

BOOST_AUTO_TEST_CASE(stranger_that_goes_on_after_the_abandon_loses_its_connection) {
  leak_guard leaks;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  all.limits.max_result_bytes = 1024 * 1024;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  answer(a,
         [](const directory_request& r) {
           const auto one =
               entry_of(r.id, "cn=odd",
                        ber(ber_tag::sequence, ber(ber_tag::octets, "v") +
                                                   ber(ber_tag::set, ber(ber_tag::octets, std::string(100'000, 'x')))));
           std::string all_bytes;
           for (int i = 0; i < 400; ++i) all_bytes += one;
           return all_bytes;
         },
         {.after_abandon = true});
  BOOST_TEST(manager.try_search(odd(), {300ms}).code() == errc::operation_timeout);
  BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.closed >= 1u; }));
  a.forget_rules();
  BOOST_TEST(static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {10s})));
  // It is no protocol error: RFC 4511, 4.11, lets a server go on.
  BOOST_TEST(manager.snapshot().protocol_errors == 0u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_ends_paging_twice_never_gives_a_short_result) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.when(is_odd, [](const directory_request& r) {
    const auto* asked = find_control(r.controls, paged_results_oid);
    const auto cookie = decode_paged_results(asked->value.value_or(""))->cookie;
    const int page = cookie.empty() ? 0 : std::stoi(cookie);
    reply one;
    for (int i = 5 * page; i < std::min(5 * page + 5, 12); ++i) one.what.entries.push_back({user_dn(i), {}});
    one.what.controls = {paged_results_control({0, ""}, false),
                         paged_results_control({0, page < 2 ? std::to_string(page + 1) : ""}, false)};
    return one;
  });
  auto pages = manager.paged(odd(), {.page_size = 5});
  std::size_t entries = 0;
  while (auto page = pages.try_next_page()) entries += page->size();
  BOOST_TEST(!pages.error());
  BOOST_TEST(entries == 12u);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_with_millions_of_empty_values_is_cut_off_at_the_limit) {
  leak_guard leaks;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  all.limits.max_result_bytes = 4 * 1024 * 1024;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  // 2 MB on the wire, 32 and more in memory.
  answer(a, [](const directory_request& r) {
    std::string values;
    for (int i = 0; i < 1'000'000; ++i) values += std::string("\x04\0", 2);
    return entry_of(r.id, "cn=odd", ber(ber_tag::sequence, ber(ber_tag::octets, "v") + ber(ber_tag::set, values))) +
           done_of(r.id);
  });
  BOOST_TEST(manager.try_search(odd(), {10s}).code() == errc::result_too_large);
  auto stream = manager.stream(odd());
  BOOST_TEST(!stream.try_next());
  BOOST_TEST_REQUIRE((stream.error() != nullptr));
  BOOST_TEST(stream.error()->code == errc::result_too_large);
  BOOST_TEST(manager.snapshot().protocol_errors == 0u);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_with_controls_on_entries_and_references_has_them_delivered) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  answer(a, [](const directory_request& r) {
    const auto controls = ber(0xa0, ber(ber_tag::sequence, ber(ber_tag::octets, "1.2.3") + ber(ber_tag::octets, "v")));
    return entry_of(r.id, "cn=odd", {}, controls) + message(r.id, 0x73, ber(ber_tag::octets, "ldap://x/"), controls) +
           done_of(r.id);
  });
  const auto found = manager.try_search(odd(), {10s});
  BOOST_TEST_REQUIRE(static_cast<bool>(found), why(found));
  BOOST_TEST(found->entries.at(0).controls.at(0).value.value_or("") == "v");
  BOOST_TEST(found->reference_controls.at(0).at(0).oid == "1.2.3");
  auto stream = manager.stream(odd());
  BOOST_TEST(stream.next().value().controls.at(0).oid == "1.2.3");
  BOOST_TEST(!stream.next());
  BOOST_TEST(stream.summary().reference_controls.at(0).at(0).value.value_or("") == "v");
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_sends_commands_to_the_terminal_is_shown_escaped) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.when(is_odd, [](const directory_request&) {
    return reply{{.code = 53, .matched_dn = "cn=\xc2\x9b", .diagnostic = "\x1b[2J\nunderstudy: all is well"}, {}};
  });
  const auto refused = manager.try_search(odd(), {10s});
  BOOST_TEST_REQUIRE((refused.code() == errc::ldap_error));
  // As it came for programs, escaped for people.
  BOOST_TEST(refused.error()->diagnostic == "\x1b[2J\nunderstudy: all is well");
  const auto shown = describe(*refused.error());
  BOOST_TEST(shown.find_first_of("\x1b\n") == std::string::npos, shown);
  BOOST_TEST(shown.find("\xc2\x9b") == std::string::npos);
  a.forget_rules();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_says_megabytes_is_quoted_in_a_line) {
  leak_guard leaks;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  all.recovery.auto_recovery = false;
  connection_manager manager(all);
  std::mutex guard;
  std::size_t longest = 0, lines = 0;
  manager.set_log([&](log_level, const std::string& line) {
    std::lock_guard hold{guard};
    longest = std::max(longest, line.size());
    ++lines;
  });
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const std::string words(3'000'000, 'x');
  a.when(is_odd, [&](const directory_request&) {
    reply said{{.code = 53, .matched_dn = words, .diagnostic = words}, {}};
    said.what.referrals.assign(3, words);
    return said;
  });
  const auto refused = manager.try_search(odd(), {10s});
  BOOST_TEST_REQUIRE((refused.code() == errc::ldap_error));
  // All of it for programs, a line for people.
  BOOST_TEST(refused.error()->diagnostic.size() == words.size());
  BOOST_TEST(refused.error()->matched_dn.size() == words.size());
  BOOST_TEST(refused.error()->message.size() < 1'000u);
  BOOST_TEST(describe(*refused.error()).size() < 4'000u);
  BOOST_CHECK_EXCEPTION(refused.value(), ldap_error,
                        [](const ldap_error& e) { return std::string_view{e.what()}.size() < 4'000u; });
  // Failures that the log tells of: a server that is too busy for everybody, a refused bind.
  a.forget_rules();
  a.on(operation::search, reply{{.code = 51, .diagnostic = words}});
  for (int i = 0; i < 6; ++i) (void)manager.try_search(odd(), {10s});
  a.on(operation::bind, reply{{.code = 53, .diagnostic = words}});
  a.close_all();
  BOOST_TEST(manager.try_search(odd(), {10s}).error()->message.size() < 4'000u);
  for (const auto& server : manager.snapshot().servers) BOOST_TEST(server.last_error.size() < 4'000u);
  a.forget_rules();
  end_scenario(manager, {a});
  std::lock_guard hold{guard};
  BOOST_TEST(lines > 0u);
  BOOST_TEST(longest < 8'000u);
}

BOOST_AUTO_TEST_CASE(stranger_never_sees_a_bind_with_a_password_and_no_name) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  auto own = manager.get_connection();
  BOOST_TEST(manager.try_bind({"", secret{"x"}}, {10s}).code() == errc::invalid_request);
  BOOST_TEST(own.try_bind({"", secret{"x"}}, {10s}).code() == errc::invalid_request);
  for (const auto& bind : a.binds()) BOOST_TEST(!bind.dn.empty());
  own.release();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_sends_ranges_is_read_to_the_end) {
  leak_guard leaks;
  stub_directory a;
  serve_ranges(a, 4'501, 1'500);
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto values = fetch_all_values(manager, "cn=group,dc=x", "member");
  BOOST_TEST_REQUIRE(values.size() == 4'501u);
  for (std::size_t i = 0; i < values.size(); ++i) BOOST_TEST_REQUIRE(values[i] == "cn=" + std::to_string(i));
  auto own = manager.get_connection();
  BOOST_TEST(fetch_all_values(own, "cn=group,dc=x", "member").size() == 4'501u);
  own.release();
  BOOST_TEST(try_fetch_all_values(manager, "cn=group,dc=x", "member;range=0-1").code() == errc::invalid_request);
  BOOST_TEST(try_fetch_all_values(manager, "cn=group,dc=x", "member", {10s, 1000}).code() == errc::result_too_large);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_lies_about_ranges_ends_in_an_error_and_no_loop) {
  leak_guard leaks;
  stub_directory a;
  serve_ranges(a, 4'501, 1'500, [](const std::string&) { return "member;range=0-1499"; });
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto before = a.count(operation::search);
  const auto got = try_fetch_all_values(manager, "cn=group,dc=x", "member");
  BOOST_TEST(got.code() == errc::connection_failed, why(got));
  BOOST_TEST(a.count(operation::search) - before <= 6u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(stranger_that_wants_a_new_password_is_warned_of_and_named) {
  leak_guard leaks;
  stub_directory a;
  a.on(operation::bind, reply{{.controls = {{std::string{password_expired_oid}, false, "0"}}}, {}});
  a.when(is_odd, [](const directory_request&) { return reply{{.code = result_code::unwilling_to_perform}, {}}; });
  connection_manager manager(quick_settings({server_at(a.port())}));
  std::mutex guard;
  std::vector<std::string> lines;
  manager.set_log([&](log_level level, const std::string& line) {
    std::lock_guard hold(guard);
    if (level == log_level::warning && line.find("must be changed") != std::string::npos) lines.push_back(line);
  });
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto refused = manager.try_search(odd(), {10s});
  BOOST_TEST_REQUIRE((refused.code() == errc::ldap_error));
  BOOST_TEST(refused.error()->cause.find("must be changed") != std::string::npos, refused.error()->cause);
  BOOST_TEST(refused.error()->cause.find(server_at(a.port()).bind_dn) != std::string::npos, refused.error()->cause);
  BOOST_TEST(eventually([&] { return !server_in(manager.snapshot(), a.port()).warning.empty(); }));
  // One that holds on while many connections bind.
  a.close_all();
  BOOST_TEST(static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {10s})));
  const auto probes = manager.probe_all(5s);
  BOOST_TEST(probes.at(0).warning.find("must be changed") != std::string::npos);
  // What a user's bind is told reaches the caller.
  const auto user = manager.try_bind({user_dn(1), secret{"x"}}, {10s});
  BOOST_TEST_REQUIRE(static_cast<bool>(user), why(user));
  BOOST_TEST(read_password_policy(user->controls).must_change);
  // Changed: it is said no more.
  a.forget_rules();
  a.close_all();
  BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).warning.empty(); }));
  end_scenario(manager, {a});
  std::lock_guard hold(guard);
  BOOST_TEST(lines.size() == 1u);
}
