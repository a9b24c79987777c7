// How often passwords may be tried: refused binds are counted by address and by name.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace understudy::internal {

/// What is counted, and for how long.
struct bind_limits {
  std::uint32_t by_address = 100;   ///< refused binds from one address within `window`
  std::uint32_t by_name = 10;       ///< refused binds as one name within `window`
  duration window = seconds{60};    ///< from the first of them on
  std::size_t remembered = 10'000;  ///< addresses and names at once, each
};

/// Shared by all clients of a front door; thread-safe, on injected time.
class bind_limiter {
 public:
  explicit bind_limiter(bind_limits limits = {}) : limits_(limits) {}

  ///@{
  /// False when there were too many refusals lately.
  bool allows_address(const std::string& address, time_point now);
  bool allows_name(const std::string& name, time_point now);
  ///@}
  /// A bind was refused. What is empty is not counted by.
  void refused(const std::string& address, const std::string& name, time_point now);
  /// A bind as `name` was accepted: what was refused before was a mistake.
  void accepted(const std::string& name);

 private:
  struct count {
    std::uint32_t refused = 0;
    time_point until{};
  };
  using counts = std::map<std::string, count>;

  static bool allows(counts& all, const std::string& key, std::uint32_t most, time_point now);
  void note(counts& all, const std::string& key, time_point now);

  const bind_limits limits_;
  std::mutex mutex_;  // of what follows
  counts addresses_, names_;
};

}  // namespace understudy::internal
