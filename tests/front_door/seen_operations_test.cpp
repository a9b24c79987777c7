// Who watches sees every operation of an LDAP client once, however it was answered and by whom, and nothing of what was
// in it.
#include "scenarios/front_door_clients.hpp"
#include "session_messages.hpp"
#include "support/port_of.hpp"
#include "support/stub_directory.hpp"
#include "understudy/actors/metrics/operation_tap.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// What was seen since the last time, a line each: operation, code, failure, whether the server is named.
class watcher {
 public:
  explicit watcher(const environment& env)
      : tap_(env.tap), until_(env.clock->now() + 1h), next_(tap_->begin(until_).next) {}

  std::string lines(const std::string& server) {
    const auto seen = tap_->since(next_, until_);
    next_ = seen.next;
    BOOST_TEST(seen.dropped == 0U);
    std::string text;
    for (const auto& each : seen.samples) {
      text += each.operation + ' ' + std::to_string(each.code) + ' ' + (each.error.empty() ? "-" : each.error) + ' ' +
              (each.server == server ? "there"
               : each.server.empty() ? "here"
                                     : each.server) +
              '\n';
      BOOST_TEST(each.at.has_value());
      BOOST_TEST((each.took > duration::zero() || each.server.empty()), text);
    }
    return text;
  }

 private:
  std::shared_ptr<operation_tap> tap_;
  time_point until_;  ///< it is watched as long as this test takes
  std::uint64_t next_;
};

/// Asks, and reads up to that answer.
int code_of(raw_client& client, const std::string& asked, int id) {
  client.send(asked);
  for (;;) {
    const auto answer = decode_answer(client.read_message());
    if (answer.id == id && answer.code != -1) return answer.code;
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_operation_of_a_client_is_seen_once) {
  leak_guard leaks;
  stub_directory directory{
      {.tls = {}, .ldaps = false, .passwords = {{admin_dn, admin_password}, {user_dn(1), user_password(1)}}}};
  auto all = quick_settings({server_at(directory.port())});
  all.breaker.suspect_after = 60s;
  all.failover.health_check_interval = all.pool.health_check_interval = 1h;
  served_clients door(with_front_door(all));
  const auto server = "127.0.0.1:" + std::to_string(directory.port());
  watcher watch{*door.get().get().env()};
  raw_client client{port_of(door.uri())};
  // Refused here, and taken as the service here.
  BOOST_TEST(code_of(client, search_message(1, people_dn, "user1"), 1) == 53);
  BOOST_TEST(code_of(client, bind_message(2, admin_dn, admin_password), 2) == 0);
  BOOST_TEST(watch.lines(server) == "search 53 - here\nbind 0 - here\n");
  // Answered as a whole, and part by part.
  BOOST_TEST(code_of(client, search_message(3, people_dn, "user1"), 3) == 0);
  BOOST_TEST(code_of(client, compare_message(4, user_dn(1), "sn", "x"), 4) == result_code::compare_true);
  std::vector<entry> many;
  for (int i = 0; i < 100; ++i) many.push_back({user_dn(i), {{"sn", {std::string(3000, 'x')}}}});
  directory.set_entries(many);
  BOOST_TEST(code_of(client, search_of(5, people_dn, search_scope::one), 5) == 0);
  BOOST_TEST(watch.lines(server) == "search 0 - there\ncompare 6 - there\nsearch 0 - there\n");
  // Given up by the client; what comes behind it has ended later.
  const auto asked = directory.count(operation::search);
  const auto silence = directory.disturb(operation::search, {.silent = true});
  client.send(search_message(6, people_dn, "user1"));
  BOOST_TEST_REQUIRE(eventually([&] { return directory.count(operation::search) > asked; }));
  client.send(abandon_message(7, 6));
  BOOST_TEST(code_of(client, compare_message(8, user_dn(1), "sn", "x"), 8) == result_code::compare_true);
  directory.forget(silence);
  BOOST_TEST(watch.lines(server) == "search 0 cancelled here\ncompare 6 - there\n");
  // As a user: refused and taken by the directory, then served by a connection of his own.
  BOOST_TEST(code_of(client, bind_message(9, user_dn(1), "wrong"), 9) == 49);
  BOOST_TEST(code_of(client, bind_message(10, user_dn(1), user_password(1)), 10) == 0);
  BOOST_TEST(code_of(client, replace_message(11, user_dn(1), "sn", "y"), 11) == 0);
  BOOST_TEST(watch.lines(server) == "bind 49 - there\nbind 0 - there\nmodify 0 - there\n");
  // His connection is lost: the failure is named beside what he was told.
  directory.reset_all();
  BOOST_TEST(code_of(client, search_message(12, people_dn, "user1"), 12) == 52);
  const auto lost = watch.lines(server);
  BOOST_TEST(lost.rfind("search 52 connection_unhealthy ", 0) == 0U, lost);
  BOOST_TEST(door.all_gone());
}
