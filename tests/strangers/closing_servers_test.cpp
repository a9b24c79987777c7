// Strangers that accept connections and end them: balancers without backends, servers out of descriptors.
#include "scenarios/evidence.hpp"
#include "support/certificates.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

connection_info anonymous_at(std::uint16_t port, int priority = 1) {
  auto made = server_at(port, priority);
  made.bind_dn.clear();
  made.password = secret{};
  return made;
}

/// Reads and users' binds against a server that ends every connection before it has answered anything: none is served,
/// and connects are few.
void check_few_connects(const connection_info& server, stub_directory& balancer) {
  connection_manager manager(quick_settings({server}));
  BOOST_TEST(!manager.connect().connected);
  const auto before = balancer.connections();
  {
    background_load reads(manager, 8, {}, 1s);
    background_load binds(
        manager, 2,
        [](int) {
          return make_request(bind_request{user_dn(1), secret{"secret"}});
        },
        1s);
    BOOST_TEST(holds_for([&] { return reads.succeeded() == 0 && binds.succeeded() == 0; }, 2s));
    BOOST_TEST(reads.finish());
    BOOST_TEST(binds.finish());
  }
  // The breaker is tried after 0.2 s, 0.4 s, 0.8 s, then each second; the monitor probes five times a second.
  const auto made = balancer.connections() - before;
  BOOST_TEST(made <= 40u, made << " connects in three seconds");
  balancer.limit_connections({});
  balancer.forget_rules();
  end_scenario(manager, {balancer});
}

/// Whoever connects is bound and may read the root DSE; each write costs its connection.
void check_left_after_few_writes(const delivery& in_place_of_answers, const std::string& told) {
  leak_guard leaks;
  stub_directory a, b;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return ready_connections(manager, a.port()) >= 1; }));
  a.disturb(operation::modify, in_place_of_answers);
  const auto before = a.connections();
  int lost = 0, served = 0;
  while (served < 10 && lost < 60) {
    const auto write = manager.try_modify(replace_description("cn=x,dc=example,dc=com", "y"), {5s});
    if (write) {
      ++served;
    } else {
      ++lost;
      BOOST_TEST((write.code() == errc::outcome_unknown), why(write));
      BOOST_TEST(why(write).find(told) != std::string::npos, why(write));
    }
  }
  // Five in a row; those connections that were open when it began have one cause.
  BOOST_TEST(lost <= 12, lost << " writes were lost");
  const auto server = server_in(manager.snapshot(), a.port());
  BOOST_TEST(server.breaker_opened >= 1u);
  const auto made = a.connections() - before;
  BOOST_TEST(made <= 20u, made << " connects");
  a.forget_rules();
  end_scenario(manager, {a, b});
}

/// How many connects one search costs a server that ends each at once, while nobody else has a reason to connect, and
/// nobody knows yet that it does.
std::size_t connects_of_one_search(int max_retries) {
  stub_directory balancer;
  auto how = server_at(balancer.port());
  how.max_retries = max_retries;
  how.pool_size = 0;
  how.max_pool_size = 1;  // too few for the monitor to keep one
  auto all = quick_settings({how});
  probe_nobody(all);
  all.pool.max_idle_time = 1s;
  all.breaker.circuit_breaker_threshold = 1000;
  all.recovery.auto_recovery = false;
  all.recovery.reconnect_attempts = 0;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return balancer.open_connections() == 0u; }));
  balancer.limit_connections(0);
  const auto before = balancer.connections();
  const auto found = manager.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST((found.code() == errc::connection_failed), why(found));
  const auto made = balancer.connections() - before;
  BOOST_TEST(manager.disconnect());
  return made;
}

}  // namespace

BOOST_AUTO_TEST_CASE(stranger_that_accepts_and_closes_sees_a_connect_and_max_retries_more_of_a_request) {
  leak_guard leaks;
  for (const int retries : {0, 1, 3})
    BOOST_TEST(connects_of_one_search(retries) == static_cast<std::size_t>(retries) + 1, retries);
}

BOOST_AUTO_TEST_CASE(stranger_that_accepts_and_closes_sees_few_connects) {
  leak_guard leaks;
  stub_directory balancer;
  balancer.limit_connections(0);
  check_few_connects(server_at(balancer.port()), balancer);
}

BOOST_AUTO_TEST_CASE(stranger_that_accepts_and_closes_sees_few_anonymous_connects) {
  leak_guard leaks;
  stub_directory balancer;
  balancer.limit_connections(0);
  check_few_connects(anonymous_at(balancer.port()), balancer);
}

BOOST_AUTO_TEST_CASE(stranger_that_ends_after_the_tls_handshake_sees_few_connects) {
  leak_guard leaks;
  const certificate_set certificates;
  stub_directory server(stub_with_tls(certificates, true));
  server.disturb_all({.silent = true, .then = ending::close});
  auto how = anonymous_at(server.port());
  how.use_ssl = true;
  how.ca_cert_path = certificates.ca.certificate();
  check_few_connects(how, server);
}

BOOST_AUTO_TEST_CASE(stranger_that_closes_when_asked_before_the_bind_is_bound_to_all_the_same) {
  leak_guard leaks;
  stub_directory a, b;
  // The first bind with a secret goes alone, to whichever server was reached first. The other one's waits for it, and
  // is asked meanwhile whether it lives.
  const auto before_bind = [](const directory_request& r) { return r.kind == operation::search && r.identity.empty(); };
  std::atomic<int> asked{0};
  for (auto* each : {&a, &b}) {
    each->disturb(operation::bind, {.delay = 700ms});
    each->when(before_bind, [&](const directory_request&) {
      ++asked;
      return reply{{}, {.silent = true, .then = ending::close}};
    });
  }
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return ready_connections(manager, b.port()) >= 1; }));
  BOOST_TEST(asked >= 1);
  for (auto* each : {&a, &b}) {
    const auto seen = server_in(manager.snapshot(), each->port());
    BOOST_TEST(seen.pool.connect_failures == 0u, seen.pool.last_error);
    BOOST_TEST(seen.last_error == "");
  }
  a.forget_rules();
  b.forget_rules();
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(stranger_that_ends_the_connection_at_each_write_is_left_after_few) {
  check_left_after_few_writes({.silent = true, .then = ending::close}, "was lost");
}

BOOST_AUTO_TEST_CASE(stranger_that_says_goodbye_and_ends_at_each_write_is_left_after_few) {
  check_left_after_few_writes({.raw = encode_notice_of_disconnection(52, "going down"), .then = ending::close},
                              "announced that it closes");
}

BOOST_AUTO_TEST_CASE(stranger_that_only_says_goodbye_at_each_write_is_left_after_few) {
  check_left_after_few_writes({.raw = encode_notice_of_disconnection(52, "going down")}, "announced that it closes");
}

BOOST_AUTO_TEST_CASE(stranger_with_a_limit_of_connections_serves_on_those_it_takes) {
  leak_guard leaks;
  stub_directory server;
  server.limit_connections(3);
  auto how = server_at(server.port());
  how.pool_size = 5;
  connection_manager manager(quick_settings({how}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 4, {}, 2s);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > 100; }));
  const auto before = server.connections();
  BOOST_TEST(holds_for([&] { return reads.failures().empty(); }, 3s), reads.example());
  // Growth and probes that find no room back off.
  const auto made = server.connections() - before;
  BOOST_TEST(made <= 40u, made << " connects in three seconds");
  BOOST_TEST((server_in(manager.snapshot(), server.port()).breaker == breaker_state::closed));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  server.limit_connections({});
  end_scenario(manager, {server});
}
