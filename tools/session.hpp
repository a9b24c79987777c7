// What all commands that talk to a directory share: the configuration, the connection, requests that Ctrl-C ends.
#pragma once
#include "understudy/config/load.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/tools/interrupt.hpp"

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace understudy::cli {

/// Which directory a command talks to and how: the options that all of them have.
struct target {
  std::string config;
  /// Of each request; zero: as configured.
  duration timeout{};
  bool verbose = false;

  /// -c, --timeout, -v.
  void declare(CLI::App& command);
};

/// The settings in a file. Throws config_error with every problem.
settings read_settings(const target& where);

/// The same for a command that sends a few requests and ends: opens no more connections than it uses, does not wait for
/// a dead directory longer than it takes to try every server once, logs errors only.
settings one_shot_settings(const target& where);

/// A connected directory for one command.
class session {
 public:
  /// Throws config_error.
  session(settings all, const target& where, interrupt_watch& interrupts);

  /// While the result lives, Ctrl-C ends whatever is waited for here.
  interrupt_action stop_on_interrupt();
  /// Connects; complains and returns false when no server can be reached.
  bool connect();
  connection_manager& manager() noexcept { return manager_; }
  /// Sends one request and waits; Ctrl-C cancels it.
  outcome perform(request_ptr what);
  /// `base`, or without one the directory's own: defaultNamingContext, or namingContexts if there is exactly one.
  /// Throws ldap_exception, or usage_error when the directory does not say which it is.
  std::string base_or_default(const std::optional<std::string>& base);

 private:
  connection_manager manager_;
  duration timeout_;
  interrupt_watch& interrupts_;
};

/// The command line cannot be carried out as it stands.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A span of time on the command line ("250ms", "5s", "2m"; seconds without a unit). Throws CLI::ValidationError, which
/// names `option`, when it is none, or zero.
duration span_argument(const std::string& option, const std::string& text);

}  // namespace understudy::cli
