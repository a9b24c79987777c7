// The connections to the directory, as a part of a service.
#pragma once
#include "understudy/messages/snapshot.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/platform/log_writer.hpp"
#include "understudy/tools/service_orders.hpp"
#include "understudy/tools/service_part.hpp"

#include <condition_variable>
#include <mutex>

namespace understudy::cli {

/// Holds the connection_manager.
class served_directory final : public service_part {
 public:
  /// The runtime's log goes to `log`, what clients order to `orders`. Throws config_error when the settings cannot
  /// work.
  served_directory(settings all, std::shared_ptr<internal::log_writer> log, std::shared_ptr<service_orders> orders);

  std::string description() const override;
  std::optional<std::string> start() override;
  service_observation observe() override;
  void reload(const settings& next) override { manager_.reload(next); }
  bool drain() override;

 private:
  bool wait_for_start(duration span);

  const std::string description_;
  connection_manager manager_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool starting_ = false, draining_ = false;
};

/// What a snapshot says of a service: whether it serves, who does, or why nobody does.
service_observation observation_of(const runtime_snapshot& now);

}  // namespace understudy::cli
