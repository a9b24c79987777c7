// The client's contexts: what is trusted, who we are; cached until a file changes. What failures of a server's TLS
// mean.
#include "understudy/actors/connection/tls_client.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/actors/connection/tls_stream.hpp"
#include "understudy/config/certificates.hpp"
#include "understudy/config/files.hpp"
#include "understudy/messages/text.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <algorithm>
#include <cstring>
#include <tuple>

namespace understudy::internal {

class tls_client_context : public tls_context {
 public:
  tls_client_context(tls_version oldest, tls_keys named_by)
      : tls_context(::TLS_client_method(), oldest),
        keys(named_by),
        oldest_protocol(oldest == tls_version::v1_3 ? "1.3" : "1.2") {}
  bool verifies = true;
  tls_keys keys;                   ///< that messages name
  std::string oldest_protocol;     ///< that is spoken, for messages
  std::string revocation_lists;    ///< the file with them, for messages
  std::string trusted;             ///< the file of the authorities; empty: the system's
  std::string client_certificate;  ///< its file; empty: there is none
};

namespace {

tls_client_context_result refused(const std::string& problem) {
  tls_client_context_result r;
  r.error = tls_failure(problem + ": " + openssl_reason());
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

/// The server asks for a certificate and there is none: noted, in case the handshake fails for lack of one.
int note_certificate_request(SSL* ssl, X509**, EVP_PKEY**) {
  if (auto* asked = static_cast<bool*>(SSL_get_app_data(ssl))) *asked = true;
  return 0;
}

bool is_about_revocation(long code) noexcept {
  switch (code) {
    case X509_V_ERR_CERT_REVOKED:
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return true;
    default:
      return false;
  }
}

/// No protocol is spoken by both: found out here, or by the server.
bool is_about_version(unsigned long code) noexcept {
  switch (ERR_GET_REASON(code)) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return ERR_GET_LIB(code) == ERR_LIB_SSL;
    default:
      return false;
  }
}

bool is_about_authority(long code) noexcept {
  switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return true;
    default:
      return false;
  }
}

/// The server's word on the certificate that it was shown, or was not.
bool is_about_our_certificate(unsigned long code) noexcept {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return false;
  switch (ERR_GET_REASON(code)) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

/// What came was no TLS at all.
bool is_about_plain_text(unsigned long code) noexcept {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return false;
  switch (ERR_GET_REASON(code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_BAD_RECORD_TYPE:
      return true;
    default:
      return false;
  }
}

class tls_client_stream final : public tls_stream {
 public:
  tls_client_stream(tls_client_context_ptr context, int fd, const server_endpoint& peer)
      : tls_stream(context->get(), {context, &context->bio()}, fd),
        context_(std::move(context)),
        name_(peer.identity()) {
    if (ssl() == nullptr) return;
    ::SSL_set_connect_state(ssl());
    SSL_set_app_data(ssl(), &asked_for_certificate_);
    if (!expect(peer)) give_up();
  }

 private:
  bool expect(const server_endpoint& peer) {
    auto* const rules = ::SSL_get0_param(ssl());
    if (peer.is_address()) return !context_->verifies || ::X509_VERIFY_PARAM_set1_ip_asc(rules, name_.c_str()) == 1;
    if (name_.empty()) return !context_->verifies;
    if (SSL_set_tlsext_host_name(ssl(), peer.server_name().c_str()) != 1) return false;
    if (!context_->verifies) return true;
    ::SSL_set_hostflags(ssl(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return ::SSL_set1_host(ssl(), name_.c_str()) == 1;
  }

  byte_stream_result failure_of(const char* doing, int system_code) override {
    if (ssl() == nullptr) return failed("TLS could not be set up for \"" + name_ + "\"");
    const auto verdict = context_->verifies ? ::SSL_get_verify_result(ssl()) : X509_V_OK;
    if (verdict != X509_V_OK) {
      const std::string reason = ::X509_verify_cert_error_string(verdict);
      ::ERR_clear_error();
      return failed("certificate verify failed for \"" + name_ + "\": " + reason + what_to_set(verdict));
    }
    const auto queued = ::ERR_peek_error();
    const bool cut_off = queued == 0 || ERR_GET_REASON(queued) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (!cut_off) {
      const auto advice = what_to_do(queued);
      return failed(std::string{doing} + ": " + openssl_reason() + advice);
    }
    ::ERR_clear_error();
    const bool reset = queued == 0 && system_code != 0;
    if (!reset && of_node() && heard()) {
      // Nodes say goodbye; many directories do not.
      auto gone = failed({});
      failure f = *gone.error;
      f.code = errc::connection_failed;
      f.message = std::string{doing} + ": the node went without a word (close_notify)";
      gone.error = make_failure(std::move(f));
      return gone;
    }
    if (!::SSL_is_init_finished(ssl())) {
      const bool silent = ::SSL_get_state(ssl()) == TLS_ST_CW_CLNT_HELLO;
      return failed(std::string{doing} + ": " + (reset ? errno_text(system_code) : "the server closed the connection") +
                    (silent ? " without a word of TLS (" + about_plain_port() + ')' : about_our_certificate()));
    }
    if (!reset || unheard()) return closed(doing);
    auto r = failed({});
    failure f = *r.error;
    f.code = errc_of_errno(system_code);
    f.message = std::string{doing} + ": " + errno_text(system_code);
    r.error = make_failure(std::move(f));
    return r;
  }

  /// With TLS 1.3 a server that misses a certificate says so, or just goes, after the handshake.
  bool unheard() const noexcept { return asked_for_certificate_ && !heard(); }

  byte_stream_result closed(const char* doing) override {
    if (unheard()) return failed(std::string{doing} + ": the server closed the connection" + about_our_certificate());
    byte_stream_result r;
    r.what = byte_stream_result::kind::closed;
    return r;
  }

  std::string about_our_certificate() const {
    const std::string prefix = of_node() ? "" : "client_";
    if (asked_for_certificate_)
      return " (the server asks for a client certificate: set " + prefix + "cert_path and " + prefix + "key_path)";
    if (context_->client_certificate.empty()) return {};
    return " (the server was shown the certificate in " + prefix + "cert_path " + context_->client_certificate + ")";
  }

  bool of_node() const noexcept { return context_->keys == tls_keys::of_node; }

  std::string about_plain_port() const {
    return of_node() ? "a node's listener with insecure_loopback speaks plain text; so does a directory's port"
                     : "use_ssl needs an ldaps port; use_tls begins in plain text";
  }

  std::string what_to_do(unsigned long reason) const {
    if (is_about_version(reason))
      return " (the server does not speak TLS " + context_->oldest_protocol + " or newer" +
             (of_node() ? "; nodes do" : ": tls_min_version") + ')';
    if (is_about_our_certificate(reason)) return about_our_certificate();
    if (is_about_plain_text(reason)) return " (the server does not speak TLS here: " + about_plain_port() + ')';
    return {};
  }

  std::string what_to_set(long verdict) const {
    if (is_about_revocation(verdict)) return " (revocation lists: " + context_->revocation_lists + ")";
    if (is_about_authority(verdict)) {
      return context_->trusted.empty() ? " (set ca_cert_path to the authority that signed it)"
                                       : " (not signed by an authority in ca_cert_path " + context_->trusted + ")";
    }
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
      return of_node() ? " (dial the node by a name that stands in its certificate, or set node_name to one)"
                       : " (set host or uri to a name that stands in the certificate)";
    return {};
  }

  tls_client_context_ptr context_;
  std::string name_;
  bool asked_for_certificate_ = false;  // and there is none
};

}  // namespace

tls_client_context_result make_tls_client_context(const connection_info& server, const still_wanted& wanted,
                                                  tls_keys keys) {
  ::ERR_clear_error();
  auto made = std::make_shared<tls_client_context>(server.tls_min_version, keys);
  SSL_CTX* context = made->get();
  if (!*made) return refused("TLS is not available");
  // Not between nodes: CAF reads until it gets nothing once, and nothing tells it of records that OpenSSL has read
  // ahead.
  if (keys != tls_keys::of_node) ::SSL_CTX_set_read_ahead(context, 1);
  ::SSL_CTX_set_verify(context, server.validate_cert ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  made->verifies = server.validate_cert;
  ::SSL_CTX_set_client_cert_cb(context, note_certificate_request);
  const auto text_of = [keys](const config::file_problem& each) {
    const auto named = keys == tls_keys::of_node ? config::as_node_problem(each) : each;
    return std::string{named.key} + ": " + named.what;
  };
  const auto files = config::read_certificates(
      server, [&] { return std::optional{read_source(client_key_password_of(server), key_password_limit, wanted)}; });
  if (!files.problems.empty()) return {nullptr, tls_failure(joined(files.problems, "; ", text_of))};
  if (server.ca_cert_path.empty() && server.validate_cert && ::SSL_CTX_set_default_verify_paths(context) != 1)
    return refused("the system's CA certificates");
  if (const auto bad = made->use(files, server)) return refused(text_of(*bad));
  made->trusted = server.ca_cert_path;
  made->client_certificate = server.client_cert_path;
  made->revocation_lists =
      server.crl_path.empty() ? "ca_cert_path " + server.ca_cert_path : "crl_path " + server.crl_path;
  return {std::move(made), nullptr};
}

std::optional<tls_client_context_result> tls_client_contexts::get(const std::shared_ptr<const connection_info>& asked,
                                                                  time_point now, workers_port& workers,
                                                                  std::function<void()> ready) {
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
      tls_client_context_result made;
      try {
        made = make_tls_client_context(
            server, [&] { return self->wanted(server); }, self->keys_);
      } catch (...) {
        made.error = tls_failure("the certificates could not be read: no memory, or a defect");
      }
      self->finish(server, std::move(made));
    };
    if (!workers.run(std::move(job)))
      return tls_client_context_result{nullptr, tls_failure("too many other reads and look-ups wait for a worker")};
    known.making = true;
    known.files = files;
    known.server = server;
  }
  known.waiting.push_back(std::move(ready));
  known.users.push_back(asked);
  return std::nullopt;
}

void tls_client_contexts::finish(const connection_info& server, tls_client_context_result made) {
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

bool tls_client_contexts::wanted(const connection_info& server) {
  std::lock_guard<std::mutex> lock{mutex_};
  const auto& users = entry_for(server).users;
  return std::any_of(users.begin(), users.end(), [](const auto& user) { return !user.expired(); });
}

tls_client_contexts::cached& tls_client_contexts::entry_for(const connection_info& server) {
  for (auto& each : all_)
    if (same_context(each.server, server)) return each;
  // Settings that a reload replaced.
  while (all_.size() >= most_kept && !all_.front().making) all_.pop_front();
  all_.emplace_back().server = server;
  return all_.back();
}

std::unique_ptr<byte_stream> make_tls_client_stream(tls_client_context_ptr context, int fd,
                                                    const server_endpoint& peer) {
  return std::make_unique<tls_client_stream>(std::move(context), fd, peer);
}

}  // namespace understudy::internal
