// The server's side of TLS: the certificates of a listener, and the stream of one client.
#pragma once
#include "understudy/actors/connection/tls_stream.hpp"
#include "understudy/config/connection_info.hpp"

#include <vector>

namespace understudy::internal {

/// PEM files of a listener, and what it asks of its clients. With `ca_path` a client needs a certificate of one of
/// those authorities, unless it may show none; empty: it is asked for none.
struct server_certificates : config::certificate_paths {
  tls_version oldest_protocol = tls_version::v1_2;     ///< that is spoken
  std::vector<std::string> allowed_client_names = {};  ///< DNS names of which a client's certificate must have one;
                                                       ///< empty: any certificate of those authorities will do
  bool needs_client_certificate = true;                ///< false: a client that shows none is let in
};

/// What the files held, ready for connections. Immutable.
class tls_server_context;
using tls_server_context_ptr = std::shared_ptr<const tls_server_context>;

/// A context, or why there is none (`ssl_error` naming the key, the file and OpenSSL's reason).
struct tls_server_context_result {
  tls_server_context_ptr context;
  failure_ptr error;
};
/// Reads the files, which may take a while.
tls_server_context_result make_tls_server_context(const server_certificates& files);
/// Changes whenever one of the files is written or replaced.
std::string states_of(const server_certificates& files);
/// Those of the files when a context was made of them, from before they were read: what is written meanwhile is a
/// change.
const std::string& states_of(const tls_server_context& context) noexcept;

/// Who a client is by its certificate; empty without one. To be shown escaped: it is the client's choice.
struct client_certificate {
  std::string subject;             ///< RFC 4514, "CN=reporting,O=Example"
  std::vector<std::string> names;  ///< DNS names, then addresses (subjectAltName)
  std::vector<std::string> chain;  ///< what it showed, in DER: its own, then those that lead to an authority
};

/// Which side of TLS a peer was.
enum class peer_role : std::uint8_t { client, server };
/// Why a peer that was trusted by another context, and showed this chain (in DER), would not be by this one: its chain,
/// dates, revocation. Empty: it would.
std::string why_not_trusted(const tls_server_context& context, const std::vector<std::string>& chain, peer_role role);

/// A client's connection over `fd`, which stays the caller's.
class tls_server_stream final : public tls_stream {
 public:
  tls_server_stream(tls_server_context_ptr context, int fd);
  /// Fails for a client whose certificate has none of the allowed names.
  byte_stream_result handshake() override;
  /// To be asked for when the handshake is complete.
  client_certificate client() const;
  std::string peer_subject() const override { return client().subject; }

 private:
  bool is_allowed() const;
  byte_stream_result failure_of(const char* doing, int system_code) override;
  byte_stream_result closed(const char* doing) override;

  tls_server_context_ptr context_;
};

}  // namespace understudy::internal
