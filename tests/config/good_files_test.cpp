// What configuration files mean: values, inheritance, URIs, variables, sizes of pools.
#include "config/config_text.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/settings_from.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

settings good(const std::string& text, std::map<std::string, std::string> env = {}) {
  auto result = from_toml(text, std::move(env));
  BOOST_REQUIRE_MESSAGE(result.ok(), joined(lines_of(result.problems)));
  return result.value;
}

connection_info only_server(const std::string& text, std::map<std::string, std::string> env = {}) {
  auto all = good(text, std::move(env));
  BOOST_REQUIRE(all.servers.size() == 1u);
  return all.servers[0];
}

const std::string one_host = "[ldap]\nhost = \"a\"\n";

}  // namespace

BOOST_AUTO_TEST_CASE(an_almost_empty_file_gives_the_defaults) {
  const auto all = good(one_host);
  settings expected;
  expected.servers.resize(1);
  expected.servers[0].host = "a";
  BOOST_TEST(to_json(all) == to_json(expected));
  BOOST_TEST(all.servers[0].port == 389);
  BOOST_TEST(all.servers[0].pool_size == 5);
  BOOST_TEST(!all.server_pools);
}

BOOST_AUTO_TEST_CASE(logins_know_whether_there_are_global_catalogs) {
  BOOST_TEST(!good(one_host).authenticator.global_catalog);
  const auto all = good(R"(
[[ldap.servers]]
host = "dc1.ad.example.com"
[[ldap.servers]]
host = "dc1.ad.example.com"
port = 3268
role = "global_catalog"
)");
  BOOST_TEST(all.authenticator.global_catalog);
  // And which servers referrals may be followed to.
  const std::vector<std::string> both{"dc1.ad.example.com:389", "dc1.ad.example.com:3268"};
  BOOST_TEST(all.authenticator.referral_servers == both, boost::test_tools::per_element());
  BOOST_TEST((all.servers[1].role == server_role::global_catalog));
  BOOST_TEST(validate(all).empty());
  auto alone = all;
  alone.servers.erase(alone.servers.begin());
  BOOST_TEST_REQUIRE(validate(alone).size() == 1U);
  BOOST_TEST(validate(alone)[0].key == "ldap.servers[0].role");
}

BOOST_AUTO_TEST_CASE(every_section_is_read) {
  const auto all = good(one_host + R"(
bind_dn = "cn=x"
password = "p\u0000q"
timeout = "250ms"
retry_delay = 0.5
role = "read_only"
validate_cert = false
[pool]
min_connections = 7
max_lifetime = "2h"
use_pool = false
[failover]
spill = true
[breaker]
failure_rate = 20
[recovery]
credential_retry = "1d"
[limits]
max_result_bytes = 5000000000
[monitoring]
max_connection_time = 250
min_success_rate = 99.5
[log]
level = "debug"
format = "json"
file = "/tmp/x.log"
)");
  BOOST_TEST((all.servers[0].password.reveal() == std::string_view{"p\0q", 3}));
  BOOST_TEST((all.servers[0].timeout == 250ms));
  BOOST_TEST((all.servers[0].retry_delay == 500ms));
  BOOST_TEST((all.servers[0].role == server_role::read_only));
  BOOST_TEST(!all.servers[0].validate_cert);
  BOOST_TEST(all.pool.min_connections == 7);
  BOOST_TEST((all.pool.max_lifetime == 2h));
  BOOST_TEST(!all.pool.use_pool);
  BOOST_TEST(all.failover.spill);
  BOOST_TEST(all.breaker.failure_rate == 20);
  BOOST_TEST((all.recovery.credential_retry == 24h));
  BOOST_TEST(all.limits.max_result_bytes == 5000000000);
  BOOST_TEST(all.monitoring.max_connection_time == 250);
  BOOST_TEST(all.monitoring.min_success_rate == 99.5);
  BOOST_TEST((all.log.level == log_level::debug));
  BOOST_TEST((all.log.format == log_format::json));
  BOOST_TEST(all.log.file == "/tmp/x.log");
}

BOOST_AUTO_TEST_CASE(milliseconds_count_where_the_unit_says_so) {
  for (const std::string value : {"1500", "\"1500ms\"", "\"1.5s\""})
    BOOST_TEST(good(one_host + "[monitoring]\nmax_connection_time = " + value).monitoring.max_connection_time == 1500);
}

