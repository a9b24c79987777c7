// What all commands that talk to a directory share: the connection, and requests that Ctrl-C and --timeout end.
#pragma once
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/tools/explain.hpp"
#include "understudy/tools/interrupt.hpp"
#include "understudy/tools/target.hpp"

#include <optional>
#include <string>

namespace understudy::cli {

/// Throws ldap_exception (invalid_request) when `order` can never be sent as it is, whatever the directory says; asked
/// before anything is sent.
void require_sendable(const request& order);

/// A connected directory for one command. All of it, from the constructor to the end of the destructor, has what is
/// left of the command's time.
class session {
 public:
  /// Throws config_error.
  session(const settings& all, const target& where, const command_time& time, interrupt_watch& interrupts);

  /// While the result lives, Ctrl-C ends whatever is waited for here.
  interrupt_action stop_on_interrupt();
  /// Throws interrupted when Ctrl-C was pressed.
  void check_interrupt() const;
  /// Connects; reports why and returns false when no server can be reached. Throws ldap_exception when the
  /// configuration cannot work.
  bool connect();
  /// Why connect() has returned false.
  const failure_ptr& why_not_connected() const noexcept { return why_not_connected_; }
  /// Starts everything and does not wait for a directory. Throws ldap_exception when nothing can be started.
  void begin();
  /// Starts everything and returns when there is a server to probe: with servers from DNS that takes its answer, for
  /// `patience` at the most where the command has no limit of its own. Whether one can be reached is what probes are
  /// there to tell. Throws as begin() does.
  connection_result begin_probing(duration patience);
  /// Throws ldap_exception when that attempt to connect has found out that the configuration cannot work.
  static void require_a_start(const connection_result& state);
  connection_manager& manager() noexcept { return manager_; }
  /// How failures are explained here.
  const given_options& given() const noexcept { return given_; }
  /// What is left of the command's time, a moment at least; `otherwise` without one.
  duration left(duration otherwise = {}) const;
  /// Sends one request and waits; Ctrl-C cancels it.
  outcome perform(request_ptr request);
  /// `base`, or without one the directory's own: defaultNamingContext, or namingContexts if there is exactly one.
  /// Throws ldap_exception, or usage_error when the directory does not say which it is.
  std::string base_or_default(const std::optional<std::string>& base);

 private:
  const std::optional<time_point> deadline_;
  given_options given_;
  connection_manager manager_;
  interrupt_watch& interrupts_;
  failure_ptr why_not_connected_;
};

}  // namespace understudy::cli
