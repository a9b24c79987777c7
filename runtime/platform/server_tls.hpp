// The server's side of TLS: the certificates of a listener, and the stream of one client.
#pragma once
#include "understudy/actors/connection/tls_stream.hpp"
#include "understudy/config/connection_info.hpp"

#include <vector>

namespace understudy::internal {

/// PEM files of a listener, and what it asks of its clients.
struct server_certificates {
  std::string certificate_path;  ///< its own certificate first, then those that lead to the authority
  std::string key_path;          ///< its private key, not encrypted
  /// Authorities of clients' certificates; a client without one of theirs is refused. Empty: none is asked for.
  std::string client_ca_path;
  std::string crl_path;                                ///< revocation lists for clients' certificates; may be empty
  tls_version oldest_protocol = tls_version::v1_2;     ///< that is spoken
  std::vector<std::string> allowed_client_names = {};  ///< DNS names of which a client's certificate must have one;
                                                       ///< empty: any certificate of those authorities will do
};

/// What the files held, ready for connections. Immutable.
class server_tls_context;
using server_tls_context_ptr = std::shared_ptr<const server_tls_context>;

/// A context, or why there is none (`ssl_error` naming the key, the file and OpenSSL's reason).
struct server_tls_result {
  server_tls_context_ptr context;
  failure_ptr error;
};
/// Reads the files, which may take a while.
server_tls_result make_server_tls(const server_certificates& files);
/// Changes whenever one of the files is written or replaced.
std::string states_of(const server_certificates& files);

/// Who a client is by its certificate; empty without one. To be shown escaped: it is the client's choice.
struct client_certificate {
  std::string subject;             ///< RFC 4514, "CN=reporting,O=Example"
  std::vector<std::string> names;  ///< DNS names (subjectAltName)
};

/// A client's connection over `fd`, which stays the caller's.
class server_tls_stream final : public tls_stream {
 public:
  server_tls_stream(server_tls_context_ptr context, int fd);
  /// Fails for a client whose certificate has none of the allowed names.
  byte_stream_result handshake() override;
  /// To be asked for when the handshake is complete.
  client_certificate client() const;

 private:
  bool is_allowed() const;
  byte_stream_result failure_of(const char* doing, int system_code) override;
  byte_stream_result closed(const char* doing) override;

  server_tls_context_ptr context_;
};

}  // namespace understudy::internal
