// What `understudy doctor` concludes from what it saw, and that it says nothing where nothing is wrong.
#include "understudy/tools/diagnosis.hpp"
#include "support/contains.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::cli;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

settings with_servers(std::size_t count) {
  settings all;
  for (std::size_t i = 0; i < count; ++i)
    all.servers.emplace_back().host = "ldap" + std::to_string(i + 1) + ".example.com";
  return all;
}

/// Exactly one, with that in its text.
const diagnosis& only(const diagnoses& found, const std::string& text) {
  BOOST_REQUIRE_MESSAGE(found.size() == 1U, found.size() << " diagnoses, not one of \"" << text << "\"");
  BOOST_TEST(contains(found.front().text, text), found.front().text);
  return found.front();
}

const wall_time noon = std::chrono::sys_days{std::chrono::year{2026} / 5 / 17} + 12h;

probe_report failed_probe(stage at, failure why) {
  probe_report probe;
  probe.steps = {{at, 3ms, false}};
  why.where = at;
  probe.error = make_failure(std::move(why));
  return probe;
}

server_snapshot well_server() {
  server_snapshot server;
  server.host = "ldap1.example.com";
  server.port = 389;
  server.serving = true;
  return server;
}

runtime_snapshot well_node() {
  runtime_snapshot state;
  state.servers = {well_server()};
  state.active_priority = 0;
  return state;
}

}  // namespace

BOOST_AUTO_TEST_CASE(doctor_has_nothing_to_say_of_the_defaults) {
  BOOST_TEST(from_values(with_servers(2)).empty());
  BOOST_TEST(from_limits(with_servers(2), 1024).empty());
  BOOST_TEST(from_limits(with_servers(100), 0).empty());  // without limit
  BOOST_TEST(from_node(well_node()).empty());
  BOOST_TEST(from_configuration({}, {}).empty());
  probe_report good;
  good.ok = true;
  BOOST_TEST(from_probe("ldap1:389", good, {}).empty());
}

BOOST_AUTO_TEST_CASE(doctor_finds_times_that_do_not_go_together) {
  auto all = with_servers(2);
  all.breaker.suspect_after = 30s;
  BOOST_TEST(from_values(all).size() == 2U);  // also for logins
  all = with_servers(2);
  all.failover.failover_timeout = 30s;
  only(from_values(all), "failover.failover_timeout (30s) is not less than limits.operation_timeout (30s)");
  all.servers.resize(1);
  BOOST_TEST(from_values(all).empty());  // there is no next server
  all = with_servers(1);
  all.breaker.slow_call = 1min;
  only(from_values(all), "breaker.slow_call (1m)");
  all = with_servers(1);
  all.recovery.reconnect_attempts = 20;
  only(from_values(all), "recovery.reconnect_attempts times");
  all = with_servers(1);
  all.recovery.recovery_attempts = 6;
  only(from_values(all), "recovery.recovery_attempts times");
  all.recovery.auto_recovery = false;
  BOOST_TEST(from_values(all).empty());
  all = with_servers(1);
  all.servers[0].timeout = 50ms;
  BOOST_TEST(contains(only(from_values(all), "timeout is 50ms").subject, "ldap1.example.com"));
  all = with_servers(1);
  all.pool.max_lifetime = 5s;
  only(from_values(all), "replaced after 5s");
  all.pool.max_lifetime = 0s;  // never
  BOOST_TEST(from_values(all).empty());
}

BOOST_AUTO_TEST_CASE(doctor_counts_the_descriptors_that_may_be_needed) {
  auto all = with_servers(2);
  all.pool.max_connections = 100;
  BOOST_TEST(from_limits(all, 264).empty());
  const auto few = from_limits(all, 263);
  BOOST_TEST(only(few, "up to 264 descriptors").serious);
  all.front_door.listeners.emplace_back().max_clients = 1000;
  const auto clients = from_limits(all, 1024);
  BOOST_TEST(!only(clients, "1000 for clients").serious);
  BOOST_TEST(contains(clients[0].advice, "LimitNOFILE"));
  // Each server's own numbers, where those count.
  auto made = with_servers(1);
  made.server_pools = true;
  made.servers[0].max_pool_size = 500;
  only(from_limits(made, 256), "up to 564 descriptors");
}

