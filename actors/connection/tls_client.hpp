// The client's side of TLS: contexts made from a server's settings, and the stream of one connection.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/secret_source.hpp"

#include <list>
#include <memory>
#include <mutex>

namespace understudy::internal {

/// Certificates, keys and rules shared by the connections that were opened with the same settings. Immutable.
class tls_client_context;
using tls_client_context_ptr = std::shared_ptr<const tls_client_context>;

/// A context, or why there is none (`ssl_error` naming the file and OpenSSL's reason).
struct tls_client_context_result {
  tls_client_context_ptr context;
  failure_ptr error;
};

/// By whose keys messages say what is to be set: a directory's server's, or those of who goes to nodes.
enum class tls_keys : std::uint8_t { of_server, of_node };

/// Reads the files that `server` names: CA certificates (else the system's), client certificate and key,
/// revocation lists; and the key's password when the key is encrypted, which may block. With `validate_cert` off the
/// peer is not verified at all. A command that gives the password is ended when nobody wants it any more.
tls_client_context_result make_tls_client_context(const connection_info& server, const still_wanted& wanted = {},
                                                  tls_keys keys = tls_keys::of_server);

/// Contexts by settings; made anew when a file changed on disk. Files and passwords are read by workers, once for all
/// who wait. Thread-safe.
class tls_client_contexts : public std::enable_shared_from_this<tls_client_contexts> {
 public:
  explicit tls_client_contexts(tls_keys keys = tls_keys::of_server) noexcept : keys_(keys) {}
  /// What there is; nothing while it is being made: then `ready` is called once, on a worker. Ask again. It is made for
  /// as long as a caller holds on to its `server`; all let go at a stop, and of what a reload replaced.
  std::optional<tls_client_context_result> get(const std::shared_ptr<const connection_info>& server, time_point now,
                                               workers_port& workers, std::function<void()> ready);

 private:
  struct cached {
    connection_info server;
    std::string files;  ///< their states when they were read
    tls_client_context_result made;
    std::optional<time_point> seen_at{};  ///< when it was first looked at
    bool making = false;
    std::vector<std::function<void()>> waiting{};
    std::vector<std::weak_ptr<const connection_info>> users{};  ///< for whom it is being made
  };
  void finish(const connection_info& server, tls_client_context_result made);
  bool wanted(const connection_info& server);
  cached& entry_for(const connection_info& server);

  const tls_keys keys_;
  std::mutex mutex_;
  std::list<cached> all_;
};

/// TLS as a client over `fd`, which stays the caller's. The peer's certificate must belong to the identity of `peer` (a
/// DNS name, or a literal address for a certificate with that iPAddress), and to nothing else: no name is taken from
/// the network.
std::unique_ptr<byte_stream> make_tls_client_stream(tls_client_context_ptr context, int fd,
                                                    const server_endpoint& peer);

}  // namespace understudy::internal
