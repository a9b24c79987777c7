// Ports that throw on demand inside one kind of actor, to see what the others and the callers notice of it.
#pragma once
#include "scenarios/bare_runtime.hpp"

#include <mutex>

namespace understudy::test {

using namespace internal;

enum class victim : std::uint8_t { pool, health_monitor, breaker, connection };
std::ostream& operator<<(std::ostream& out, victim target);

/// Counts the calls of ports by one kind of actor, and throws in those that it was set for. Thread-safe.
class trap {
 public:
  /// After `skip` more calls, the next `times` throw.
  void set(int skip, int times = 1);
  /// Calls that threw.
  int sprung() const;
  /// A port was called; throws std::runtime_error when set.
  void step();

 private:
  mutable std::mutex guard_;
  int skip_ = 0, times_ = 0, sprung_ = 0;
};

/// A runtime each of whose kinds of actors has a clock and a poller with a trap in it.
class sabotaged_runtime {
 public:
  explicit sabotaged_runtime(settings all);

  trap& in(victim target) { return *traps_->at(static_cast<std::size_t>(target)); }
  bare_runtime& calls() noexcept { return *runtime_; }
  /// Lines of the log that have both texts in them.
  std::size_t log_lines(const std::string& text, const std::string& other) const;
  std::string log() const;

 private:
  using traps = std::array<std::shared_ptr<trap>, 4>;
  struct lines {
    std::mutex guard;
    std::vector<std::string> all;
  };
  std::shared_ptr<traps> traps_ = std::make_shared<traps>();
  std::shared_ptr<lines> log_ = std::make_shared<lines>();
  std::unique_ptr<bare_runtime> runtime_;
};

}  // namespace understudy::test
