// A part of what `understudy serve` runs: the connections to the directory, and whatever listens.
#pragma once
#include "understudy/tools/service_state.hpp"

namespace understudy::cli {

/// Started, looked at, changed and drained by a service, which has one thread for start(), one for observe(), one for
/// reload() and drain(). Parts are started in the order in which a service holds them, and drained the other way round.
class service_part {
 public:
  virtual ~service_part() = default;
  /// What it serves, for people; one line.
  virtual std::string description() const = 0;
  /// Starts, and waits until it is of use, or known not to be for now: why. Returns soon when drain() is called
  /// meanwhile. Throws when it cannot start at all.
  virtual std::optional<std::string> start() = 0;
  /// How it is; takes two seconds at most.
  virtual service_observation observe() = 0;
  /// Throws config_error or ldap_exception when it cannot; then nothing has changed.
  virtual void reload(const settings& next) = 0;
  /// Ends in the configured time, or a little later. False when something had to be cut off.
  virtual bool drain() = 0;
};

}  // namespace understudy::cli
