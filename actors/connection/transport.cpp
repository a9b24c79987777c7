// Buffers, batching and bookkeeping of one stream.
#include "understudy/actors/connection/transport.hpp"

#include "understudy/actors/connection/socket.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>

namespace understudy::internal {
namespace {

constexpr std::size_t read_size = 32 * 1024;
// What a connection begins with, and keeps: enough for an answer of the usual kind.
constexpr std::size_t first_read_size = 2 * 1024;
// One turn reads so much at most: a server that never pauses must not keep other connections waiting.
constexpr std::size_t turn_size = 256 * 1024;
constexpr std::size_t kept_out_capacity = 16 * 1024;

failure_ptr stream_failure(errc code, std::string message) {
  return make_failure(code, stage::operation, std::move(message));
}

}  // namespace

transport::~transport() { close(); }

void transport::open(int fd) {
  close();
  fd_ = fd;
  phase_ = phase::connecting;
  stream_ = make_plain_stream(fd);
}

void transport::close() noexcept {
  if (fd_ < 0) return;
  if (phase_ == phase::open) stream_->shut_down();
  stream_.reset();
  // Also where a forked child of the host program still holds a copy of the descriptor: the server shall see the end.
  ::shutdown(fd_, SHUT_RDWR);
  ::close(fd_);
  fd_ = -1;
  phase_ = phase::closed;
  write_blocked_ = write_needs_room_ = handshake_writes_ = reading_held_ = false;
  retry_size_ = in_begin_ = in_end_ = 0;
  out_base_ += out_.size();
  if (out_has_secret_) wipe_out();
  out_.clear();
  out_begin_ = 0;
  release_empty_buffers();
}

failure_ptr transport::secure(std::unique_ptr<byte_stream> tls) {
  if (bytes_in() != 0)
    return stream_failure(errc::ssl_error, "the server sent unprotected bytes after agreeing to TLS");
  stream_ = std::move(tls);
  phase_ = phase::securing;
  return nullptr;
}

transport_action transport::resume(std::uint32_t events) {
  transport_action action;
  if (phase_ == phase::connecting && (events & writable) != 0) {
    if (const int code = pending_error(fd_); code != 0) {
      action.ended = stream_failure(errc_of_errno(code), errno_text(code));
      return action;
    }
    phase_ = phase::open;
    action.connected = true;
    return action;
  }
  if (phase_ == phase::securing) {
    shake_hands(action);
    return action;
  }
  if (phase_ != phase::open) return action;
  // TLS may need to read in order to write and the other way round: whatever happened, both are tried.
  if (write_blocked_) write(action);
  if (!action.ended && (events & readable) != 0 && !reading_held_) read(action);
  return action;
}

transport_action transport::flush() {
  transport_action action;
  if (phase_ == phase::open && !write_blocked_) write(action);
  return action;
}

std::uint32_t transport::interest() const noexcept {
  switch (phase_) {
    case phase::closed:
      return 0;
    case phase::connecting:
      return writable;
    case phase::securing:
      return handshake_writes_ ? writable : readable;
    case phase::open: {
      // A TLS write may have to read first.
      const bool reads = !reading_held_ || (write_blocked_ && !write_needs_room_);
      return (reads ? readable : 0) | (write_needs_room_ ? writable : 0);
    }
  }
  return 0;
}

void transport::shake_hands(transport_action& action) {
  const auto result = stream_->handshake();
  if (result.what == byte_stream_result::kind::done) {
    phase_ = phase::open;
    action.secured = true;
    return;
  }
  handshake_writes_ = result.what == byte_stream_result::kind::want_write;
  if (result.what == byte_stream_result::kind::closed || result.what == byte_stream_result::kind::failed)
    end(action, result);
}

void transport::read(transport_action& action) {
  for (std::size_t total = 0; total < turn_size;) {
    char* to = room_for_reading();
    const auto room = in_capacity_ - in_end_;
    const auto result = stream_->read(to, room);
    if (result.what != byte_stream_result::kind::done) {
      if (result.what == byte_stream_result::kind::closed || result.what == byte_stream_result::kind::failed)
        end(action, result);
      return;
    }
    filled_ = result.bytes == room;
    in_end_ += result.bytes;
    total += result.bytes;
    action.received = true;
    // A plain socket that filled less than it could is empty now; a TLS stream must be asked until it says so.
    if (result.bytes < room && stream_->drained_by_short_read()) return;
  }
  action.more = true;
}

void transport::write(transport_action& action) {
  write_blocked_ = write_needs_room_ = false;
  while (out_begin_ < out_.size()) {
    const auto size = retry_size_ != 0 ? retry_size_ : std::min(bytes_out(), stream_->largest_write());
    const auto result = stream_->write(out_.data() + out_begin_, size);
    handed_over_ = std::max(handed_over_, out_base_ + out_begin_ + result.taken);
    retry_size_ = 0;
    out_begin_ += result.bytes;
    if (result.what == byte_stream_result::kind::done) continue;
    if (result.what == byte_stream_result::kind::closed || result.what == byte_stream_result::kind::failed) {
      end(action, result);
      read_rest_before_close(action);
    } else {
      retry_size_ = result.taken;
      write_blocked_ = true;
      write_needs_room_ = result.what == byte_stream_result::kind::want_write;
    }
    break;
  }
  out_base_ += out_begin_;
  out_.erase(0, out_begin_);
  out_begin_ = 0;
  if (out_.empty() && out_has_secret_) wipe_out();
  if (out_.empty() && out_.capacity() > kept_out_capacity) std::string{}.swap(out_);
}

/// A peer that takes no more bytes may have said why before it closed: answers, a Notice of Disconnection, an alert.
void transport::read_rest_before_close(transport_action& action) {
  transport_action heard;
  do {
    heard = {};
    read(heard);
    action.received = action.received || heard.received;
  } while (heard.more && bytes_in() <= max_pdu_bytes_);
  if (heard.ended) action.ended = heard.ended;
}

void transport::end(transport_action& action, const byte_stream_result& result) {
  action.orderly = result.what == byte_stream_result::kind::closed;
  action.ended =
      result.error ? result.error : stream_failure(errc::connection_failed, "the server closed the connection");
}

pdu_frame transport::peek() const noexcept {
  return frame_pdu({in_.get() + in_begin_, in_end_ - in_begin_}, max_pdu_bytes_);
}

void transport::skip(std::size_t size) noexcept { in_begin_ += std::min(size, bytes_in()); }

void transport::append(const char* bytes, std::size_t size) {
  if (out_has_secret_ && out_.capacity() - out_.size() < size) {
    // A string that grows leaves its bytes behind.
    std::string larger;
    larger.reserve(std::max(out_.size() + size, 2 * out_.capacity()));
    larger.append(out_);
    wipe_out();
    out_.swap(larger);
    out_has_secret_ = true;
  }
  out_.append(bytes, size);
}

void transport::append_secret(const char* bytes, std::size_t size) {
  append(bytes, size);
  out_has_secret_ = true;
}

/// Empties the buffer, and overwrites what stood in it.
void transport::wipe_out() noexcept {
  out_.resize(out_.capacity());
  ::explicit_bzero(out_.data(), out_.size());
  out_.clear();
  out_has_secret_ = false;
}

void transport::discard(std::uint64_t begin, std::size_t size) {
  out_.erase(static_cast<std::size_t>(begin - out_base_), size);
}

/// Room for at least half a read; moves or grows what is there when that is not left behind it. The first buffer is a
/// small one: who fills it gets a large one.
char* transport::room_for_reading() {
  if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
  if (in_capacity_ == 0) {
    in_.reset(new char[first_read_size]);
    in_capacity_ = first_read_size;
  }
  if (in_capacity_ - in_end_ >= read_size / 2 || (in_end_ == 0 && !filled_)) return in_.get() + in_end_;
  const auto held = bytes_in();
  if (held + read_size <= in_capacity_) {
    std::memmove(in_.get(), in_.get() + in_begin_, held);
  } else {
    // Twice as much each time: a long PDU is copied a bounded number of times.
    const auto capacity = std::max(held + read_size, 2 * held);
    std::unique_ptr<char[]> bigger{new char[capacity]};
    if (held != 0) std::memcpy(bigger.get(), in_.get() + in_begin_, held);
    in_ = std::move(bigger);
    in_capacity_ = capacity;
  }
  in_begin_ = 0;
  in_end_ = held;
  return in_.get() + held;
}

void transport::release_empty_buffers() noexcept {
  if (in_begin_ != in_end_ || (phase_ != phase::closed && in_capacity_ <= first_read_size)) return;
  in_.reset();
  in_capacity_ = in_begin_ = in_end_ = 0;
  filled_ = false;
}

}  // namespace understudy::internal
