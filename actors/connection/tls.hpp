// TLS with OpenSSL under our own transport: contexts made from settings, and the channel of one connection.
#pragma once
#include "understudy/actors/connection/channel.hpp"
#include "understudy/config/connection_info.hpp"

#include <map>
#include <memory>
#include <mutex>

namespace understudy {

/// Certificates, keys and rules shared by the connections that were opened with the same settings. Immutable.
class tls_context;
using tls_context_ptr = std::shared_ptr<const tls_context>;

/// A context, or why there is none (`ssl_error` naming the file and OpenSSL's reason).
struct tls_context_result {
  tls_context_ptr context;
  failure_ptr error;
};

/// Reads the files that `server` names: CA certificates (else the system's), client certificate and key,
/// revocation lists. With `validate_cert` off the peer is not verified at all.
tls_context_result make_tls_context(const connection_info& server);

/// Contexts by settings; made anew when a file changed on disk. Thread-safe.
class tls_contexts {
 public:
  tls_context_result get(const connection_info& server);

 private:
  struct cached {
    std::string file_times;
    tls_context_ptr context;
  };
  std::mutex mutex_;
  std::map<std::string, cached> by_settings_;
};

/// TLS as a client over `fd`, which stays the caller's. The peer's certificate must belong to `name` (a DNS name, or a
/// literal address for a certificate with that iPAddress), and to nothing else: no name is taken from the network.
std::unique_ptr<channel> make_tls_channel(tls_context_ptr context, int fd, const std::string& name);

}  // namespace understudy
