// Scenarios 4, 5, 7: servers that never answer a connect, fall silent without an end, or stop half way through set-up.
#include "scenarios/evidence.hpp"
#include "support/certificates.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// Nothing is found out by asking: no probe, no validation, no suspicion.
void ask_nobody(settings& all) {
  all.failover.health_check_interval = 1h;
  all.pool.health_check_interval = 1h;
  all.breaker.suspect_after = 1h;
}

/// `bad` stops answering somewhere on the way to a bound connection: whoever waits there goes to another server when
/// the time for that step is over.
void check_step_times_out(stub_directory& bad, connection_info how, const std::string& waiting_for) {
  stub_directory good;
  how.timeout = 700ms;
  auto all = quick_settings({how, server_at(good.port(), 2)});
  ask_nobody(all);
  all.failover.failover_timeout = 60s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto answer = manager.try_search(search_for("(uid=user1)"), {30s});
  BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
  BOOST_TEST(answer->server == name_of(good.port()));
  const auto seen = server_in(manager.snapshot(), bad.port());
  // The connect's own failure, or that of the probe which it set off.
  BOOST_TEST((seen.last_error.find("timed out waiting for " + waiting_for) != std::string::npos), seen.last_error);
  BOOST_TEST(seen.pool.connect_failures > 0u);
  BOOST_TEST(seen.pool.opened == 0u);
  bad.forget_rules();
  bad.set_handshake(handshake::complete);
  end_scenario(manager, {bad, good});
}

