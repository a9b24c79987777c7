// Connects to other processes, plain or TLS: the other side of listener, for nodes.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/config/certificates.hpp"
#include "understudy/runtime/platform/descriptor.hpp"

namespace understudy::internal {

class byte_stream;

/// PEM files by which a peer is judged, and by which we are. Without `ca_path` the system's authorities count; our own
/// certificate may be missing.
struct dialling_certificates : config::certificate_paths {
  tls_version oldest_protocol = tls_version::v1_3;  ///< that is spoken
  /// What the peer's certificate must be for; empty: the host that is dialled.
  std::string peer_name = {};
};

/// Whom to connect to, and how.
struct dial_options {
  std::string host;  ///< a name or an address
  std::uint16_t port = 0;
  std::optional<dialling_certificates> tls = {};  ///< without: plain
  duration timeout = seconds{10};                 ///< for all of it: files, look-up, TCP to every address, TLS
};

/// A peer that was reached; with TLS, whose handshake is complete and whose certificate was checked. With TLS 1.3, that
/// it does not like ours shows with the first read.
struct dialled_peer {
  descriptor socket;                    ///< non-blocking
  std::unique_ptr<byte_stream> stream;  ///< over it
  std::string address;                  ///< for people: "192.0.2.7:4100"
  std::vector<std::string> chain;       ///< the certificates that it showed: byte_stream::peer_chain()

  dialled_peer();
  dialled_peer(dialled_peer&& other) noexcept;
  dialled_peer& operator=(dialled_peer&& other) noexcept;
  ~dialled_peer();
};

/// A peer, or why there is none: a failure that names host, port, the step and every address that was tried.
struct dial_result {
  std::optional<dialled_peer> peer;
  failure_ptr error;
};
/// Told once, on the poller's thread: must be quick and not throw.
using dial_handler = std::function<void(dial_result result)>;

/// Any number of dials at a time, each with one deadline for everything: addresses are tried as RFC 8305 has it.
/// Certificates are read by workers, and again when a file has changed. Thread-safe.
class dialler {
 public:
  /// Of a dial; never 0.
  using dial_id = std::uint64_t;

  dialler(caf::actor_system& system, environment_ptr env);
  /// As cancel(), for all.
  ~dialler();
  dialler(const dialler&) = delete;
  dialler& operator=(const dialler&) = delete;

  /// Begins; `told` is never called inside this.
  dial_id dial(dial_options to, dial_handler told);
  /// Its `told` is not called any more; on another thread than the poller's, a call that has begun may go on. What it
  /// had opened is closed. Unknown numbers are ignored.
  void cancel(dial_id which);
  /// Those under way.
  std::size_t dialling() const;

 private:
  class state;
  std::shared_ptr<state> state_;
};

}  // namespace understudy::internal
