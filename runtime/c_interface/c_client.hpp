// A client of the C interface: manager, authenticator and tickets in one object.
#pragma once
#include "understudy/config/load.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/c_interface/completion_queue.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/platform/fork_detector.hpp"

#include <map>

/// Thread-safe but for its end.
struct understudy_client {
  /// Throws config_error, and std::system_error when there is no descriptor for the completions.
  explicit understudy_client(understudy::settings all);

  /// True in the process that it was made in. Elsewhere nothing of it may be touched: locks may be held for ever.
  bool here() const noexcept { return home_.here(); }
  /// Where logins go. Throws config_error when `[authenticator]` does not say how users are found.
  understudy::authenticator& users();
  /// Where searches go.
  understudy::connection_manager& directory() noexcept { return manager_; }
  /// What referrals to `server` lead to is asked of `other`'s directory. Of UNDERSTUDY_MOST_REFERRALS at most.
  void refer(std::string server, understudy_client& other);
  /// The tickets.
  const std::shared_ptr<understudy::internal::completion_queue>& tickets() const noexcept { return tickets_; }

  /// Starts what was not stopped, and waits; see connection_manager::connect().
  understudy::connection_result connect(understudy::duration timeout);
  /// Nothing new is taken, and what runs ends. False when something does not.
  bool stop();
  /// After stop() nothing begins.
  bool stopped() const noexcept { return stopped_; }

 private:
  understudy::directory* referred(const std::string& server) const;

  const understudy::internal::fork_detector home_;
  const understudy::authenticator_settings how_;
  const std::shared_ptr<understudy::internal::completion_queue> tickets_;
  std::atomic<bool> stopped_{false};
  mutable std::mutex referrals_guard_;
  std::map<std::string, understudy::directory*> referrals_;  ///< servers in lower case
  std::mutex users_guard_;
  std::unique_ptr<understudy::authenticator> users_;
  understudy::connection_manager manager_;
};
