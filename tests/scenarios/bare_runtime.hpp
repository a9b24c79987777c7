// A runtime whose ports and connections a test may replace, used like a connection_manager.
#pragma once
#include "scenarios/scenario.hpp"
#include "understudy/runtime/runtime.hpp"

namespace understudy::test {

using namespace internal;

/// What a test puts in place of the real thing; what is left empty stays.
struct replaced_parts {
  /// Changes the ports that all actors get.
  std::function<void(environment&)> ports;
  connection_factory connections;
  manager_factory manager;
  log_listener on_log;
  bool serve_clients = false;  ///< also serves the LDAP clients of the settings' front door
};

class bare_runtime final : public directory {
 public:
  explicit bare_runtime(settings all, replaced_parts with = {});

  /// True when a server answers.
  bool connect();
  runtime& get() noexcept { return *runtime_; }
  runtime_snapshot snapshot() const;
  /// For check_recovery() and end_scenario().
  operator running();

  outcome perform(request_ptr request, const call_options& options = {}) override;
  void start(request_ptr request, completion done, const call_options& options = {}, executor where = {}) override;

 private:
  std::unique_ptr<runtime> runtime_;
};

}  // namespace understudy::test
