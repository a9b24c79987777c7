// What can change while everything runs, and what a connection is made of.
#include "understudy/config/reload.hpp"
#include "understudy/config/options.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(options_that_take_a_restart_stay_and_are_named) {
  settings running, next;
  next.limits.max_requests = 5;
  next.log.format = log_format::json;
  next.log.level = log_level::debug;
  next.pool.max_connections = 3;
  std::vector<std::string> needs_restart;
  const auto merged = keep_unreloadable(running, next, needs_restart);
  BOOST_TEST(needs_restart == (std::vector<std::string>{"limits.max_requests", "log.format"}),
             boost::test_tools::per_element());
  BOOST_TEST(merged.limits.max_requests == running.limits.max_requests);
  BOOST_TEST((merged.log.format == log_format::text));
  BOOST_TEST((merged.log.level == log_level::debug));
  BOOST_TEST(merged.pool.max_connections == 3);
}

BOOST_AUTO_TEST_CASE(every_option_of_a_server_makes_it_another) {
  for (const auto& each : config::options()) {
    const auto* field = std::get_if<config::server_field>(&each.field);
    if (!field) continue;
    connection_info a, b;
    auto value = field->get(b);
    std::visit(
        [](auto& v) {
          using type = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<type, bool>)
            v = !v;
          else if constexpr (std::is_same_v<type, std::string>)
            v += "x";
          else if constexpr (std::is_same_v<type, secret>)
            v = secret{"x"};
          else if constexpr (std::is_same_v<type, std::vector<std::string>>)
            v.push_back("x");
          else
            v += type{1};
        },
        value);
    field->set(b, std::move(value));
    BOOST_TEST(!same_server(a, b), each.key);
    BOOST_TEST(same_server(b, b), each.key);
  }
}

BOOST_AUTO_TEST_CASE(connections_outlive_what_they_are_not_made_of) {
  settings all;
  connection_info a;
  a.host = "a";
  auto b = a;
  b.priority = 4;
  b.weight = 7;
  b.role = server_role::read_only;
  b.pool_size = 3;
  b.max_pool_size = 4;
  b.pool_timeout = 1s;
  b.retry_delay = 2s;
  auto later = all;
  later.pool.max_connections = 4;
  later.recovery.recovery_attempts = 0;
  later.breaker.circuit_breaker_threshold = 1;
  BOOST_TEST(same_connection(a, all, b, later));
}

BOOST_AUTO_TEST_CASE(connections_do_not_outlive_identity_encryption_or_limits) {
  const settings all;
  connection_info a;
  a.host = "a";
  const auto differs = [&](auto&& change) {
    auto b = a;
    auto later = all;
    change(b, later);
    return !same_connection(a, all, b, later);
  };
  BOOST_TEST(differs([](auto& b, auto&) { b.host = "b"; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.use_tls = true; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.use_ssl = true; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.ca_cert_path = "/x"; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.client_cert_path = "/x"; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.client_key_path = "/x"; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.validate_cert = false; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.bind_dn = "cn=x"; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.password = secret{"x"}; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.password_file = "/x"; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.password_command = {"/x"}; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.password_callback = [] { return std::string{}; }; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.client_key_password = secret{"x"}; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.client_key_password_file = "/x"; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.client_key_password_command = {"/x"}; }));
  BOOST_TEST(differs([](auto& b, auto&) { b.client_key_password_callback = [] { return std::string{}; }; }));
  BOOST_TEST(differs([](auto&, auto& s) { s.limits.max_result_bytes = 1; }));
  BOOST_TEST(differs([](auto&, auto& s) { s.limits.max_pdu_bytes = 1; }));
  BOOST_TEST(differs([](auto&, auto& s) { s.breaker.slow_call = 1s; }));
  BOOST_TEST(differs([](auto&, auto& s) { s.breaker.suspect_after = 3s; }));
}
