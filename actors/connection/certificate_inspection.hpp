// Looks at the certificates that a server shows when TLS begins: judges nobody, sends nothing of a user.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/config/certificates.hpp"
#include "understudy/config/endpoint.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::internal {

/// One look over a connected, non-blocking socket, which stays the caller's and is of no use for anything else
/// afterwards: nothing that is sent over it would be protected. step() is called again whenever the socket is ready for
/// what it wanted.
class certificate_inspection {
 public:
  /// Certificates of one server that are kept; a chain has three or four.
  static constexpr std::size_t most_kept = 10;

  /// With StartTLS where `peer` begins so.
  certificate_inspection(int fd, const server_endpoint& peer);
  ~certificate_inspection();
  certificate_inspection(const certificate_inspection&) = delete;
  certificate_inspection& operator=(const certificate_inspection&) = delete;

  /// Done: there is nothing more to see. A handshake that fails after the server has shown its certificates, as one
  /// that misses ours does, is done too.
  byte_stream_result step();
  /// The server's own first.
  const std::vector<config::certificate_summary>& certificates() const noexcept { return shown_; }

 private:
  class look;
  byte_stream_result begin_tls();

  std::vector<config::certificate_summary> shown_;
  std::unique_ptr<byte_stream> plain_;  ///< until StartTLS was agreed upon
  std::string request_;                 ///< what is still to be sent of it
  std::string answer_;
  std::unique_ptr<look> secure_;
};

}  // namespace understudy::internal
