// Which address of a server is tried next and how long, until one works or the time is over.
#pragma once
#include "understudy/messages/event.hpp"
#include "understudy/messages/snapshot.hpp"

namespace understudy {

/// One attempt at connecting: every address gets a share of the time, so that a silent one does not use it up. Also
/// keeps the time that each step took. Time is the caller's.
class dial_plan {
 public:
  dial_plan(std::string server, time_point now, duration timeout);

  /// Of the whole attempt.
  time_point deadline() const noexcept { return deadline_; }
  /// Of the address that is tried now; deadline() when there is none or it is the last.
  time_point address_deadline() const noexcept { return address_deadline_; }

  void set_addresses(std::vector<socket_address> addresses);
  /// The next address to try, in the resolver's order; null when all were tried or the time is over.
  const socket_address* next(time_point now);
  /// Why the address that is tried now (or the look-up) did not work.
  void failed(const failure& why);
  /// The address that is tried now, for people; empty before the first.
  std::string address() const;

  /// Notes that a step begins; an earlier one is over.
  void begin(stage what, time_point now);
  /// The step that runs is over.
  void finish(bool ok, time_point now);
  stage step() const noexcept { return step_; }
  const std::vector<probe_step>& steps() const noexcept { return steps_; }
  /// Since the start, once finished.
  duration took() const noexcept { return last_ - start_; }

  /// The failure to report: the last one seen, its message naming the server and what happened at each address.
  failure_ptr verdict() const;

 private:
  std::string server_;
  time_point start_, deadline_, address_deadline_, step_begin_, last_;
  std::vector<socket_address> addresses_;
  std::size_t next_ = 0;
  failure last_failure_;
  std::string history_;
  stage step_ = stage::resolve;
  bool in_step_ = false;
  std::vector<probe_step> steps_;
};

}  // namespace understudy