BOOST_AUTO_TEST_CASE(doctor_finds_secrets_that_others_may_read) {
  const std::string literal = "[ldap]\nbind_dn = \"cn=a\"\n  password = \"hunter2\"\n";
  const auto found = from_secrets(literal, "/etc/a.toml", true, {});
  BOOST_TEST(only(found, "a secret stands in the configuration").serious);
  BOOST_TEST(!contains(found[0].text + found[0].advice, "hunter2"));
  BOOST_TEST(from_secrets(literal, "/etc/a.toml", false, {}).empty());
  for (const auto* line : {"password = \"${LDAP_PASSWORD}\"\n", "# password = \"x\"\n", "password_file = \"/x\"\n",
                           "password_command = [\"x\"]\n", "passwords = \"x\"\n", "password = \"\"\n",
                           "\"password_file\": \"/x\",", "bind_dn = \"password = x\"\n"})
    BOOST_TEST(from_secrets(line, "/etc/a.toml", true, {}).empty(), line);
  for (const auto* line :
       {"admin_token=\"0123456789abcdef\"", "  \"password\": \"x\",",
        "servers = [{ uri = \"ldap://a\", password = \"x\" }]", "client_key_password\t=\t'x'", "password = 'x'"})
    BOOST_TEST(from_secrets(line, "/etc/a.toml", true, {}).size() == 1U, line);
  only(from_secrets("", "a", false, {{"password_file", "/run/a b", true, false}}), "others than its owner");
  BOOST_TEST(contains(from_secrets("", "a", false, {{"password_file", "/run/a b", true, false}})[0].advice,
                      "chmod 600 '/run/a b'"));
  BOOST_TEST(!only(from_secrets("", "a", false, {{"password_file", "/run/a", false, true}}), "white space").serious);
  BOOST_TEST(from_secrets("", "a", false, {{"password_file", "/run/a", false, false}}).empty());
}

BOOST_AUTO_TEST_CASE(doctor_tells_of_certificates_that_end) {
  BOOST_TEST(from_certificate_files({{"http.cert_path", "/a.pem", noon + 31 * 24h}}, noon).empty());
  const auto soon = from_certificate_files({{"http.cert_path", "/a.pem", noon + 12 * 24h}}, noon);
  BOOST_TEST(!only(soon, "ends in 12 days").serious);
  BOOST_TEST(
      only(from_certificate_files({{"http.cert_path", "/a.pem", noon - 72h}}, noon), "ended 3 days ago").serious);
  internal::config::certificate_summary shown;
  shown.subject = "CN=ldap1";
  shown.begin = noon - 24h;
  shown.end = noon + 400 * 24h;
  BOOST_TEST(from_certificates("ldap1:636", {shown}, noon).empty());
  shown.end = noon + 5h;
  only(from_certificates("ldap1:636", {shown}, noon), "ends in 5 hours");
  shown.begin = noon + 48h;
  shown.end = noon + 400 * 24h;
  const auto early = from_certificates("ldap1:636", {shown}, noon);
  BOOST_TEST(only(early, "begins in 2 days").serious);
  BOOST_TEST(contains(early[0].advice, "2026-05-17T12:00:00Z"));
}

BOOST_AUTO_TEST_CASE(doctor_names_the_step_at_which_a_server_fails) {
  failure refused;
  refused.code = errc::connection_failed;
  refused.message = "Cannot connect to ldap1:389 (connect): Connection refused.";
  refused.server = "ldap1:389";
  const auto unreachable = from_probe("ldap1:389", failed_probe(stage::connect, refused), {});
  BOOST_TEST(only(unreachable, "fails at TCP").serious);
  BOOST_TEST(contains(unreachable[0].advice, "check host and port"));
  failure password;
  password.code = errc::service_authentication_failed;
  password.ldap_code = 49;
  password.server = "ldap1:389";
  given_options given;
  given.bind_dn = "cn=service";
  given.password_source = "the content of password_file \"/run/p\"";
  const auto credential = from_probe("ldap1:389", failed_probe(stage::bind, password), given);
  BOOST_TEST(contains(only(credential, "fails at bind").text, "/run/p"));
  BOOST_TEST(credential[0].advice != "");
  probe_report warned;
  warned.ok = true;
  warned.warning = "the password of cn=service must be changed";
  only(from_probe("ldap1:389", warned, {}), "must be changed");
}

