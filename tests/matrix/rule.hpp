// The one rule that every cell of the matrix is held to, over what was observed in it.
#pragma once
#include "matrix/cell.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/error.hpp"

#include <functional>

namespace understudy::matrix {

enum class request_kind : std::uint8_t {
  read,
  write,
  user_bind,
};

/// One request and what became of it.
struct request_note {
  request_kind what = request_kind::read;
  time_point began{}, deadline{};
  int outcomes = 0;
  time_point ended{};  ///< of the first outcome
  errc code = errc::none;
  bool sent = false;   ///< failed, and a server may have got it or has answered it
  std::string server;  ///< who served it
  std::string error;   ///< described; empty when there was none

  /// An outcome came at `at`: of the server called `by`, or `why` there is none. Only the first is kept.
  void end(time_point at, const std::string& by, const failure_ptr& why);
};

/// What came to a server while its fault lasted.
struct faulty_server_note {
  std::string name;
  std::uint64_t connects = 0;
};

/// What was observed in one cell.
struct observation {
  /// `trouble_began`: of an outage before the fault, if there was one; else the same as `fault_began`.
  time_point trouble_began{}, fault_began{}, repaired{};
  /// The first read served by the server that failed first, after its repair.
  std::optional<time_point> serves_again;
  std::vector<request_note> requests;
  std::vector<faulty_server_note> faulty;
  /// Of connect() at the start, when the fault was there by then.
  std::optional<duration> connect_took;
  bool connected = false;
  std::optional<duration> reload_took;
  duration stop_took{};
  /// What did not add up or was left behind at the end, one sentence each.
  std::vector<std::string> left_behind;
  /// How much of a span the machine stood still for this process; null: never.
  std::function<duration(time_point from, time_point to)> stalled;
};

/// Spans and numbers of the rule, from the settings that a cell runs with.
struct terms {
  duration level;     ///< that a faulty level may cost a request: `suspect_after` and half a second
  duration late;      ///< that an outcome may come after its deadline
  duration recovery;  ///< from repair to serving again: the longest backoff, hold-down doubled once, ramp, two probes
  duration stop;      ///< `drain_timeout`, and `late`
  double backoff_base, backoff_cap, probe_interval;  ///< seconds
  std::uint64_t pool_size, max_connecting;

  explicit terms(const settings& all);
  /// The most connects that a server may see that is not well for `span`: those of its pool once, then one round of
  /// each kind of connection a backoff, and the probes.
  std::uint64_t connects_within(duration span) const;
};

/// THE RULE. Holds for every cell; what is broken of it, one sentence each, empty when it is kept.
///
/// 1. Every request has exactly one outcome, and none later than `late` after its deadline.
/// 2. While somebody is left who answers, a request is served within `level` for each faulty level. Only a write or a
///    user's bind that was sent to a faulty server may end otherwise: with what that server answered, or unknown. An
///    only server that comes back from an outage with the fault has to recover first, as under 5.
/// 3. With nobody left an error is typed: it is none of our defects and says something.
/// 4. A faulty server sees no more connects than its backoff allows.
/// 5. After the repair the server that failed serves again within `recovery`; from then on rule 2 holds for all.
/// 6. A stop ends within `drain_timeout`. Nothing is left behind.
std::vector<std::string> broken_promises(const cell& of, const terms& allowed, const observation& seen);

}  // namespace understudy::matrix
