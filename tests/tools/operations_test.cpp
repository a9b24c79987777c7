// What documents and rules say of metrics is what there is.
#include "cli.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/runtime/metrics_text.hpp"

#include <boost/test/unit_test.hpp>

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

/// Of a node with all that can be counted.
std::set<std::string> metrics_of_a_node() {
  runtime_snapshot state;
  state.servers.resize(1);
  state.servers[0].budget.total = 1;
  state.peers.resize(1);
  state.client_listeners.resize(1);
  std::istringstream lines{metrics_text(state)};
  std::set<std::string> found;
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("# TYPE ", 0) == 0) found.insert(line.substr(7, line.find(' ', 7) - 7));
  return found;
}

std::string source(const std::string& path) { return read_file(std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / path); }

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
