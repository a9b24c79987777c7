// The metrics: their metric_names, which dashboards and alerts hang on, and the format.
#include "understudy/runtime/metrics_text.hpp"

#include "understudy/runtime/platform/prometheus_writer.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

using namespace understudy;
using namespace understudy::internal;

namespace {

runtime_snapshot metric_state() {
  runtime_snapshot state;
  state.servers.resize(2);
  for (std::size_t i = 0; i < state.servers.size(); ++i) {
    auto& server = state.servers[i];
    server.host = "ldap" + std::to_string(i + 1);
    server.port = 389;
    server.priority = static_cast<int>(i) + 1;
    server.last_error = "cn=service,dc=example refused";
    server.budget.total = 10;
    server.pool.max_connections = 50;
  }
  state.servers[0].serving = true;
  state.servers[0].pool.now.idle = 3;
  state.servers[0].pool.acquisition_time = milliseconds{1500};
  state.servers[1].breaker = breaker_state::open;
  state.active_priority = 1;
  state.operations.by_error.assign(errc_count, 0);
  state.operations.by_error[0] = 5;
  state.operations.by_error[static_cast<std::size_t>(errc::operation_timeout)] = 2;
  state.operations.latency.at_most.assign(latency_bounds.size(), 6);
  state.operations.latency.at_most[0] = 1;
  state.operations.latency.count = 7;
  state.operations.latency.total = milliseconds{12};
  state.connects.at_most.assign(latency_bounds.size(), 0);
  auto& peer = state.peers.emplace_back();
  peer.name = "node-b";
  peer.connected = true;
  auto& door = state.client_listeners.emplace_back();
  door.address = "127.0.0.1:389";
  door.clients = 4;
  door.operations.push_back({"search", client_standing::service, result_class::success, 9});
  return state;
}

std::vector<std::string> metric_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

const std::vector<certificate_validity> metric_certificates{
    {"http.cert_path", wall_time{seconds{1767254400}}},
    {"ldap1:389 ca_cert_path", wall_time{seconds{1767340800}}, false},
    {"node.cert_path", std::nullopt, false}};

/// Family and type, as announced.
std::map<std::string, std::string> metric_families(const std::string& text) {
  std::map<std::string, std::string> found;
  for (const auto& line : metric_lines(text)) {
    std::istringstream words{line};
    std::string hash, keyword, name, kind;
    words >> hash >> keyword >> name >> kind;
    if (hash == "#" && keyword == "TYPE") BOOST_TEST(found.emplace(name, kind).second, name << " is announced twice");
  }
  return found;
}

bool has_metric_line(const std::string& text, const std::string& wanted) {
  const auto lines = metric_lines(text);
  return std::find(lines.begin(), lines.end(), wanted) != lines.end();
}

// Dashboards, alerts and documents use these: one that changes breaks them.
const std::map<std::string, std::string> metric_names{{"understudy_build_info", "gauge"},
                                                      {"understudy_operations_total", "counter"},
                                                      {"understudy_operations_failed_by_directory_total", "counter"},
                                                      {"understudy_operation_duration_seconds", "histogram"},
                                                      {"understudy_operations_in_flight", "gauge"},
                                                      {"understudy_redispatches_total", "counter"},
                                                      {"understudy_connect_duration_seconds", "histogram"},
                                                      {"understudy_protocol_errors_total", "counter"},
                                                      {"understudy_credentials_refused", "gauge"},
                                                      {"understudy_active_priority", "gauge"},
                                                      {"understudy_server_up", "gauge"},
                                                      {"understudy_server_serving", "gauge"},
                                                      {"understudy_server_priority", "gauge"},
                                                      {"understudy_server_global_catalog", "gauge"},
                                                      {"understudy_server_state", "gauge"},
                                                      {"understudy_breaker_state", "gauge"},
                                                      {"understudy_breaker_opened_total", "counter"},
                                                      {"understudy_server_latency_seconds", "gauge"},
                                                      {"understudy_pool_connections", "gauge"},
                                                      {"understudy_pool_min_connections", "gauge"},
                                                      {"understudy_pool_max_connections", "gauge"},
                                                      {"understudy_pool_leased_connections", "gauge"},
                                                      {"understudy_pool_in_flight_operations", "gauge"},
                                                      {"understudy_pool_waiters", "gauge"},
                                                      {"understudy_pool_longest_wait_seconds", "gauge"},
                                                      {"understudy_pool_leases_acquired_total", "counter"},
                                                      {"understudy_pool_leases_released_total", "counter"},
                                                      {"understudy_pool_leaks_total", "counter"},
                                                      {"understudy_pool_dispatched_total", "counter"},
                                                      {"understudy_pool_completed_total", "counter"},
                                                      {"understudy_pool_opened_total", "counter"},
                                                      {"understudy_pool_closed_total", "counter"},
                                                      {"understudy_pool_connect_failures_total", "counter"},
                                                      {"understudy_pool_wait_timeouts_total", "counter"},
                                                      {"understudy_pool_refused_total", "counter"},
                                                      {"understudy_pool_acquisition_seconds_total", "counter"},
                                                      {"understudy_peer_connected", "gauge"},
                                                      {"understudy_budget_sockets", "gauge"},
                                                      {"understudy_clients", "gauge"},
                                                      {"understudy_clients_accepted_total", "counter"},
                                                      {"understudy_clients_turned_away_total", "counter"},
                                                      {"understudy_client_operations_total", "counter"},
                                                      {"understudy_certificate_readable", "gauge"},
                                                      {"understudy_certificate_not_after_timestamp_seconds", "gauge"}};

}  // namespace

