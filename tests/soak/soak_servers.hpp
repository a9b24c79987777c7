// Three throwaway servers behind gates, and the faults that befall them one after another.
#pragma once
#include "support/fault_gate.hpp"
#include "support/slapd.hpp"

#include <array>
#include <random>

namespace understudy::soak {

using clock = std::chrono::steady_clock;

/// One server: a real slapd, reached through a gate.
struct soak_server {
  test::slapd directory;
  test::fault_gate gate{directory.port()};
  std::string fault;                ///< what it suffers from now; empty: nothing
  clock::time_point well_again{};   ///< when that ends
  std::function<void()> restore{};  ///< what ends it
};

/// Breaks servers at random, never all of them at once, and puts each right again some seconds later.
class fault_plan {
 public:
  explicit fault_plan(std::uint64_t seed) : random_(seed) {}

  std::array<soak_server, 3> servers;

  /// True when a server's fault would leave another one that serves.
  using spare = std::function<bool(const soak_server& victim)>;
  /// Ends what is due and, every few seconds, starts another fault if that is `allowed`. Says what it did.
  void advance(clock::time_point now, const spare& allowed);
  /// Every server well again.
  void heal_all();
  /// How often each fault was played.
  const std::map<std::string, std::uint64_t>& played() const noexcept { return played_; }

 private:
  struct kind;
  static const std::vector<kind>& kinds();
  int below(int n) { return std::uniform_int_distribution<int>{0, n - 1}(random_); }
  std::chrono::milliseconds between(int least, int most) {
    return std::chrono::milliseconds{least + below(most - least + 1)};
  }
  void start_fault(clock::time_point now, const spare& allowed);
  void end_fault(soak_server& server);

  std::mt19937_64 random_;
  clock::time_point next_{};
  std::map<std::string, std::uint64_t> played_;
};

}  // namespace understudy::soak
