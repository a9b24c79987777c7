// Who holds which connection, since when, and whether the counters add up.
#pragma once
#include "understudy/messages/call.hpp"

#include <deque>
#include <map>
#include <string>

namespace understudy::internal {

/// A connection that is somebody's own.
struct lease_record {
  lease_id id = 0;
  connection_id connection = 0;
  std::string holder;  ///< who, for people
  time_point granted{};
  bool claimed = false;   ///< the grant arrived
  bool reported = false;  ///< as held too long
  bool may_last = false;  ///< it is held for as long as somebody is there, and never too long
};

/// The leases of one pool. `acquired() == released() + leased()` at every moment.
class lease_registry {
 public:
  /// How long a grant may stay unclaimed.
  static constexpr duration claim_time = seconds{1};

  void open(lease_record l);
  /// The holder has it; false when it is not (any more) leased.
  bool claim(lease_id id);
  /// Ends it. Nothing when it is not leased.
  std::optional<lease_record> close(lease_id id);
  /// Ends it because its connection broke: the holder, who cannot know yet, may still give it back once.
  std::optional<lease_record> mark_lost(lease_id id);
  /// True, once, for a lease that was lost.
  bool acknowledge_lost(lease_id id);

  /// Leases whose grant was not claimed in time.
  std::vector<lease_id> unclaimed(time_point now) const;
  /// Leases held for longer than `threshold` that were not reported yet; they are from now on.
  std::vector<lease_record> overdue(time_point now, duration threshold);
  /// When the next grant has to be claimed; time_point::max() when none waits for that.
  time_point next_claim() const noexcept;

  std::vector<lease_record> all() const;

  std::uint32_t leased() const noexcept { return static_cast<std::uint32_t>(open_.size()); }
  std::uint64_t acquired() const noexcept { return acquired_; }
  std::uint64_t released() const noexcept { return released_; }
  std::uint64_t leaks() const noexcept { return leaks_; }

 private:
  std::map<lease_id, lease_record> open_;
  std::deque<lease_id> lost_;
  std::uint64_t acquired_ = 0, released_ = 0, leaks_ = 0;
};

}  // namespace understudy::internal
