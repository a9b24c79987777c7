// What the commands for operators of a running node share.
#pragma once
#include "understudy/actors/metrics/operation_tap.hpp"
#include "understudy/actors/node/remote_router.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/session.hpp"

namespace understudy::cli {

/// Linked to a node, or about to be: whether its directory can be reached does not matter here.
class node_session {
 public:
  /// Throws config_error, usage_error (no --node), ldap_exception when nothing can be started.
  node_session(const target& where, interrupt_watch& interrupts);

  session& directory() noexcept { return directory_; }
  connection_manager& manager() noexcept { return directory_.manager(); }
  /// The node's own state, with its own counters. Throws ldap_exception.
  runtime_snapshot state();
  /// Has the node do it; returns when it has begun. Throws ldap_exception.
  void order(internal::request_kind kind);
  /// Requests that ended since `from` (operation_samples::next); nothing: from now on. Throws ldap_exception.
  internal::operation_samples ended(std::optional<std::uint64_t> from);
  /// For each question.
  duration patience() const;

 private:
  internal::answer_frame ask(internal::node_request question);

  interrupt_watch& interrupts_;
  command_time time_;
  session directory_;
  interrupt_action stopping_;
};

/// Runs `body`; what fails is told, and exit_runtime returned: of what a node did not do, nothing else can be said.
int for_operators(const target& where, interrupt_watch& interrupts, const std::function<int(node_session&)>& body);
/// The same for an order: a usage_error when several nodes are named, since the first that can be reached would carry
/// it out, whichever that is.
int for_one_node(const target& where, interrupt_watch& interrupts, const std::function<int(node_session&)>& body);

/// A command that has a running node do `kind`, and no more.
void declare_order(CLI::App& program, command& chosen, const char* name, const char* meaning,
                   internal::request_kind kind);

/// The number of servers is small: "ldap1:389, ldap2:389".
std::string names_of(const runtime_snapshot& state);

}  // namespace understudy::cli
