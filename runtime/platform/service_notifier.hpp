// Tells the service manager that started this process how it is: the datagrams of sd_notify(3).
#pragma once
#include "understudy/messages/time.hpp"
#include "understudy/runtime/platform/descriptor.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::internal {

/// Sends datagrams to the socket that a service manager has named in the environment. The protocol is stable, and meant
/// to be spoken without libsystemd, which would bring four more libraries into the process. Thread-safe.
class service_notifier {
 public:
  /// Looks up an environment variable; tests pass their own.
  using variables = std::function<std::optional<std::string>(const std::string&)>;

  /// Reads NOTIFY_SOCKET (a path, or with '@' an abstract name), WATCHDOG_USEC and WATCHDOG_PID. Throws
  /// std::system_error when there is no descriptor left; std::invalid_argument, naming the variable, when a value makes
  /// no sense.
  explicit service_notifier(const variables& environment);

  /// False: nobody asked to be told.
  bool wanted() const noexcept { return !address_.empty(); }
  /// How long the service manager waits for a sign of life; nothing when it wants none.
  std::optional<duration> watchdog() const noexcept { return watchdog_; }
  /// Sends assignments ("READY=1\nSTATUS=…") as one datagram; waits for a second at most when the service manager does
  /// not read. False when it could not be sent; true as well when nobody wants it.
  bool tell(std::string_view assignments) const;

 private:
  std::string address_;  ///< sockaddr_un as bytes; empty: nobody wants to be told
  descriptor socket_;
  std::optional<duration> watchdog_;
};

}  // namespace understudy::internal
