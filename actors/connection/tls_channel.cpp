// One TLS connection: handshake with checks of the peer's name, reading, writing, and errors in OpenSSL's own words.
#include "understudy/actors/connection/tls_context.hpp"

#include "understudy/actors/connection/socket.hpp"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <algorithm>
#include <cerrno>

namespace understudy {
namespace {

// One record; a write that must be repeated unchanged is never longer.
constexpr std::size_t record_size = 16 * 1024;

int socket_of(BIO* bio) noexcept { return static_cast<int>(reinterpret_cast<std::intptr_t>(::BIO_get_data(bio))); }

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
  return static_cast<int>(n);
}

long control_socket(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return ::BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/// Both are per thread and may hold what others left there.
void forget_errors() noexcept {
  ::ERR_clear_error();
  errno = 0;
}

bool is_literal_address(const std::string& name) noexcept {
  in6_addr any{};
  return ::inet_pton(AF_INET, name.c_str(), &any) == 1 || ::inet_pton(AF_INET6, name.c_str(), &any) == 1;
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

class tls_channel final : public channel {
 public:
  tls_channel(tls_context_ptr context, int fd, std::string name)
      : context_(std::move(context)), ssl_(::SSL_new(context_->get()), ::SSL_free), name_(std::move(name)) {
    BIO* bio = ::BIO_new(context_->method());
    if (!ssl_ || bio == nullptr) {
      ::BIO_free(bio);
      ssl_.reset();
      return;
    }
    ::BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    ::BIO_set_init(bio, 1);
    ::SSL_set_bio(ssl_.get(), bio, bio);
    ::SSL_set_connect_state(ssl_.get());
    if (!expect_name()) ssl_.reset();
  }

  channel_result handshake() override {
    if (!ssl_) return failed("TLS could not be set up for \"" + name_ + "\"");
    forget_errors();
    const int code = ::SSL_do_handshake(ssl_.get());
    return code == 1 ? channel_result{} : judge(code, "TLS handshake failed");
  }

  channel_result read(char* to, std::size_t room) override {
    forget_errors();
    channel_result r;
    const int code = ::SSL_read_ex(ssl_.get(), to, room, &r.bytes);
    return code == 1 ? r : judge(code, "TLS failed while reading");
  }

  channel_result write(const char* from, std::size_t size) override {
    forget_errors();
    channel_result r;
    const int code = ::SSL_write_ex(ssl_.get(), from, size, &r.bytes);
    if (code != 1) r = judge(code, "TLS failed while writing");
    // Also when the socket is full, the record may be under way.
    r.taken = code == 1 ? r.bytes : size;
    return r;
  }

  std::size_t largest_write() const noexcept override { return record_size; }
  bool drained_by_short_read() const noexcept override { return false; }

  void shut_down() noexcept override {
    ::ERR_clear_error();
    if (ssl_ && !broken_) ::SSL_shutdown(ssl_.get());
    ::ERR_clear_error();
  }

  std::string encryption() const override {
    return ssl_ ? std::string{::SSL_get_version(ssl_.get())} + " " + ::SSL_get_cipher(ssl_.get()) : "none";
  }

 private:
  bool expect_name() {
    if (is_literal_address(name_)) {
      return !context_->verifies || ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_.get()), name_.c_str()) == 1;
    }
    if (name_.empty()) return !context_->verifies;
    if (SSL_set_tlsext_host_name(ssl_.get(), name_.c_str()) != 1) return false;
    if (!context_->verifies) return true;
    ::SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return ::SSL_set1_host(ssl_.get(), name_.c_str()) == 1;
  }

  channel_result judge(int code, const char* doing) {
    const int system_code = errno;
    channel_result r;
    switch (::SSL_get_error(ssl_.get(), code)) {
      case SSL_ERROR_WANT_READ:
        r.what = channel_result::kind::want_read;
        return r;
      case SSL_ERROR_WANT_WRITE:
        r.what = channel_result::kind::want_write;
        return r;
      case SSL_ERROR_ZERO_RETURN:
        r.what = channel_result::kind::closed;
        return r;
      default:
        broken_ = true;
        return judge_failure(doing, system_code);
    }
  }

  channel_result judge_failure(const char* doing, int system_code) {
    const bool verified = !context_->verifies || ::SSL_get_verify_result(ssl_.get()) == X509_V_OK;
    if (!verified) {
      const auto code = ::SSL_get_verify_result(ssl_.get());
      const std::string reason = ::X509_verify_cert_error_string(code);
      ::ERR_clear_error();
      return failed("certificate verify failed for \"" + name_ + "\": " + reason +
                    (is_about_revocation(code) ? " (revocation lists: " + context_->revocation_lists + ")" : ""));
    }
    const auto queued = ::ERR_peek_error();
    if (is_about_version(queued)) {
      return failed(std::string{doing} + ": " + openssl_reason() + " (the server does not speak TLS " +
                    context_->oldest_protocol + " or newer)");
    }
    const bool cut_off = queued == 0 || ERR_GET_REASON(queued) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (!cut_off) return failed(std::string{doing} + ": " + openssl_reason());
    ::ERR_clear_error();
    const bool reset = queued == 0 && system_code != 0;
    if (!::SSL_is_init_finished(ssl_.get())) {
      return failed(std::string{doing} + ": " + (reset ? errno_text(system_code) : "the server closed the connection"));
    }
    if (!reset) {
      channel_result r;
      r.what = channel_result::kind::closed;
      return r;
    }
    auto r = failed({});
    failure f = *r.error;
    f.code = errc_of_errno(system_code);
    f.message = std::string{doing} + ": " + errno_text(system_code);
    r.error = std::make_shared<const failure>(std::move(f));
    return r;
  }

  static channel_result failed(const std::string& message) {
    channel_result r;
    r.what = channel_result::kind::failed;
    r.error = tls_failure(message);
    return r;
  }

  tls_context_ptr context_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  std::string name_;
  bool broken_ = false;
};

}  // namespace

BIO_METHOD* make_socket_method() noexcept {
  BIO_METHOD* method = ::BIO_meth_new(BIO_TYPE_SOURCE_SINK, "understudy socket");
  if (method != nullptr) {
    ::BIO_meth_set_read(method, read_socket);
    ::BIO_meth_set_write(method, write_socket);
    ::BIO_meth_set_ctrl(method, control_socket);
  }
  return method;
}

std::unique_ptr<channel> make_tls_channel(tls_context_ptr context, int fd, const std::string& name) {
  return std::make_unique<tls_channel>(std::move(context), fd, name);
}

}  // namespace understudy
