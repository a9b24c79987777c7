// What streams of the two sides have in common: see tls_stream.hpp.
#include "understudy/actors/connection/tls_stream.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <cerrno>

namespace understudy::internal {
namespace {

// One record; a write that must be repeated unchanged is never longer.
constexpr std::size_t record_size = 16 * 1024;

/// Both are per thread and may hold what others left there.
void forget_errors() noexcept {
  ::ERR_clear_error();
  errno = 0;
}

std::string in_der(X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = ::i2d_X509(certificate, &bytes);
  if (size <= 0) return {};
  std::string der{reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
  ::OPENSSL_free(bytes);
  return der;
}

}  // namespace

tls_stream::tls_stream(SSL_CTX* context, std::shared_ptr<const socket_bio> bio, int fd)
    : bio_(std::move(bio)), fd_(fd), ssl_(::SSL_new(context), ::SSL_free) {
  BIO* end = ::BIO_new(bio_->method());
  if (!ssl_ || end == nullptr) {
    ::BIO_free(end);
    ssl_.reset();
    return;
  }
  ::BIO_set_data(end, &fd_);
  ::BIO_set_init(end, 1);
  ::SSL_set_bio(ssl_.get(), end, end);
}

tls_stream::~tls_stream() = default;

byte_stream_result tls_stream::handshake() {
  if (!ssl_) return failure_of("TLS handshake", 0);
  forget_errors();
  const int code = ::SSL_do_handshake(ssl_.get());
  return code == 1 ? byte_stream_result{} : result_of(code, "TLS handshake failed");
}

byte_stream_result tls_stream::read(char* to, std::size_t room) {
  forget_errors();
  byte_stream_result r;
  const int code = ::SSL_read_ex(ssl_.get(), to, room, &r.bytes);
  if (code != 1) return result_of(code, "TLS failed while reading");
  heard_ = true;
  return r;
}

byte_stream_result tls_stream::write(const char* from, std::size_t size) {
  forget_errors();
  byte_stream_result r;
  const int code = ::SSL_write_ex(ssl_.get(), from, size, &r.bytes);
  if (code != 1) r = result_of(code, "TLS failed while writing");
  // Also when the socket is full, the record may be under way.
  r.taken = code == 1 ? r.bytes : size;
  return r;
}

std::size_t tls_stream::largest_write() const noexcept { return record_size; }

void tls_stream::shut_down() noexcept {
  ::ERR_clear_error();
  if (ssl_ && !broken_) ::SSL_shutdown(ssl_.get());
  ::ERR_clear_error();
}

std::string tls_stream::encryption() const {
  return ssl_ ? std::string{::SSL_get_version(ssl_.get())} + " " + ::SSL_get_cipher(ssl_.get()) : "none";
}

std::vector<std::string> tls_stream::peer_chain() const {
  std::vector<std::string> chain;
  const std::unique_ptr<X509, void (*)(X509*)> own{ssl_ ? ::SSL_get1_peer_certificate(ssl_.get()) : nullptr,
                                                   ::X509_free};
  if (!own) return chain;
  chain.push_back(in_der(own.get()));
  // A client finds its server's own certificate among these as well, a server its client's does not.
  const auto* const others = ::SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; others != nullptr && i < sk_X509_num(others); ++i)
    if (auto each = in_der(sk_X509_value(others, i)); each != chain.front()) chain.push_back(std::move(each));
  return chain;
}

byte_stream_result tls_stream::failed(const std::string& message) {
  byte_stream_result r;
  r.what = byte_stream_result::kind::failed;
  r.error = tls_failure(message);
  return r;
}

byte_stream_result tls_stream::result_of(int code, const char* doing) {
  const int system_code = errno;
  byte_stream_result r;
  switch (::SSL_get_error(ssl_.get(), code)) {
    case SSL_ERROR_WANT_READ:
      r.what = byte_stream_result::kind::want_read;
      return r;
    case SSL_ERROR_WANT_WRITE:
      r.what = byte_stream_result::kind::want_write;
      return r;
    case SSL_ERROR_ZERO_RETURN:
      return closed(doing);
    default:
      broken_ = true;
      return failure_of(doing, system_code);
  }
}

}  // namespace understudy::internal
