// What documents and rules say of metrics is what there is.
#include "cli.hpp"
#include "support/eventually.hpp"
#include "support/installed_client.hpp"
#include "support/port_of.hpp"
#include "support/raw_client.hpp"
#include "support/stub_directory.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/runtime/metrics_text.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

using namespace understudy;
using namespace understudy::test;

namespace {

std::set<std::string> metrics_named_in(const std::string& text) {
  static const std::regex name{"\\bunderstudy_[a-z0-9_]+"};
  std::set<std::string> found;
  for (std::sregex_iterator at{text.begin(), text.end(), name}, end; at != end; ++at) found.insert(at->str());
  return found;
}

/// A node with all that can be counted.
runtime_snapshot node_with_everything() {
  runtime_snapshot state;
  state.servers.resize(1);
  state.servers[0].budget.total = 1;
  state.peers.resize(1);
  state.client_listeners.resize(1);
  state.servers[0].host = "ldap1.example.com";
  state.servers[0].port = 389;
  state.peers[0].name = "node2.example.com";
  state.client_listeners[0].address = "127.0.0.1:3890";
  state.operations.by_error.assign(3, 1);
  return state;
}

std::string all_metrics() { return metrics_text(node_with_everything(), {{"http.cert_path", wall_time{}}}); }

std::set<std::string> metrics_of_a_node() {
  std::istringstream lines{all_metrics()};
  std::set<std::string> found;
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("# TYPE ", 0) == 0) found.insert(line.substr(7, line.find(' ', 7) - 7));
  return found;
}

std::string source(const std::string& path) { return read_file(std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / path); }

/// As tools/setup --checks lays it down, or as it is installed.
std::string promtool() {
  const auto own = std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "build/checks/promtool";
  return std::filesystem::exists(own) ? own.string() : "promtool";
}
bool has_promtool() { return is_installed("promtool", {promtool(), "--version"}); }

program_result ask_promtool(const std::string& order, const std::vector<std::string>& arguments,
                            const std::string& input = {}) {
  child_process::options with;
  with.command = {promtool(), order};
  with.command.insert(with.command.end(), arguments.begin(), arguments.end());
  with.input = input;
  return run_program(std::move(with));
}
program_result lint(const std::vector<std::string>& arguments, const std::string& input = {}) {
  return ask_promtool("check", arguments, input);
}

nlohmann::json dashboard() { return nlohmann::json::parse(source("tools/packaging/understudy.dashboard.json")); }

/// The queries of all panels.
std::vector<std::string> dashboard_queries() {
  std::vector<std::string> found;
  // It outlives the loop: what a range is made from does not.
  const auto whole = dashboard();
  for (const auto& panel : whole.at("panels"))
    for (const auto& target : panel.value("targets", nlohmann::json::array()))
      found.push_back(target.at("expr").get<std::string>());
  return found;
}

/// As Grafana sends it.
std::string filled_in(std::string query) {
  const std::pair<std::string, std::string> variables[] = {
      {"$__rate_interval", "1m"}, {"$job", ".*"}, {"$instance", ".*"}, {"$server", ".*"}};
  for (const auto& [name, value] : variables)
    for (auto at = query.find(name); at != std::string::npos; at = query.find(name))
      query.replace(at, name.size(), value);
  return query;
}

