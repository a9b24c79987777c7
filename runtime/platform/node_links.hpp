// All links of an actor system to other nodes: who comes in, who is there, and that each of them ends.
#pragma once
#include "understudy/actors/node/peer_registry.hpp"
#include "understudy/runtime/platform/basp_scribe.hpp"
#include "understudy/runtime/platform/dialler.hpp"
#include "understudy/runtime/platform/listener.hpp"
#include "understudy/runtime/platform/node_link.hpp"

namespace understudy::internal {

/// Where nodes and callers come in.
struct node_listener_options {
  std::string address;                                 ///< as listener_options has it; plain text: of 127.0.0.1 or ::1
  node_permission permission = node_permission::read;  ///< of all who come in there
  /// With `ca_path`: who shows no certificate is no peer. Without: plain text, whoever is on this machine.
  std::optional<server_certificates> tls;
  duration handshake_timeout = seconds{10};  ///< of TLS
  admission_limits limits = {1'000, 100, 64};
  /// Links of one name of a certificate, as it has them at this listener: a name is one service, and each link is one
  /// of its processes. In plain text there are no names, and no such bound.
  std::size_t links_of_name = 100;
};

/// What holds for all links.
struct node_links_options {
  node_link_limits limits;
  std::size_t longest_text = 4 * 1024 * 1024;  ///< of a request, and of an answer
  /// Told of each end, when find() does not know the link any more; on any thread. Must be quick and not throw.
  std::function<void(const node_peer& peer, const std::string& why)> on_end;
  /// An answer over that link is with the kernel: when answered() was to tell of it; on any thread. As on_end.
  std::function<void(std::uint64_t link)> on_answered = {};
};

/// A link whose end is still to be given to CAF.
struct adopted_link {
  node_link_ptr link;
  caf::io::scribe_ptr scribe;
  std::shared_ptr<const basp_rules> rules;  ///< that hold at the other end too
};

/// One for each actor system, which configure_nodes() has prepared. Where a node comes in, CAF's broker talks to it as
/// soon as its certificate was checked, and it can send requests to one actor, the gateway: a text, answered by a text.
/// Nothing else that it sends reaches CAF. Thread-safe.
class node_links final : public peer_registry {
 public:
  node_links(caf::actor_system& system, environment_ptr env, node_links_options options);
  /// close(), for two seconds at most.
  ~node_links() override;
  node_links(const node_links&) = delete;
  node_links& operator=(const node_links&) = delete;

  /// Accepts from now on; where, with the port that the system chose. Throws listener_error. `gateway` is kept by
  /// CAF until it ends, so somebody has to end it.
  std::string listen(node_listener_options options, caf::strong_actor_ptr gateway);
  /// Nobody comes in any more: anywhere, or at an address that listen() returned. Who is in stays …
  void stop_listening();
  void stop_listening(const std::string& address);
  /// … or is to leave: nothing new is taken of him, what he holds he may finish within node_link_limits::leaving.
  void dismiss(const std::string& address);
  /// What holds at an address from now on: the permission, for who is in as well; the limits; and, with a context made
  /// of them, the certificates. Whether it is TLS at all stays. Who is in and would not be let in with these
  /// certificates gets the answers to what he asked, and goes.
  void change_listener(const std::string& address, node_listener_options options, tls_server_context_ptr context);
  /// The same for those that were dialled, with a context of the certificates that dials use from now on. Dials under
  /// way, which may take so long, are judged by it as well.
  void revalidate_dialled(tls_server_context_ptr context, duration dial_timeout);
  /// Waits until what peers have asked so far is answered, and the answers are on their way. False after `limit`.
  bool wait_for_answers(duration limit) const;

  /// A link over what was dialled: see spawn_remote_gateway(). Nothing when it cannot be, with `why` set.
  std::optional<adopted_link> adopt(dialled_peer peer, const std::string& name, failure_ptr& why);

  /// By the node of the sender, which has one link at a time.
  std::optional<gateway_peer> find(const caf::strong_actor_ptr& sender) const override;
  std::optional<std::uint64_t> answered(std::uint64_t link, bool tell) const override;
  /// Everybody who is connected, in the order of their coming.
  std::vector<node_peer> peers() const;
  /// Ends a link; unknown numbers are ignored.
  void cut(std::uint64_t link, std::string_view why);

  /// Ends everything, and waits until CAF has let go of it, which has to be before the actor system goes: that waits
  /// without end for a peer that is stopped. False when links are left after `limit`.
  bool close(duration limit);

 private:
  class table;
  std::shared_ptr<table> table_;
};

}  // namespace understudy::internal
