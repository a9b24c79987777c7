// Many logins of one user at the same moment, and what one of them may do to the others.
#include "authenticator/manual_directory.hpp"
#include "authenticator/played_dialogue.hpp"
#include "support/eventually.hpp"
#include "understudy/config/problem.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"

#include <thread>

using namespace understudy;
using namespace std::chrono_literals;
using test::jane;
using test::manual_directory;

namespace {

authenticator_settings searching_below_example() {
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  return how;
}

struct shared_fixture {
  std::future<login_result> login(const std::string& password, const login_options& options = {}) const {
    return users.async_authenticate("jane", secret{password}, options);
  }
  static bool over(const std::future<login_result>& login) { return login.wait_for(0s) == std::future_status::ready; }

  manual_directory directory;
  authenticator users{directory, searching_below_example()};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_hundred_logins_of_one_user_take_one_search_and_a_bind_for_each_password, shared_fixture) {
  std::vector<std::future<login_result>> logins;
  for (int i = 0; i < 100; ++i) logins.push_back(login("p" + std::to_string(i % 4)));
  BOOST_TEST_REQUIRE(directory.waiting() == 1U);
  BOOST_TEST(directory.first<search_request>().filter == "(uid=jane)");
  directory.find(jane);
  directory.run();
  BOOST_TEST_REQUIRE(directory.waiting() == 4U);
  int binds = 0;
  for (; directory.waiting() > 0; ++binds) {
    if (directory.first<bind_request>().password == secret{"p2"})
      directory.answer();
    else
      directory.fail(errc::authentication_failed, result_code::invalid_credentials);
    directory.run();
  }
  BOOST_TEST(binds == 4);
  for (std::size_t i = 0; i < logins.size(); ++i) {
    BOOST_TEST_REQUIRE(over(logins[i]));
    const auto ended = logins[i].get();
    BOOST_TEST(ended.outcome == (i % 4 == 2 ? login_outcome::ok : login_outcome::bad_credentials));
    BOOST_TEST(ended.dn == jane);
    BOOST_TEST(!ended.cached);
  }
  // It is over: the next one asks again.
  const auto later = login("p2");
  BOOST_TEST(directory.waiting() == 1U);
  directory.find(jane);
  directory.answer();
  BOOST_TEST(over(later));
}

BOOST_FIXTURE_TEST_CASE(who_gives_up_takes_the_answer_from_nobody, shared_fixture) {
  auto first = login("right");
  auto second = login("right"), third = login("right");
  BOOST_TEST_REQUIRE(directory.waiting() == 1U);
  // As a connection answers a request that was cancelled, or whose time was over.
  directory.fail(errc::cancelled);
  BOOST_TEST(first.get().outcome == login_outcome::unavailable);
  directory.run();
  BOOST_TEST_REQUIRE(directory.waiting() == 1U);
  directory.fail(errc::operation_timeout);
  directory.run();
  BOOST_TEST_REQUIRE(directory.waiting() == 1U);
  directory.find(jane);
  directory.answer();
  directory.run();
  const int accepted = (second.get().outcome == login_outcome::ok) + (third.get().outcome == login_outcome::ok);
  BOOST_TEST(accepted == 1);  // the other one was who sent the request whose time was over
}

BOOST_FIXTURE_TEST_CASE(a_failure_that_is_everybodys_is_told_to_everybody, shared_fixture) {
  std::vector<std::future<login_result>> logins;
  for (int i = 0; i < 10; ++i) logins.push_back(login("right"));
  directory.fail(errc::no_server);
  directory.run();
  BOOST_TEST(directory.waiting() == 0U);
  for (auto& each : logins) {
    const auto ended = each.get();
    BOOST_TEST(ended.outcome == login_outcome::unavailable);
    BOOST_TEST(ended.retryable);
  }
}

BOOST_FIXTURE_TEST_CASE(who_waits_for_anothers_answer_may_cancel, shared_fixture) {
  auto first = login("right");
  cancel_source cancel;
  auto second = login("right", {.cancel = &cancel});
  BOOST_TEST_REQUIRE(directory.waiting() == 1U);
  cancel.cancel();
  directory.run();
  BOOST_TEST_REQUIRE(over(second));
  const auto cancelled = second.get();
  BOOST_TEST(cancelled.outcome == login_outcome::unavailable);
  BOOST_TEST_REQUIRE(cancelled.failed != nullptr);
  BOOST_TEST((cancelled.failed->code == errc::cancelled));
  BOOST_TEST(!over(first));
  directory.find(jane);
  directory.answer();
  BOOST_TEST(first.get().outcome == login_outcome::ok);
}

BOOST_FIXTURE_TEST_CASE(threads_that_wait_share_answers_too, shared_fixture) {
  std::vector<std::thread> threads;
  std::atomic<int> accepted{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      if (users.authenticate("jane", secret{"right"})) ++accepted;
    });
  std::size_t sent = 0;
  while (accepted < 8) {
    if (directory.waiting() == 0) {
      std::this_thread::yield();
      continue;
    }
    ++sent;
    // Searches are answered with an entry, binds are accepted: an entry does not matter to these.
    directory.find(jane);
  }
  for (auto& each : threads) each.join();
  BOOST_TEST(sent >= 2U);
  BOOST_TEST(sent <= 16U);
  BOOST_TEST(directory.waiting() == 0U);
}

