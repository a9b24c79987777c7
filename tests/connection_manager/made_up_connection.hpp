// Connections that are made up: they keep to the contract of real ones, and the servers behind them do what a test
// says.
#pragma once
#include "understudy/actors/connection/retry_budget.hpp"
#include "understudy/actors/ports/ports.hpp"

#include <limits>
#include <map>

namespace understudy::test {

using namespace internal;

/// One server, and what came to it.
struct made_up_server {
  bool accepts = true;          ///< false: connects are refused
  bool paused = false;          ///< nothing is answered, connects hang
  bool hangs_requests = false;  ///< answers binds and reads of the root DSE alone …
  bool reads_entries = false;   ///< … and searches with the scope of one entry
  bool loses_requests = false;  ///< ends the connection at each; answers binds and reads of the root DSE
  bool busy = false;            ///< answers busy (51) to everything but binds
  bool hangs_set_ups = false;   ///< connects that begin now are never answered
  /// What hangs hangs later: connects come about, as the kernel of a stopped process accepts them, and it is the bind
  /// that is not answered.
  bool hangs_at_bind = false;
  duration connect_time{};
  duration answer_time{};  ///< from a request, or a bind, to its answer
  /// Connections that it takes; one more is refused.
  int limit = std::numeric_limits<int>::max();
  int open = 0;                      ///< connections that are ready
  int probes_open = 0;               ///< of these, the monitor's own
  std::vector<time_point> connects;  ///< when each was begun
  int connecting = 0, most_connecting = 0;
  int cuts = 0;  ///< how often all its connections ended
};

/// What all made-up connections share.
struct directory_world {
  std::string password = "right";
  int binds = 0;   ///< on any server
  int opened = 0;  ///< connections, bound or not
  int closed = 0;  ///< that were ready
  bool mute_drain = false;
  std::map<server_id, made_up_server> servers;
  std::map<connection_id, std::pair<server_id, caf::actor_addr>> live;
  retry_budget retries;
  std::map<request_ptr, int> sent;  ///< how often each was that is not safe to repeat

  // Defects of connections, for properties that have to notice them.
  bool forgets_the_dead = false;   ///< what a dying connection carries is told nothing
  bool repeats_writes = false;     ///< also those that may have been sent
  bool ignores_deadlines = false;  ///< of what is under way
  bool fails_checks = false;       ///< although the server would answer
};

/// What the world tells a connection, as (io_atom, 0, order).
namespace world_order {
inline constexpr std::uint32_t die = 1, go_on = 2;
}

connection_factory made_up_connections(std::shared_ptr<directory_world> world);

}  // namespace understudy::test