BOOST_AUTO_TEST_CASE(servers_inherit_from_ldap_and_override_it) {
  const auto all = good(R"(
[ldap]
port = 1389
timeout = 5
bind_dn = "cn=x"
password = "common"
[[ldap.servers]]
host = "a"
[[ldap.servers]]
host = "b"
port = 2389
timeout = 7
priority = 2
password_command = ["own"]
[[ldap.servers]]
host = "c"
bind_dn = ""
)");
  BOOST_REQUIRE(all.servers.size() == 3u);
  BOOST_TEST(all.servers[0].port == 1389);
  BOOST_TEST((all.servers[0].timeout == 5s));
  BOOST_TEST(all.servers[0].priority == 1);
  BOOST_TEST(all.servers[0].password.reveal() == "common");
  BOOST_TEST(all.servers[1].port == 2389);
  BOOST_TEST((all.servers[1].timeout == 7s));
  BOOST_TEST(all.servers[1].priority == 2);
  BOOST_TEST(all.servers[1].bind_dn == "cn=x");
  BOOST_TEST(all.servers[1].password.empty());
  BOOST_TEST(all.servers[1].password_command.size() == 1u);
  BOOST_TEST(all.servers[2].bind_dn.empty());
  BOOST_TEST(all.servers[2].password.empty());
}

BOOST_AUTO_TEST_CASE(a_uri_gives_host_port_and_use_ssl) {
  struct expectation {
    std::string uri, host;
    std::uint16_t port;
    bool use_ssl;
    std::string name;
  };
  for (const auto& each :
       {expectation{"ldap://a", "a", 389, false, "a:389"}, expectation{"LDAP://a:1000/", "a", 1000, false, "a:1000"},
        expectation{"ldaps://a", "a", 636, true, "a:636"}, expectation{"ldaps://[::1]:7", "::1", 7, true, "[::1]:7"},
        expectation{"ldap://[fe80::1%eth0]", "fe80::1%eth0", 389, false, "[fe80::1%eth0]:389"},
        expectation{"ldapi://%2Frun%2fldapi", "/run/ldapi", 0, false, "/run/ldapi"}}) {
    const auto server = only_server("[ldap]\nuri = \"" + each.uri + "\"\n");
    BOOST_TEST(server.host == each.host);
    BOOST_TEST(server.port == each.port);
    BOOST_TEST(server.use_ssl == each.use_ssl);
    BOOST_TEST(server_name(server) == each.name);
    BOOST_TEST(endpoint_of(server).local == (each.port == 0));
  }
}

BOOST_AUTO_TEST_CASE(use_ssl_without_a_port_means_636) {
  BOOST_TEST(only_server(one_host + "use_ssl = true\n").port == 636);
  BOOST_TEST(only_server(one_host + "use_ssl = true\nport = 389\n").port == 389);
  BOOST_TEST(only_server("[ldap]\nuse_ssl = true\n[[ldap.servers]]\nhost = \"a\"\n").port == 636);
}

BOOST_AUTO_TEST_CASE(a_uri_agrees_with_what_stands_beside_it) {
  const auto server = only_server("[ldap]\nuri = \"ldaps://a:77\"\nhost = \"a\"\nport = 77\nuse_ssl = true\n");
  BOOST_TEST(server.port == 77);
}

BOOST_AUTO_TEST_CASE(a_port_beside_a_uri_without_one_is_not_lost) {
  for (const std::string uri : {"ldaps://a", "ldaps://a/"}) {
    const auto server = only_server("[ldap]\nuri = \"" + uri + "\"\nport = 389\n");
    BOOST_TEST(server.uri == "ldaps://a:389");
    BOOST_TEST(server_name(server) == "a:389");
    BOOST_TEST(connection_info::from_toml(server.to_toml()).port == 389);
  }
}

BOOST_AUTO_TEST_CASE(a_servers_uri_comes_before_the_port_in_ldap) {
  const auto all = good(R"(
[ldap]
port = 1389
use_ssl = false
[[ldap.servers]]
uri = "ldap://a"
[[ldap.servers]]
uri = "ldaps://b:77"
[[ldap.servers]]
uri = "ldapi://%2Fx"
)");
  BOOST_TEST(all.servers[0].port == 1389);
  BOOST_TEST(all.servers[1].port == 77);
  BOOST_TEST(all.servers[1].use_ssl);
  BOOST_TEST(all.servers[2].port == 0);
}