/// Nor for another's answer, which the same thread may have to bring: what it asks for itself is refused.
BOOST_FIXTURE_TEST_CASE(who_must_not_wait_for_requests_does_not_wait_for_anothers_answer, shared_fixture) {
  auto first = login("right");
  BOOST_TEST_REQUIRE(directory.waiting() == 1U);
  std::atomic<bool> over{false};
  std::thread completion([&] {
    const internal::callback_thread here{internal::may_wait::for_nothing};
    users.authenticate("jane", secret{"right"});
    over = true;
  });
  BOOST_TEST(test::eventually([&] { return directory.waiting() == 2U; }));
  while (!over) {
    if (directory.waiting() > 0)
      directory.find(jane);
    else
      std::this_thread::yield();
    directory.run();
  }
  completion.join();
}

BOOST_FIXTURE_TEST_CASE(a_changed_password_is_nobody_elses_answer, shared_fixture) {
  auto one = users.async_change_password("jane", secret{"old"}, secret{"new"});
  auto other = users.async_change_password("jane", secret{"old"}, secret{"new"});
  BOOST_TEST(directory.waiting() == 2U);
  for (int i = 0; i < 2; ++i) directory.find(jane);
  BOOST_TEST(directory.waiting() == 2U);
  for (int i = 0; i < 2; ++i) directory.answer();
  BOOST_TEST(one.get().outcome == login_outcome::ok);
  BOOST_TEST(other.get().outcome == login_outcome::ok);
}

