// Contexts of listeners, and what failures of a client's TLS mean.
#include "understudy/runtime/platform/tls_server.hpp"

#include "understudy/actors/connection/tls_stream.hpp"
#include "understudy/config/certificates.hpp"
#include "understudy/config/files.hpp"
#include "understudy/messages/text.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <algorithm>

namespace understudy::internal {

class tls_server_context : public tls_context {
 public:
  explicit tls_server_context(tls_version oldest) : tls_context(::TLS_server_method(), oldest) {}
  std::vector<std::string> allowed_client_names;
  std::string states_of_files;
};

namespace {

using x509_ptr = std::unique_ptr<X509, void (*)(X509*)>;

tls_server_context_result refused(const std::string& problem) {
  return {nullptr, tls_failure(problem + ": " + openssl_reason())};
}

/// The reader of certificates names the keys of a client of a directory.
std::string text_of_problem(const config::file_problem& problem) {
  const auto here = config::as_node_problem(problem);
  return std::string{here.key} + ": " + here.what;
}

std::string text_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, int (*)(BIO*)> memory{::BIO_new(::BIO_s_mem()), ::BIO_free};
  if (!memory || ::X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) return {};
  char* text = nullptr;
  const auto size = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

x509_ptr of_der(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  return {::d2i_X509(nullptr, &bytes, static_cast<long>(der.size())), ::X509_free};
}

}  // namespace

tls_server_context_result make_tls_server_context(const server_certificates& from) {
  ::ERR_clear_error();
  auto made = std::make_shared<tls_server_context>(from.oldest_protocol);
  made->states_of_files = states_of(from);
  SSL_CTX* context = made->get();
  if (!*made) return refused("TLS is not available");
  ::SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(context, 0);
  const auto names = config::settings_naming(from);
  const auto files = config::read_certificates(names, [] { return std::nullopt; });
  if (!files.problems.empty()) return {nullptr, tls_failure(joined(files.problems, "; ", text_of_problem))};
  if (files.chain.empty()) return refused("cert_path: " + from.certificate_path);
  if (!files.key) return {nullptr, tls_failure("key_path: \"" + from.key_path + "\" is encrypted, or holds no key")};
  if (const auto bad = made->use(files, names)) return refused(text_of_problem(*bad));
  if (!from.ca_path.empty()) {
    // Their names are sent to clients, which choose their certificate by them.
    for (const auto& each : files.trusted)
      if (::SSL_CTX_add_client_CA(context, each.get()) != 1) return refused("ca_cert_path: " + from.ca_path);
    const int demand = from.needs_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | demand, nullptr);
  }
  made->allowed_client_names = from.allowed_client_names;
  return {std::move(made), nullptr};
}

std::string states_of(const server_certificates& files) {
  std::string states;
  for (const auto& path : {files.certificate_path, files.key_path, files.ca_path, files.crl_path})
    states += config::file_state(path) + ' ';
  return states;
}

const std::string& states_of(const tls_server_context& context) noexcept { return context.states_of_files; }

tls_server_stream::tls_server_stream(tls_server_context_ptr context, int fd)
    : tls_stream(context->get(), {context, &context->bio()}, fd), context_(std::move(context)) {
  if (ssl() != nullptr) ::SSL_set_accept_state(ssl());
}

byte_stream_result tls_server_stream::handshake() {
  auto step = tls_stream::handshake();
  if (step.what == byte_stream_result::kind::done && !is_allowed())
    return failed("the client's certificate has none of the names that are allowed here");
  return step;
}

client_certificate tls_server_stream::client() const {
  client_certificate found;
  const x509_ptr certificate{::SSL_get1_peer_certificate(ssl()), ::X509_free};
  if (!certificate) return found;
  found.subject = text_of(::X509_get_subject_name(certificate.get()));
  found.names = config::names_in(*certificate);
  found.chain = peer_chain();
  return found;
}

std::string why_not_trusted(const tls_server_context& context, const std::vector<std::string>& chain, peer_role role) {
  if (chain.empty()) return "it showed none";
  std::vector<x509_ptr> shown;
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> others{
      sk_X509_new_null(), [](STACK_OF(X509) * stack) { sk_X509_free(stack); }};
  for (const auto& each : chain) {
    shown.push_back(of_der(each));
    if (!shown.back()) return "it cannot be read";
    if (shown.size() > 1 && (!others || sk_X509_push(others.get(), shown.back().get()) == 0)) throw std::bad_alloc{};
  }
  // As OpenSSL looks at it in a handshake.
  const std::unique_ptr<X509_STORE_CTX, void (*)(X509_STORE_CTX*)> look{::X509_STORE_CTX_new(), ::X509_STORE_CTX_free};
  if (!look || ::X509_STORE_CTX_init(look.get(), ::SSL_CTX_get_cert_store(context.get()), shown.front().get(),
                                     others.get()) != 1)
    throw std::bad_alloc{};
  ::X509_STORE_CTX_set_default(look.get(), role == peer_role::client ? "ssl_client" : "ssl_server");
  auto* const asked = ::X509_STORE_CTX_get0_param(look.get());
  ::X509_VERIFY_PARAM_set_auth_level(asked, ::SSL_CTX_get_security_level(context.get()));
  ::X509_VERIFY_PARAM_set1(asked, ::SSL_CTX_get0_param(context.get()));
  const bool trusted = ::X509_verify_cert(look.get()) == 1;
  const auto verdict = ::X509_STORE_CTX_get_error(look.get());
  ::ERR_clear_error();
  return trusted ? std::string{} : ::X509_verify_cert_error_string(verdict);
}

bool tls_server_stream::is_allowed() const {
  const auto& allowed = context_->allowed_client_names;
  if (allowed.empty()) return true;
  const x509_ptr certificate{::SSL_get1_peer_certificate(ssl()), ::X509_free};
  const auto is_for = [&](const std::string& name) {
    constexpr unsigned exactly = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;
    return ::X509_check_host(certificate.get(), name.data(), name.size(), exactly, nullptr) == 1;
  };
  return certificate && std::any_of(allowed.begin(), allowed.end(), is_for);
}

byte_stream_result tls_server_stream::failure_of(const char* doing, int system_code) {
  if (ssl() == nullptr) return failed("TLS could not be set up");
  if (const auto verdict = ::SSL_get_verify_result(ssl()); verdict != X509_V_OK) {
    ::ERR_clear_error();
    return failed(std::string{"the client's certificate was refused: "} + ::X509_verify_cert_error_string(verdict));
  }
  const auto queued = ::ERR_peek_error();
  if (queued != 0 && ERR_GET_REASON(queued) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return failed(std::string{doing} + ": " + openssl_reason());
  ::ERR_clear_error();
  const bool broken = queued == 0 && system_code != 0;
  return failed(std::string{doing} + ": " +
                (broken ? config::errno_text(system_code) : std::string{"the client closed the connection"}));
}

byte_stream_result tls_server_stream::closed(const char*) {
  byte_stream_result ended;
  ended.what = byte_stream_result::kind::closed;
  return ended;
}

}  // namespace understudy::internal