/// What is counted in a histogram is asked for by these.
std::string without_part(const std::string& metric) {
  for (const std::string part : {"_bucket", "_sum", "_count"})
    if (metric.size() > part.size() && metric.compare(metric.size() - part.size(), part.size(), part) == 0)
      return metric.substr(0, metric.size() - part.size());
  return metric;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_documents_list_every_metric_and_no_other) {
  BOOST_TEST(metrics_named_in(source("docs/operations.md")) == metrics_of_a_node(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_alerting_rules_ask_for_metrics_that_there_are) {
  const auto known = metrics_of_a_node();
  const auto asked = metrics_named_in(source("tools/packaging/understudy.rules.yaml"));
  BOOST_TEST(asked.size() >= 7U);
  for (const auto& each : asked) BOOST_TEST(known.count(each) == 1U, each);
}

BOOST_AUTO_TEST_CASE(the_dashboard_asks_for_metrics_that_there_are) {
  const auto known = metrics_of_a_node();
  const auto queries = dashboard_queries();
  BOOST_TEST(queries.size() >= 20U);
  std::set<std::string> asked;
  for (const auto& each : queries) asked.merge(metrics_named_in(each));
  BOOST_TEST(asked.size() >= 20U);
  const auto whole = dashboard();
  for (const auto& variable : whole.at("templating").at("list"))
    if (variable.at("type") == "query") asked.merge(metrics_named_in(variable.at("definition").get<std::string>()));
  for (const auto& each : asked) BOOST_TEST(known.count(without_part(each)) == 1U, each);
}

BOOST_AUTO_TEST_CASE(the_panels_of_the_dashboard_have_places_of_their_own) {
  std::set<int> ids;
  std::set<std::pair<int, int>> taken;
  const auto whole = dashboard();
  for (const auto& panel : whole.at("panels")) {
    BOOST_TEST(ids.insert(panel.at("id").get<int>()).second, panel.at("title"));
    const auto& at = panel.at("gridPos");
    const int left = at.at("x"), top = at.at("y"), width = at.at("w"), height = at.at("h");
    BOOST_TEST((left >= 0 && left + width <= 24), panel.at("title"));
    for (int x = left; x < left + width; ++x)
      for (int y = top; y < top + height; ++y) BOOST_TEST(taken.emplace(x, y).second, panel.at("title"));
  }
  BOOST_TEST(ids.size() >= 15U);
}

BOOST_AUTO_TEST_CASE(application_promtool_finds_nothing_wrong_with_the_metrics) {
  if (!has_promtool()) return;
  const auto said = lint({"metrics"}, all_metrics());
  BOOST_TEST(said.status == 0, said.output << said.error_output);
  BOOST_TEST(said.output + said.error_output == "");
  // It would say so.
  BOOST_TEST(lint({"metrics"}, "# TYPE a counter\na 1\n").status != 0);
}

BOOST_AUTO_TEST_CASE(application_promtool_accepts_the_alerting_rules) {
  if (!has_promtool()) return;
  const auto said = lint(
      {"rules", (std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "tools/packaging/understudy.rules.yaml").string()});
  BOOST_TEST(said.status == 0, said.output << said.error_output);
}

BOOST_AUTO_TEST_CASE(every_alerting_rule_has_a_case_where_it_fires_and_one_where_it_is_silent) {
  const auto rules = source("tools/packaging/understudy.rules.yaml"), cases = source("tests/tools/alerts.test.yaml");
  static const std::regex rule{"- alert: (\\w+)"};
  std::size_t count = 0;
  for (std::sregex_iterator at{rules.begin(), rules.end(), rule}, end; at != end; ++at, ++count) {
    const auto name = (*at)[1].str();
    const std::regex fires{"- alertname: " + name + "\n +eval_time: \\w+\n +exp_alerts:\n +- exp_labels:"};
    BOOST_TEST(std::regex_search(cases, fires), name);
    const std::regex silent{"alertname: " + name + ", eval_time: \\w+, exp_alerts: \\[\\] "};
    BOOST_TEST(std::regex_search(cases, silent), name);
  }
  BOOST_TEST(count >= 12U);
}

BOOST_AUTO_TEST_CASE(application_promtool_sees_the_alerting_rules_fire_and_be_silent_as_they_have_to) {
  if (!has_promtool()) return;
  const auto said = ask_promtool(
      "test", {"rules", (std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "tests/tools/alerts.test.yaml").string()});
  BOOST_TEST(said.status == 0, said.output << said.error_output);
}

BOOST_AUTO_TEST_CASE(application_promtool_accepts_the_queries_of_the_dashboard) {
  if (!has_promtool()) return;
  const temporary_folder folder;
  const auto as_rules = [](const std::vector<std::string>& queries) {
    nlohmann::json rules = nlohmann::json::array();
    for (const auto& each : queries)
      rules.push_back({{"record", "query" + std::to_string(rules.size())}, {"expr", filled_in(each)}});
    const nlohmann::json file{{"groups", {{{"name", "dashboard"}, {"rules", std::move(rules)}}}}};
    return file.dump();  // which is YAML, too
  };
  const auto said = lint({"rules", folder.write("queries.yaml", as_rules(dashboard_queries())).string()});
  BOOST_TEST(said.status == 0, said.output << said.error_output);
  BOOST_TEST(lint({"rules", folder.write("wrong.yaml", as_rules({"sum(("})).string()}).status != 0);
}

BOOST_FIXTURE_TEST_CASE(the_example_of_monitoring_is_the_documents_and_shows_the_directory, command_line) {
  BOOST_TEST(contains(source("docs/operations.md"), "```cpp\n" + source("tools/examples/7_monitoring.cpp") + "```\n"));
  stub_directory server;
  const child_process service({UNDERSTUDY_MONITORING_EXAMPLE, config(server.url()), "0"});
  const auto listens = [&] {
    return contains(service.output(), "listens at 127.0.0.1:") && service.output().back() == '\n';
  };
  BOOST_TEST_REQUIRE(eventually(listens), service.error_output());
  const auto address = service.output();
  const auto get = [port = port_of(address.substr(0, address.size() - 1))](const std::string& path) {
    raw_client client(port);
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::string all;
    for (auto part = client.read_some(); !part.empty(); part = client.read_some()) all += part;
    return all;
  };
  const auto name = "127.0.0.1:" + std::to_string(server.port());
  const auto metrics = get("/metrics");
  BOOST_TEST(contains(metrics, "\nunderstudy_server_up{server=\"" + name + "\"} 1\n"), metrics);
  const auto state = get("/directory");
  const auto body = state.find("\r\n\r\n");
  BOOST_TEST_REQUIRE(body != std::string::npos, state);
  BOOST_TEST(nlohmann::json::parse(state.substr(body)).at("servers").at(0).at("state") == "healthy", state);
  BOOST_TEST(contains(get("/"), "HTTP/1.1 404"));
  server.stop();
  BOOST_TEST(eventually([&] { return contains(service.error_output(), "server: " + name + " is lost"); }),
             service.error_output());
  BOOST_TEST(contains(get("/metrics"), "understudy_server_up{server=\"" + name + "\"} 0\n"));
}