BOOST_FIXTURE_TEST_CASE(other_settings_count_from_the_next_call_on, shared_fixture) {
  auto how = searching_below_example();
  how.cache_ttl = 1h;
  how.cache_dn_ttl = 1h;
  users.reload(how);
  const auto log_in = [&](bool searches) {
    auto login = users.async_authenticate("jane", secret{"right"});
    if (searches) directory.find(jane);
    if (directory.waiting() > 0) directory.answer();
    directory.run();
    return login.get();
  };
  BOOST_TEST(!log_in(true).cached);
  BOOST_TEST(log_in(false).cached);
  // What was remembered belongs to the settings that it was asked by.
  auto under_way = users.async_lookup("joe");
  how.base = "ou=people";
  users.reload(how);
  directory.find("uid=joe");
  BOOST_TEST(under_way.get().outcome == login_outcome::ok);
  auto anew = users.async_authenticate("jane", secret{"right"});
  BOOST_TEST(directory.first<search_request>().base == "ou=people");
  directory.find(jane);
  directory.answer();
  BOOST_TEST(!anew.get().cached);
  users.forget("jane");
  auto forgotten = users.async_authenticate("jane", secret{"right"});
  BOOST_TEST(directory.first<search_request>().base == "ou=people");
  directory.find(jane);
  directory.answer();
  // Those that cannot work change nothing.
  BOOST_CHECK_THROW(users.reload(authenticator_settings{}), config_error);
  BOOST_TEST(!over(users.async_authenticate("jane", secret{"right"})));
  directory.run();
  auto shown = users.async_fetch("cn=x");
  BOOST_TEST(directory.first<search_request>().base == "cn=x");
  directory.find("cn=x");
  BOOST_TEST(shown.get().entries.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(the_deadline_of_who_asked_first_is_nobody_elses, shared_fixture) {
  // What a pool and a connection say at the asker's deadline, which may be long before that of who waits for it.
  for (const auto late : {errc::pool_timeout, errc::operation_timeout, errc::outcome_unknown}) {
    auto first = login("right", {.timeout = 10s});
    auto second = login("right", {.timeout = 1h});
    BOOST_TEST_REQUIRE(directory.waiting() == 1U);
    if (late == errc::outcome_unknown) {
      directory.find(jane);
      directory.run();
      BOOST_TEST_REQUIRE(directory.waiting() == 1U);
      directory.first<bind_request>();
    }
    directory.fail(late);
    BOOST_TEST_REQUIRE(over(first));
    BOOST_TEST(first.get().outcome == login_outcome::unavailable);
    directory.run();
    BOOST_TEST_REQUIRE(!over(second));
    BOOST_TEST_REQUIRE(directory.waiting() == 1U);
    if (late != errc::outcome_unknown) directory.find(jane);
    directory.run();
    directory.answer();
    directory.run();
    BOOST_TEST_REQUIRE(over(second));
    BOOST_TEST(second.get().outcome == login_outcome::ok);
  }
}

BOOST_FIXTURE_TEST_CASE(who_has_less_time_than_who_asked_asks_himself, shared_fixture) {
  auto first = login("right", {.timeout = 1h});
  auto second = login("right", {.timeout = 10s});
  BOOST_TEST(directory.waiting() == 2U);
  directory.find(jane);
  directory.find(jane);
  directory.run();
  while (directory.waiting() > 0) {
    directory.answer();
    directory.run();
  }
  BOOST_TEST(first.get().outcome == login_outcome::ok);
  BOOST_TEST(second.get().outcome == login_outcome::ok);
}

BOOST_FIXTURE_TEST_CASE(a_login_after_forget_has_no_answer_from_before_it, shared_fixture) {
  authenticator_settings how;
  how.dn_templates = {"uid={user},ou=people,dc=example,dc=com"};
  how.cache_ttl = 1h;
  const std::pair<const char*, std::function<void()>> ways[] = {
      {"forget", [&] { users.forget("jane"); }},
      {"forget_all", [&] { users.forget_all(); }},
      {"change_password", [&] { directory.answer(); }},  // it is under way
  };
  for (const auto& [name, forget] : ways) {
    users.reload(how);
    auto changed = std::future<password_change_result>{};
    if (std::string_view{name} == "change_password") {
      changed = users.async_change_password("jane", secret{"old"}, secret{"new"});
      directory.find(jane);
      directory.first<password_modify_request>();
    }
    auto before = login("old"), too = login("old");
    forget();
    if (changed.valid()) BOOST_TEST_REQUIRE(changed.get().outcome == login_outcome::ok);
    BOOST_TEST_REQUIRE(directory.waiting() == 1U, name);
    auto after = login("old");
    BOOST_TEST_REQUIRE(directory.waiting() == 2U, name);
    directory.answer();
    directory.run();
    BOOST_TEST(before.get().outcome == login_outcome::ok, name);
    BOOST_TEST(too.get().outcome == login_outcome::ok, name);
    BOOST_TEST(!over(after), name);
    directory.fail(errc::authentication_failed, result_code::invalid_credentials);
    BOOST_TEST(after.get().outcome == login_outcome::bad_credentials, name);
    // Nor was any of them kept.
    auto later = login("old");
    BOOST_TEST(directory.waiting() == 1U, name);
    directory.fail(errc::authentication_failed, result_code::invalid_credentials);
    BOOST_TEST(later.get().outcome == login_outcome::bad_credentials, name);
  }
}

BOOST_FIXTURE_TEST_CASE(a_change_that_began_under_other_settings_is_forgotten_under_the_new_ones, shared_fixture) {
  authenticator_settings how;
  how.dn_templates = {"uid={user},ou=people,dc=example,dc=com"};
  how.cache_ttl = 1h;
  const auto change = [&](bool blocks) {
    if (!blocks) return users.async_change_password("jane", secret{"old"}, secret{"new"});
    return std::async(std::launch::async, [&] { return users.change_password("jane", secret{"old"}, secret{"new"}); });
  };
  for (const bool blocks : {false, true}) {
    users.reload(how);
    auto changed = change(blocks);
    directory.await(1);
    directory.find(jane);
    directory.await(1);
    users.reload(how);
    auto before = login("old");
    directory.answer_newest();
    BOOST_TEST(before.get().outcome == login_outcome::ok);
    auto kept = login("old");
    directory.run();
    BOOST_TEST(kept.get().cached);
    directory.answer();
    BOOST_TEST(changed.get().outcome == login_outcome::ok);
    const auto after = login("old");
    BOOST_TEST(directory.waiting() == 1U, "blocks: " << blocks);
    directory.answer();
  }
}
