// The bytes of one client, both ways: what has arrived and is no whole message yet, and what he has not taken.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"

#include <string>
#include <string_view>

namespace understudy::internal {

/// Over a non-blocking stream, which may be replaced by another one over the same socket. Not thread-safe.
class client_buffers {
 public:
  explicit client_buffers(std::unique_ptr<byte_stream> stream) : stream_(std::move(stream)) {}
  ~client_buffers() { wipe(in_); }
  client_buffers(const client_buffers&) = delete;
  client_buffers& operator=(const client_buffers&) = delete;

  /// How a turn of reading or writing ended.
  enum class ending : std::uint8_t {
    waits,   ///< nothing more can be done now
    enough,  ///< reading: so much has come that others are due first
    closed,  ///< the peer ended the stream, or it is broken
  };

  /// Reads what there is, until `most` bytes wait here.
  ending read(std::size_t most);
  std::string_view received() const noexcept { return std::string_view{in_}.substr(in_begin_); }
  /// The first `size` bytes received are done with; overwrites them when they are `secret`.
  void consume(std::size_t size, bool secret) noexcept;

  void append(std::string_view bytes) { out_.append(bytes); }
  /// Writes what the peer takes.
  ending write();
  std::size_t unsent() const noexcept { return out_.size() - out_begin_; }
  /// Bytes written since the beginning.
  std::uint64_t written() const noexcept { return written_; }
  ///@{
  /// What has to happen first, of a stream that waits.
  bool read_needs_room() const noexcept { return read_needs_room_; }
  bool write_needs_bytes() const noexcept { return write_needs_bytes_; }
  ///@}

  byte_stream& stream() noexcept { return *stream_; }
  void replace(std::unique_ptr<byte_stream> stream) { stream_ = std::move(stream); }

 private:
  static void wipe(std::string& bytes) noexcept;
  void make_room(std::size_t more);

  std::unique_ptr<byte_stream> stream_;
  std::string in_, out_;
  std::size_t in_begin_ = 0, out_begin_ = 0, retry_size_ = 0;
  std::uint64_t written_ = 0;
  bool read_needs_room_ = false, write_needs_bytes_ = false;
};

}  // namespace understudy::internal
