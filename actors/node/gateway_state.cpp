// Permissions, credit, leases.
#include "understudy/actors/node/gateway_state.hpp"

#include "understudy/actors/connection/request_check.hpp"
#include "understudy/messages/ldap_protocol.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace understudy::internal {
namespace {

bool is_read(const std::string& protocol_op) noexcept {
  const auto tag = protocol_op.empty() ? 0 : static_cast<std::uint8_t>(protocol_op[0]);
  return tag == opaque_request::search || tag == opaque_request::compare;
}

/// Kinds that belong to a lease.
bool is_for_lease(request_kind kind) noexcept {
  switch (kind) {
    case request_kind::claim:
    case request_kind::release:
    case request_kind::check:
    case request_kind::inspect:
    case request_kind::begin_stream:
    case request_kind::next_part:
      return true;
    default:
      return false;
  }
}

/// Kinds whose target is a server.
bool names_server(request_kind kind) noexcept { return kind == request_kind::suspend || kind == request_kind::resume; }

/// What goes on while the node drains: it lets what is under way finish.
bool finishes(const request_frame& frame) noexcept {
  return frame.lease != 0 || !gateway_state::is_tracked(frame.kind) || frame.kind == request_kind::status ||
         frame.kind == request_kind::exchange;
}

failure_ptr refused(errc code, std::string message) { return make_failure(code, stage::queue, std::move(message)); }

failure_ptr too_much(std::uint32_t requests, std::uint64_t bytes, const std::string& of_whom) {
  return refused(errc::queue_full, "More than " + std::to_string(requests) + " requests or " + std::to_string(bytes) +
                                       " bytes of " + of_whom + " are under way on this node; refused at once.");
}

/// Listeners may have authorities of their own: whoever comes in elsewhere with the same name is another one.
std::string owner_of(const gateway_peer& peer) { return peer.name + ' ' + std::string{to_string(peer.permission)}; }

/// How leases return, and how nodes of a cluster share what they have: it must not be refused for want of that.
bool makes_room(const request_frame& frame) noexcept {
  return frame.kind == request_kind::release || frame.kind == request_kind::exchange;
}

}  // namespace

/// Binds are for who may read: a user's login changes nothing in the directory. What an extended operation does only
/// its definition tells; one that changes nothing is known here.
node_permission permission_for(const request_frame& frame) noexcept {
  switch (frame.kind) {
    case request_kind::operation:
      return is_read(frame.protocol_op) ? node_permission::read : node_permission::write;
    case request_kind::extended:
      return frame.name == extension::who_am_i ? node_permission::read : node_permission::write;
    case request_kind::password_modify:
      return node_permission::write;
    case request_kind::suspend:
    case request_kind::resume:
    case request_kind::drain:
    case request_kind::reload:
    case request_kind::tap:
      return node_permission::admin;
    default:
      return node_permission::read;
  }
}

bool gateway_state::is_tracked(request_kind kind) noexcept {
  switch (kind) {
    case request_kind::hello:
    case request_kind::ping:
    case request_kind::claim:
    case request_kind::cancel:
    case request_kind::drain:
    case request_kind::reload:
    case request_kind::tap:
      return false;
    default:
      return true;
  }
}

bool gateway_state::may_wait(const request_frame& frame) noexcept {
  switch (frame.kind) {
    case request_kind::operation:
      return is_read(frame.protocol_op);
    case request_kind::status:
    case request_kind::health:
      return true;
    default:
      return false;
  }
}

node_terms gateway_state::terms_for(const gateway_peer& peer, const std::string& node) const {
  return {node, peer.permission, limits_.most_requests, limits_.most_bytes, limits_.longest_frame, limits_.silence};
}