/// Waits until the pool has its connections, for everything to happen on those.
void await_idle_pool(const connection_manager& manager, std::uint16_t port, std::uint32_t size) {
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), port).pool.now.idle == size; }));
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_04_unanswered_connects_are_few_and_callers_are_served_by_the_other) {
  leak_guard leaks;
  stub_directory a, b;
  a.ignore_connects();
  auto preferred = server_at(a.port(), 1);
  preferred.timeout = 500ms;
  preferred.pool_size = 8;
  auto all = quick_settings({preferred, server_at(b.port(), 2)});
  all.pool.max_connecting = 3;
  all.failover.failover_timeout = 200ms;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 32);
  std::size_t most = 0;
  std::set<std::string> causes;
  BOOST_TEST(eventually([&] {
    most = std::max(most, unanswered_connects(a.port()));
    const auto seen = server_in(manager.snapshot(), a.port());
    causes.insert(seen.last_error);
    return reads.by_server().count(name_of(b.port())) > 0 && seen.breaker_opened > 0 && seen.pool.connect_failures >= 4;
  }));
  BOOST_TEST(most >= 1u);
  // The pool's, and the monitor's probe.
  BOOST_TEST(most <= 3u + 1u);
  std::string told;
  for (const auto& cause : causes) told += cause + "\n";
  BOOST_TEST((told.find("timed out waiting for the connection") != std::string::npos), told);
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  a.start();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_04_alone_it_is_a_connection_timeout) {
  leak_guard leaks;
  stub_directory a;
  a.ignore_connects();
  auto server = server_at(a.port());
  server.timeout = 300ms;
  server.max_retries = 1;
  auto all = quick_settings({server});
  ask_nobody(all);
  all.recovery.reconnect_attempts = 0;
  connection_manager manager(all);
  const auto result = manager.connect();
  BOOST_TEST(!result.connected);
  BOOST_TEST(result.connection_error.find("connection_timeout") == 0u, result.connection_error);
  const auto answer = manager.try_search(search_for("(uid=user1)"), {10s});
  BOOST_TEST(answer.code() == errc::connection_timeout, why(answer));
  a.start();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_05_idle_connections_in_the_dark_are_found_out_by_keepalive) {
  leak_guard leaks;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  ask_nobody(all);
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  await_idle_pool(manager, a.port(), 2);
  const auto sockets = sockets_to(a.port());
  BOOST_TEST_REQUIRE(sockets.size() == 2u);
  for (const int fd : sockets) {
    BOOST_TEST(socket_option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
    const auto idle = socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE);
    const auto interval = socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL);
    BOOST_TEST(idle + interval * socket_option(fd, IPPROTO_TCP, TCP_KEEPCNT) <= 60);
    // The same in less time than that.
    set_socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    set_socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set_socket_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1500);
  }
  const auto opened = server_in(manager.snapshot(), a.port()).pool.opened;
  a.go_dark();
  BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.closed == 2u; }));
  BOOST_TEST(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.opened == opened + 2; }));
  BOOST_TEST(static_cast<bool>(manager.try_search(search_for("(uid=user1)"))));
  a.end_dark();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_05_busy_connections_in_the_dark_are_found_out_by_the_user_timeout) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)});
  ask_nobody(all);
  all.breaker.slow_call = 1h;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  await_idle_pool(manager, a.port(), 2);
  for (const int fd : sockets_to(a.port())) {
    const auto limit = socket_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT);
    BOOST_TEST(limit > 0);
    BOOST_TEST(milliseconds{limit} < std::chrono::duration_cast<milliseconds>(limit_settings{}.operation_timeout));
    set_socket_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
  }
  a.go_dark();
  std::vector<std::future<outcome>> reads, writes;
  for (int i = 0; i < 8; ++i) {
    reads.push_back(manager.async_search(search_for("(uid=user1)"), {60s}));
    writes.push_back(manager.async_modify(replace_description(user_dn(i), "x"), {60s}));
  }
  for (auto& one : reads) {
    const auto answer = one.get();
    BOOST_TEST(static_cast<bool>(answer), why(answer));
  }
  for (auto& one : writes) {
    BOOST_TEST_REQUIRE((one.wait_for(30s) == std::future_status::ready));
    const auto answer = one.get();
    BOOST_TEST((!answer && answer.code() == errc::outcome_unknown), why(answer));
  }
  BOOST_TEST(a.count(operation::modify) + b.count(operation::modify) == 0u);
  a.end_dark();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_05_in_the_dark_the_deadline_holds) {
  leak_guard leaks;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  ask_nobody(all);
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  await_idle_pool(manager, a.port(), 2);
  a.go_dark();
  const auto read = manager.try_search(search_for("(uid=user1)"), {500ms});
  BOOST_TEST(read.code() == errc::operation_timeout, why(read));
  const auto write = manager.try_modify(replace_description(user_dn(1), "x"), {500ms});
  BOOST_TEST(write.code() == errc::outcome_unknown, why(write));
  a.reset_all();
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_05_in_the_dark_readers_are_served_elsewhere_after_a_suspicion) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 16);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > 200; }));
  a.go_dark();
  a.ignore_connects();
  reads.forget();
  BOOST_TEST(eventually([&] { return reads.by_server().count(name_of(b.port())) > 0; }));
  BOOST_TEST(eventually([&] { return breaker_of(manager, a.port()) == breaker_state::open; }));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  a.end_dark();
  a.start();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_07_a_bind_without_an_answer_fails_over) {
  leak_guard leaks;
  stub_directory a;
  a.disturb(operation::bind, {.silent = true});
  check_step_times_out(a, server_at(a.port(), 1), "the answer to the bind");
}

BOOST_AUTO_TEST_CASE(scenario_07_a_start_tls_without_an_answer_fails_over) {
  leak_guard leaks;
  certificate_set certificates;
  stub_directory a(stub_with_tls(certificates, false));
  a.disturb(operation::start_tls, {.silent = true});
  auto how = server_at(a.port(), 1);
  how.use_tls = true;
  how.ca_cert_path = certificates.ca.certificate();
  check_step_times_out(a, how, "the TLS handshake");
}

BOOST_AUTO_TEST_CASE(scenario_07_a_tls_handshake_without_an_end_fails_over) {
  leak_guard leaks;
  certificate_set certificates;
  for (const bool ldaps : {false, true}) {
    stub_directory a(stub_with_tls(certificates, ldaps));
    a.set_handshake(handshake::ignore);
    auto how = server_at(a.port(), 1);
    how.use_ssl = ldaps;
    how.use_tls = !ldaps;
    how.ca_cert_path = certificates.ca.certificate();
    check_step_times_out(a, how, "the TLS handshake");
  }
}
