// Who is asked where a referral leads to, request by request.
#include "authenticator/manual_directory.hpp"
#include "authenticator/played_dialogue.hpp"
#include "understudy/runtime/authenticator.hpp"

using namespace understudy;
using namespace std::chrono_literals;
using test::jane;
using test::manual_directory;

namespace {

struct two_directories {
  authenticator users_of(std::vector<std::string> configured) {
    authenticator_settings how;
    how.base = "dc=example,dc=com";
    how.referrals = referral_policy::chase;
    how.referral_servers = std::move(configured);
    return authenticator{mine, std::move(how), [this](const std::string& server) -> directory* {
                           return server == "branch.example:389" ? &branch : nullptr;
                         }};
  }
  static result refer(const std::string& server = "mine:389") {
    result answer;
    answer.server = server;
    answer.references = {{"ldap://branch.example/ou=people,dc=example,dc=com"}};
    return answer;
  }
  static result entry_of(const std::string& server, const std::string& dn) {
    result answer;
    answer.server = server;
    answer.entries.push_back({dn, {}});
    return answer;
  }

  manual_directory mine, branch;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_user_of_another_directory_is_searched_for_and_bound_as_there, two_directories) {
  const auto users = users_of({});
  auto right = users.async_authenticate("jane", secret{"right"});
  mine.answer(refer());
  BOOST_TEST(mine.waiting() == 0U);
  BOOST_TEST_REQUIRE(branch.waiting() == 1U);
  BOOST_TEST(branch.first<search_request>().base == "ou=people,dc=example,dc=com");
  // Which of its servers has answered is that directory's own matter.
  branch.answer(entry_of("one-of-several.example:389", jane));
  BOOST_TEST(mine.waiting() == 0U);
  BOOST_TEST_REQUIRE(branch.waiting() == 1U);
  BOOST_TEST(branch.first<bind_request>().dn == jane);
  branch.answer(entry_of("another-of-several.example:389", ""));
  BOOST_TEST(right.get().outcome == login_outcome::ok);

  // A wrong password is asked for once.
  auto wrong = users.async_authenticate("jane", secret{"wrong"});
  mine.answer(refer());
  branch.answer(entry_of("one-of-several.example:389", jane));
  branch.fail(errc::authentication_failed, result_code::invalid_credentials);
  BOOST_TEST(branch.waiting() == 0U);
  BOOST_TEST(mine.waiting() == 0U);
  BOOST_TEST(wrong.get().outcome == login_outcome::bad_credentials);

  auto away = users.async_authenticate("jane", secret{"right"});
  mine.answer(refer());
  branch.fail(errc::no_server);
  const auto failed = away.get();
  BOOST_TEST(failed.outcome == login_outcome::unavailable);
  BOOST_TEST(failed.retryable);
}

BOOST_FIXTURE_TEST_CASE(a_password_is_changed_where_the_user_is, two_directories) {
  const auto users = users_of({});
  auto change = users.async_change_password("jane", secret{"old"}, secret{"new"});
  mine.answer(refer());
  branch.answer(entry_of("branch.example:389", jane));
  BOOST_TEST(mine.waiting() == 0U);
  BOOST_TEST_REQUIRE(branch.waiting() == 1U);
  BOOST_TEST(branch.first<password_modify_request>().user_identity.value_or("") == jane);
  branch.answer();
  BOOST_TEST(change.get().outcome == login_outcome::ok);
}

BOOST_FIXTURE_TEST_CASE(a_server_of_the_directory_itself_is_asked_through_it, two_directories) {
  const auto users = users_of({"Branch.example:389"});
  auto found = users.async_lookup("jane");
  mine.answer(refer());
  BOOST_TEST(branch.waiting() == 0U);
  BOOST_TEST_REQUIRE(mine.waiting() == 1U);
  mine.answer(entry_of("Branch.example:389", jane));
  BOOST_TEST(found.get().user.dn == jane);
}

BOOST_FIXTURE_TEST_CASE(a_call_has_one_deadline_wherever_it_is_led, two_directories) {
  const auto users = users_of({});
  auto login = users.async_authenticate("jane", secret{"right"}, {.timeout = 1ms});
  mine.await(1);
  // When it is over is for the clock of the machine: nothing is sent after that.
  const auto begun = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begun < 2ms) {
  }
  mine.answer(refer());
  BOOST_TEST(branch.waiting() == 0U);
  BOOST_TEST(login.get().outcome == login_outcome::unavailable);
}