failure_ptr gateway_state::refusal(const gateway_peer& peer, const request_frame& frame, std::size_t bytes) const {
  const auto needed = permission_for(frame);
  if (needed > peer.permission)
    return refused(errc::invalid_request, "The node refused a request (" + std::string{to_string(frame.kind)} +
                                              "): \"" + peer.name + "\" came by a listener with permission \"" +
                                              std::string{to_string(peer.permission)} + "\", and it needs \"" +
                                              std::string{to_string(needed)} + "\".");
  if (names_server(frame.kind) && frame.target > std::numeric_limits<server_id>::max())
    return refused(errc::invalid_request, "The node refused a request (" + std::string{to_string(frame.kind)} +
                                              "): no server has the number " + std::to_string(frame.target) + ".");
  if (draining_ && (frame.kind == request_kind::drain || frame.kind == request_kind::reload))
    return refused(errc::invalid_request, "The node is ending already; it takes no more orders.");
  if (peer.standing == link_standing::distrusted && is_tracked(frame.kind))
    return refused(errc::draining, "The node does not trust the certificate of \"" + peer.name +
                                       "\" any more; it takes nothing new on this link and ends it.");
  if (peer.standing == link_standing::leaves && !finishes(frame))
    return refused(errc::draining,
                   "The node does not listen any more where this link came in; it takes nothing new on it. Ask another "
                   "node, or at another address.");
  if (draining_ && !finishes(frame))
    return refused(errc::draining, "The node is being drained; it takes nothing new. Ask another one.");
  if (frame.kind == request_kind::begin_stream &&
      (frame.protocol_op.empty() || static_cast<std::uint8_t>(frame.protocol_op[0]) != opaque_request::search))
    return make_failure(only_searches_stream());
  if ((frame.lease != 0 || is_for_lease(frame.kind)) && !holds(peer.link, frame.lease))
    return refused(errc::invalid_lease,
                   "The node does not know this lease (any more): it was returned, its connection broke, or its holder "
                   "was silent for too long.");
  if (!is_tracked(frame.kind)) return nullptr;
  if (frame.number == 0 || is_open({peer.link, frame.number}))
    return refused(errc::invalid_request, "The number of a request is in use, or none.");
  return overload(peer, frame, bytes);
}

/// One link's credit first; then what all links of its name have together; then all links.
failure_ptr gateway_state::overload(const gateway_peer& peer, const request_frame& frame, std::size_t bytes) const {
  const auto is_beyond = [&](const load& now, std::uint32_t most_requests, std::uint64_t most_bytes) {
    return now.requests >= most_requests || now.bytes + bytes > most_bytes;
  };
  const auto link = peers_.find(peer.link);
  if (is_beyond(link == peers_.end() ? load{} : link->second.now, limits_.most_requests, limits_.most_bytes))
    return too_much(limits_.most_requests, limits_.most_bytes, "one client");
  if (makes_room(frame)) return nullptr;
  const auto owner = owners_.find(link == peers_.end() ? internal::owner_of(peer) : link->second.owner);
  const auto theirs = owner == owners_.end() ? load{} : owner->second;
  if (frame.kind == request_kind::health && theirs.probes >= limits_.most_probes_of_owner)
    return refused(errc::queue_full, "More than " + std::to_string(limits_.most_probes_of_owner) + " requests of \"" +
                                         peer.name +
                                         "\" for the health of all servers are under way on this node; refused at "
                                         "once.");
  if (is_beyond(theirs, limits_.most_requests_of_owner, limits_.most_bytes_of_owner))
    return too_much(limits_.most_requests_of_owner, limits_.most_bytes_of_owner,
                    "all links of \"" + peer.name + "\" together");
  if (peer.permission != node_permission::admin &&
      is_beyond(all_, limits_.most_requests_of_all, limits_.most_bytes_of_all))
    return too_much(limits_.most_requests_of_all, limits_.most_bytes_of_all, "all clients together");
  return nullptr;
}

gateway_state::load& gateway_state::load::operator+=(const load& more) noexcept {
  requests += more.requests;
  bytes += more.bytes;
  leases += more.leases;
  probes += more.probes;
  return *this;
}

gateway_state::load& gateway_state::load::operator-=(const load& less) noexcept {
  requests -= less.requests;
  bytes -= less.bytes;
  leases -= less.leases;
  probes -= less.probes;
  return *this;
}

/// Of a link that is known.
void gateway_state::add(link_id link, const load& more) {
  auto& theirs = peers_.at(link);
  theirs.now += more;
  owners_[theirs.owner] += more;
  all_ += more;
}

/// The same; with the last of it link and name are forgotten.
void gateway_state::remove(link_id link, const load& less) {
  const auto theirs = peers_.find(link);
  const auto name = owners_.find(theirs->second.owner);
  theirs->second.now -= less;
  name->second -= less;
  all_ -= less;
  if (name->second.empty()) owners_.erase(name);
  if (theirs->second.now.empty()) peers_.erase(theirs);
}

