// A problem in a configuration and the exception that carries all of them.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace understudy {

/// One problem, with the place it was found at.
struct config_problem {
  std::string where;  ///< "FILE:LINE:COLUMN", a JSON pointer, or empty for settings made in code
  std::string key;    ///< "pool.max_connections", or empty when the text does not parse
  std::string what;   ///< what is wrong, and the nearest known key where that helps
};
/// "FILE:LINE:COLUMN: key: what".
std::string describe(const config_problem& problem);

/// A configuration that cannot be used; what() has every problem, a line each.
class config_error : public std::runtime_error {
 public:
  /// At least one problem.
  explicit config_error(std::vector<config_problem> problems);
  /// Every problem, in the order of the file.
  const std::vector<config_problem>& problems() const noexcept { return problems_; }

 private:
  std::vector<config_problem> problems_;
};

}  // namespace understudy
