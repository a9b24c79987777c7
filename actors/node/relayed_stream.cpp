// Cutting what came into parts, between messages.
#include "understudy/actors/node/relayed_stream.hpp"

#include "understudy/actors/connection/operation_codec.hpp"

#include <utility>

namespace understudy::internal {

void relayed_stream::add(std::string_view messages) {
  if (ended_) return;
  if (begin_ == held_.size()) {
    held_.clear();
    begin_ = 0;
  }
  held_.append(messages);
}

void relayed_stream::end(const result& last) {
  if (ended_) return;
  add(last.messages);
  credited_ = last.messages.size();
  server_ = last.server;
  ended_ = true;
}

void relayed_stream::fail(failure_ptr why) {
  if (ended_) return;
  error_ = std::move(why);
  ended_ = true;
}

std::optional<relayed_stream::part> relayed_stream::take() {
  part next;
  const auto rest = std::string_view{held_}.substr(begin_);
  if (rest.empty()) {
    if (!ended_) return std::nullopt;
    next.more = false;
    next.error = error_;
    next.server = server_;
    return next;
  }
  std::size_t size = 0;
  while (size < rest.size()) {
    const auto frame = frame_pdu(rest.substr(size), rest.size());
    // What a connection relays is whole; if it were not, the client would find that out.
    const auto one = frame.state == pdu_frame::status::complete ? frame.size : rest.size() - size;
    if (size > 0 && size + one > most_bytes_) break;
    size += one;
  }
  next.messages = rest.substr(0, size);
  next.server = server_;
  begin_ += size;
  const auto left = held_.size() - begin_;
  const auto owed = std::min(credited_, left);
  next.credit = size - (credited_ - owed);
  credited_ = owed;
  next.more = left > 0 || !ended_ || error_ != nullptr;
  return next;
}

}  // namespace understudy::internal
