// What the latest checks of a server found.
#pragma once
#include "understudy/messages/snapshot.hpp"

#include <mutex>

namespace understudy::internal {

/// The health monitor writes, the manager reads for snapshots; shared by what knows one server, and thread-safe.
class check_record {
 public:
  /// What a probe on schedule found at `at`.
  void note(const probe_report& found, wall_time at);
  /// The latest.
  check_snapshot latest() const;
  /// The latest for which a connection was begun anew.
  check_snapshot latest_connect() const;

 private:
  mutable std::mutex guard_;  ///< of what follows
  check_snapshot latest_, latest_connect_;
};

}  // namespace understudy::internal
