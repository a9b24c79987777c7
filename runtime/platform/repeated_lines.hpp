// What strangers can make happen any number of times is logged once a minute for each reason, with how often it was.
#pragma once
#include "understudy/actors/ports/repeat_limiter.hpp"

#include <map>
#include <string>

namespace understudy::internal {

/// A repeat_limiter for each reason: a bounded number of them, what is beyond that shares one. Belongs to one thread,
/// or to its owner's lock.
class repeated_lines {
 public:
  static constexpr std::size_t most_reasons = 32;

  /// It happened, for that reason: as repeat_limiter::pass().
  std::optional<std::uint64_t> pass(const std::string& reason, time_point now);

 private:
  std::map<std::string, repeat_limiter> reasons_;
};

}  // namespace understudy::internal
