// What tls.cpp and tls_stream.cpp share: OpenSSL's objects and its reasons as text.
#pragma once
#include "understudy/actors/connection/tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <cstring>

namespace understudy {

class tls_context {
 public:
  tls_context();
  SSL_CTX* get() const noexcept { return context_.get(); }
  /// Of a BIO that reads and writes a socket without ever raising SIGPIPE.
  const BIO_METHOD* method() const noexcept { return method_.get(); }
  bool verifies = true;
  std::string oldest_protocol;     ///< that is spoken, for messages
  std::string revocation_lists;    ///< the file with them, for messages
  std::string trusted;             ///< the file of the authorities; empty: the system's
  std::string client_certificate;  ///< its file; empty: there is none

 private:
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<BIO_METHOD, void (*)(BIO_METHOD*)> method_;
};

BIO_METHOD* make_socket_method() noexcept;

/// ssl_error at stage secure.
failure_ptr tls_failure(std::string message);

/// Takes the reasons from OpenSSL's error queue of this thread.
std::string openssl_reason();

}  // namespace understudy
