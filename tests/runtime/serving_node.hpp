// A whole node of a test: a runtime over a directory, and a gateway that its peers come in to; here, or in a process of
// its own.
#pragma once
#include "runtime/test_node.hpp"
#include "support/child_process.hpp"
#include "understudy/actors/node/gateway_actor.hpp"
#include "understudy/runtime/runtime.hpp"

namespace understudy::test {

/// Which one.
struct serving_node_options {
  std::string certificate, key, ca;  ///< PEM files; empty: plain text
  std::uint16_t port = 0;            ///< 0: a free one
  internal::node_permission permission = internal::node_permission::write;
  std::vector<std::string> uris;  ///< of the directory
  ///@{
  /// As whom it binds there; empty: anonymously.
  std::string bind_dn, password;
  ///@}
  std::function<failure_ptr()> on_reload, on_drain;
  duration heartbeat = milliseconds{100};
};
/// With the certificates of node_certificates().
serving_node_options serving_directory(const std::string& uri);

class serving_node {
 public:
  explicit serving_node(serving_node_options options);
  ~serving_node();
  serving_node(const serving_node&) = delete;
  serving_node& operator=(const serving_node&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  runtime_snapshot snapshot() const { return *runtime_->snapshot().value; }
  std::vector<internal::node_peer> peers() const { return links_->peers(); }
  const runtime& running() const { return *runtime_; }

 private:
  struct config : caf::actor_system_config {
    explicit config(duration heartbeat);
  };
  struct told_gateway;

  config config_;
  caf::actor_system system_;
  std::optional<runtime> runtime_;
  std::shared_ptr<told_gateway> told_;
  std::shared_ptr<internal::node_links> links_;
  internal::gateway_actor gateway_;
  std::uint16_t port_ = 0;
};

/// The same as a process (tests/serving_node/main.cpp), which prints its port, and "drain" and "reload" when it is told
/// to. After "drain" it ends.
class serving_process {
 public:
  explicit serving_process(const std::string& program, const serving_node_options& options);
  std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(process_.output())); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  child_process& process() { return process_; }

 private:
  child_process process_;
};

}  // namespace understudy::test
