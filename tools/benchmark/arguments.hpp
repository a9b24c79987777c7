// KEY=VALUE arguments of the benchmark's programs.
#pragma once
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>

namespace understudy::benchmark {

/// "MODE key=value key=value …". What is not given has a default.
class arguments {
 public:
  arguments(int argc, char** argv) {
    if (argc > 1) mode_ = argv[1];
    for (int i = 2; i < argc; ++i) {
      const std::string one = argv[i];
      const auto at = one.find('=');
      if (at == std::string::npos) throw std::invalid_argument("expected KEY=VALUE, not " + one);
      values_[one.substr(0, at)] = one.substr(at + 1);
    }
  }

  const std::string& mode() const noexcept { return mode_; }
  std::string text(const std::string& key, std::string otherwise = {}) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : found->second;
  }
  int number(const std::string& key, int otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : std::stoi(found->second);
  }
  double real(const std::string& key, double otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : std::stod(found->second);
  }

 private:
  std::string mode_;
  std::map<std::string, std::string> values_;
};

}  // namespace understudy::benchmark