BOOST_AUTO_TEST_CASE(the_names_of_metrics_stay) {
  const auto found = metric_families(metrics_text(metric_state(), metric_certificates));
  for (const auto& [name, kind] : found) {
    const auto known = metric_names.find(name);
    BOOST_TEST_REQUIRE((known != metric_names.end()), name << " is not in the list");
    BOOST_TEST(known->second == kind, name);
    BOOST_TEST((kind == "counter") == name.ends_with("_total"), name);
  }
  for (const auto& each : metric_names) BOOST_TEST(found.count(each.first) == 1U, each.first << " is gone");
}

BOOST_AUTO_TEST_CASE(labels_are_of_few_kinds_and_name_nobody) {
  const auto text = metrics_text(metric_state(), metric_certificates);
  const std::set<std::string> allowed{"version", "outcome",  "le",        "server",   "state",  "peer",
                                      "kind",    "listener", "operation", "identity", "result", "use"};
  for (const auto& line : metric_lines(text)) {
    if (line.front() == '#') continue;
    const auto open = line.find('{');
    BOOST_TEST(line.find("cn=") == std::string::npos, line);
    if (open == std::string::npos) continue;
    std::istringstream labels{line.substr(open + 1, line.rfind('}') - open - 1)};
    for (std::string each; std::getline(labels, each, ',');)
      BOOST_TEST(allowed.count(each.substr(0, each.find('='))) == 1U, line);
  }
}

