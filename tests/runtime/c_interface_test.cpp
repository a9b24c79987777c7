// The C interface as a C program uses it: outcomes, tickets, arguments that cannot be meant, and its end.
#include "support/eventually.hpp"
#include "support/leak_check.hpp"
#include "support/stub_directory.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/runtime/c_interface/completion_queue.hpp"
#include "understudy/understudy.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

struct c_result_free {
  void operator()(understudy_result* result) const { understudy_result_free(result); }
};
using c_result = std::unique_ptr<understudy_result, c_result_free>;

struct c_client_free {
  void operator()(understudy_client* client) const { understudy_client_free(client); }
};
using c_client = std::unique_ptr<understudy_client, c_client_free>;

std::string c_config(const stub_directory& server, const std::string& more = {}) {
  return "[ldap]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server.port()) +
         "\n[log]\nlevel = \"error\"\n[recovery]\nauto_recovery = false\n" + more;
}

constexpr const char* c_users = "[authenticator]\nbase = \"ou=people,dc=example,dc=com\"\n";
constexpr const char* jane = "uid=jane,ou=people,dc=example,dc=com";

c_client c_start(const std::string& toml) {
  understudy_client* made = nullptr;
  understudy_result* result = nullptr;
  const auto status = understudy_client_new(toml.c_str(), nullptr, &made, &result);
  const c_result said{result};
  BOOST_TEST_REQUIRE(status == UNDERSTUDY_OK, understudy_result_message(said.get()));
  return c_client{made};
}

/// A client that is connected to a stub.
struct c_fixture {
  explicit c_fixture(const std::string& more = {}) : client(c_start(c_config(server, c_users + more))) {
    BOOST_TEST_REQUIRE(understudy_client_connect(client.get(), 0, nullptr) == UNDERSTUDY_OK);
  }

  c_result login(const std::string& user, const std::string& password, std::int64_t timeout_ms = 0) {
    understudy_result* result = nullptr;
    const auto status = understudy_authenticate(client.get(), user.data(), user.size(), password.data(),
                                                password.size(), timeout_ms, &result);
    BOOST_TEST_REQUIRE(result != nullptr);
    BOOST_TEST(status == understudy_result_status(result));
    return c_result{result};
  }
  c_result search(const std::string& filter, std::int64_t timeout_ms = 0) {
    understudy_result* result = nullptr;
    const auto status = understudy_search(client.get(), "dc=example,dc=com", UNDERSTUDY_SCOPE_SUBTREE, filter.c_str(),
                                          nullptr, 0, 0, timeout_ms, &result);
    BOOST_TEST_REQUIRE(result != nullptr);
    BOOST_TEST(status == understudy_result_status(result));
    return c_result{result};
  }
  std::uint64_t submit(void* context = nullptr) {
    std::uint64_t ticket = 0;
    BOOST_TEST_REQUIRE(understudy_submit_search(client.get(), "dc=example,dc=com", UNDERSTUDY_SCOPE_SUBTREE,
                                                "(uid=jane)", nullptr, 0, 0, 0, context, &ticket,
                                                nullptr) == UNDERSTUDY_OK);
    return ticket;
  }
  bool readable(std::chrono::milliseconds within) const {
    pollfd ready{understudy_completion_fd(client.get()), POLLIN, 0};
    return ::poll(&ready, 1, static_cast<int>(within.count())) == 1;
  }
  struct completion {
    std::uint64_t ticket = 0;
    void* context = nullptr;
    c_result result;
  };
  /// The next one, waited for by its descriptor alone.
  completion next() const {
    completion got;
    BOOST_TEST_REQUIRE(readable(patience));
    understudy_result* result = nullptr;
    BOOST_TEST_REQUIRE(understudy_completion_next(client.get(), &got.ticket, &got.context, &result) == UNDERSTUDY_OK);
    got.result.reset(result);
    return got;
  }

  stub_directory server;
  c_client client;
};

struct c_small_fixture : c_fixture {
  c_small_fixture() : c_fixture("[limits]\nmax_requests = 3\ndrain_timeout = 0\n") {}
};
/// What has no answer is cut off at once.
struct c_cut_fixture : c_fixture {
  c_cut_fixture() : c_fixture("[limits]\ndrain_timeout = 0\n[breaker]\nsuspect_after = \"1h\"\n") {}
};

std::string c_text(const char* text) { return text != nullptr ? text : "(null)"; }

