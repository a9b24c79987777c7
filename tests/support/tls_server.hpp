// The server's side of TLS over buffers in memory.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace understudy::test {

/// PEM files of a TLS server, and how it treats clients.
struct tls_files {
  std::filesystem::path certificate = {}, key = {};
  std::filesystem::path client_ca = {};  ///< set: clients are asked for a certificate, which must be of this CA
  bool client_required = false;          ///< and refused without one
  int max_version = 0;                   ///< OpenSSL's number of the newest protocol spoken; 0: any
};

/// Certificate and key as loaded; shared by sessions. Throws std::runtime_error with OpenSSL's reason.
std::shared_ptr<ssl_ctx_st> make_tls_server(const tls_files& from);

/// One connection's TLS. Bytes of the network go in and out through memory.
class tls_session {
 public:
  explicit tls_session(const std::shared_ptr<ssl_ctx_st>& context);
  ~tls_session();
  tls_session(const tls_session&) = delete;
  tls_session& operator=(const tls_session&) = delete;

  /// Takes bytes from the network and appends what they say to `plain`; false when TLS failed or ended.
  bool receive(std::string_view wire, std::string& plain);
  /// Encrypts; the handshake must be over.
  void send(std::string_view plain);
  /// What must go to the network now.
  std::string take_output();
  bool established() const;
  /// The subject of the client's certificate in RFC 2253 form; empty without one.
  std::string peer() const;

 private:
  ssl_st* ssl_;
};

}  // namespace understudy::test
