// A node of a test: an actor system with links, and a gateway that tells who asks; and a peer that speaks bytes.
#pragma once
#include "support/actor_config.hpp"
#include "support/certificates.hpp"
#include "support/eventually.hpp"
#include "support/port_of.hpp"
#include "understudy/runtime/platform/epoll_poller.hpp"
#include "understudy/runtime/platform/node_connector.hpp"
#include "understudy/runtime/platform/worker_threads.hpp"

#include <caf/actor_system.hpp>

#include <condition_variable>

namespace understudy::test {

/// The lines of a log.
class noted_log final : public log_port {
 public:
  bool enabled(log_level) const override { return true; }
  void write(log_level level, std::string_view component, std::string_view text, const fields& more) override;
  bool says(const std::string& part) const;
  std::string all() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// As certificates.hpp has them; made once.
const certificate_set& node_certificates();
/// A caller's, for "client.example".
const certificate_files& caller_certificate();

/// A free port of 127.0.0.1, with client certificates, unless said otherwise.
internal::node_listener_options secured_listener(
    internal::node_permission permission = internal::node_permission::read);
internal::dialling_certificates caller_certificates(const certificate_files& shown = caller_certificate());

/// What a gateway was asked is answered by "who": the peer's name and permission; "hold": never, or at release(); "big
/// N": N bytes; anything else: itself.
class test_node {
 public:
  explicit test_node(internal::node_links_options options = {}, duration heartbeat = milliseconds{100});
  ~test_node();
  test_node(const test_node&) = delete;
  test_node& operator=(const test_node&) = delete;

  std::uint16_t listen(internal::node_listener_options options = secured_listener());
  /// What it has been asked, in its order.
  std::vector<std::string> asked() const;
  /// Answers all that are held; how many.
  std::size_t release();
  /// Ends the gateway.
  void end_gateway();

 private:
  struct config : actor_config {
    explicit config(duration heartbeat) : actor_config(2) { internal::configure_nodes(*this, heartbeat); }
  };
  struct gateway_state;
  environment_ptr make_environment();

  config config_;

 public:
  caf::actor_system system;
  std::shared_ptr<internal::epoll_poller> poller;
  std::shared_ptr<internal::worker_threads> workers = std::make_shared<internal::worker_threads>();
  std::shared_ptr<noted_log> log = std::make_shared<noted_log>();
  environment_ptr env = make_environment();
  std::optional<internal::node_links> links;
  std::shared_ptr<gateway_state> state;
  internal::node_gateway_actor gateway;
};

/// Keeps a link from one node's actor system to others, and what became of it.
class test_caller {
 public:
  test_caller(test_node& from, std::vector<std::uint16_t> ports,
              std::optional<internal::dialling_certificates> tls = caller_certificates());

  /// Waits for a link; false when there is none in time.
  bool linked(milliseconds limit = patience) const;
  /// Waits until `count` links were lost.
  bool lost(int count, milliseconds limit = patience) const;
  /// The first failure to reach anybody.
  std::string unreachable(milliseconds limit = patience) const;
  std::string why_lost() const;
  internal::node_gateway_actor gateway() const;
  internal::node_peer peer() const;
  /// One request over the link that there is: its answer, or "error: …".
  std::string ask(std::string text, milliseconds limit = patience) const;
  int links() const;

 private:
  struct shared;
  template <class Condition>
  bool wait(milliseconds limit, Condition condition) const;

  test_node& from_;
  std::shared_ptr<shared> shared_;
  internal::node_connector connector_;
};

/// Asks an actor of `system`: its answer, or "error: …".
std::string ask(caf::actor_system& system, const internal::node_gateway_actor& gateway, std::string text,
                milliseconds limit = patience);

/// A peer with a good certificate that speaks for itself. Blocking, with a deadline on everything.
class byte_peer {
 public:
  /// Dials from `at`.
  byte_peer(test_node& at, std::uint16_t port, const certificate_files& shown = caller_certificate());

  /// False when the node has ended the link.
  bool send(std::string_view bytes);
  /// At least `least` bytes, unless the link ends before.
  std::string receive(std::size_t least, milliseconds limit = patience);
  /// The node ends it within `limit`.
  bool ended(milliseconds limit = patience);
  /// Takes the node's handshake, and says which node this is.
  bool shake(const std::string& node);
  int socket() const noexcept { return peer_.socket.get(); }

 private:
  bool wait_for(short events, milliseconds limit) const;

  internal::dialled_peer peer_;
};

/// A node id that no process has.
std::string made_up_node(caf::actor_system& system, std::uint32_t number);

}  // namespace understudy::test
