// The two ends of a byte pipe to a server, plain or TLS, that never block.
#pragma once
#include "understudy/messages/error.hpp"

#include <cstddef>
#include <vector>

namespace understudy::internal {

/// What one non-blocking step came to.
struct byte_stream_result {
  enum class kind : std::uint8_t {
    done,        ///< `bytes` were moved (a handshake: it is complete)
    want_read,   ///< again when the socket can be read
    want_write,  ///< again when the socket can be written
    closed,      ///< the peer ended the stream
    failed       ///< `error` says why
  };
  kind what = kind::done;
  std::size_t bytes = 0;
  /// Of a write: bytes that may reach the peer from now on, at least `bytes`.
  std::size_t taken = 0;
  failure_ptr error;
};

/// A connected stream. Not thread-safe.
class byte_stream {
 public:
  virtual ~byte_stream() = default;
  virtual byte_stream_result handshake() = 0;
  virtual byte_stream_result read(char* to, std::size_t room) = 0;
  /// After want_read or want_write the same bytes are offered again, `size` unchanged.
  virtual byte_stream_result write(const char* from, std::size_t size) = 0;
  /// As much as one write() takes at most.
  virtual std::size_t largest_write() const noexcept = 0;
  /// True when a read that filled less than its room found everything there is.
  virtual bool drained_by_short_read() const noexcept = 0;
  /// Announces the end to the peer as far as that is possible without waiting.
  virtual void shut_down() noexcept = 0;
  /// "none", or protocol and cipher.
  virtual std::string encryption() const = 0;
  /// The certificates that the peer has shown, in DER: its own, then those that lead to an authority. Empty without
  /// TLS, and before the handshake is complete.
  virtual std::vector<std::string> peer_chain() const { return {}; }
  /// The subject (RFC 4514) of the certificate that a client has shown, by the end of the handshake. Empty without one;
  /// of a server nobody asks.
  virtual std::string peer_subject() const { return {}; }
};

}  // namespace understudy::internal
