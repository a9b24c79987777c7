// Configurations written out and read back.
#include "config/config_text.hpp"
#include "support/certificates.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// Nothing at its default, no password (a mask cannot be read back).
settings unusual() {
  static const certificate_set certificates;
  settings all;
  all.servers.resize(3);
  all.servers[0].host = "a";
  all.servers[0].port = 1000;
  all.servers[0].timeout = 1234567us;
  all.servers[0].retry_delay = 333ms;
  all.servers[0].use_tls = true;
  all.servers[0].validate_cert = false;
  all.servers[0].bind_dn = "cn=\\\"quoted\\\\,dc=${x},dc=\xC3\xA9";
  all.servers[0].password_command = {"a b", "\"", "${c}", ""};
  all.servers[1].uri = "ldaps://b:1";
  all.servers[1].priority = 2;
  all.servers[1].crl_path = certificates.crl.string();
  all.servers[1].tls_min_version = tls_version::v1_3;
  all.servers[2].uri = "ldapi://%2Fx";
  all.servers[2].priority = 3;
  all.servers[2].role = server_role::read_only;
  all.pool.min_connections = 0;
  all.pool.max_lifetime = 0s;
  all.pool.preload_connections = true;
  all.failover.hold_down = 1ms;
  all.breaker.failure_rate = 1;
  all.recovery.auto_recovery = false;
  all.limits.max_result_bytes = 1LL << 40;
  all.monitoring.min_success_rate = 0.1;
  all.monitoring.max_connection_time = 3600000;
  all.authenticator.referrals = referral_policy::report;
  all.log.level = log_level::error;
  all.log.file = "/dev/null";
  all.node.name = "a ${node}";
  all.node.cert_path = certificates.server.certificate.string();
  all.node.key_path = certificates.server.key.string();
  all.node.ca_cert_path = certificates.ca.certificate().string();
  all.node.crl_path = certificates.crl.string();
  all.node.listeners.resize(2);
  all.node.listeners[0].address = "0.0.0.0:4100";
  all.node.listeners[0].permission = node_permission::admin;
  all.node.listeners[0].ca_cert_path = certificates.ca.certificate().string();
  all.node.listeners[0].crl_path = certificates.crl.string();
  all.node.listeners[0].max_peers = 7;
  all.node.listeners[1].address = "[::1]:4100";
  all.node.listeners[1].insecure_loopback = true;
  all.front_door.listeners.resize(2);
  all.front_door.listeners[0].address = "/run/understudy/ldapi";
  all.front_door.listeners[0].identity = client_identity::service;
  all.front_door.listeners[0].bases = {"ou=people,dc=example,dc=com", "ou=\"x\",dc=a"};
  all.front_door.listeners[0].max_pending = 3;
  all.front_door.listeners[1].address = "0.0.0.0:636";
  all.front_door.listeners[1].cert_path = certificates.server.certificate.string();
  all.front_door.listeners[1].key_path = certificates.server.key.string();
  all.front_door.listeners[1].use_ssl = true;
  all.front_door.listeners[1].idle_timeout = 0s;
  all.http.listen = "[::1]:9389";
  all.http.cert_path = certificates.server.certificate.string();
  all.http.key_path = certificates.server.key.string();
  all.http.hosts = {"node1.example.com"};
  all.http.admin_token_command = {"/bin/echo", "0123456789abcdef"};
  return all;
}

void check_round_trip(const settings& all) {
  const auto toml = from_toml(to_toml(all));
  BOOST_REQUIRE_MESSAGE(toml.ok(), joined(lines_of(toml.problems)) + to_toml(all));
  BOOST_TEST(to_json(toml.value) == to_json(all));
  const auto json = from_json(to_json(all).dump());
  BOOST_REQUIRE_MESSAGE(json.ok(), joined(lines_of(json.problems)));
  BOOST_TEST(to_json(json.value) == to_json(all));
  BOOST_TEST(to_toml(json.value) == to_toml(toml.value));
  BOOST_TEST((json.value.servers[0].timeout == all.servers[0].timeout));
  BOOST_TEST(json.value.servers[0].bind_dn == all.servers[0].bind_dn);
  BOOST_TEST(json.value.servers[0].password_command == all.servers[0].password_command,
             boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_written_reads_back_the_same) {
  auto all = unusual();
  check_round_trip(all);
  all.server_pools = true;
  all.servers[1].pool_size = 3;
  all.servers[1].pool_timeout = 1ms;
  check_round_trip(all);
}

BOOST_AUTO_TEST_CASE(dumps_mask_secrets) {
  auto all = unusual();
  all.servers[0].password_command.clear();
  all.servers[0].password = secret{"hunter2"};
  BOOST_TEST(to_toml(all).find("hunter2") == std::string::npos);
  BOOST_TEST(to_toml(all).find("password = \"***\"") != std::string::npos);
  BOOST_TEST(to_json(all).dump().find("hunter2") == std::string::npos);
  BOOST_TEST(to_json(all)["ldap"]["servers"][0]["password"] == "***");
  BOOST_TEST(to_json(all)["ldap"]["servers"][1]["password"].is_null());
}

BOOST_AUTO_TEST_CASE(a_dump_with_a_mask_is_refused) {
  settings all;
  all.servers.resize(1);
  all.servers[0].host = "a";
  all.servers[0].bind_dn = "cn=x";
  all.servers[0].password = secret{"p"};
  for (const auto& problems : {from_toml(to_toml(all)).problems, from_json(to_json(all).dump()).problems}) {
    BOOST_REQUIRE(problems.size() == 1u);
    BOOST_TEST(problems[0].key == "ldap.servers[0].password");
    BOOST_TEST(problems[0].what.find("is a mask") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(dumps_of_ill_formed_text_are_still_text) {
  settings all;
  all.servers.resize(1);
  all.servers[0].host = "a\xFF\x01";
  BOOST_CHECK_NO_THROW(to_json(all).dump());
  BOOST_TEST(to_toml(all).find("host = \"a\xEF\xBF\xBD\\u0001\"") != std::string::npos);
}