BOOST_AUTO_TEST_CASE(a_certificates_end_is_told_by_its_use_alone) {
  const auto text = metrics_text(metric_state(), metric_certificates);
  for (const auto* line :
       {"understudy_certificate_not_after_timestamp_seconds{use=\"http.cert_path\"} 1767254400",
        "understudy_certificate_not_after_timestamp_seconds{use=\"ldap1:389 ca_cert_path\"} 1767340800",
        "understudy_certificate_readable{use=\"http.cert_path\"} 1",
        "understudy_certificate_readable{use=\"ldap1:389 ca_cert_path\"} 0",
        "understudy_certificate_readable{use=\"node.cert_path\"} 0"})
    BOOST_TEST(has_metric_line(text, line), line << " is not in\n" << text);
  BOOST_TEST(text.find("not_after_timestamp_seconds{use=\"node.cert_path\"}") == std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(a_global_catalog_is_told_from_the_others) {
  auto state = metric_state();
  state.servers[1].global_catalog = true;
  const auto text = metrics_text(state);
  BOOST_TEST(has_metric_line(text, "understudy_server_global_catalog{server=\"ldap1:389\"} 0"));
  BOOST_TEST(has_metric_line(text, "understudy_server_global_catalog{server=\"ldap2:389\"} 1"));
}

BOOST_AUTO_TEST_CASE(metrics_are_what_the_state_says) {
  const auto text = metrics_text(metric_state());
  for (const auto* line :
       {"understudy_operations_total{outcome=\"success\"} 5",
        "understudy_operations_total{outcome=\"operation_timeout\"} 2",
        "understudy_operation_duration_seconds_bucket{le=\"0.0001\"} 1",
        "understudy_operation_duration_seconds_bucket{le=\"10\"} 6",
        "understudy_operation_duration_seconds_bucket{le=\"+Inf\"} 7",
        "understudy_operation_duration_seconds_sum 0.012",
        "understudy_operation_duration_seconds_count 7",
        "understudy_active_priority 1",
        "understudy_server_up{server=\"ldap1:389\"} 1",
        "understudy_server_up{server=\"ldap2:389\"} 0",
        "understudy_server_serving{server=\"ldap1:389\"} 1",
        "understudy_server_state{server=\"ldap1:389\",state=\"healthy\"} 1",
        "understudy_breaker_state{server=\"ldap2:389\",state=\"open\"} 1",
        "understudy_breaker_state{server=\"ldap1:389\",state=\"open\"} 0",
        "understudy_pool_connections{server=\"ldap1:389\",state=\"idle\"} 3",
        "understudy_pool_acquisition_seconds_total{server=\"ldap1:389\"} 1.5",
        "understudy_peer_connected{peer=\"node-b\"} 1",
        "understudy_clients{listener=\"127.0.0.1:389\"} 4",
        "understudy_client_operations_total{listener=\"127.0.0.1:389\",operation=\"search\",identity=\"service\","
        "result=\"success\"} 9",
        "understudy_budget_sockets{server=\"ldap2:389\",kind=\"total\"} 10"})
    BOOST_TEST(has_metric_line(text, line), line << " is missing in\n" << text);
}

BOOST_AUTO_TEST_CASE(a_server_of_which_nothing_was_heard_is_in_no_state_and_serves_nobody) {
  auto state = metric_state();
  state.servers[0].untried = true;
  state.servers[0].pool.now.idle = 0;
  const auto text = metrics_text(state);
  for (const auto* line :
       {"understudy_server_up{server=\"ldap1:389\"} 0", "understudy_server_serving{server=\"ldap1:389\"} 0",
        "understudy_server_state{server=\"ldap1:389\",state=\"healthy\"} 0"})
    BOOST_TEST(has_metric_line(text, line), line << " is missing in\n" << text);
}

BOOST_AUTO_TEST_CASE(every_sample_belongs_to_the_family_announced_last) {
  std::string family;
  for (const auto& line : metric_lines(metrics_text(metric_state()))) {
    if (line.rfind("# HELP ", 0) == 0) family = line.substr(7, line.find(' ', 7) - 7);
    if (line.front() != '#') BOOST_TEST(line.rfind(family, 0) == 0U, line << " stands behind " << family);
  }
  // Without anything to tell it is well-formed too, and what is unknown is absent.
  const auto empty = metrics_text({});
  BOOST_TEST(empty.back() == '\n');
  BOOST_TEST(empty.find("\nunderstudy_active_priority ") == std::string::npos);
  BOOST_TEST(empty.find("understudy_peer_connected") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(numbers_are_plain_decimals_as_long_as_they_are_short) {
  prometheus_writer to;
  to.family("a", prometheus_writer::type::gauge, "x");
  static_cast<void>(to.take());
  for (const double value : {0.0001, 2.5, 86400.0, 1e300, 0.0}) to.sample({}, value);
  BOOST_TEST(to.take() == "a 0.0001\na 2.5\na 86400\na 1e+300\na 0\n");
}

BOOST_AUTO_TEST_CASE(what_would_end_a_label_or_a_line_is_escaped) {
  prometheus_writer to;
  to.family("a", prometheus_writer::type::gauge, "one\ntwo \\ \"three\"");
  to.sample({{"x", "quo\"te \\ li\nne"}, {"y", ""}}, 0.1);
  BOOST_TEST(to.take() ==
             "# HELP a one\\ntwo \\\\ \"three\"\n# TYPE a gauge\na{x=\"quo\\\"te \\\\ li\\nne\",y=\"\"} 0.1\n");
}