void check_status(const c_result& result, understudy_status expected) {
  BOOST_TEST(understudy_result_status(result.get()) == expected,
             understudy_status_name(understudy_result_status(result.get()))
                 << ": " << understudy_result_message(result.get()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_c_client_logs_users_in) {
  leak_guard leaks;
  c_fixture it;
  const auto right = it.login("jane", "secret");
  check_status(right, UNDERSTUDY_OK);
  BOOST_TEST(c_text(understudy_result_dn(right.get(), nullptr)) == jane);
  BOOST_TEST(c_text(understudy_result_server(right.get())) == "127.0.0.1:" + std::to_string(it.server.port()));
  BOOST_TEST(c_text(understudy_result_public_message(right.get())) == "You are logged in.");
  BOOST_TEST(understudy_result_cached(right.get()) == 0);
  BOOST_TEST(it.server.binds().back().password == "secret");

  it.server.on(operation::bind, reply{{.code = 49}, {}});
  const auto wrong = it.login("jane", "wrong");
  check_status(wrong, UNDERSTUDY_BAD_CREDENTIALS);
  BOOST_TEST(understudy_result_ldap_code(wrong.get()) == 49);
  BOOST_TEST(understudy_result_retryable(wrong.get()) == 0);
  it.server.set_entries(std::vector<entry>{});
  const auto unknown = it.login("nobody", "x");
  check_status(unknown, UNDERSTUDY_NO_SUCH_USER);
  // Nobody learns from it which names exist.
  BOOST_TEST(c_text(understudy_result_public_message(unknown.get())) == understudy_result_public_message(wrong.get()));

  const auto sent = it.server.count(operation::bind) + it.server.count(operation::search);
  check_status(it.login("jane", ""), UNDERSTUDY_BAD_CREDENTIALS);
  BOOST_TEST(it.server.count(operation::bind) + it.server.count(operation::search) == sent);
}

BOOST_FIXTURE_TEST_CASE(a_c_client_is_told_what_the_directory_says_of_a_password, c_fixture) {
  server.on(operation::bind, reply{{.controls = {{std::string{password_expiring_oid}, false, "3600"}}}, {}});
  const auto warned = login("jane", "secret");
  check_status(warned, UNDERSTUDY_OK);
  BOOST_TEST(understudy_result_password_expires_in_s(warned.get()) == 3600);
  BOOST_TEST(understudy_result_grace_logins(warned.get()) == -1);
}

BOOST_FIXTURE_TEST_CASE(a_c_client_reads_entries_whatever_is_in_them, c_fixture) {
  const std::string with_nul{"a\0b", 3};
  server.set_entries({{jane, {{"cn", {"Jane", ""}}, {"jpegPhoto", {with_nul}}}}, {std::string{"uid=x\0y", 7}, {}}});
  const auto found = search("(uid=jane)");
  check_status(found, UNDERSTUDY_OK);
  const auto* all = found.get();
  BOOST_TEST(understudy_result_complete(all) == 1);
  BOOST_TEST_REQUIRE(understudy_result_entry_count(all) == 2U);
  BOOST_TEST(c_text(understudy_result_entry_dn(all, 0, nullptr)) == jane);
  BOOST_TEST_REQUIRE(understudy_result_attribute_count(all, 0) == 2U);
  BOOST_TEST(understudy_result_find_attribute(all, 0, "CN") == 0U);
  BOOST_TEST(understudy_result_find_attribute(all, 0, "sn") == SIZE_MAX);
  BOOST_TEST(c_text(understudy_result_attribute_name(all, 0, 1, nullptr)) == "jpegPhoto");
  BOOST_TEST(understudy_result_value_count(all, 0, 0) == 2U);
  std::size_t length = 7;
  BOOST_TEST(c_text(understudy_result_value(all, 0, 0, 1, &length)) == "");
  BOOST_TEST(length == 0U);
  const auto* photo = understudy_result_value(all, 0, 1, 0, &length);
  BOOST_TEST_REQUIRE(photo != nullptr);
  BOOST_TEST((std::string{photo, length} == with_nul));
  // As C texts these would be others.
  BOOST_TEST(understudy_result_value(all, 0, 1, 0, nullptr) == nullptr);
  BOOST_TEST(understudy_result_entry_dn(all, 1, nullptr) == nullptr);
  BOOST_TEST(understudy_result_entry_dn(all, 1, &length) != nullptr);
  BOOST_TEST(length == 7U);
  // Beyond the end there is nothing.
  BOOST_TEST(understudy_result_entry_dn(all, 2, &length) == nullptr);
  BOOST_TEST(length == 0U);
  BOOST_TEST(understudy_result_attribute_count(all, 2) == 0U);
  BOOST_TEST(understudy_result_attribute_name(all, 0, 2, nullptr) == nullptr);
  BOOST_TEST(understudy_result_value_count(all, SIZE_MAX, SIZE_MAX) == 0U);
  BOOST_TEST(understudy_result_value(all, 0, 0, 2, nullptr) == nullptr);
  BOOST_TEST(understudy_result_group_dn(all, 0, nullptr) == nullptr);
}

BOOST_FIXTURE_TEST_CASE(a_c_client_looks_users_and_groups_up, c_fixture) {
  const char* const wanted[] = {"mail", "memberOf"};
  server.set_entries({{jane, {{"mail", {"jane@example.com"}}, {"memberOf", {"cn=admins,dc=example,dc=com"}}}}});
  understudy_result* result = nullptr;
  BOOST_TEST(understudy_lookup(client.get(), "jane", 4, wanted, 2, 0, &result) == UNDERSTUDY_OK);
  const c_result found{result};
  BOOST_TEST(c_text(understudy_result_value(found.get(), 0, 0, 0, nullptr)) == "jane@example.com");
  const auto asked = server.requests(operation::search).back();
  BOOST_TEST((asked.names == std::vector<std::string>{"mail", "memberOf"}));

  BOOST_TEST(understudy_groups(client.get(), "jane", 4, 0, &result) == UNDERSTUDY_OK);
  const c_result groups{result};
  BOOST_TEST_REQUIRE(understudy_result_group_count(groups.get()) == 1U);
  BOOST_TEST(c_text(understudy_result_group_dn(groups.get(), 0, nullptr)) == "cn=admins,dc=example,dc=com");
  BOOST_TEST(c_text(understudy_result_group_name(groups.get(), 0, nullptr)) == "admins");
  BOOST_TEST(c_text(understudy_result_dn(groups.get(), nullptr)) == jane);
}

BOOST_FIXTURE_TEST_CASE(a_c_search_that_the_directory_cuts_short_has_what_was_found, c_fixture) {
  server.on(operation::search, reply{{.code = 4, .entries = {{jane, {}}}}, {}});
  const auto cut = search("(uid=*)");
  check_status(cut, UNDERSTUDY_LDAP_ERROR);
  BOOST_TEST(understudy_result_ldap_code(cut.get()) == 4);
  BOOST_TEST(understudy_result_complete(cut.get()) == 0);
  BOOST_TEST(understudy_result_entry_count(cut.get()) == 1U);
  check_status(search("(uid=*"), UNDERSTUDY_INVALID_REQUEST);
}

BOOST_AUTO_TEST_CASE(a_configuration_that_cannot_work_makes_no_c_client) {
  understudy_client* client = nullptr;
  understudy_result* result = nullptr;
  const char* bad = "[ldap]\nhots = \"a\"\n[pool]\nmax_connections = -1\n";
  BOOST_TEST(understudy_client_new(bad, "my.toml", &client, &result) == UNDERSTUDY_INVALID_CONFIG);
  BOOST_TEST(client == nullptr);
  const c_result problems{result};
  const auto said = c_text(understudy_result_message(problems.get()));
  BOOST_TEST(said.find("my.toml:2:") != std::string::npos, said);
  BOOST_TEST(said.find("pool.max_connections") != std::string::npos, said);
  BOOST_TEST(understudy_client_new("= no toml", nullptr, &client, nullptr) == UNDERSTUDY_INVALID_CONFIG);
  BOOST_TEST(understudy_client_new_from_file("/nowhere/my.toml", &client, nullptr) == UNDERSTUDY_INVALID_CONFIG);
  BOOST_TEST(client == nullptr);
}

BOOST_AUTO_TEST_CASE(a_c_client_of_a_file_searches_without_logins) {
  stub_directory server;
  temporary_folder folder;
  const auto file = folder.write("directory.toml", c_config(server));
  understudy_client* made = nullptr;
  BOOST_TEST_REQUIRE(understudy_client_new_from_file(file.c_str(), &made, nullptr) == UNDERSTUDY_OK);
  const c_client client{made};
  BOOST_TEST(understudy_client_connect(made, 0, nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_search(made, "", UNDERSTUDY_SCOPE_BASE, "(objectClass=*)", nullptr, 0, 0, 0, nullptr) ==
             UNDERSTUDY_OK);
  understudy_result* result = nullptr;
  BOOST_TEST(understudy_authenticate(made, "jane", 4, "x", 1, 0, &result) == UNDERSTUDY_INVALID_CONFIG);
  const c_result why{result};
  BOOST_TEST(c_text(understudy_result_message(why.get())).find("authenticator.") != std::string::npos);
  std::uint64_t ticket = 7;
  BOOST_TEST(understudy_submit_groups(made, "jane", 4, 0, nullptr, &ticket, nullptr) == UNDERSTUDY_INVALID_CONFIG);
  BOOST_TEST(ticket == 0U);
  BOOST_TEST(understudy_ticket_count(made) == 0U);
}

BOOST_FIXTURE_TEST_CASE(c_arguments_that_cannot_be_meant_are_refused_unsent, c_fixture) {
  auto* mine = client.get();
  const auto requests = server.requests().size();
  constexpr auto bad = UNDERSTUDY_BAD_ARGUMENT;
  constexpr std::size_t too_long = UNDERSTUDY_LONGEST_NAME + 1;
  const auto search_with = [&](const char* base, int scope, const char* filter, const char* const* attributes,
                               std::size_t count, std::int32_t limit) {
    std::uint64_t ticket = 7;
    const auto begun =
        understudy_submit_search(mine, base, scope, filter, attributes, count, limit, 0, nullptr, &ticket, nullptr);
    BOOST_TEST(ticket == 0U);
    const auto waited = understudy_search(mine, base, scope, filter, attributes, count, limit, 0, nullptr);
    BOOST_TEST(begun == waited);
    return waited;
  };
  const char* const hole[] = {"cn", nullptr};
  BOOST_TEST(understudy_authenticate(nullptr, "a", 1, "b", 1, 0, nullptr) == bad);
  BOOST_TEST(understudy_authenticate(mine, nullptr, 1, "b", 1, 0, nullptr) == bad);
  BOOST_TEST(understudy_authenticate(mine, "a", 1, nullptr, 1, 0, nullptr) == bad);
  BOOST_TEST(understudy_authenticate(mine, "a", too_long, "b", 1, 0, nullptr) == bad);
  BOOST_TEST(understudy_authenticate(mine, "a", 1, "b", static_cast<std::size_t>(-1), 0, nullptr) == bad);
  BOOST_TEST(understudy_submit_authenticate(mine, "a", 1, "b", too_long, 0, nullptr, nullptr, nullptr) == bad);
  BOOST_TEST(understudy_lookup(mine, "a", 1, nullptr, 1, 0, nullptr) == bad);
  BOOST_TEST(understudy_lookup(mine, "a", 1, hole, 2, 0, nullptr) == bad);
  BOOST_TEST(understudy_lookup(mine, "a", 1, hole, UNDERSTUDY_MOST_ATTRIBUTES + 1, 0, nullptr) == bad);
  BOOST_TEST(understudy_submit_lookup(mine, "a", 1, hole, 2, 0, nullptr, nullptr, nullptr) == bad);
  BOOST_TEST(understudy_groups(mine, nullptr, 3, 0, nullptr) == bad);
  BOOST_TEST(search_with(nullptr, 2, "(a=b)", nullptr, 0, 0) == bad);
  BOOST_TEST(search_with("dc=a", 2, nullptr, nullptr, 0, 0) == bad);
  BOOST_TEST(search_with("dc=a", 4, "(a=b)", nullptr, 0, 0) == bad);
  BOOST_TEST(search_with("dc=a", -1, "(a=b)", nullptr, 0, 0) == bad);
  BOOST_TEST(search_with("dc=a", 2, "(a=b)", hole, 2, 0) == bad);
  BOOST_TEST(search_with("dc=a", 2, "(a=b)", nullptr, 0, -1) == bad);
  BOOST_TEST(understudy_client_new(nullptr, nullptr, nullptr, nullptr) == bad);
  BOOST_TEST(understudy_client_new("", nullptr, nullptr, nullptr) == bad);
  BOOST_TEST(understudy_client_connect(nullptr, 0, nullptr) == bad);
  BOOST_TEST(understudy_client_stop(nullptr) == bad);
  BOOST_TEST(understudy_cancel(nullptr, 1) == bad);
  BOOST_TEST(understudy_completion_next(nullptr, nullptr, nullptr, nullptr) == bad);
  BOOST_TEST(understudy_completion_fd(nullptr) == -1);
  BOOST_TEST(understudy_ticket_count(nullptr) == 0U);
  understudy_client_free(nullptr);
  understudy_result_free(nullptr);
  understudy_wipe(nullptr, 1);
  BOOST_TEST(understudy_ticket_count(mine) == 0U);
  BOOST_TEST(server.requests().size() == requests);
  understudy_result* why = nullptr;
  BOOST_TEST(understudy_groups(mine, "a", too_long, 0, &why) == bad);
  const c_result said{why};
  BOOST_TEST(c_text(understudy_result_message(why)) == "user: longer than 65536 bytes");
}

BOOST_AUTO_TEST_CASE(no_c_result_has_nothing_to_tell) {
  BOOST_TEST(understudy_result_status(nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(c_text(understudy_result_message(nullptr)) == "");
  BOOST_TEST(c_text(understudy_result_public_message(nullptr)) != "");
  BOOST_TEST(understudy_result_retryable(nullptr) == 0);
  BOOST_TEST(understudy_result_retry_after_ms(nullptr) == -1);
  BOOST_TEST(understudy_result_ldap_code(nullptr) == 0);
  BOOST_TEST(c_text(understudy_result_server(nullptr)) == "");
  BOOST_TEST(understudy_result_dn(nullptr, nullptr) == nullptr);
  BOOST_TEST(understudy_result_password_expires_in_s(nullptr) == -1);
  BOOST_TEST(understudy_result_grace_logins(nullptr) == -1);
  BOOST_TEST(understudy_result_group_count(nullptr) == 0U);
  BOOST_TEST(understudy_result_entry_count(nullptr) == 0U);
  BOOST_TEST(understudy_result_value(nullptr, 0, 0, 0, nullptr) == nullptr);
  BOOST_TEST(understudy_result_find_attribute(nullptr, 0, "cn") == SIZE_MAX);
}

BOOST_AUTO_TEST_CASE(c_statuses_have_the_names_of_outcomes_and_failures) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(login_outcome::service_identity_rejected); ++i) {
    const auto outcome = static_cast<login_outcome>(i);
    BOOST_TEST(static_cast<int>(status_of(outcome)) == i);
    BOOST_TEST(c_text(understudy_status_name(status_of(outcome))) == std::string{to_string(outcome)});
    names.insert(understudy_status_name(status_of(outcome)));
  }
  for (std::size_t i = 1; i < errc_count; ++i) {
    const auto code = static_cast<errc>(i);
    BOOST_TEST(c_text(understudy_status_name(status_of(code))) == std::string{to_string(code)});
    names.insert(understudy_status_name(status_of(code)));
  }
  BOOST_TEST(names.size() == 13 + errc_count - 1);
  for (const auto of_call :
       {UNDERSTUDY_OUT_OF_MEMORY, UNDERSTUDY_BAD_ARGUMENT, UNDERSTUDY_NO_COMPLETION, UNDERSTUDY_NO_SUCH_TICKET})
    BOOST_TEST(names.insert(understudy_status_name(of_call)).second);
  for (const int none : {99, -1, 1000}) BOOST_TEST(c_text(understudy_status_name(none)) == "unknown");
  BOOST_TEST(understudy_c_interface() == UNDERSTUDY_C_INTERFACE);
  BOOST_TEST(c_text(understudy_library_version()) != "");
}

BOOST_AUTO_TEST_CASE(c_texts_are_escaped_within_their_buffer) {
  char to[32];
  BOOST_TEST(understudy_filter_escape("*)(uid=*", 8, to, sizeof to) == 16U);
  BOOST_TEST(c_text(to) == "\\2a\\29\\28uid=\\2a");
  std::memset(to, 'x', sizeof to);
  BOOST_TEST(understudy_filter_escape("*)(uid=*", 8, to, 16) == 16U);
  BOOST_TEST(to[0] == '\0');
  BOOST_TEST(to[16] == 'x');
  BOOST_TEST(understudy_filter_escape("*", 1, nullptr, 0) == 3U);
  BOOST_TEST(understudy_filter_escape("\0", 1, to, sizeof to) == 3U);
  BOOST_TEST(c_text(to) == "\\00");
  BOOST_TEST(understudy_dn_escape("a,b", 3, to, sizeof to) == 4U);
  BOOST_TEST(c_text(to) == "a\\,b");
  BOOST_TEST(understudy_filter_escape(nullptr, 1, to, sizeof to) == SIZE_MAX);
  BOOST_TEST(understudy_filter_escape("a", 1, nullptr, 4) == SIZE_MAX);
  BOOST_TEST(understudy_filter_escape("a", SIZE_MAX, to, sizeof to) == SIZE_MAX);
  BOOST_TEST(understudy_filter_escape(nullptr, 0, to, sizeof to) == 0U);
  understudy_wipe(to, sizeof to);
  BOOST_TEST(std::string(to, sizeof to) == std::string(sizeof to, '\0'));
}

BOOST_FIXTURE_TEST_CASE(c_limits_of_time_may_be_anything, c_fixture) {
  check_status(login("jane", "secret", std::numeric_limits<std::int64_t>::max()), UNDERSTUDY_OK);
  check_status(search("(uid=jane)", std::numeric_limits<std::int64_t>::max()), UNDERSTUDY_OK);
  for (const auto over : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}}) {
    check_status(login("jane", "secret", over), UNDERSTUDY_UNAVAILABLE);
    check_status(search("(uid=jane)", over), UNDERSTUDY_OPERATION_TIMEOUT);
  }
  server.disturb(operation::search, {.silent = true});
  check_status(login("jane", "secret", 50), UNDERSTUDY_UNAVAILABLE);
}

BOOST_FIXTURE_TEST_CASE(c_completions_wake_who_polls_and_carry_the_context, c_fixture) {
  BOOST_TEST(!readable(0ms));
  auto* mine = client.get();
  const char* const wanted[] = {"cn"};
  server.set_entries({{jane, {{"cn", {"Jane"}}, {"memberOf", {"cn=admins,dc=example,dc=com"}}}}});
  int contexts[4] = {};
  std::uint64_t tickets[4] = {};
  BOOST_TEST(understudy_submit_authenticate(mine, "jane", 4, "x", 1, 0, &contexts[0], &tickets[0], nullptr) ==
             UNDERSTUDY_OK);
  BOOST_TEST(understudy_submit_lookup(mine, "jane", 4, wanted, 1, 0, &contexts[1], &tickets[1], nullptr) ==
             UNDERSTUDY_OK);
  BOOST_TEST(understudy_submit_groups(mine, "jane", 4, 0, &contexts[2], &tickets[2], nullptr) == UNDERSTUDY_OK);
  understudy_result* refusal = nullptr;
  BOOST_TEST(understudy_submit_search(mine, "dc=example,dc=com", UNDERSTUDY_SCOPE_ONE, "(uid=jane)", wanted, 1, 5, 0,
                                      &contexts[3], &tickets[3], &refusal) == UNDERSTUDY_OK);
  BOOST_TEST(refusal == nullptr);
  std::set<int> seen;
  for (int i = 0; i < 4; ++i) {
    const auto got = next();
    check_status(got.result, UNDERSTUDY_OK);
    const auto at = static_cast<int*>(got.context) - contexts;
    BOOST_TEST_REQUIRE((at >= 0 && at < 4));
    BOOST_TEST(got.ticket == tickets[at]);
    BOOST_TEST(seen.insert(static_cast<int>(at)).second);
    if (at == 2) BOOST_TEST(understudy_result_group_count(got.result.get()) == 1U);
    if (at == 3) BOOST_TEST(understudy_result_entry_count(got.result.get()) == 1U);
  }
  BOOST_TEST(!readable(0ms));
  BOOST_TEST(understudy_completion_next(mine, nullptr, nullptr, nullptr) == UNDERSTUDY_NO_COMPLETION);
  BOOST_TEST(understudy_ticket_count(mine) == 0U);
}

BOOST_FIXTURE_TEST_CASE(c_tickets_are_bounded_until_their_completions_are_fetched, c_small_fixture) {
  for (int i = 0; i < 3; ++i) submit();
  BOOST_TEST_REQUIRE(eventually([&] { return server.count(operation::search) >= 3; }));
  std::uint64_t ticket = 7;
  understudy_result* refusal = nullptr;
  BOOST_TEST(understudy_submit_groups(client.get(), "jane", 4, 0, nullptr, &ticket, &refusal) == UNDERSTUDY_QUEUE_FULL);
  const c_result why{refusal};
  BOOST_TEST(ticket == 0U);
  check_status(why, UNDERSTUDY_QUEUE_FULL);
  BOOST_TEST(c_text(understudy_result_message(refusal)).find("understudy_completion_next") != std::string::npos);
  check_status(next().result, UNDERSTUDY_OK);
  submit();
  BOOST_TEST(understudy_ticket_count(client.get()) == 3U);
}

BOOST_FIXTURE_TEST_CASE(a_c_request_is_given_up_once, c_cut_fixture) {
  server.disturb(operation::search, {.silent = true});
  const auto ticket = submit();
  std::uint64_t login = 0;
  BOOST_TEST(understudy_submit_authenticate(client.get(), "jane", 4, "x", 1, 0, this, &login, nullptr) ==
             UNDERSTUDY_OK);
  BOOST_TEST(understudy_cancel(client.get(), login + 1) == UNDERSTUDY_NO_SUCH_TICKET);
  BOOST_TEST(understudy_cancel(client.get(), 0) == UNDERSTUDY_NO_SUCH_TICKET);
  BOOST_TEST(understudy_cancel(client.get(), ticket) == UNDERSTUDY_OK);
  const auto searched = next();
  BOOST_TEST(searched.ticket == ticket);
  check_status(searched.result, UNDERSTUDY_CANCELLED);
  BOOST_TEST(understudy_cancel(client.get(), ticket) == UNDERSTUDY_NO_SUCH_TICKET);
  BOOST_TEST(understudy_cancel(client.get(), login) == UNDERSTUDY_OK);
  const auto tried = next();
  BOOST_TEST(tried.context == this);
  check_status(tried.result, UNDERSTUDY_UNAVAILABLE);
  BOOST_TEST(understudy_result_retryable(tried.result.get()) == 0);
}

BOOST_AUTO_TEST_CASE(a_c_client_that_is_not_connected_says_so) {
  stub_directory server;
  const auto client = c_start(c_config(server, c_users));
  BOOST_TEST(understudy_groups(client.get(), "jane", 4, 0, nullptr) == UNDERSTUDY_UNAVAILABLE);
  BOOST_TEST(understudy_search(client.get(), "", UNDERSTUDY_SCOPE_BASE, "(a=b)", nullptr, 0, 0, 0, nullptr) ==
             UNDERSTUDY_STOPPED);
  std::uint64_t ticket = 0;
  BOOST_TEST(understudy_submit_search(client.get(), "", UNDERSTUDY_SCOPE_BASE, "(a=b)", nullptr, 0, 0, 0, nullptr,
                                      &ticket, nullptr) == UNDERSTUDY_OK);
  std::uint64_t told = 0;
  understudy_result* result = nullptr;
  BOOST_TEST_REQUIRE(understudy_completion_next(client.get(), &told, nullptr, &result) == UNDERSTUDY_OK);
  const c_result searched{result};
  BOOST_TEST(told == ticket);
  check_status(searched, UNDERSTUDY_STOPPED);
  server.stop();
  BOOST_TEST(understudy_client_connect(client.get(), 1, nullptr) != UNDERSTUDY_OK);
}

BOOST_FIXTURE_TEST_CASE(a_stopped_c_client_tells_what_was_open_and_takes_nothing, c_cut_fixture) {
  server.disturb(operation::search, {.silent = true});
  std::set<std::uint64_t> open;
  for (int i = 0; i < 20; ++i) open.insert(submit());
  BOOST_TEST(understudy_client_stop(client.get()) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_client_stop(client.get()) == UNDERSTUDY_OK);
  std::uint64_t ticket = 7;
  BOOST_TEST(understudy_submit_groups(client.get(), "jane", 4, 0, nullptr, &ticket, nullptr) == UNDERSTUDY_STOPPED);
  BOOST_TEST(ticket == 0U);
  check_status(login("jane", "x"), UNDERSTUDY_STOPPED);
  check_status(search("(a=b)"), UNDERSTUDY_STOPPED);
  BOOST_TEST(understudy_client_connect(client.get(), 0, nullptr) == UNDERSTUDY_STOPPED);
  // All of them can be fetched now: nothing is waited for.
  understudy_result* result = nullptr;
  while (understudy_completion_next(client.get(), &ticket, nullptr, &result) == UNDERSTUDY_OK) {
    const c_result told{result};
    BOOST_TEST(understudy_result_status(result) != UNDERSTUDY_OK);
    BOOST_TEST(open.erase(ticket) == 1U);
  }
  BOOST_TEST(open.empty());
}

BOOST_AUTO_TEST_CASE(every_c_ticket_has_one_completion_whoever_cancels_and_stops) {
  leak_guard leaks;
  for (int round = 0; round < 5; ++round) {
    c_cut_fixture it;
    // Some answers never come.
    it.server.when([](const directory_request& r) { return r.kind == operation::search && r.id % 3 == 0; },
                   [](const directory_request&) {
                     return reply{{}, {.silent = true}};
                   });
    auto* mine = it.client.get();
    std::mutex guard;
    std::set<std::uint64_t> given, told;
    std::uint64_t twice = 0, refused = 0;
    const auto fetch = [&] {
      std::uint64_t ticket = 0;
      if (understudy_completion_next(mine, &ticket, nullptr, nullptr) != UNDERSTUDY_OK) return false;
      const std::lock_guard lock{guard};
      twice += told.insert(ticket).second ? 0 : 1;
      return true;
    };
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
      threads.emplace_back([&, i] {
        for (int n = 0; n < 2000; ++n) {
          std::uint64_t ticket = 0;
          const auto status =
              n % 2 == 0 ? understudy_submit_authenticate(mine, "jane", 4, "x", 1, 0, nullptr, &ticket, nullptr)
                         : understudy_submit_search(mine, "dc=a", UNDERSTUDY_SCOPE_SUBTREE, "(a=b)", nullptr, 0, 0, 0,
                                                    nullptr, &ticket, nullptr);
          {
            const std::lock_guard lock{guard};
            if (status == UNDERSTUDY_OK)
              given.insert(ticket);
            else
              ++refused;
          }
          if (status == UNDERSTUDY_STOPPED) return;
          if (n % (i + 2) == 0) understudy_cancel(mine, ticket);
        }
      });
    threads.emplace_back([&] {
      while (!over)
        if (!fetch()) std::this_thread::yield();
    });
    BOOST_TEST(eventually([&] {
      const std::lock_guard lock{guard};
      return given.size() >= 100;
    }));
    BOOST_TEST(understudy_client_stop(mine) == UNDERSTUDY_OK);
    over = true;
    for (auto& each : threads) each.join();
    while (fetch()) {
    }
    BOOST_TEST(twice == 0U);
    BOOST_TEST((given == told), given.size() << " given, " << told.size() << " told, " << refused << " refused");
    BOOST_TEST(understudy_ticket_count(mine) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(completions_that_nobody_fetches_end_with_their_c_client) {
  leak_guard leaks;
  c_cut_fixture it;
  it.submit();
  BOOST_TEST(it.readable(patience));
  it.server.disturb(operation::search, {.silent = true});
  it.submit();
}

BOOST_AUTO_TEST_CASE(a_request_that_is_dropped_untold_has_a_completion_all_the_same) {
  const auto queue = std::make_shared<completion_queue>(2);
  std::uint64_t ticket = 0, number = 0;
  std::shared_ptr<cancel_source> cancel;
  BOOST_TEST(queue->open(&ticket, &ticket, number, cancel) == UNDERSTUDY_OK);
  BOOST_TEST(ticket == number);
  { const pending_completion dropped{queue, number}; }
  auto told = queue->next();
  BOOST_TEST_REQUIRE(told.has_value());
  BOOST_TEST(told->ticket == number);
  BOOST_TEST(told->result->status == UNDERSTUDY_INTERNAL_ERROR);
  // One that was refused has none.
  BOOST_TEST(queue->open(nullptr, nullptr, number, cancel) == UNDERSTUDY_OK);
  {
    const pending_completion refused{queue, number};
    BOOST_TEST(queue->withdraw(number));
  }
  BOOST_TEST(!queue->next().has_value());
  BOOST_TEST(!queue->withdraw(number));
  BOOST_TEST(queue->wait_until_told(0s));
  queue->close();
  BOOST_TEST(queue->open(nullptr, nullptr, number, cancel) == UNDERSTUDY_STOPPED);
}

BOOST_FIXTURE_TEST_CASE(a_c_client_is_of_one_process, c_fixture) {
  const auto ticket = submit();
  BOOST_TEST_REQUIRE(readable(patience));
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    auto* mine = client.release();
    const bool refused =
        understudy_authenticate(mine, "jane", 4, "x", 1, 0, nullptr) == UNDERSTUDY_STOPPED &&
        understudy_submit_groups(mine, "jane", 4, 0, nullptr, nullptr, nullptr) == UNDERSTUDY_STOPPED &&
        understudy_completion_next(mine, nullptr, nullptr, nullptr) == UNDERSTUDY_STOPPED &&
        understudy_cancel(mine, ticket) == UNDERSTUDY_STOPPED &&
        understudy_client_connect(mine, 0, nullptr) == UNDERSTUDY_STOPPED &&
        understudy_client_stop(mine) == UNDERSTUDY_STOPPED && understudy_completion_fd(mine) == -1;
    understudy_client_free(mine);
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST(eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; }, 70s));
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  // The parent's is as it was.
  BOOST_TEST(next().ticket == ticket);
  check_status(login("jane", "x"), UNDERSTUDY_OK);
}

BOOST_AUTO_TEST_CASE(c_calls_that_memory_does_not_suffice_for_say_so) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which end the process in place of throwing
  const stub_directory server;
  // Each call copies it.
  const std::string large(std::size_t{256} << 20, '#');
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    std::size_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    rlimit memory{};
    memory.rlim_cur = memory.rlim_max =
        pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (std::size_t{32} << 20);
    if (::setrlimit(RLIMIT_AS, &memory) != 0) ::_exit(2);
    understudy_client* none = nullptr;
    auto* result = reinterpret_cast<understudy_result*>(&none);
    bool said = understudy_client_new(large.c_str(), nullptr, &none, &result) == UNDERSTUDY_OUT_OF_MEMORY &&
                none == nullptr && result == nullptr;
    // Nothing is out of place after it.
    said = said && understudy_client_new(c_config(server).c_str(), nullptr, &none, nullptr) == UNDERSTUDY_OK;
    std::uint64_t ticket = 7;
    const auto search = [&](const std::string& filter) {
      return understudy_submit_search(none, "", UNDERSTUDY_SCOPE_BASE, filter.c_str(), nullptr, 0, 0, 0, nullptr,
                                      &ticket, nullptr);
    };
    said = said && search(large) == UNDERSTUDY_OUT_OF_MEMORY && ticket == 0 && understudy_ticket_count(none) == 0;
    said = said && search("(a=b)") == UNDERSTUDY_OK && understudy_ticket_count(none) == 1;
    understudy_client_free(none);
    ::_exit(said ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST(eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; }, 70s));
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0), status);
#endif
}

