// A socket with two buffers: batches reads and writes, hands out complete PDUs only, and knows which bytes left.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/actors/connection/ldap_wire.hpp"

#include <memory>

namespace understudy::internal {

/// The state machine between a non-blocking socket and the LDAP session. Owns the descriptor. Not thread-safe.
class transport {
 public:
  static constexpr std::uint32_t readable = 1, writable = 2;

  explicit transport(std::size_t max_pdu_bytes) noexcept : max_pdu_bytes_(max_pdu_bytes) {}
  ~transport();
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;

  /// Takes a socket that is connecting (or connected). Closes an earlier one and forgets all bytes.
  void open(int fd);
  /// TLS from the next byte on, in both directions. Bytes that came before it are an injection: a failure.
  failure_ptr secure(std::unique_ptr<byte_stream> tls);
  /// Does what `events` (readable, writable) allow.
  transport_action resume(std::uint32_t events);
  /// Writes what is gathered, as far as that goes without waiting.
  transport_action flush();
  /// True when flush() has something to do that no event will do.
  bool wants_flush() const noexcept { return phase_ == phase::open && !write_blocked_ && bytes_out() != 0; }
  /// What to wait for; 0 when closed.
  std::uint32_t interest() const noexcept;
  /// Leaves what arrives with the kernel until told otherwise, so that the peer has to wait; writes go on. Call
  /// resume(readable) when it ends: a TLS session may hold bytes that no event tells of.
  void hold_reading(bool on) noexcept { reading_held_ = on; }
  bool reading_held() const noexcept { return reading_held_; }
  /// Announces the end where the protocol has a message for it and closes the socket.
  void close() noexcept;

  int fd() const noexcept { return fd_; }
  bool is_open() const noexcept { return phase_ == phase::open; }
  std::string encryption() const { return stream_ ? stream_->encryption() : "none"; }

  /// The first PDU that arrived.
  pdu_frame peek() const noexcept;
  /// The next `size` bytes, which peek() found complete; until the next call of anything else.
  std::string_view front(std::size_t size) const noexcept { return {in_.get() + in_begin_, size}; }
  /// Drops the next `size` bytes.
  void skip(std::size_t size) noexcept;
  std::size_t bytes_in() const noexcept { return in_end_ - in_begin_; }
  /// Frees the read buffer when nothing is in it and it is larger than an idle connection may keep.
  void release_empty_buffers() noexcept;

  void append(const char* bytes, std::size_t size);
  /// The same, of bytes of which nothing is to be left in memory once they are sent or the stream is closed.
  void append_secret(const char* bytes, std::size_t size);
  /// Positions in the stream of all bytes ever appended. A byte below handed_over() may reach the server.
  std::uint64_t appended() const noexcept { return out_base_ + out_.size(); }
  std::uint64_t handed_over() const noexcept { return handed_over_; }
  std::size_t bytes_out() const noexcept { return out_.size() - out_begin_; }
  /// Takes bytes back that were not handed over yet; later ones move up by `size`.
  void discard(std::uint64_t begin, std::size_t size);

 private:
  enum class phase : std::uint8_t { closed, connecting, securing, open };

  void read(transport_action& action);
  void write(transport_action& action);
  void read_rest_before_close(transport_action& action);
  void shake_hands(transport_action& action);
  void end(transport_action& action, const byte_stream_result& result);
  char* room_for_reading();
  void wipe_out() noexcept;

  std::size_t max_pdu_bytes_;
  int fd_ = -1;
  phase phase_ = phase::closed;
  std::unique_ptr<byte_stream> stream_;
  bool write_blocked_ = false, write_needs_room_ = false;
  bool handshake_writes_ = false;
  bool reading_held_ = false;
  std::size_t retry_size_ = 0;  // of a write that is to be repeated unchanged

  std::unique_ptr<char[]> in_;
  std::size_t in_capacity_ = 0, in_begin_ = 0, in_end_ = 0;
  bool filled_ = false;  // by the last read

  std::string out_;
  bool out_has_secret_ = false;  // in it, or behind its end
  std::size_t out_begin_ = 0;    // of out_: what is not written yet
  std::uint64_t out_base_ = 0;   // stream position of out_[0]
  std::uint64_t handed_over_ = 0;
};

}  // namespace understudy::internal
