// BASP headers (CAF 0.17, protocol version 3), read and checked.
#include "understudy/runtime/platform/basp_guard.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

constexpr std::size_t header_size = 32, node_size = 32;

// caf/io/basp/message_type.hpp
constexpr std::uint8_t server_handshake = 0, client_handshake = 1, direct_message = 2, monitor_message = 4,
                       down_message = 5, heartbeat = 6;
// caf/io/basp/header.hpp
constexpr std::uint8_t named_receiver = 1;
// caf/message_id.hpp
constexpr std::uint64_t response_bit = std::uint64_t{1} << 63, stream_bit = std::uint64_t{1} << 61,
                        request_number = (std::uint64_t{1} << 60) - 1;

// An interface has a few dozen signatures; a reason for an end is a line.
constexpr std::uint32_t longest_server_handshake = 4096, longest_down = 512;
// A signature of an allowed type is shorter than what this leaves for it.
constexpr std::size_t looked_at = 512;

std::uint64_t big_endian(std::string_view bytes) noexcept {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

}  // namespace

std::string_view basp_nodes::claim(const std::string& node, const std::string& peer, link_side side,
                                   std::uint64_t link) {
  if (node == self_) return "our own node id";
  std::uint64_t earlier = 0;
  {
    const std::lock_guard lock{mutex_};
    const auto [found, is_new] = holders_.try_emplace(node, holder{peer, side, link});
    if (is_new) return {};
    if (found->second.peer != peer) return "a node id that belongs to another peer";
    if (side == link_side::dialled || found->second.side == link_side::dialled)
      return "a node id that has a link already";
    earlier = found->second.link;
  }
  end_(earlier);
  return "a node id whose earlier link had to be ended first";
}

void basp_nodes::release(const std::string& node) noexcept {
  const std::lock_guard lock{mutex_};
  holders_.erase(node);
}

std::uint64_t basp_nodes::link_of(const std::string& node) const {
  const std::lock_guard lock{mutex_};
  const auto found = holders_.find(node);
  return found == holders_.end() ? 0 : found->second.link;
}

basp_guard::basp_guard(std::shared_ptr<const basp_rules> rules, std::shared_ptr<basp_nodes> nodes, link_side ours,
                       std::string peer, std::uint64_t gateway, std::uint64_t link)
    : rules_(std::move(rules)),
      nodes_(std::move(nodes)),
      side_(ours),
      peer_(std::move(peer)),
      gateway_(gateway),
      link_(link),
      enough_(header_size) {}

basp_guard::~basp_guard() {
  if (!node_.empty()) nodes_->release(node_);
}

basp_guard::header basp_guard::parse(std::string_view bytes) {
  header h;
  h.operation = static_cast<std::uint8_t>(bytes[0]);
  h.flags = static_cast<std::uint8_t>(bytes[3]);
  h.payload = static_cast<std::uint32_t>(big_endian(bytes.substr(4, 4)));
  h.data = big_endian(bytes.substr(8, 8));
  h.source = big_endian(bytes.substr(16, 8));
  h.destination = big_endian(bytes.substr(24, 8));
  return h;
}

basp_guard::verdict basp_guard::refuse(std::string_view why) noexcept {
  why_ = why;
  return verdict::end;
}

bool basp_guard::receive(std::string_view bytes, std::vector<char>& passed) {
  while (!bytes.empty()) {
    if (rest_ > 0) {
      const auto part = bytes.substr(0, rest_);
      if (passes_) passed.insert(passed.end(), part.begin(), part.end());
      rest_ -= part.size();
      bytes.remove_prefix(part.size());
      continue;
    }
    const auto part = bytes.substr(0, enough_ - held_.size());
    held_.append(part);
    bytes.remove_prefix(part.size());
    if (held_.size() < enough_) return true;
    if (enough_ == header_size && check_header() == verdict::end) return false;
    if (held_.size() < enough_) continue;
    const auto checked = check_body();
    if (checked == verdict::end) return false;
    passes_ = checked == verdict::pass;
    if (passes_) passed.insert(passed.end(), held_.begin(), held_.end());
    rest_ = header_size + now_.payload - held_.size();
    held_.clear();
    enough_ = header_size;
  }
  return true;
}

/// Before any of the payload is waited for: how long it may be, and how much of it takes a look.
basp_guard::verdict basp_guard::check_header() {
  now_ = parse(held_);
  const auto first = side_ == link_side::dialled ? server_handshake : client_handshake;
  if (!established_ && now_.operation != first) return refuse("no handshake at the beginning");
  std::uint32_t least = 0, most = 0;
  switch (now_.operation) {
    case server_handshake:
      if (established_ || side_ == link_side::accepted) return refuse("a handshake out of place");
      least = node_size, most = longest_server_handshake;
      break;
    case client_handshake:
      if (side_ == link_side::dialled) return refuse("a handshake out of place");
      least = most = node_size;
      break;
    case direct_message:
      most = rules_->longest_message;
      break;
    case monitor_message:
      least = most = 2 * node_size;
      break;
    case down_message:
      least = 2 * node_size, most = longest_down;
      break;
    case heartbeat:
      break;
    default:
      return refuse("an operation that is not spoken here");  // routed messages above all
  }
  if (now_.payload > most) return refuse("a message that is too long");
  if (now_.payload < least) return refuse("a message that is too short");
  enough_ =
      header_size + (now_.operation == direct_message ? std::min<std::size_t>(now_.payload, looked_at) : now_.payload);
  return verdict::pass;
}

