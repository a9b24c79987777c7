// Logins of users whom a referral leads to: servers of the same configuration, and directories that the program has.
#include "authenticator/played_dialogue.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <mutex>
#include <set>

using namespace understudy;
using namespace std::chrono_literals;
using test::directory_request;
using test::jane;
using test::operation;
using test::reply;
using test::stub_directory;

namespace {

std::string place_of_stub(const stub_directory& stub) { return "127.0.0.1:" + std::to_string(stub.port()); }

settings with_servers(std::vector<const stub_directory*> stubs) {
  settings all;
  for (const auto* stub : stubs) {
    connection_info info;
    info.host = "127.0.0.1";
    info.port = stub->port();
    info.priority = static_cast<int>(all.servers.size()) + 1;
    all.servers.push_back(info);
  }
  all.recovery.auto_recovery = false;
  return all;
}

authenticator_settings chase_to(std::vector<std::string> servers = {}) {
  authenticator_settings how;
  how.base = "dc=example,dc=com";
  how.referrals = referral_policy::chase;
  how.referral_servers = std::move(servers);
  return how;
}

/// Has no users, and says who does; knows nobody's password.
void refer_to(stub_directory& from, const stub_directory& to) {
  from.when([](const directory_request& asked) { return asked.filter == "(uid=jane)"; },
            [uri = to.url() + "/ou=people,dc=example,dc=com"](const directory_request&) {
              return reply{{.references = {{uri}}}, {}};
            });
  from.when([](const directory_request& asked) { return asked.kind == operation::bind && !asked.dn.empty(); },
            [](const directory_request&) {
              return reply{{.code = 49}, {}};
            });
}

std::size_t binds_as_jane(const stub_directory& stub) {
  std::size_t count = 0;
  for (const auto& each : stub.binds()) count += each.dn == jane;
  return count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_login_follows_a_referral_to_a_server_of_the_configuration) {
  stub_directory first, second;
  refer_to(first, second);
  connection_manager manager{with_servers({&first, &second})};
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const authenticator users{manager, chase_to({place_of_stub(first), place_of_stub(second)})};
  const auto login = users.authenticate("jane", secret{"x"});
  BOOST_TEST(login.outcome == login_outcome::ok, login.detail);
  BOOST_TEST(login.server == place_of_stub(second));
  BOOST_TEST(login.referrals_met == 0U);
  BOOST_TEST(binds_as_jane(first) == 0U);
  BOOST_TEST(users.async_lookup("jane").get().user.dn == jane);
  // Without leave to go there it is told.
  const authenticator careful{manager, chase_to()};
  const auto told = careful.lookup("jane");
  BOOST_TEST(told.outcome == login_outcome::no_such_user);
  BOOST_TEST_REQUIRE(told.referrals.size() == 1U);
  BOOST_TEST(told.referrals[0].rfind(second.url(), 0) == 0U);
}

BOOST_AUTO_TEST_CASE(a_login_follows_a_referral_to_a_directory_of_the_programs) {
  stub_directory first, other{{.passwords = {{"", ""}, {"cn=theirs", "key"}, {jane, "right"}}}};
  refer_to(first, other);
  connection_manager manager{with_servers({&first})};
  BOOST_TEST_REQUIRE(manager.connect().connected);
  auto elsewhere = with_servers({&other});
  elsewhere.servers[0].bind_dn = "cn=theirs";
  elsewhere.servers[0].password = secret{"key"};
  connection_manager theirs{elsewhere};
  BOOST_TEST_REQUIRE(theirs.connect().connected);
  std::mutex guard;
  std::set<std::string> asked_for;
  const authenticator users{manager, chase_to({place_of_stub(first)}), [&](const std::string& server) -> directory* {
                              const std::lock_guard lock{guard};
                              asked_for.insert(server);
                              return server == place_of_stub(other) ? &theirs : nullptr;
                            }};
  const auto login = users.authenticate("jane", secret{"right"});
  BOOST_TEST(login.outcome == login_outcome::ok, login.detail);
  BOOST_TEST(login.dn == jane);
  BOOST_TEST(users.async_authenticate("jane", secret{"wrong"}).get().outcome == login_outcome::bad_credentials);
  BOOST_TEST(binds_as_jane(first) == 0U);
  BOOST_TEST(binds_as_jane(other) == 2U);
  BOOST_TEST((asked_for == std::set<std::string>{place_of_stub(other)}));
  // Searches there are those of the identity that the program has given that directory.
  for (const auto& each : other.requests(operation::search))
    if (each.filter == "(uid=jane)") BOOST_TEST(each.identity == "cn=theirs");
  // Who throws knows nobody.
  const authenticator broken{manager, chase_to(),
                             [](const std::string&) -> directory* { throw std::runtime_error{"x"}; }};
  BOOST_TEST(broken.lookup("jane").referrals_met == 1U);
  // What it has is missing while it is away: that is no "no such user".
  other.stop();
  const auto away = users.authenticate("jane", secret{"right"}, {.timeout = 1s});
  BOOST_TEST(away.outcome == login_outcome::unavailable, away.detail);
  BOOST_TEST(away.retryable);
}
