// Accepts clients at one address, TCP or a Unix socket, plain or TLS: for nodes, the front door and HTTP alike.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/platform/admission.hpp"
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/runtime/platform/tls_server.hpp"

#include <stdexcept>

namespace understudy::internal {

/// Why it cannot listen, in words that name the address or the file.
class listener_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Where a listener accepts, and whom.
struct listener_options {
  /// "192.0.2.1:636", "[::1]:636", ":636" (every address of this machine), or the path of a Unix socket, which begins
  /// with '/'. Port 0: any free one.
  std::string address;
  std::optional<server_certificates> tls;    ///< without: plain
  duration handshake_timeout = seconds{10};  ///< for the whole of TLS
  admission_limits limits;
};

/// A client that came in; with TLS, whose handshake is complete and whose certificate was checked.
struct accepted_client {
  descriptor socket;                    ///< non-blocking
  std::unique_ptr<byte_stream> stream;  ///< over it
  std::string address;                  ///< for people: "192.0.2.7:51312", or "local, uid 1000, pid 4711"
  client_certificate certificate;       ///< empty without one
  admission::place place;               ///< goes with the connection
};
/// Told of each, on the poller's thread: must be quick and not throw.
using accept_handler = std::function<void(accepted_client client)>;

/// Listens from its construction on, until it is destroyed. A client that says nothing, or speaks no TLS, is ended at
/// `handshake_timeout`; when `limits.handshakes` are under way, the oldest makes room for a new one. One that is over
/// the other limits is closed at once, unless a handshake that is under way can make room for it. Certificate files
/// that change are read again; when the new ones are no good, the earlier ones stay, the log says so, and they are
/// tried again after a minute.
class listener {
 public:
  /// Throws listener_error when it cannot listen there or the certificates are no good.
  listener(caf::actor_system& system, environment_ptr env, listener_options options, accept_handler on_accept);
  /// Nobody is accepted any more, handshakes under way end; those who were handed over are not touched. `on_accept` is
  /// not called afterwards.
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  /// Where it listens: with the port that the system chose.
  const std::string& address() const noexcept { return address_; }
  /// These count for who comes from now on; `context` was made of `files`.
  void use_certificates(server_certificates files, tls_server_context_ptr context);
  void set_limits(admission_limits limits) { admission_->set_limits(limits); }
  /// Clients that are in, or on their way in.
  std::size_t connections() const { return admission_->connections(); }

 private:
  class acceptor;
  std::shared_ptr<admission> admission_;
  std::string address_;
  std::shared_ptr<acceptor> acceptor_;
};

}  // namespace understudy::internal
