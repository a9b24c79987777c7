// Text of configuration problems.
#include "understudy/config/problem.hpp"

namespace understudy {

std::string describe(const config_problem& problem) {
  std::string text = problem.where;
  for (const std::string* part : {&problem.key, &problem.what}) {
    if (part->empty()) continue;
    if (!text.empty()) text += ": ";
    text += *part;
  }
  return text;
}

namespace {

std::string describe_all(const std::vector<config_problem>& problems) {
  std::string text;
  for (const auto& problem : problems) {
    if (!text.empty()) text += '\n';
    text += describe(problem);
  }
  return text.empty() ? "the configuration cannot be used" : text;
}

}  // namespace

config_error::config_error(std::vector<config_problem> problems)
    : std::runtime_error(describe_all(problems)), problems_(std::move(problems)) {}

}  // namespace understudy