BOOST_FIXTURE_TEST_CASE(a_c_client_writes, c_fixture) {
  auto* mine = client.get();
  const char* const names[] = {"Jane", "Doe"};
  const std::string photo{"\xff\0\xd8", 3};
  const char* const photos[] = {photo.data()};
  const std::size_t lengths[] = {photo.size()};
  const understudy_attribute attributes[] = {{"cn", names, nullptr, 2}, {"jpegPhoto", photos, lengths, 1}};
  BOOST_TEST(understudy_add(mine, jane, attributes, 2, 0, nullptr) == UNDERSTUDY_OK);
  const understudy_modification changes[] = {{UNDERSTUDY_CHANGE_ADD, {"sn", names + 1, nullptr, 1}},
                                             {UNDERSTUDY_CHANGE_DELETE, {"jpegPhoto", nullptr, nullptr, 0}},
                                             {UNDERSTUDY_CHANGE_REPLACE, {"jpegPhoto", photos, lengths, 1}}};
  BOOST_TEST(understudy_modify(mine, jane, changes, 3, 0, nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_rename(mine, jane, "uid=jd", 1, nullptr, 0, nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_rename(mine, jane, "uid=jd", 0, "ou=others,dc=example,dc=com", 0, nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_delete(mine, jane, 0, nullptr) == UNDERSTUDY_OK);

  const auto added = server.requests(operation::add);
  BOOST_TEST_REQUIRE(added.size() == 1U);
  BOOST_TEST(added[0].dn == jane);
  BOOST_TEST_REQUIRE(added[0].attributes.size() == 2U);
  BOOST_TEST(added[0].attributes[0].values.size() == 2U);
  BOOST_TEST(added[0].attributes[1].values.at(0) == photo);
  const auto modified = server.requests(operation::modify);
  BOOST_TEST_REQUIRE(modified.size() == 1U);
  BOOST_TEST_REQUIRE(modified[0].changes.size() == 3U);
  BOOST_TEST((modified[0].changes[0].op == modification::kind::add));
  BOOST_TEST(modified[0].changes[0].target.values.at(0) == "Doe");
  BOOST_TEST((modified[0].changes[1].op == modification::kind::remove));
  BOOST_TEST(modified[0].changes[1].target.values.empty());
  BOOST_TEST((modified[0].changes[2].op == modification::kind::replace));
  BOOST_TEST(modified[0].changes[2].target.values.at(0) == photo);
  const auto renamed = server.requests(operation::modify_dn);
  BOOST_TEST_REQUIRE(renamed.size() == 2U);
  BOOST_TEST(renamed[0].new_rdn == "uid=jd");
  BOOST_TEST(renamed[0].delete_old_rdn);
  BOOST_TEST(!renamed[0].new_superior.has_value());
  BOOST_TEST(!renamed[1].delete_old_rdn);
  BOOST_TEST(renamed[1].new_superior.value_or("") == "ou=others,dc=example,dc=com");
  BOOST_TEST(server.requests(operation::remove).at(0).dn == jane);

  server.on(operation::modify, reply{{.code = 50, .diagnostic = "no"}, {}});
  understudy_result* result = nullptr;
  BOOST_TEST(understudy_modify(mine, jane, changes, 1, 0, &result) == UNDERSTUDY_LDAP_ERROR);
  const c_result refused{result};
  BOOST_TEST(understudy_result_ldap_code(result) == 50);
}

BOOST_FIXTURE_TEST_CASE(a_c_client_changes_passwords, c_fixture) {
  auto* mine = client.get();
  server.on(operation::password_modify, reply{{.value = std::string{"\x30\x06\x80\x04made", 8}}, {}});
  understudy_result* result = nullptr;
  BOOST_TEST(understudy_change_password(mine, "jane", 4, "old", 3, nullptr, 0, UNDERSTUDY_PASSWORD_EXTENDED, 0,
                                        &result) == UNDERSTUDY_OK,
             understudy_result_message(result));
  const c_result made{result};
  BOOST_TEST(c_text(understudy_result_dn(result, nullptr)) == jane);
  std::size_t length = 0;
  const auto* generated = understudy_result_generated_password(result, &length);
  BOOST_TEST_REQUIRE(generated != nullptr);
  BOOST_TEST((std::string{generated, length} == "made"));
  BOOST_TEST(understudy_result_generated_password(result, nullptr) == nullptr);
  // With one that is empty nothing is sent; with none the old one is not asked for.
  const auto sent = server.count(operation::password_modify);
  BOOST_TEST(understudy_change_password(mine, "jane", 4, "", 0, "new", 3, UNDERSTUDY_PASSWORD_EXTENDED, 0, nullptr) ==
             UNDERSTUDY_BAD_CREDENTIALS);
  BOOST_TEST(understudy_change_password(mine, "jane", 4, "old", 3, "", 0, UNDERSTUDY_PASSWORD_EXTENDED, 0, nullptr) ==
             UNDERSTUDY_PASSWORD_REFUSED);
  BOOST_TEST(server.count(operation::password_modify) == sent);
  BOOST_TEST(understudy_change_password(mine, "jane", 4, nullptr, 0, "new", 3, UNDERSTUDY_PASSWORD_USER_PASSWORD, 0,
                                        nullptr) == UNDERSTUDY_OK);
  const auto modified = server.requests(operation::modify);
  BOOST_TEST_REQUIRE(modified.size() == 1U);
  BOOST_TEST(modified[0].changes.at(0).target.values.at(0) == "new");
}

BOOST_FIXTURE_TEST_CASE(c_writes_have_tickets_too, c_fixture) {
  auto* mine = client.get();
  const char* const names[] = {"Jane"};
  const understudy_attribute attributes[] = {{"cn", names, nullptr, 1}};
  const understudy_modification changes[] = {{UNDERSTUDY_CHANGE_REPLACE, attributes[0]}};
  std::uint64_t tickets[5] = {};
  BOOST_TEST(understudy_submit_add(mine, jane, attributes, 1, 0, &tickets[0], &tickets[0], nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_submit_modify(mine, jane, changes, 1, 0, &tickets[1], &tickets[1], nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_submit_delete(mine, jane, 0, &tickets[2], &tickets[2], nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_submit_rename(mine, jane, "uid=jd", 1, nullptr, 0, &tickets[3], &tickets[3], nullptr) ==
             UNDERSTUDY_OK);
  BOOST_TEST(understudy_submit_change_password(mine, "jane", 4, nullptr, 0, "new", 3, UNDERSTUDY_PASSWORD_USER_PASSWORD,
                                               0, &tickets[4], &tickets[4], nullptr) == UNDERSTUDY_OK);
  for (int i = 0; i < 5; ++i) {
    const auto got = next();
    check_status(got.result, UNDERSTUDY_OK);
    BOOST_TEST_REQUIRE(got.context != nullptr);
    BOOST_TEST(*static_cast<std::uint64_t*>(got.context) == got.ticket);
  }
  BOOST_TEST(server.count(operation::add) == 1U);
  BOOST_TEST(server.count(operation::modify) == 2U);
  BOOST_TEST(server.count(operation::remove) == 1U);
  BOOST_TEST(server.count(operation::modify_dn) == 1U);
}

BOOST_FIXTURE_TEST_CASE(c_writes_that_cannot_be_meant_are_refused_unsent, c_fixture) {
  auto* mine = client.get();
  const char* const values[] = {"a", nullptr};
  const std::size_t too_long[] = {UNDERSTUDY_LONGEST_VALUE + 1};
  const auto add = [&](const understudy_attribute& given) { return understudy_add(mine, jane, &given, 1, 0, nullptr); };
  BOOST_TEST(add({nullptr, values, nullptr, 1}) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(add({"cn", nullptr, nullptr, 1}) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(add({"cn", values, nullptr, 2}) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(add({"cn", values, too_long, 1}) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(add({"cn", values, nullptr, SIZE_MAX}) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_add(mine, jane, nullptr, 1, 0, nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_add(mine, nullptr, nullptr, 0, 0, nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  const understudy_modification none{4, {"cn", values, nullptr, 1}};
  BOOST_TEST(understudy_modify(mine, jane, &none, 1, 0, nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_modify(mine, jane, &none, SIZE_MAX, 0, nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_delete(mine, nullptr, 0, nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_delete(nullptr, jane, 0, nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_rename(mine, jane, nullptr, 0, nullptr, 0, nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  for (const int method : {-1, 3})
    BOOST_TEST(understudy_change_password(mine, "jane", 4, nullptr, 0, "x", 1, method, 0, nullptr) ==
               UNDERSTUDY_BAD_ARGUMENT);
  std::uint64_t ticket = 7;
  BOOST_TEST(understudy_submit_delete(mine, nullptr, 0, nullptr, &ticket, nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(ticket == 0U);
  BOOST_TEST(understudy_ticket_count(mine) == 0U);
  for (const auto kind :
       {operation::add, operation::modify, operation::remove, operation::modify_dn, operation::password_modify})
    BOOST_TEST(server.count(kind) == 0U);
}

BOOST_AUTO_TEST_CASE(a_c_client_forgets_one_user_or_everybody) {
  c_fixture there{"cache_ttl = \"1h\"\n"};
  auto* mine = there.client.get();
  const auto cached = [&](const std::string& user) {
    const auto login = there.login(user, "right");
    check_status(login, UNDERSTUDY_OK);
    return understudy_result_cached(login.get()) == 1;
  };
  BOOST_TEST(!cached("jane"));
  BOOST_TEST(cached("jane"));
  BOOST_TEST(understudy_forget(mine, "jane", 4) == UNDERSTUDY_OK);
  BOOST_TEST(!cached("jane"));
  BOOST_TEST(cached("jane"));
  BOOST_TEST(understudy_forget(mine, "", 0) == UNDERSTUDY_OK);  // nobody's name
  BOOST_TEST(cached("jane"));
  BOOST_TEST(understudy_forget(mine, nullptr, 0) == UNDERSTUDY_OK);
  BOOST_TEST(!cached("jane"));
  BOOST_TEST(understudy_forget(mine, nullptr, 4) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_forget(mine, "jane", SIZE_MAX) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_forget(nullptr, "jane", 4) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(cached("jane"));
  const auto nowhere = c_start(c_config(there.server));
  BOOST_TEST(understudy_forget(nowhere.get(), "jane", 4) == UNDERSTUDY_INVALID_CONFIG);
  BOOST_TEST(understudy_client_stop(mine) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_forget(mine, "jane", 4) == UNDERSTUDY_STOPPED);
}

namespace {

/// A client whose directory refers searches to another one's, which has users of its own.
struct c_two_clients : c_fixture {
  c_two_clients()
      : c_fixture("referrals = \"chase\"\n[limits]\ndrain_timeout = 0\n[breaker]\nsuspect_after = \"1h\"\n") {
    BOOST_TEST_REQUIRE(understudy_client_connect(branch.get(), 0, nullptr) == UNDERSTUDY_OK);
    server.on(operation::search,
              reply{{.code = 10, .referrals = {"ldap://Branch.example/ou=people,dc=branch,dc=example"}}, {}});
    branch_server.set_entries(std::vector<entry>{{branch_jane, {}}});
    branch_server.on(operation::bind, [this](const directory_request& asked) {
      const bool wrong = asked.dn == branch_jane && asked.password != "right";
      return wrong ? reply{{.code = 49}, {}} : branch_server.usual(asked);
    });
  }
  understudy_status refer(const char* name, understudy_client* other) {
    return understudy_client_refer(client.get(), name, other);
  }
  /// Searches of users there. A client that is connected probes its server: those ask for the root DSE.
  std::ptrdiff_t asked_of_branch() const {
    const auto all = branch_server.requests(operation::search);
    return std::count_if(all.begin(), all.end(), [](const directory_request& each) { return !each.dn.empty(); });
  }

  static constexpr const char* branch_jane = "uid=jane,ou=people,dc=branch,dc=example";
  stub_directory branch_server;
  c_client branch = c_start(c_config(branch_server, c_users));
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_c_client_asks_another_for_what_a_referral_leads_to, c_two_clients) {
  // Nobody was named: the referral is counted, and no user is known.
  check_status(login("jane", "right"), UNDERSTUDY_UNAVAILABLE);
  BOOST_TEST(asked_of_branch() == 0);
  BOOST_TEST(refer("other.example:389", branch.get()) == UNDERSTUDY_OK);
  check_status(login("jane", "right"), UNDERSTUDY_UNAVAILABLE);
  BOOST_TEST(asked_of_branch() == 0);

  BOOST_TEST(refer("bRANCH.example:389", branch.get()) == UNDERSTUDY_OK);
  const auto right = login("jane", "right");
  check_status(right, UNDERSTUDY_OK);
  BOOST_TEST(c_text(understudy_result_dn(right.get(), nullptr)) == branch_jane);
  check_status(login("jane", "wrong"), UNDERSTUDY_BAD_CREDENTIALS);
  for (const auto& bind : server.binds()) BOOST_TEST(bind.dn != branch_jane);

  // Once more of the same server: the last word counts.
  stub_directory empty;
  empty.set_entries(std::vector<entry>{});
  const auto third = c_start(c_config(empty, c_users));
  BOOST_TEST_REQUIRE(understudy_client_connect(third.get(), 0, nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(refer("branch.example:389", third.get()) == UNDERSTUDY_OK);
  check_status(login("jane", "right"), UNDERSTUDY_NO_SUCH_USER);
  BOOST_TEST(refer("branch.example:389", branch.get()) == UNDERSTUDY_OK);
  check_status(login("jane", "right"), UNDERSTUDY_OK);

  // Who was told of and does not run cannot say that there is no such user.
  BOOST_TEST(understudy_client_stop(branch.get()) == UNDERSTUDY_OK);
  check_status(login("jane", "right"), UNDERSTUDY_UNAVAILABLE);
  client.reset();
}

BOOST_FIXTURE_TEST_CASE(what_a_c_client_asks_of_another_ends_with_it, c_two_clients) {
  BOOST_TEST(refer("branch.example:389", branch.get()) == UNDERSTUDY_OK);
  branch_server.disturb(operation::search, {.silent = true});
  std::uint64_t ticket = 0;
  BOOST_TEST_REQUIRE(understudy_submit_authenticate(client.get(), "jane", 4, "right", 5, 600'000, nullptr, &ticket,
                                                    nullptr) == UNDERSTUDY_OK);
  BOOST_TEST_REQUIRE(eventually([&] { return asked_of_branch() > 0; }));
  BOOST_TEST(understudy_client_stop(client.get()) == UNDERSTUDY_OK);
  const auto done = next();
  BOOST_TEST(done.ticket == ticket);
  check_status(done.result, UNDERSTUDY_UNAVAILABLE);
  client.reset();
}

BOOST_FIXTURE_TEST_CASE(c_clients_that_ask_each_other_end_well_when_both_are_stopped_first, c_two_clients) {
  const auto asked = [](const stub_directory& of, const char* base) {
    const auto all = of.requests(operation::search);
    return std::any_of(all.begin(), all.end(), [&](const directory_request& each) { return each.dn == base; });
  };
  // Each refers its own users to the other one, which does not answer for those.
  constexpr const char* base_at_branch = "ou=people,dc=branch,dc=example";
  constexpr const char* base_at_main = "ou=people,dc=main,dc=example";
  stub_directory branch_with_referrals;
  const auto be_silent_about = [](stub_directory& there, const char* base) {
    there.when([base](const directory_request& each) { return each.kind == operation::search && each.dn == base; },
               [](const directory_request&) {
                 return reply{{}, {.silent = true}};
               });
  };
  branch_with_referrals.on(operation::search, [&](const directory_request& each) {
    if (each.dn.empty()) return branch_with_referrals.usual(each);
    return reply{{.code = 10, .referrals = {"ldap://main.example/ou=people,dc=main,dc=example"}}, {}};
  });
  be_silent_about(branch_with_referrals, base_at_branch);
  be_silent_about(server, base_at_main);
  auto other = c_start(c_config(branch_with_referrals, std::string{c_users} +
                                                           "referrals = \"chase\"\n[limits]\ndrain_timeout = 0\n"
                                                           "[breaker]\nsuspect_after = \"1h\"\n"));
  BOOST_TEST_REQUIRE(understudy_client_connect(other.get(), 0, nullptr) == UNDERSTUDY_OK);
  BOOST_TEST(refer("branch.example:389", other.get()) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_client_refer(other.get(), "main.example:389", client.get()) == UNDERSTUDY_OK);
  for (auto* const each : {client.get(), other.get()})
    BOOST_TEST_REQUIRE(understudy_submit_authenticate(each, "jane", 4, "right", 5, 600'000, nullptr, nullptr,
                                                      nullptr) == UNDERSTUDY_OK);
  BOOST_TEST_REQUIRE(eventually([&] { return asked(branch_with_referrals, base_at_branch); }));
  BOOST_TEST_REQUIRE(eventually([&] { return asked(server, base_at_main); }));
  BOOST_TEST(understudy_client_stop(client.get()) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_client_stop(other.get()) == UNDERSTUDY_OK);
  for (auto* const each : {client.get(), other.get()}) {
    understudy_result* result = nullptr;
    BOOST_TEST_REQUIRE(understudy_completion_next(each, nullptr, nullptr, &result) == UNDERSTUDY_OK);
    const c_result login{result};
    check_status(login, UNDERSTUDY_UNAVAILABLE);
    BOOST_TEST(understudy_ticket_count(each) == 0U);
  }
  client.reset();
  other.reset();
}

BOOST_FIXTURE_TEST_CASE(servers_that_a_c_client_cannot_be_referred_to_are_refused, c_two_clients) {
  auto* other = branch.get();
  for (const char* none : {static_cast<const char*>(nullptr), "", "branch.example", "branch.example:0", ":389",
                           "branch.example:x", "::1:389"})
    BOOST_TEST(refer(none, other) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(refer("[::1]:389", other) == UNDERSTUDY_OK);
  BOOST_TEST(refer("branch.example:389", nullptr) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(refer("branch.example:389", client.get()) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(understudy_client_refer(nullptr, "branch.example:389", other) == UNDERSTUDY_BAD_ARGUMENT);
  for (int i = 1; i < UNDERSTUDY_MOST_REFERRALS; ++i)
    BOOST_TEST_REQUIRE(refer(("b" + std::to_string(i) + ".example:389").c_str(), other) == UNDERSTUDY_OK);
  BOOST_TEST(refer("one-more.example:389", other) == UNDERSTUDY_BAD_ARGUMENT);
  BOOST_TEST(refer("b1.example:389", other) == UNDERSTUDY_OK);
  BOOST_TEST(understudy_client_stop(client.get()) == UNDERSTUDY_OK);
  BOOST_TEST(refer("b1.example:389", other) == UNDERSTUDY_STOPPED);
  client.reset();
}
