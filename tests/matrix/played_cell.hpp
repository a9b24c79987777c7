// One cell on real sockets: stub directories in this process, a connection_manager, a load, a fault, its repair.
#pragma once
#include "matrix/rule.hpp"
#include "support/certificates.hpp"

namespace understudy::matrix {

/// What playing a cell found.
struct played {
  std::vector<std::string> broken;  ///< of the rule; empty: kept
  duration stalled{};               ///< how long the machine kept the process waiting, in all
  std::vector<std::string> log;     ///< the runtime's last lines
};

/// The settings that a cell runs with: intervals of detection and repair short, `suspect_after` as it is.
settings settings_for(const cell& of, const std::vector<std::uint16_t>& ports, const std::string& ca_file);

/// Plays it; takes as long as its waits take, some seconds. Leaves nothing behind.
played play(const cell& of, const test::certificate_set& certificates);

}  // namespace understudy::matrix