std::string gateway_state::owner_of(link_id link) const {
  const auto found = peers_.find(link);
  return found == peers_.end() ? std::string{} : found->second.owner;
}

failure_ptr gateway_state::admit(const gateway_peer& peer, const request_frame& frame, std::size_t bytes,
                                 time_point now) {
  if (const auto known = peers_.find(peer.link); known != peers_.end()) known->second.heard = now;
  if (auto why = refusal(peer, frame, bytes)) return why;
  if (!is_tracked(frame.kind)) return nullptr;
  const load taken{1, bytes, 0, frame.kind == request_kind::health ? 1U : 0U};
  open_[{peer.link, frame.number}] = {taken, now + frame.left};
  auto& theirs = peers_[peer.link];
  theirs.heard = now;
  if (theirs.owner.empty()) theirs.owner = internal::owner_of(peer);
  add(peer.link, taken);
  return nullptr;
}

bool gateway_state::answered(const request_key& key) {
  const auto found = open_.find(key);
  if (found == open_.end()) return false;
  const auto was = found->second.taken;
  open_.erase(found);
  remove(key.link, was);
  return true;
}

bool gateway_state::begin_acquire(const request_key& key, std::uint32_t most) {
  auto& asked = open_.at(key);
  if (owners_.at(peers_.at(key.link).owner).leases >= most) return false;
  asked.taken.leases = 1;
  add(key.link, {0, 0, 1, 0});
  return true;
}

bool gateway_state::granted(const request_key& key, const held_lease& lease, time_point now) {
  const auto asked = open_.find(key);
  if (asked == open_.end()) return false;
  leases_[lease.id] = {key.link, lease.server, now + limits_.claim_time};
  // What was asked for and counted is the lease from now on.
  if (std::exchange(asked->second.taken.leases, 0) == 0) add(key.link, {0, 0, 1, 0});
  return true;
}

bool gateway_state::holds(link_id link, lease_id lease) const {
  const auto found = leases_.find(lease);
  return found != leases_.end() && found->second.link == link;
}

bool gateway_state::claim(link_id link, lease_id lease) {
  if (!holds(link, lease)) return false;
  leases_.at(lease).claim_by = time_point::max();
  return true;
}

void gateway_state::drop_lease(lease_id lease) {
  const auto found = leases_.find(lease);
  const auto link = found->second.link;
  leases_.erase(found);
  remove(link, {0, 0, 1, 0});
}

std::optional<gateway_state::held_lease> gateway_state::release(link_id link, lease_id lease) {
  if (!holds(link, lease)) return std::nullopt;
  const held_lease ended{lease, leases_.at(lease).server};
  drop_lease(lease);
  return ended;
}

gateway_state::endings gateway_state::lost(link_id link) {
  endings ended;
  for (auto at = open_.lower_bound({link, 0}); at != open_.end() && at->first.link == link; at = open_.erase(at))
    ended.requests.push_back(at->first);
  for (auto at = leases_.begin(); at != leases_.end();) {
    const auto next = std::next(at);
    if (at->second.link == link) {
      ended.leases.push_back({at->first, at->second.server});
      leases_.erase(at);
    }
    at = next;
  }
  if (const auto theirs = peers_.find(link); theirs != peers_.end()) remove(link, load{theirs->second.now});
  return ended;
}

gateway_state::endings gateway_state::expire(time_point now) {
  endings ended;
  for (const auto& [key, one] : open_)
    if (now >= one.deadline + limits_.grace) ended.requests.push_back(key);
  for (const auto& key : ended.requests) answered(key);
  for (const auto& [id, one] : leases_)
    if (now >= one.claim_by || now >= peers_.at(one.link).heard + limits_.silence)
      ended.leases.push_back({id, one.server});
  for (const auto& one : ended.leases) drop_lease(one.id);
  return ended;
}

time_point gateway_state::next_event() const noexcept {
  auto next = time_point::max();
  for (const auto& [key, one] : open_) next = std::min(next, one.deadline + limits_.grace);
  for (const auto& [id, one] : leases_)
    next = std::min({next, one.claim_by, peers_.at(one.link).heard + limits_.silence});
  return next;
}

}  // namespace understudy::internal
