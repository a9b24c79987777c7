// What came of a run: medians and spread of each series, as JSON and as the report's tables.
#pragma once
#include "plan.hpp"

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace understudy::benchmark {

/// Every line that the clients of one series said.
struct series_result {
  series what;
  std::vector<std::map<std::string, double>> rounds;

  /// Of that key over the rounds; 0 when no round has it.
  double median(const std::string& key) const;
  double least(const std::string& key) const;
  double most(const std::string& key) const;
};

/// The whole run; `conditions`: machine and settings, for the record.
nlohmann::json to_json(const std::vector<series_result>& all, const std::map<std::string, std::string>& conditions);

/// Markdown: a table a group, with ratios and targets.
std::string tables(const nlohmann::json& run);

/// Charts of a run: file name and SVG.
std::vector<std::pair<std::string, std::string>> charts(const nlohmann::json& run);

}  // namespace understudy::benchmark
