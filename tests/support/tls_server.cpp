// TLS between memory buffers.
#include "support/tls_server.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <stdexcept>

namespace understudy::test {
namespace {

[[noreturn]] void fail(const std::string& subject) {
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  throw std::runtime_error(subject + ": " + reason.data());
}

}  // namespace

std::shared_ptr<ssl_ctx_st> make_tls_server(const tls_files& from) {
  std::shared_ptr<ssl_ctx_st> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (SSL_CTX_use_certificate_chain_file(context.get(), from.certificate.c_str()) != 1) fail(from.certificate);
  if (SSL_CTX_use_PrivateKey_file(context.get(), from.key.c_str(), SSL_FILETYPE_PEM) != 1) fail(from.key);
  if (from.max_version != 0) {
    // Protocols this old need OpenSSL's leave too.
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), 0);
    SSL_CTX_set_max_proto_version(context.get(), from.max_version);
  }
  if (!from.client_ca.empty()) {
    if (SSL_CTX_load_verify_locations(context.get(), from.client_ca.c_str(), nullptr) != 1) fail(from.client_ca);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | (from.client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
  }
  return context;
}

tls_session::tls_session(const std::shared_ptr<ssl_ctx_st>& context) : ssl_(SSL_new(context.get())) {
  if (ssl_ == nullptr) fail("TLS session");
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl_);
}

tls_session::~tls_session() { SSL_free(ssl_); }

bool tls_session::receive(std::string_view wire, std::string& plain) {
  ERR_clear_error();
  BIO_write(SSL_get_rbio(ssl_), wire.data(), static_cast<int>(wire.size()));
  std::array<char, 16384> buffer{};
  for (;;) {
    const int got = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
    if (got <= 0) return SSL_get_error(ssl_, got) == SSL_ERROR_WANT_READ;
    plain.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

void tls_session::send(std::string_view plain) {
  ERR_clear_error();
  if (!plain.empty() && SSL_write(ssl_, plain.data(), static_cast<int>(plain.size())) <= 0) fail("TLS write");
}

std::string tls_session::take_output() {
  BIO* out = SSL_get_wbio(ssl_);
  std::string bytes(BIO_ctrl_pending(out), '\0');
  if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

bool tls_session::established() const { return SSL_is_init_finished(ssl_) == 1; }

std::string tls_session::peer() const {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_), &X509_free);
  if (!certificate) return {};
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> text(BIO_new(BIO_s_mem()), &BIO_free_all);
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate.get()), 0, XN_FLAG_RFC2253);
  char* begin = nullptr;
  const long size = BIO_get_mem_data(text.get(), &begin);
  return {begin, static_cast<std::size_t>(size)};
}

}  // namespace understudy::test
