// Contexts: what is trusted, who we are, which protocol versions; cached until a file changes.
#include "understudy/actors/connection/tls_context.hpp"

#include "understudy/config/certificates.hpp"
#include "understudy/config/files.hpp"

#include <algorithm>
#include <tuple>

namespace understudy {
namespace {

tls_context_result refused(const std::string& what) {
  tls_context_result r;
  r.error = tls_failure(what + ": " + openssl_reason());
  return r;
}

/// A failure to read files is believed for so long, so that a burst of connects does not read them each time.
constexpr seconds failure_kept{1};
constexpr std::size_t most_kept = 64;
constexpr seconds key_password_limit{10};

/// The states of all files that a context is made of.
std::string files_of(const connection_info& server) {
  // Without a file of its own the system's counts, which a package upgrade may replace at any time.
  const std::string trusted = server.ca_cert_path.empty() ? ::X509_get_default_cert_file() : server.ca_cert_path;
  std::string states;
  for (const auto& path :
       {trusted, server.client_cert_path, server.client_key_path, server.crl_path, server.client_key_password_file})
    states += config::file_state(path) + ' ';
  return states;
}

bool same_context(const connection_info& a, const connection_info& b) {
  const auto parts = [](const connection_info& s) {
    return std::tie(s.ca_cert_path, s.client_cert_path, s.client_key_path, s.crl_path, s.validate_cert,
                    s.tls_min_version, s.client_key_password_file, s.client_key_password_command);
  };
  return parts(a) == parts(b) && a.client_key_password == b.client_key_password;
}

/// OpenSSL's own would ask the terminal.
int no_password(char*, int, int, void*) { return -1; }

/// The server asks for a certificate and there is none: noted, for the case that it takes offence.
int note_question(SSL* ssl, X509**, EVP_PKEY**) {
  if (auto* asked = static_cast<bool*>(SSL_get_app_data(ssl))) *asked = true;
  return 0;
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
  return make_failure(errc::ssl_error, stage::secure, std::move(message));
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

tls_context_result make_tls_context(const connection_info& server, const still_wanted& wanted) {
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
  ::SSL_CTX_set_default_passwd_cb(context, no_password);
  ::SSL_CTX_set_client_cert_cb(context, note_question);
  const auto files = config::read_certificates(
      server, [&] { return std::optional{read_source(client_key_password_of(server), key_password_limit, wanted)}; });
  if (!files.problems.empty()) {
    std::string all;
    for (const auto& each : files.problems) all += (all.empty() ? "" : "; ") + std::string{each.key} + ": " + each.what;
    return {nullptr, tls_failure(all)};
  }
  X509_STORE* store = ::SSL_CTX_get_cert_store(context);
  made->trusted = server.ca_cert_path;
  if (server.ca_cert_path.empty() && server.validate_cert && ::SSL_CTX_set_default_verify_paths(context) != 1)
    return refused("the system's CA certificates");
  for (const auto& each : files.trusted)
    if (::X509_STORE_add_cert(store, each.get()) != 1) return refused("ca_cert_path: " + server.ca_cert_path);
  for (const auto& each : files.lists)
    if (::X509_STORE_add_crl(store, each.get()) != 1) return refused("crl_path: " + server.crl_path);
  made->revocation_lists =
      server.crl_path.empty() ? "ca_cert_path " + server.ca_cert_path : "crl_path " + server.crl_path;
  check_revocation(store);
  if (!files.chain.empty()) {
    made->client_certificate = server.client_cert_path;
    if (::SSL_CTX_use_certificate(context, files.chain[0].get()) != 1)
      return refused("client_cert_path: " + server.client_cert_path);
    for (std::size_t i = 1; i < files.chain.size(); ++i)
      if (SSL_CTX_add1_chain_cert(context, files.chain[i].get()) != 1)
        return refused("client_cert_path: " + server.client_cert_path);
    if (!files.key || ::SSL_CTX_use_PrivateKey(context, files.key.get()) != 1)
      return refused("client_key_path: " + server.client_key_path);
  }
  return {std::move(made), nullptr};
}

std::optional<tls_context_result> tls_contexts::get(const std::shared_ptr<const connection_info>& asked, time_point now,
                                                    workers_port& workers, std::function<void()> ready) {
  const auto& server = *asked;
  const auto files = files_of(server);
  std::lock_guard<std::mutex> lock{mutex_};
  auto& known = entry_for(server);
  // Counted from when it is first looked at: reading it may have taken long.
  if (!known.seen_at) known.seen_at = now;
  const bool fresh = known.files == files && (known.made.context || now < *known.seen_at + failure_kept);
  if (!known.making && fresh && (known.made.context || known.made.error)) return known.made;
  if (!known.making) {
    auto job = [self = shared_from_this(), server] {
      tls_context_result made;
      try {
        made = make_tls_context(server, [&] { return self->wanted(server); });
      } catch (...) {
        made.error = tls_failure("the certificates could not be read: no memory, or a defect");
      }
      self->finish(server, std::move(made));
    };
    if (!workers.run(std::move(job))) {
      return tls_context_result{nullptr, tls_failure("too many other reads and look-ups wait for a worker")};
    }
    known.making = true;
    known.files = files;
    known.server = server;
  }
  known.waiting.push_back(std::move(ready));
  known.users.push_back(asked);
  return std::nullopt;
}

void tls_contexts::finish(const connection_info& server, tls_context_result made) {
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard<std::mutex> lock{mutex_};
    auto& known = entry_for(server);
    known.made = std::move(made);
    known.seen_at.reset();
    known.making = false;
    known.users.clear();
    waiting.swap(known.waiting);
  }
  for (const auto& ready : waiting) ready();
}

bool tls_contexts::wanted(const connection_info& server) {
  std::lock_guard<std::mutex> lock{mutex_};
  const auto& users = entry_for(server).users;
  return std::any_of(users.begin(), users.end(), [](const auto& user) { return !user.expired(); });
}

tls_contexts::cached& tls_contexts::entry_for(const connection_info& server) {
  for (auto& each : all_)
    if (same_context(each.server, server)) return each;
  // Settings that a reload replaced.
  while (all_.size() >= most_kept && !all_.front().making) all_.pop_front();
  all_.emplace_back().server = server;
  return all_.back();
}

}  // namespace understudy