basp_guard::verdict basp_guard::check_body() {
  switch (now_.operation) {
    case server_handshake:
    case client_handshake:
      return check_handshake();
    case monitor_message:
    case down_message:
      return check_actor_notice();
    case direct_message:
      return check_message();
    default:
      return verdict::pass;
  }
}

basp_guard::verdict basp_guard::check_handshake() {
  auto node = held_.substr(header_size, node_size);
  // A client's may come again, when CAF selects the link.
  if (established_) return node == node_ ? verdict::pass : refuse("another node id than before");
  if (const auto why = nodes_->claim(node, peer_, side_, link_); !why.empty()) return refuse(why);
  node_ = std::move(node);
  established_ = true;
  return verdict::pass;
}

basp_guard::verdict basp_guard::check_actor_notice() {
  const std::string_view payload = std::string_view{held_}.substr(header_size);
  if (payload.substr(0, node_size) != node_ || payload.substr(node_size, node_size) != nodes_->self())
    return refuse("a node id that is not its own");
  if (now_.operation == down_message) senders_.erase(now_.source);
  return verdict::pass;
}

basp_guard::verdict basp_guard::check_message() {
  const bool answer = (now_.data & response_bit) != 0;
  const auto number = now_.data & request_number;
  if ((now_.flags & named_receiver) != 0) return verdict::swallow;  // CAF's own servers for spawning and configuration
  if ((now_.data & stream_bit) != 0) return refuse("a message of a stream");  // CAF casts what it holds unchecked
  if (answer) {
    if (asked_.erase({now_.destination, number}) == 0) return verdict::swallow;
  } else {
    if (gateway_ == 0 || now_.destination != gateway_) return verdict::swallow;
    if (number == 0) return refuse("a message that is no request");
    if (now_.source == 0) return refuse("a request that cannot be answered");
    if (unanswered_.size() >= rules_->most_unanswered ||
        now_.payload > rules_->most_unanswered_bytes - unanswered_bytes_)
      return refuse("more requests than it has credit for");
  }
  const auto checked = check_type(answer);
  if (checked != verdict::pass) return checked;
  if (senders_.insert(now_.source).second && senders_.size() > rules_->most_senders)
    return refuse("more senders than may be remembered");
  if (!answer) {
    if (!unanswered_.try_emplace({now_.source, number}, now_.payload).second)
      return refuse("a request under the number of another");
    unanswered_bytes_ += now_.payload;
  }
  return verdict::pass;
}

/// A payload begins with the stages of a pipeline, none here, and a message: a type number that stands for "by name",
/// and the name as a text with a length in groups of seven bits.
basp_guard::verdict basp_guard::check_type(bool answer) {
  auto rest = std::string_view{held_}.substr(header_size);
  constexpr std::string_view no_stages_and_by_name{"\0\0\0", 3};
  if (rest.substr(0, no_stages_and_by_name.size()) != no_stages_and_by_name) return refuse("a malformed message");
  rest.remove_prefix(no_stages_and_by_name.size());
  std::size_t length = 0;
  bool ended = false;
  for (unsigned shift = 0; shift < 14 && !rest.empty() && !ended; shift += 7) {
    const auto group = static_cast<std::uint8_t>(rest.front());
    rest.remove_prefix(1);
    length |= std::size_t{group & 0x7fU} << shift;
    ended = (group & 0x80U) == 0;
  }
  if (!ended || length > rest.size()) return refuse("a malformed message");
  const auto& allowed = answer ? rules_->answers : rules_->requests;
  const auto found = allowed.find(std::string{rest.substr(0, length)});
  if (found == allowed.end()) return refuse("a type of message that is not spoken here");
  return now_.payload > found->second ? refuse("a message that is too long for its type") : verdict::pass;
}

void basp_guard::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (sent_rest_ > 0) {
      const auto skipped = std::min(sent_rest_, bytes.size());
      sent_rest_ -= skipped;
      bytes.remove_prefix(skipped);
      if (sent_rest_ == 0) note_answer_sent();
      continue;
    }
    const auto part = bytes.substr(0, header_size - sent_.size());
    sent_.append(part);
    bytes.remove_prefix(part.size());
    if (sent_.size() < header_size) return;
    const auto h = parse(sent_);
    sent_.clear();
    sent_rest_ = h.payload;
    if (h.operation != direct_message) continue;
    if ((h.data & response_bit) != 0) {
      answering_ = unanswered_.find({h.destination, h.data & request_number});
      if (sent_rest_ == 0) note_answer_sent();
    } else if ((h.data & request_number) != 0) {
      asked_.emplace(h.source, h.data & request_number);
    }
  }
}

/// Half of an answer is none: the request is owed one until all of it has gone.
void basp_guard::note_answer_sent() {
  const auto found = std::exchange(answering_, unanswered_.end());
  if (found == unanswered_.end()) return;
  unanswered_bytes_ -= found->second;
  unanswered_.erase(found);
  ++answered_;
}

}  // namespace understudy::internal
