// The last events of a runtime, for those who look now and then.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/messages/runtime_event.hpp"

#include <deque>
#include <mutex>

namespace understudy::internal {

/// Keeps `most` of them; older ones are forgotten. Thread-safe, and never waits for anybody who reads.
class event_history {
 public:
  static constexpr std::size_t most = 256;

  event_history();

  /// Tells this history's numbers from those of another process, or of a runtime that ran before: 16 digits.
  const std::string& id() const noexcept { return id_; }

  /// Notes what a line of the log says, from info on. Whom it names (the fields of DNs) is left out: events are shown
  /// where logs are not.
  runtime_event note(log_level level, std::string_view component, std::string_view text, const log_port::fields& more,
                     wall_time at);
  /// Those after number `after`, as far as they are kept, in order; 0: all that are.
  std::vector<runtime_event> since(std::uint64_t after) const;
  /// The number of the latest one; 0: there was none.
  std::uint64_t latest() const;

 private:
  const std::string id_;
  mutable std::mutex mutex_;
  std::deque<runtime_event> kept_;
  std::uint64_t last_ = 0;
};

}  // namespace understudy::internal
