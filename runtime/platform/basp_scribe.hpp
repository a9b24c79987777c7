// CAF's end of a link: the one place that knows the inside of CAF's network layer (caf::io 0.17).
#pragma once
#include "understudy/runtime/platform/node_link.hpp"

#include <caf/fwd.hpp>
#include <caf/io/scribe.hpp>

namespace understudy::internal {

/// Prepares the configuration of an actor system that has links to nodes: loads CAF's network layer, which listens
/// nowhere by itself, and has it send a heartbeat over each link every `heartbeat`.
void configure_nodes(caf::actor_system_config& config, duration heartbeat);
/// configure_nodes() prepared it, or it was made with caf::io::middleman loaded.
bool has_nodes(const caf::actor_system& system);

/// What a message of one text has beside it, at the most: what stands before it, and its length.
inline constexpr std::uint32_t basp_beside_text = 128;

/// What a message on a link may be: the gateway takes a text and answers with a text, or CAF with an error.
/// `longest`: of such a text, in bytes.
std::shared_ptr<const basp_rules> node_rules(caf::actor_system& system, std::size_t longest);
/// As it stands in BASP, 32 bytes.
std::string node_bytes(caf::actor_system& system, const caf::node_id& node);

/// Told once, when CAF has let go of a link and its socket is closed; on any thread. Must be quick and not throw.
using link_end_handler = std::function<void(const node_link_ptr& link, caf::io::connection_handle handle)>;

/// What CAF's broker reads and writes a link by. Throws std::system_error when there is no descriptor left.
caf::io::scribe_ptr make_scribe(caf::actor_system& system, node_link_ptr link, link_end_handler on_end);
/// A peer came in over it: CAF presents `gateway` to it.
void serve_link(caf::actor_system& system, caf::io::scribe_ptr scribe, caf::strong_actor_ptr gateway);
/// To be sent `(connect_atom, scribe_ptr, port)` for a link that was dialled: answers with node id, actor, interface.
caf::actor basp_broker_of(caf::actor_system& system);
/// CAF keeps an actor for each node that it ever met, in case somebody wants to spawn something there: not any more
/// for this one, unless it is connected by another link than `ended`. Lets go of `claim` when CAF has taken that link
/// out of its table, some moments after its end: until then it takes the handshake of a node that comes again for a
/// repeated one, and answers nothing on the new link.
void forget_node(caf::actor_system& system, const std::string& node, caf::io::connection_handle ended,
                 std::shared_ptr<const void> claim);

}  // namespace understudy::internal