BOOST_AUTO_TEST_CASE(doctor_finds_servers_that_differ) {
  directory_facts one{"ldap1:389", {"dc=example,dc=com", "cn=config"}, "Example 1.0", noon, noon};
  auto other = one;
  other.server = "ldap2:389";
  other.naming_contexts = {"CN=Config", "DC=example,DC=com"};  // the same, as names are compared
  BOOST_TEST(from_directories({one, other}).empty());
  other.naming_contexts = {"dc=example,dc=org"};
  only(from_directories({one, other}), "holds other trees than ldap1:389");
  other = one;
  other.vendor = "Example 2.0";
  BOOST_TEST(!only(from_directories({one, other}), "another product or version").serious);
  other = one;
  other.current_time = noon + 10min;
  only(from_directories({one, other}), "its clock is 10m ahead of");
  other.current_time = noon - 2min;
  only(from_directories({other}), "its clock is 2m behind");
  other.current_time = noon + 30s;
  BOOST_TEST(from_directories({other}).empty());
  other.current_time.reset();
  BOOST_TEST(from_directories({other}).empty());
}

BOOST_AUTO_TEST_CASE(doctor_reads_the_state_of_a_node) {
  const auto of = [](const std::function<void(runtime_snapshot&)>& change) {
    auto state = well_node();
    change(state);
    return from_node(state);
  };
  only(of([](auto& s) {
         s.servers[0].state = server_state::down;
         s.servers[0].last_error = "refused";
       }),
       "gets no answer from it: breaker closed; refused");
  only(of([](auto& s) { s.servers[0].breaker = breaker_state::open; }), "breaker open");
  const auto suspended = of([](auto& s) { s.servers[0].state = server_state::suspended; });
  BOOST_TEST(contains(only(suspended, "suspended by order").advice, "understudy resume"));
  only(of([](auto& s) { s.active_priority.reset(); }), "no server serves");
  only(of([](auto& s) { s.credentials_refused = true; }), "refuses the service's own bind");
  only(of([](auto& s) {
         s.peers.push_back({"node2", false, {}, "refused", {}, ""});
       }),
       "no link to this node: refused");
  const auto waiting = of([](auto& s) {
    s.servers[0].pool.now.waiters = 7;
    s.servers[0].pool.longest_wait = 2s;
    s.servers[0].pool.now.size = s.servers[0].pool.max_connections = 5;
  });
  BOOST_TEST(
      contains(only(waiting, "7 requests wait for a connection, the longest for 2s").advice, "pool.max_connections"));
  only(of([](auto& s) { s.servers[0].pool.refused = 3; }), "3 requests were refused");
  only(of([](auto& s) { s.servers[0].pool.leaks = 1; }), "leak_threshold");
  only(of([](auto& s) { s.servers[0].pool.growth_limit = 4; }), "no more than 4 connections");
  only(of([](auto& s) { s.servers[0].warning = "must be changed"; }), "must be changed");
  only(of([](auto& s) { s.operations.last_five_minutes = {100, 6}; }), "the directory failed 6");
  BOOST_TEST(of([](auto& s) { s.operations.last_five_minutes = {100, 5}; }).empty());
}

BOOST_AUTO_TEST_CASE(doctor_puts_a_nodes_own_probe_beside_what_the_node_does) {
  auto state = well_node();
  auto& server = state.servers[0];
  probe_report probe;
  probe.server = server.id;
  probe.ok = true;
  BOOST_TEST(from_node(state, {probe}).empty());
  // It answers, and still gets nothing.
  server.state = server_state::down;
  server.breaker = breaker_state::open;
  server.retry_after = 2500ms;
  const auto held = only(from_node(state, {probe}), "sends it nothing although it answers now: breaker open");
  BOOST_TEST(!held.serious);
  BOOST_TEST(contains(held.advice, "in 3s"), held.advice);
  // One finding, not two, for what both say.
  probe.ok = false;
  probe.steps = {{stage::resolve, 1ms, true}, {stage::connect, 1ms, false}};
  probe.error = make_failure(errc::connection_failed, stage::connect, "refused");
  const auto failed = only(from_node(state, {probe}), "for the node it fails at TCP: ");
  BOOST_TEST(failed.serious);
  BOOST_TEST(contains(failed.text, "breaker open"), failed.text);
  BOOST_TEST(!contains(failed.advice, "node.listeners"), failed.advice);  // it is about a directory
  // What is suspended by order is no fault, whatever a probe finds.
  server.breaker = breaker_state::suspended;
  server.state = server_state::suspended;
  only(from_node(state, {probe}), "suspended by order");
}
