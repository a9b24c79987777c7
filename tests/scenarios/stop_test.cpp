// Scenario 27: stopping while servers are mute at every step: in time, and with one outcome for each request.
#include "scenarios/pool_rig.hpp"
#include "support/certificates.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// Requests whose outcomes are counted one by one.
class tally {
 public:
  void send(connection_manager& to, request_ptr request) {
    const auto number = sent_++;
    to.start(request,
             [this, number](const outcome& answer) {
               const std::lock_guard lock(guard_);
               ++told_[number];
               if (answer) ++succeeded_;
               ++codes_[answer.code()];
             },
             {60s});
  }
  std::size_t sent() const { return sent_; }
  /// Each has been told exactly once.
  bool settled() const {
    const std::lock_guard lock(guard_);
    for (const auto& [number, times] : told_)
      if (times != 1) return false;
    return told_.size() == sent_;
  }
  std::size_t succeeded() const {
    const std::lock_guard lock(guard_);
    return succeeded_;
  }
  std::size_t count(errc code) const {
    const std::lock_guard lock(guard_);
    const auto found = codes_.find(code);
    return found == codes_.end() ? 0 : found->second;
  }

 private:
  mutable std::mutex guard_;
  std::size_t sent_ = 0, succeeded_ = 0;
  std::map<std::size_t, int> told_;
  std::map<errc, std::size_t> codes_;
};

/// Threads that wait for a lease, or for its end.
class lease_waiters {
 public:
  lease_waiters(connection_manager& manager, int count) {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([this, &manager] {
        lease_options patient;
        patient.timeout = 60s;
        try {
          const auto held = manager.get_connection(patient);
          ++granted_;
        } catch (const ldap_exception&) {
          ++refused_;
        }
      });
  }
  ~lease_waiters() { join(); }
  void join() {
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }
  int granted() const { return granted_; }
  int refused() const { return refused_; }

 private:
  std::atomic<int> granted_{0}, refused_{0};
  std::vector<std::thread> threads_;
};

/// Stops while `waiting` wait for a lease and `requests` for their answers; none of them has succeeded.
void stop_in_time(connection_manager& manager, const tally& requests, lease_waiters& waiting, int waiters) {
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(!manager.disconnect(), "nothing had to be cut off?");
  // Half a second to drain, about two more for what hangs; the rest is for slow machines.
  BOOST_TEST((std::chrono::steady_clock::now() - began < 10s));
  BOOST_TEST(requests.settled());
  BOOST_TEST(requests.succeeded() == 0u);
  waiting.join();
  BOOST_TEST(waiting.refused() == waiters);
}

/// A pool whose connections are all leased, whose next ones never get ready, and for which many wait.
void stop_with_connects_under_way(stub_directory& server, settings all, const std::function<void()>& silence) {
  all.limits.drain_timeout = 500ms;
  // The monitor would find the server dead, and the breaker send everybody away.
  all.failover.health_check_interval = all.pool.health_check_interval = 600s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::vector<lease> held;
  do {
    held.push_back(manager.get_connection());
    BOOST_TEST(eventually([&] { return pool_at(manager, server.port()).now.connecting == 0u; }));
  } while (held.size() < 2 || pool_at(manager, server.port()).now.idle > 0u);
  silence();
  lease_waiters waiting(manager, 4);
  BOOST_TEST_REQUIRE(eventually([&] { return pool_at(manager, server.port()).now.waiters >= 4u; }));
  tally requests;
  for (int i = 0; i < 20; ++i) requests.send(manager, make_request(search_for("(uid=user1)")));
  for (int i = 0; i < 5; ++i) requests.send(manager, make_request(bind_request{user_dn(i), secret{"x"}}));
  BOOST_TEST(eventually([&] {
    const auto now = pool_at(manager, server.port()).now;
    return now.connecting >= 1u && now.waiters >= 24u;
  }));
  stop_in_time(manager, requests, waiting, 4);
  for (auto& one : held) BOOST_TEST(!one.release());
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_27_stopping_with_mute_peers_ends_in_time_with_an_outcome_for_each) {
  leak_guard leaks;
  stub_directory a;
  auto all = one_pool(a.port(), 3, 5);
  all.limits.drain_timeout = 500ms;
  all.failover.health_check_interval = all.pool.health_check_interval = 600s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb_all({.silent = true});
  tally requests;
  for (int i = 0; i < 5; ++i) requests.send(manager, make_request(replace_description(user_dn(i), "x")));
  BOOST_TEST_REQUIRE(eventually([&] { return a.count(operation::modify) == 5u; }));
  for (int i = 0; i < 40; ++i) requests.send(manager, make_request(search_for("(uid=user1)")));
  for (int i = 0; i < 6; ++i) requests.send(manager, make_request(bind_request{user_dn(i), secret{"x"}}));
  lease_waiters nobody(manager, 0);
  const auto sent_writes = a.count(operation::modify);
  stop_in_time(manager, requests, nobody, 0);
  BOOST_TEST(requests.count(errc::outcome_unknown) >= sent_writes, "a write that was sent may have happened");
  a.forget_rules();
  BOOST_TEST(manager.connect().connected);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_27_stopping_while_connects_are_not_answered_ends_in_time) {
  leak_guard leaks;
  stub_directory a;
  const auto all = one_pool(a.port(), 2, 6);
  stop_with_connects_under_way(a, all, [&] { a.ignore_connects(); });
  a.start();
  connection_manager again(all);
  BOOST_TEST(again.connect().connected);
  end_scenario(again, {a});
}

BOOST_AUTO_TEST_CASE(scenario_27_stopping_while_binds_are_not_answered_ends_in_time) {
  leak_guard leaks;
  stub_directory a;
  const auto all = one_pool(a.port(), 2, 6);
  stop_with_connects_under_way(a, all, [&] { a.disturb(operation::bind, {.silent = true}); });
  a.forget_rules();
  connection_manager again(all);
  BOOST_TEST(again.connect().connected);
  end_scenario(again, {a});
}

BOOST_AUTO_TEST_CASE(scenario_27_stopping_while_tls_handshakes_are_not_answered_ends_in_time) {
  leak_guard leaks;
  const certificate_set certificates;
  const tls_files files{.certificate = certificates.server.certificate, .key = certificates.server.key};
  for (const bool ldaps : {false, true}) {
    stub_directory a({.tls = files, .ldaps = ldaps});
    auto all = one_pool(a.port(), 2, 6);
    auto& server = all.servers[0];
    (ldaps ? server.use_ssl : server.use_tls) = true;
    server.ca_cert_path = certificates.ca.certificate().string();
    stop_with_connects_under_way(a, all, [&] { a.set_handshake(handshake::ignore); });
    a.set_handshake(handshake::complete);
    connection_manager again(all);
    BOOST_TEST(again.connect().connected);
    end_scenario(again, {a});
  }
}
