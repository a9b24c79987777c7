// Who is on the other side of a link, as the link knows it: a certificate, not what the other side says of itself.
#pragma once
#include "understudy/actors/node/frame.hpp"

#include <caf/actor_control_block.hpp>

#include <optional>

namespace understudy::internal {

/// Whether a link is to end, by a change of the settings.
enum class link_standing : std::uint8_t {
  stays,
  leaves,      ///< its listener is gone: nothing new is taken, what is held may be finished
  distrusted,  ///< its certificate would not be let in any more: nothing is taken, what was asked is answered
};

/// One link's other end.
struct gateway_peer {
  std::uint64_t link = 0;                              ///< its number; never 0, not used twice
  std::string name;                                    ///< in its certificate
  node_permission permission = node_permission::read;  ///< of the listener that it came by
  link_standing standing = link_standing::stays;
};

/// Asked for each request; thread-safe. When a link ends, the gateway is told its number by `removed_atom`.
class peer_registry {
 public:
  virtual ~peer_registry() = default;
  /// Whose actor `sender` is; nothing when it is of no link that is open.
  virtual std::optional<gateway_peer> find(const caf::strong_actor_ptr& sender) const = 0;
  /// How many answers to requests that came by that link were given to the kernel so far; nothing of one that is not
  /// open. `tell`: of the next one the gateway is told by `credit_atom`, once, with the link's number.
  virtual std::optional<std::uint64_t> answered(std::uint64_t link, bool tell) const = 0;
};

}  // namespace understudy::internal
