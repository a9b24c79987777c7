// What strangers can make happen as often as they like is logged once a minute for each reason, with how often it was.
#pragma once
#include "understudy/messages/time.hpp"

#include <map>
#include <optional>
#include <string>

namespace understudy::internal {

/// Decisions on injected time. Remembers a bounded number of reasons; what is beyond that shares one.
class repeated_lines {
 public:
  static constexpr std::size_t most_reasons = 32;

  /// It happened, for that reason. How often since it was told last, this time included, when it is to be told now.
  std::optional<std::uint64_t> happened(const std::string& reason, time_point now);

 private:
  struct record {
    time_point told_at{};
    std::uint64_t untold = 0;
  };
  std::map<std::string, record> reasons_;
};

}  // namespace understudy::internal
