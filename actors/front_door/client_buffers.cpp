// Reading and writing until the socket has, or takes, no more.
#include "understudy/actors/front_door/client_buffers.hpp"

#include <algorithm>
#include <cstring>

namespace understudy::internal {
namespace {

constexpr std::size_t read_size = 16 * 1024;
// What one client may bring in one turn of the poller.
constexpr std::size_t most_a_turn = 256 * 1024;
// What an idle client keeps.
constexpr std::size_t kept_capacity = 2 * 1024;

}  // namespace

void client_buffers::wipe(std::string& bytes) noexcept {
  bytes.resize(bytes.capacity());
  ::explicit_bzero(bytes.data(), bytes.size());
  bytes.clear();
}

/// A string that grows leaves its bytes behind, and they may be a password.
void client_buffers::make_room(std::size_t more) {
  if (in_begin_ > 0) {
    in_.erase(0, in_begin_);
    in_begin_ = 0;
  }
  if (in_.capacity() - in_.size() >= more) return;
  std::string larger;
  larger.reserve(std::max(in_.size() + more, 2 * in_.size()));
  larger.append(in_);
  wipe(in_);
  in_.swap(larger);
}

client_buffers::ending client_buffers::read(std::size_t most) {
  read_needs_room_ = false;
  char bytes[read_size];
  for (std::size_t total = 0; received().size() < most && total < most_a_turn;) {
    const auto step = stream_->read(bytes, sizeof bytes);
    if (step.what != byte_stream_result::kind::done) {
      read_needs_room_ = step.what == byte_stream_result::kind::want_write;
      const bool waits = read_needs_room_ || step.what == byte_stream_result::kind::want_read;
      return waits ? ending::waits : ending::closed;
    }
    make_room(step.bytes);
    in_.append(bytes, step.bytes);
    ::explicit_bzero(bytes, step.bytes);
    total += step.bytes;
    if (step.bytes < sizeof bytes && stream_->drained_by_short_read()) return ending::waits;
  }
  return ending::enough;
}

void client_buffers::consume(std::size_t size, bool secret) noexcept {
  if (secret) ::explicit_bzero(in_.data() + in_begin_, size);
  in_begin_ += size;
  if (in_begin_ < in_.size()) return;
  in_.clear();
  in_begin_ = 0;
  if (in_.capacity() > kept_capacity) {
    wipe(in_);
    std::string{}.swap(in_);
  }
}

client_buffers::ending client_buffers::write() {
  write_needs_bytes_ = false;
  auto outcome = ending::waits;
  while (out_begin_ < out_.size()) {
    const auto size = retry_size_ != 0 ? retry_size_ : std::min(unsent(), stream_->largest_write());
    const auto step = stream_->write(out_.data() + out_begin_, size);
    retry_size_ = 0;
    out_begin_ += step.bytes;
    written_ += step.bytes;
    if (step.what == byte_stream_result::kind::done) continue;
    if (step.what == byte_stream_result::kind::closed || step.what == byte_stream_result::kind::failed) {
      outcome = ending::closed;
    } else {
      retry_size_ = step.taken;
      write_needs_bytes_ = step.what == byte_stream_result::kind::want_read;
    }
    break;
  }
  out_.erase(0, out_begin_);
  out_begin_ = 0;
  if (out_.empty() && out_.capacity() > kept_capacity) std::string{}.swap(out_);
  return outcome;
}

}  // namespace understudy::internal