BOOST_AUTO_TEST_CASE(pool_keys_win_over_those_in_ldap) {
  const auto all =
      good(one_host + "pool_size = 20\nmax_pool_size = 100\npool_timeout = 9\n[pool]\nmin_connections = 3\n");
  BOOST_TEST(all.pool.min_connections == 3);
  BOOST_TEST(all.pool.max_connections == 100);
  BOOST_TEST((all.pool.timeout == 9s));
  BOOST_TEST(!all.server_pools);
  const auto pool = pool_for(all, all.servers[0]);
  BOOST_TEST(pool.min_connections == 3);
  BOOST_TEST(pool.max_connections == 100);
}

BOOST_AUTO_TEST_CASE(a_servers_own_pool_keys_win_over_pool) {
  const auto all = good(R"(
[[ldap.servers]]
host = "a"
pool_size = 10
[[ldap.servers]]
host = "b"
[[ldap.servers]]
host = "c"
max_pool_size = 2
[pool]
min_connections = 1
max_connections = 40
max_waiters = 17
)");
  BOOST_TEST(all.server_pools);
  BOOST_TEST(pool_for(all, all.servers[0]).min_connections == 10);
  BOOST_TEST(pool_for(all, all.servers[0]).max_connections == 40);
  BOOST_TEST(pool_for(all, all.servers[1]).min_connections == 1);
  BOOST_TEST(pool_for(all, all.servers[2]).max_connections == 2);
  BOOST_TEST(pool_for(all, all.servers[2]).max_waiters == 17);
}

BOOST_AUTO_TEST_CASE(a_default_minimum_follows_a_maximum_down) {
  BOOST_TEST(good(one_host + "[pool]\nmax_connections = 2\n").pool.min_connections == 2);
  BOOST_TEST(good(one_host + "max_pool_size = 2\n").pool.min_connections == 2);
  const auto all = good("[[ldap.servers]]\nhost = \"a\"\nmax_pool_size = 3\n");
  BOOST_TEST(pool_for(all, all.servers[0]).min_connections == 3);
}

BOOST_AUTO_TEST_CASE(variables_convert_to_the_type_of_the_key) {
  const auto all = good(R"(
[ldap]
host = "${HOST}.example.com"
port = "${PORT}"
use_tls = "${TLS:-yes}"
retry_delay = "${DELAY:-1.5}"
bind_dn = "cn=$${x},dc=${HOST}"
password = "${SECRET}"
[pool]
timeout = "${TIMEOUT}"
[monitoring]
min_success_rate = "${RATE}"
max_connection_time = "${CONNECT}"
[log]
level = "${LEVEL:-debug}"
)",
                        {{"HOST", "h"},
                         {"PORT", "1389"},
                         {"DELAY", ""},
                         {"SECRET", "${HOST}"},
                         {"TIMEOUT", "2m"},
                         {"RATE", "99.5"},
                         {"CONNECT", "70"}});
  const auto& server = all.servers[0];
  BOOST_TEST(server.host == "h.example.com");
  BOOST_TEST(server.port == 1389);
  BOOST_TEST(server.use_tls);
  BOOST_TEST((server.retry_delay == 1500ms));
  BOOST_TEST(server.bind_dn == "cn=${x},dc=h");
  BOOST_TEST(server.password.reveal() == "${HOST}");
  BOOST_TEST((all.pool.timeout == 2min));
  BOOST_TEST(all.monitoring.min_success_rate == 99.5);
  BOOST_TEST(all.monitoring.max_connection_time == 70);
  BOOST_TEST((all.log.level == log_level::debug));
}

