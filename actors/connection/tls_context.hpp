// What both sides of TLS set up alike: OpenSSL's context with its certificates, and how it reaches a socket.
#pragma once
#include "understudy/config/certificates.hpp"
#include "understudy/messages/error.hpp"

#include <memory>
#include <string>

struct bio_method_st;
struct ssl_ctx_st;
struct ssl_method_st;

namespace understudy::internal {

/// How OpenSSL reads and writes a socket: its own way uses write(2), which may raise SIGPIPE.
class socket_bio {
 public:
  socket_bio();
  /// False when there was no memory.
  explicit operator bool() const noexcept { return method_ != nullptr; }
  const bio_method_st* method() const noexcept { return method_.get(); }

 private:
  std::unique_ptr<bio_method_st, void (*)(bio_method_st*)> method_;
};

/// Certificates, keys and rules of one side, as OpenSSL keeps them. A key with a password of which nothing is known is
/// not read: OpenSSL itself would ask the terminal.
class tls_context {
 public:
  /// `side`: TLS_client_method() or TLS_server_method(); `oldest`: the oldest protocol that is spoken.
  tls_context(const ssl_method_st* side, tls_version oldest);
  /// False when there was no memory, or no TLS.
  explicit operator bool() const noexcept { return context_ && bio_; }
  ssl_ctx_st* get() const noexcept { return context_.get(); }
  const socket_bio& bio() const noexcept { return bio_; }
  /// Takes what was read from the files that `named` names: authorities and revocation lists for peers' certificates,
  /// its own certificate and key. The file that OpenSSL refuses, if any; openssl_reason() says why.
  std::optional<config::file_problem> use(const config::certificate_files& files, const connection_info& named);

 private:
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
  socket_bio bio_;
};

/// ssl_error at stage secure.
failure_ptr tls_failure(std::string message);

/// Takes the reasons from OpenSSL's error queue of this thread, as text.
std::string openssl_reason();

}  // namespace understudy::internal
