// The clock of a running service.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// The system's monotonic and wall clocks.
class system_clock final : public clock_port {
 public:
  time_point now() const override { return std::chrono::steady_clock::now(); }
  wall_time wall_now() const override { return std::chrono::system_clock::now(); }
};

}  // namespace understudy::internal
