// Contexts: what is trusted, who we are, which protocol versions; cached until a file changes.
#include "understudy/actors/connection/tls_context.hpp"

#include <sys/stat.h>

namespace understudy {
namespace {

tls_context_result refused(const std::string& what) {
  tls_context_result r;
  r.error = tls_failure(what + ": " + openssl_reason());
  return r;
}

/// Modification time and size, enough to see that a file was replaced; "-" when there is none.
std::string file_time(const std::string& path) {
  struct stat s {};
  if (path.empty() || ::stat(path.c_str(), &s) != 0) return "-";
  return std::to_string(s.st_mtim.tv_sec) + "." + std::to_string(s.st_mtim.tv_nsec) + "/" + std::to_string(s.st_size) +
         "/" + std::to_string(s.st_ino);
}

/// The lists of that file; false when there is none in it.
bool load_revocation_lists(X509_STORE* store, const std::string& path) {
  X509_LOOKUP* files = ::X509_STORE_add_lookup(store, ::X509_LOOKUP_file());
  return files != nullptr && ::X509_load_crl_file(files, path.c_str(), X509_FILETYPE_PEM) > 0;
}

/// Lists may also stand in the CA file beside the certificates; once there is one, certificates are looked up in it.
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

tls_context::tls_context()
    : context_(::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free), method_(make_socket_method(), ::BIO_meth_free) {}

failure_ptr tls_failure(std::string message) {
  failure f;
  f.code = errc::ssl_error;
  f.where = stage::secure;
  f.message = std::move(message);
  return std::make_shared<const failure>(std::move(f));
}

std::string openssl_reason() {
  std::string text;
  for (auto code = ::ERR_get_error(); code != 0; code = ::ERR_get_error()) {
    const char* reason = ::ERR_reason_error_string(code);
    if (ERR_SYSTEM_ERROR(code)) reason = std::strerror(ERR_GET_REASON(code));
    if (reason != nullptr && text.find(reason) == std::string::npos)
      text += (text.empty() ? "" : ", ") + std::string{reason};
  }
  return text.empty() ? "no reason given" : text;
}

tls_context_result make_tls_context(const connection_info& server) {
  ::ERR_clear_error();
  auto made = std::make_shared<tls_context>();
  SSL_CTX* context = made->get();
  if (context == nullptr || made->method() == nullptr) return refused("TLS is not available");
  const bool only_1_3 = server.tls_min_version == tls_version::v1_3;
  ::SSL_CTX_set_min_proto_version(context, only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  made->oldest_protocol = only_1_3 ? "1.3" : "1.2";
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  ::SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_read_ahead(context, 1);
  ::SSL_CTX_set_verify(context, server.validate_cert ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  made->verifies = server.validate_cert;
  if (!server.ca_cert_path.empty()) {
    if (::SSL_CTX_load_verify_file(context, server.ca_cert_path.c_str()) != 1) {
      return refused("CA certificates in " + server.ca_cert_path);
    }
    made->revocation_lists = server.ca_cert_path;
  } else if (server.validate_cert && ::SSL_CTX_set_default_verify_paths(context) != 1) {
    return refused("the system's CA certificates");
  }
  X509_STORE* store = ::SSL_CTX_get_cert_store(context);
  if (!server.crl_path.empty()) {
    if (!load_revocation_lists(store, server.crl_path)) return refused("revocation lists in " + server.crl_path);
    made->revocation_lists = server.crl_path;
  }
  check_revocation(store);
  if (!server.client_cert_path.empty()) {
    const auto& key = server.client_key_path.empty() ? server.client_cert_path : server.client_key_path;
    if (::SSL_CTX_use_certificate_chain_file(context, server.client_cert_path.c_str()) != 1) {
      return refused("client certificate " + server.client_cert_path);
    }
    if (::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        ::SSL_CTX_check_private_key(context) != 1) {
      return refused("client key " + key);
    }
  }
  return {std::move(made), nullptr};
}

tls_context_result tls_contexts::get(const connection_info& server) {
  const auto separator = std::string(1, '\0');
  const auto key = server.ca_cert_path + separator + server.client_cert_path + separator + server.client_key_path +
                   separator + server.crl_path + separator + (server.validate_cert ? "1" : "0") +
                   (server.tls_min_version == tls_version::v1_3 ? "1.3" : "1.2");
  // Without a file of its own the system's counts, which a package upgrade may replace at any time.
  const auto trusted = server.ca_cert_path.empty() ? ::X509_get_default_cert_file() : server.ca_cert_path;
  const auto times = file_time(trusted) + file_time(server.client_cert_path) + file_time(server.client_key_path) +
                     file_time(server.crl_path);
  std::lock_guard<std::mutex> lock{mutex_};
  auto& known = by_settings_[key];
  if (known.context && known.file_times == times) return {known.context, nullptr};
  auto made = make_tls_context(server);
  known = {times, made.context};
  return made;
}

}  // namespace understudy
