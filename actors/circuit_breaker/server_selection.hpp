// Which of the usable servers takes a request: level by level, and within a level the better of two.
#pragma once
#include "understudy/actors/ports/random.hpp"
#include "understudy/messages/call.hpp"

#include <compare>
#include <optional>
#include <vector>

namespace understudy::internal {

/// What selection knows of one server.
struct candidate {
  server_id id = 0;
  int priority = 1;
  double weight = 1;  ///< above zero
  bool read_only = false;
  bool usable = true;      ///< its breaker lets a call through
  bool trial = false;      ///< half open: a call would take a permit …
  bool trial_due = false;  ///< … and only calls can tell whether it is well: one goes there as if it were closed
  bool suspected = false;
  bool silent = false;  ///< nobody who waited there got a connection
  bool full = false;    ///< has all that it can carry (counts only when spilling is on)
  double share = 1;     ///< see failback
  double latency = 0;   ///< moving average in seconds; 0: not known
  double in_flight = 0;
  bool global_catalog = false;
};

/// What a request needs.
struct selection_query {
  bool write = false;                       ///< no read_only server may take it
  bool prefer_writable = false;             ///< a read_only one only when there is no other on its level
  server_set tried;                         ///< only when there is no other
  std::optional<server_id> preferred = {};  ///< takes it, whatever its level, while it is well
  /// From connect(): a server that is known to be down is better than none, unless it is suspended.
  bool anew = false;
  /// A look-up that a global_catalog may take, and takes while it is well; nothing else goes to one.
  bool global_catalog = false;
};

/// Chooses servers. Keeps the level that serves when failback is by hand.
class server_selection {
 public:
  explicit server_selection(random_source random) : random_(std::move(random)) {}

  void configure(bool automatic_failback, bool spill) noexcept;
  /// The index of the server to take, or nothing when none is usable.
  std::optional<std::size_t> choose(const std::vector<candidate>& all, const selection_query& query);
  /// The level that a read sent now would go to, ramps apart; nothing when no server is usable.
  std::optional<int> serving_level(const std::vector<candidate>& all) const;

 private:
  /// How little a server is wanted; the smallest rank serves. Compared for every server of every request: three
  /// numbers.
  struct rank {
    /// Bits, the weightiest first: it is silent, it was tried, it is not the one that the request prefers; the lowest
    /// two: 0 wanted, 1 held back or full, 2 half open.
    unsigned reluctance;
    int priority;
    int second_choice;  ///< within its level: suspected, or read_only where a writable one is preferred
    auto operator<=>(const rank&) const = default;  // NOLINT(modernize-use-nullptr): takes the comparison for a pointer
  };

  rank rank_of(const candidate& c, const selection_query& query, bool held, bool level_kept, bool tries) const;
  bool keeps_level(const std::vector<candidate>& all) const;
  std::size_t better_of_two(const std::vector<candidate>& all);
  std::size_t draw(const std::vector<candidate>& all, std::size_t except);

  random_source random_;
  bool automatic_ = true;
  bool spill_ = false;
  std::optional<int> level_;         ///< that serves; used when failback is by hand
  std::vector<std::size_t> equals_;  ///< of the smallest rank; kept to spare allocations
};

}  // namespace understudy::internal
