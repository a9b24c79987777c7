// Making contexts: see tls_context.hpp.
#include "understudy/actors/connection/tls_context.hpp"
#include "understudy/config/files.hpp"
#include "understudy/messages/text.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace understudy::internal {
namespace {

int socket_of(BIO* bio) noexcept { return *static_cast<const int*>(::BIO_get_data(bio)); }

bool may_be_repeated() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

int read_socket(BIO* bio, char* to, int room) {
  ::BIO_clear_retry_flags(bio);
  const auto n = ::recv(socket_of(bio), to, static_cast<std::size_t>(room), MSG_DONTWAIT);
  if (n < 0 && may_be_repeated()) BIO_set_retry_read(bio);
  if (n == 0) ::BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

int write_socket(BIO* bio, const char* from, int size) {
  ::BIO_clear_retry_flags(bio);
  const auto n = ::send(socket_of(bio), from, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && may_be_repeated()) BIO_set_retry_write(bio);
  // Who has closed may have said why, and that is still there to be read: reading tells what happened, not this.
  if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return size;
  return static_cast<int>(n);
}

long control_socket(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return ::BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* make_method() noexcept {
  BIO_METHOD* method = ::BIO_meth_new(BIO_TYPE_SOURCE_SINK, "understudy socket");
  if (method != nullptr) {
    ::BIO_meth_set_read(method, read_socket);
    ::BIO_meth_set_write(method, write_socket);
    ::BIO_meth_set_ctrl(method, control_socket);
  }
  return method;
}

int no_password(char*, int, int, void*) { return -1; }

/// Lists may also stand beside the certificates of authorities, the system's too; once there is one, certificates are
/// looked up in it.
void check_revocation(X509_STORE* store) {
  const auto* objects = ::X509_STORE_get0_objects(store);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    if (::X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL) {
      ::X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
      return;
    }
  }
}

}  // namespace

socket_bio::socket_bio() : method_(make_method(), ::BIO_meth_free) {}

tls_context::tls_context(const SSL_METHOD* side, tls_version oldest) : context_(::SSL_CTX_new(side), ::SSL_CTX_free) {
  if (!context_) return;
  ::SSL_CTX_set_min_proto_version(context_.get(), oldest == tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  ::SSL_CTX_set_options(context_.get(), SSL_OP_NO_RENEGOTIATION);
  ::SSL_CTX_set_mode(context_.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_default_passwd_cb(context_.get(), no_password);
}

std::optional<config::file_problem> tls_context::use(const config::certificate_files& files,
                                                     const connection_info& named) {
  X509_STORE* store = ::SSL_CTX_get_cert_store(get());
  for (const auto& each : files.trusted)
    if (::X509_STORE_add_cert(store, each.get()) != 1) return config::file_problem{"ca_cert_path", named.ca_cert_path};
  for (const auto& each : files.lists)
    if (::X509_STORE_add_crl(store, each.get()) != 1) return config::file_problem{"crl_path", named.crl_path};
  check_revocation(store);
  if (files.chain.empty()) return std::nullopt;
  const auto first = ::SSL_CTX_use_certificate(get(), files.chain[0].get());
  const bool whole = first == 1 && std::all_of(files.chain.begin() + 1, files.chain.end(), [&](const auto& each) {
                       return SSL_CTX_add1_chain_cert(get(), each.get()) == 1;
                     });
  if (!whole) return config::file_problem{"client_cert_path", named.client_cert_path};
  if (!files.key || ::SSL_CTX_use_PrivateKey(get(), files.key.get()) != 1)
    return config::file_problem{"client_key_path", named.client_key_path};
  return std::nullopt;
}

failure_ptr tls_failure(std::string message) {
  return make_failure(errc::ssl_error, stage::secure, std::move(message));
}

std::string openssl_reason() {
  std::string text;
  for (auto code = ::ERR_get_error(); code != 0; code = ::ERR_get_error()) {
    const char* known = ERR_SYSTEM_ERROR(code) ? nullptr : ::ERR_reason_error_string(code);
    const auto reason =
        ERR_SYSTEM_ERROR(code) ? config::errno_text(ERR_GET_REASON(code)) : std::string{known ? known : ""};
    if (!reason.empty() && text.find(reason) == std::string::npos) append_item(text, ", ", reason);
  }
  return text.empty() ? "no reason given" : text;
}

}  // namespace understudy::internal
