// The socket of a client that came in, as its actor uses it: bytes both ways, and what the poller is asked for.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/actors/ports/ports.hpp"

#include <string>
#include <string_view>

namespace understudy::internal {

/// What has arrived and is no whole message yet, and what the client has not taken; over a non-blocking stream, which
/// may be replaced by another one over the same descriptor. Its actor gets the poller's events as `(io_atom, id,
/// events)`, gathers what a turn brings, and writes it at a `flush_atom` to itself. Not thread-safe.
class client_socket {
 public:
  /// How a turn of reading or writing ended.
  enum class ending : std::uint8_t {
    waits,   ///< nothing more can be done now
    enough,  ///< reading: so much has come that others are due first
    closed,  ///< the peer ended the stream, or it is broken
  };
  /// What an event of the poller lets be done.
  struct chance {
    bool none = true;  ///< it is not about this socket, or comes after close()
    bool reads = false, writes = false;
  };

  /// `fd` stays with who opened it, and open until close(). Nothing is armed yet.
  client_socket(std::shared_ptr<poller_port> poller, int fd, std::unique_ptr<byte_stream> stream,
                const caf::actor_addr& owner);
  ~client_socket();
  client_socket(const client_socket&) = delete;
  client_socket& operator=(const client_socket&) = delete;

  poller_port::io_id id() const noexcept { return io_; }
  chance on_io(poller_port::io_id id, std::uint32_t events) noexcept;

  /// Reads what there is, until `most` bytes wait here.
  ending read(std::size_t most);
  std::string_view received() const noexcept { return std::string_view{in_}.substr(in_begin_); }
  /// The first `size` bytes received are done with; overwrites them when they are `secret`.
  void consume(std::size_t size, bool secret) noexcept;

  void append(std::string bytes) {
    if (out_.empty() && bytes.size() > out_.capacity())
      out_ = std::move(bytes);
    else
      out_.append(bytes);
  }
  /// Writes what the peer takes.
  ending write();
  std::size_t unsent() const noexcept { return out_.size() - out_begin_; }
  /// Bytes written since the beginning.
  std::uint64_t written() const noexcept { return written_; }
  /// The peer has not taken what was written last: the poller tells when it can.
  bool is_blocked() const noexcept { return blocked_; }

  ///@{
  /// One write for all that a turn brings. True, once until begin_flush(): the owner has to send itself a flush_atom.
  bool needs_flush() noexcept { return unsent() > 0 && !blocked_ && !std::exchange(flush_due_, true); }
  bool is_flush_due() const noexcept { return flush_due_; }
  /// At the flush_atom. False: there is nothing to be done before the poller tells.
  bool begin_flush() noexcept {
    flush_due_ = false;
    return !blocked_;
  }
  ///@}

  /// Asks the poller for what this socket waits for; `reads`: for bytes too. True: there are some without an event that
  /// would tell of them, so the owner has to send itself `(io_atom, id(), readable)`.
  bool arm(bool reads);
  /// Asks the poller for that, `poller_port::readable` and so on.
  void arm_for(std::uint32_t interest);

  byte_stream& stream() noexcept { return *stream_; }
  void replace(std::unique_ptr<byte_stream> stream) { stream_ = std::move(stream); }
  /// Says so to the peer, as far as that takes no waiting; the poller forgets it. Again: nothing.
  void close();

 private:
  static void wipe(std::string& bytes) noexcept;
  void make_room(std::size_t more);

  std::shared_ptr<poller_port> poller_;
  std::unique_ptr<byte_stream> stream_;
  poller_port::io_id io_ = 0;
  std::uint32_t armed_for_ = 0;
  std::string in_, out_;
  std::size_t in_begin_ = 0, out_begin_ = 0, retry_size_ = 0;
  std::uint64_t written_ = 0;
  bool read_needs_room_ = false, write_needs_bytes_ = false;  ///< of a TLS stream, what has to happen first
  bool more_ = false;                                         ///< may be there to read without an event
  bool flush_due_ = false, blocked_ = false, closed_ = false;
};

}  // namespace understudy::internal
