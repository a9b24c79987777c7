// Logins while servers are away: what hand-written code makes every user wait for, and then fail.
#include "scenarios/scenario.hpp"
#include "understudy/runtime/authenticator.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// What became of a number of logins.
struct login_tally {
  std::mutex guard;
  std::map<login_outcome, int> outcomes;
  std::map<std::string, int> by_server;
  duration longest{};
  std::string example;  ///< why one of them failed

  void note(const login_result& login, duration took) {
    const std::lock_guard lock{guard};
    ++outcomes[login.outcome];
    ++by_server[login.server];
    longest = std::max(longest, took);
    if (!login) example = login.detail;
  }
};

/// Has so many threads log so many users in each, one after the other.
void log_in(const authenticator& users, int threads, int each, login_tally& into) {
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back([&, i] {
      for (int n = 0; n < each; ++n) {
        const auto began = std::chrono::steady_clock::now();
        auto login = users.authenticate("user" + std::to_string(i * each + n), secret{"password"});
        into.note(login, std::chrono::steady_clock::now() - began);
      }
    });
  for (auto& thread : all) thread.join();
}

std::ptrdiff_t user_binds(const stub_directory& server) {
  const auto all = server.binds();
  return std::count_if(all.begin(), all.end(), [](const bind_note& each) { return each.dn != admin_dn; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_logins_go_on_while_one_server_is_black_holed_and_another_paused) {
  leak_guard leaks;
  stub_directory a, b, c;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2), server_at(c.port(), 3)});
  all.pool.bind_connections = 4;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  authenticator_settings how;
  how.base = directory_suffix;
  how.timeout = 20s;
  const authenticator users(manager, how);

  login_tally before;
  log_in(users, 4, 5, before);
  BOOST_TEST(before.outcomes[login_outcome::ok] == 20, before.example);
  BOOST_TEST(before.by_server[name_of(a.port())] == 20);

  // Open connections are dark, new ones are not answered; and one accepts, and says nothing.
  a.go_dark();
  a.ignore_connects();
  b.pause();
  login_tally meanwhile;
  log_in(users, 8, 25, meanwhile);
  BOOST_TEST(meanwhile.outcomes[login_outcome::ok] == 200, meanwhile.example);
  BOOST_TEST(meanwhile.by_server[name_of(c.port())] == 200);
  BOOST_TEST(meanwhile.longest.count() < how.timeout.count());
  // Found out once, not by each of them: what comes later waits for nobody.
  BOOST_TEST(server_in(manager.snapshot(), a.port()).breaker_opened >= 1u);
  BOOST_TEST(server_in(manager.snapshot(), b.port()).breaker_opened >= 1u);
  a.end_dark();
  a.start();
  b.resume();
  end_scenario(manager, {a, b, c});
  // Passwords went to a server that could check them, and to no other, where all that was sent is read by now: a bind
  // that is lost is not repeated, since it may count as a wrong one.
  BOOST_TEST(user_binds(a) == 20);
  BOOST_TEST(user_binds(b) == 0);
  BOOST_TEST(user_binds(c) == 200);
}