BOOST_AUTO_TEST_CASE(variables_stand_in_lists_too) {
  const auto server = only_server(one_host + "bind_dn = \"cn=x\"\npassword_command = [\"${TOOL}\", \"show ${X:-y}\"]\n",
                                  {{"TOOL", "pass"}});
  BOOST_TEST(server.password_command == (std::vector<std::string>{"pass", "show y"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_variable_that_is_not_set_is_a_problem) {
  BOOST_TEST(pool_errors(one_host + "port = \"${PORT}\"\n") ==
             "f:3:1: ldap.port: the environment variable PORT is not set; set it, or give a default: "
             "${PORT:-default}\n");
  const std::string name_rule =
      "${...} must hold the name of a variable, as ${NAME} or ${NAME:-default}; write $${ for a plain ${\n";
  BOOST_TEST(pool_errors("[ldap]\nhost = \"${}\"\n") == "f:2:1: ldap.host: " + name_rule);
  BOOST_TEST(pool_errors("[ldap]\nhost = \"${1A}\"\n") == "f:2:1: ldap.host: " + name_rule);
  BOOST_TEST(pool_errors("[ldap]\nhost = \"${A\"\n") ==
             "f:2:1: ldap.host: ${ without its }; write $${ for a plain ${\n");
}

BOOST_AUTO_TEST_CASE(problems_never_show_the_value_of_a_variable) {
  const std::map<std::string, std::string> env{{"SECRET", "hunter2"}, {"MASK", "***"}};
  BOOST_TEST(pool_errors(one_host + "port = \"${SECRET}\"\n", env) ==
             "f:3:1: ldap.port: must be an integer, but \"${SECRET}\" gives something else\n");
  for (const std::string key : {"port", "use_ssl", "timeout", "role", "password_command", "max_retries"}) {
    const auto text = pool_errors(one_host + key + " = \"${SECRET}\"\n", env);
    BOOST_TEST(!text.empty());
    BOOST_TEST(text.find("hunter2") == std::string::npos, text);
  }
  BOOST_TEST(pool_errors(one_host + "bind_dn=\"cn=x\"\npassword = \"${MASK}\"\n", env).find("is a mask") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(json_means_the_same_as_toml) {
  const std::string toml = R"(
[ldap]
bind_dn = "cn=x"
password = "p"
[[ldap.servers]]
host = "a"
port = "${PORT}"
[[ldap.servers]]
uri = "ldaps://b"
timeout = "250ms"
[pool]
min_connections = 2
)";
  const std::string json = R"({
    "ldap": {"bind_dn": "cn=x", "password": "p", "ca_cert_path": null,
             "servers": [{"host": "a", "port": "${PORT}"}, {"uri": "ldaps://b", "timeout": "250ms"}]},
    "pool": {"min_connections": 2}})";
  const auto one = from_toml(toml, {{"PORT", "99"}});
  const auto other = from_json(json, {{"PORT", "99"}});
  BOOST_REQUIRE_MESSAGE(one.ok() && other.ok(), joined(lines_of(one.problems)) + joined(lines_of(other.problems)));
  BOOST_TEST(to_json(one.value) == to_json(other.value));
  BOOST_TEST(other.value.servers[1].password.reveal() == "p");
}

BOOST_AUTO_TEST_CASE(the_name_of_a_file_tells_its_syntax) {
  const temporary_folder folder;
  const auto toml = folder.write("a.toml", "[ldap]\nhost = \"t\"\n").string();
  const auto json = folder.write("a.json", "{\"ldap\": {\"host\": \"j\"}}").string();
  BOOST_TEST(load_file(toml).value.servers.at(0).host == "t");
  BOOST_TEST(load_file(json).value.servers.at(0).host == "j");
  const auto bad = folder.write("b.toml", "[ldap]\n").string();
  BOOST_TEST(describe(load_file(bad).problems.at(0)).substr(0, bad.size() + 6) == bad + ":1:2: ");
}

BOOST_AUTO_TEST_CASE(a_byte_order_mark_is_no_problem) {
  BOOST_TEST(pool_errors("\xEF\xBB\xBF" + one_host) == "");
  BOOST_TEST(json_errors("\xEF\xBB\xBF{\"ldap\": {\"host\": \"a\"}}") == "");
}

BOOST_AUTO_TEST_CASE(the_process_environment_is_read) {
  ::setenv("UNDERSTUDY_TEST_HOST", "from-env", 1);
  const auto result = load_toml("[ldap]\nhost = \"${UNDERSTUDY_TEST_HOST}\"\n", "f");
  ::unsetenv("UNDERSTUDY_TEST_HOST");
  BOOST_TEST(result.value.servers.at(0).host == "from-env");
  BOOST_TEST(!process_environment("UNDERSTUDY_TEST_HOST").has_value());
}
