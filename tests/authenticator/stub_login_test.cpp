// Logins at a directory that says what Active Directory and 389 Directory Server say, or nothing.
#include "authenticator/played_dialogue.hpp"
#include "support/eventually.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <atomic>

using namespace understudy;
using namespace std::chrono_literals;
using test::operation;
using test::reply;
using test::stub_directory;

namespace {

settings settings_of(const stub_directory& directory) {
  connection_info info;
  info.host = "127.0.0.1";
  info.port = directory.port();
  settings all;
  all.servers = {info};
  all.recovery.auto_recovery = false;
  return all;
}

authenticator_settings by_principal() {
  authenticator_settings how;
  how.dn_templates = {"{user}@ad.example.com", "uid={user},ou=people,dc=example,dc=com"};
  return how;
}

struct stub_fixture {
  stub_fixture() { BOOST_TEST_REQUIRE(manager.connect().connected); }

  login_result login() const { return users.authenticate("jane", secret{"password"}); }
  void answer_binds(int code, std::string diagnostic, std::vector<control> controls = {}) {
    directory.on(operation::bind,
                 reply{{.code = code, .diagnostic = std::move(diagnostic), .controls = std::move(controls)}, {}});
  }

  stub_directory directory;
  connection_manager manager{settings_of(directory)};
  authenticator users{manager, by_principal()};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(diagnostics_of_active_directory_come_out_as_outcomes, stub_fixture) {
  using enum login_outcome;
  const std::pair<const char*, login_outcome> known[] = {
      {"525", no_such_user},     {"52e", bad_credentials}, {"530", restricted},  {"532", password_expired},
      {"533", account_disabled}, {"701", account_expired}, {"773", must_change}, {"775", account_locked}};
  for (const auto& [data, outcome] : known) {
    answer_binds(49, "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data " +
                         std::string{data} + ", v4563");
    BOOST_TEST(login().outcome == outcome, data);
  }
  BOOST_TEST(directory.binds().front().dn == "jane@ad.example.com");
  directory.forget_rules();
  BOOST_TEST(login().outcome == ok);
  BOOST_TEST(login().dn == "jane@ad.example.com");
}

BOOST_FIXTURE_TEST_CASE(controls_of_389_directory_server_come_out_as_outcomes, stub_fixture) {
  answer_binds(0, "", {{std::string{password_expired_oid}, false, "0"}});
  BOOST_TEST(login().outcome == login_outcome::must_change);
  answer_binds(49, "password expired!", {{std::string{password_expired_oid}, false, "0"}});
  BOOST_TEST(login().outcome == login_outcome::password_expired);
  answer_binds(0, "", {{std::string{password_expiring_oid}, false, "3600"}});
  const auto warned = login();
  BOOST_TEST(warned.outcome == login_outcome::ok);
  BOOST_TEST(warned.password.expires_in.value_or(seconds{0}).count() == 3600);
  answer_binds(19, "Exceed password retry limit. Please try later.");
  BOOST_TEST(login().outcome == login_outcome::account_locked);
  answer_binds(53, "Account inactivated. Contact system administrator.");
  BOOST_TEST(login().outcome == login_outcome::account_disabled);
}

BOOST_FIXTURE_TEST_CASE(a_login_ends_at_its_timeout, stub_fixture) {
  directory.disturb(operation::bind, {.silent = true});
  auto how = by_principal();
  how.timeout = 1s;
  const authenticator impatient{manager, how};
  const auto login = impatient.authenticate("jane", secret{"password"});
  BOOST_TEST(login.outcome == login_outcome::unavailable, login.detail);
  BOOST_TEST(login.retryable);
  // The time of all its requests together: there is none left for the second template.
  BOOST_TEST(directory.count(operation::bind) == 1U);
  const auto shorter = users.authenticate("jane", secret{"password"}, {.timeout = 100ms});
  BOOST_TEST(shorter.outcome == login_outcome::unavailable, shorter.detail);
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_login_sends_nothing_more, stub_fixture) {
  directory.disturb(operation::bind, {.silent = true});
  cancel_source cancel;
  auto login = users.async_authenticate("jane", secret{"password"}, {.cancel = &cancel});
  BOOST_TEST_REQUIRE(test::eventually([&] { return directory.count(operation::bind) == 1; }));
  cancel.cancel();
  const auto ended = login.get();
  BOOST_TEST(ended.outcome == login_outcome::unavailable);
  BOOST_TEST(!ended.retryable);
  BOOST_TEST_REQUIRE(ended.failed != nullptr);
  BOOST_TEST((ended.failed->code == errc::cancelled));
}

BOOST_FIXTURE_TEST_CASE(a_cancel_between_two_requests_ends_a_login, stub_fixture) {
  cancel_source cancel;
  std::atomic<int> asked{0};  // the directory itself counts when it has answered, and the call may be over by then
  // While the first bind is refused nothing can be taken back any more; the second is not sent.
  directory.on(operation::bind, [&](const test::directory_request&) {
    ++asked;
    cancel.cancel();
    return reply{{.code = 49}, {}};
  });
  const auto ended = users.authenticate("jane", secret{"password"}, {.cancel = &cancel});
  BOOST_TEST(ended.outcome == login_outcome::unavailable, ended.detail);
  BOOST_TEST(asked == 1);
}

BOOST_FIXTURE_TEST_CASE(a_referral_is_no_user_and_is_not_followed, stub_fixture) {
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  const authenticator searching{manager, how};
  directory.on(operation::search, reply{{.code = 10, .referrals = {"ldap://other.example.com/"}}, {}});
  const auto login = searching.authenticate("jane", secret{"password"});
  BOOST_TEST(login.outcome == login_outcome::unavailable);
  BOOST_TEST(!login.retryable);
  directory.forget_rules();
  // Continuation references beside an entry are no entries.
  directory.on(operation::search, reply{{.entries = {{"uid=jane,ou=people,dc=example,dc=com", {}}},
                                         .references = {{"ldap://other.example.com/"}}},
                                        {}});
  BOOST_TEST(searching.authenticate("jane", secret{"password"}).outcome == login_outcome::ok);
}

BOOST_AUTO_TEST_CASE(a_login_says_when_an_open_breaker_lets_the_next_one_through) {
  settings all;
  {
    const stub_directory gone;
    all = settings_of(gone);
  }
  all.servers.front().max_retries = 0;
  all.recovery.reconnect_attempts = 1;
  all.breaker.circuit_breaker_threshold = 1;
  all.breaker.open_base = all.breaker.open_cap = 600s;
  connection_manager manager{all};
  BOOST_TEST(!manager.connect().connected);
  const authenticator users{manager, by_principal()};
  login_result refused;
  BOOST_TEST_REQUIRE(test::eventually([&] {
    refused = users.authenticate("jane", secret{"password"});
    return refused.failed != nullptr && refused.failed->code == errc::breaker_open;
  }));
  BOOST_TEST(refused.outcome == login_outcome::unavailable);
  BOOST_TEST(refused.retryable);
  BOOST_TEST_REQUIRE(refused.retry_after.has_value());
  BOOST_TEST(refused.retry_after->count() > 0);
  // With its jitter at most.
  BOOST_TEST(refused.retry_after->count() <= 1200 * 1000);
}
