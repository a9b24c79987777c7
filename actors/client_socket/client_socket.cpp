// Reading and writing until the socket has, or takes, no more; and waiting for that.
#include "understudy/actors/client_socket/client_socket.hpp"

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

client_socket::client_socket(std::shared_ptr<poller_port> poller, int fd, std::unique_ptr<byte_stream> stream,
                             const caf::actor_addr& owner)
    : poller_(std::move(poller)), stream_(std::move(stream)), io_(poller_->add(fd, owner)) {}

client_socket::~client_socket() {
  try {
    close();
  } catch (...) {
    // The descriptor goes all the same.
  }
  wipe(in_);
}

void client_socket::close() {
  if (std::exchange(closed_, true)) return;
  poller_->remove(io_);
  stream_->shut_down();
}

client_socket::chance client_socket::on_io(poller_port::io_id id, std::uint32_t events) noexcept {
  if (id != io_ || closed_) return {};
  armed_for_ = 0;
  chance now{false};
  now.reads = (events & poller_port::readable) != 0 || read_needs_room_;
  now.writes = blocked_ && ((events & poller_port::writable) != 0 || write_needs_bytes_);
  return now;
}

bool client_socket::arm(bool reads) {
  std::uint32_t interest = 0;
  if (reads) interest |= read_needs_room_ ? poller_port::writable : poller_port::readable;
  if (blocked_) interest |= write_needs_bytes_ ? poller_port::readable : poller_port::writable;
  arm_for(interest);
  return reads && std::exchange(more_, false);
}

/// One that is armed for more than is wanted tells of it once.
void client_socket::arm_for(std::uint32_t interest) {
  if (interest == 0 || interest == armed_for_ || closed_) return;
  poller_->arm(io_, interest);
  armed_for_ = interest;
}

void client_socket::wipe(std::string& bytes) noexcept {
  bytes.resize(bytes.capacity());
  ::explicit_bzero(bytes.data(), bytes.size());
  bytes.clear();
}

/// A string that grows leaves its bytes behind, and they may be a password.
void client_socket::make_room(std::size_t more) {
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

client_socket::ending client_socket::read(std::size_t most) {
  read_needs_room_ = more_ = false;
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
  more_ = true;
  return ending::enough;
}

void client_socket::consume(std::size_t size, bool secret) noexcept {
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

client_socket::ending client_socket::write() {
  write_needs_bytes_ = blocked_ = false;
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
  // What was written is taken out when it is most of it: a peer that takes a little at a time has nothing moved.
  if (out_begin_ >= out_.size() - out_begin_) {
    out_.erase(0, out_begin_);
    out_begin_ = 0;
  }
  blocked_ = outcome == ending::waits && !out_.empty();
  if (out_.empty() && out_.capacity() > kept_capacity) std::string{}.swap(out_);
  return outcome;
}

}  // namespace understudy::internal
