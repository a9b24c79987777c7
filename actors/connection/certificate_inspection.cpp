// StartTLS and a handshake that ends with the certificates: see certificate_inspection.hpp.
#include "understudy/actors/connection/certificate_inspection.hpp"

#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/actors/connection/tls_stream.hpp"
#include "understudy/messages/ber.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace understudy::internal {
namespace {

/// Nothing else is in the answer to StartTLS than a result (RFC 4511, 4.14.2).
constexpr std::size_t largest_answer = 16 * 1024;
constexpr std::uint8_t message_id = 1;
constexpr std::uint8_t tag_of_extended_request = 0x77, request_name = 0x80;

std::string start_tls_request() {
  return ber_element(
      ber_tag::sequence,
      ber_integer(message_id) + ber_element(tag_of_extended_request, ber_octets(extension::start_tls, request_name)));
}

byte_stream_result failed(const std::string& message) {
  byte_stream_result r;
  r.what = byte_stream_result::kind::failed;
  r.error = tls_failure(message);
  return r;
}

/// Null: StartTLS was agreed upon. `answer` is one whole message.
failure_ptr refusal_in(std::string_view answer) {
  ber_cursor outside{answer};
  const auto message = outside.element(ber_tag::sequence);
  ber_cursor parts{message.value_or(std::string_view{})};
  const auto id = parts.integer();
  const auto body = parts.element(pdu_op::extended_response);
  if (!id || !body || *id != message_id) return tls_failure("the answer to StartTLS is none");
  ber_cursor result{*body};
  const auto code = result.integer(ber_tag::enumerated);
  if (!code) return tls_failure("the answer to StartTLS is none");
  if (*code == 0) return nullptr;
  return tls_failure("StartTLS was refused with result code " + std::to_string(*code));
}

/// Of a look alone: it trusts nobody, and speaks every protocol that connections may.
std::shared_ptr<tls_context> context_for_looking(std::vector<config::certificate_summary>& shown) {
  auto made = std::make_shared<tls_context>(::TLS_client_method(), tls_version::v1_2);
  if (!*made) return nullptr;
  ::SSL_CTX_set_verify(made->get(), SSL_VERIFY_NONE, nullptr);
  // Called with what the server has shown, before anything is made of it.
  ::SSL_CTX_set_cert_verify_callback(
      made->get(),
      [](X509_STORE_CTX* seen, void* to) {
        auto& all = *static_cast<std::vector<config::certificate_summary>*>(to);
        const auto* chain = ::X509_STORE_CTX_get0_untrusted(seen);
        try {
          for (int i = 0; i < sk_X509_num(chain) && all.size() < certificate_inspection::most_kept; ++i)
            all.push_back(config::summary_of(*sk_X509_value(chain, i)));
        } catch (...) {
          return 0;  // no memory
        }
        return 1;
      },
      &shown);
  return made;
}

}  // namespace

class certificate_inspection::look final : public tls_stream {
 public:
  look(const std::shared_ptr<tls_context>& context, int fd, const server_endpoint& peer)
      : tls_stream(context->get(), {context, &context->bio()}, fd), context_(context) {
    if (ssl() == nullptr) return;
    ::SSL_set_connect_state(ssl());
    const auto name = peer.server_name();
    if (!peer.is_address() && !name.empty() && SSL_set_tlsext_host_name(ssl(), name.c_str()) != 1) give_up();
  }

 private:
  byte_stream_result failure_of(const char* doing, int system_code) override {
    if (ssl() == nullptr) return failed("TLS could not be set up");
    const auto queued = ::ERR_peek_error();
    if (queued != 0 && ERR_GET_REASON(queued) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
      return failed(std::string{doing} + ": " + openssl_reason());
    ::ERR_clear_error();
    return failed(std::string{doing} + ": " +
                  (system_code != 0 ? errno_text(system_code) : "the server closed the connection"));
  }
  byte_stream_result closed(const char* doing) override {
    return failed(std::string{doing} + ": the server closed the connection");
  }

  std::shared_ptr<tls_context> context_;
};

certificate_inspection::certificate_inspection(int fd, const server_endpoint& peer) {
  if (const auto context = context_for_looking(shown_)) secure_ = std::make_unique<look>(context, fd, peer);
  if (!peer.use_tls || peer.use_ssl) return;
  plain_ = make_plain_stream(fd);
  request_ = start_tls_request();
}

certificate_inspection::~certificate_inspection() = default;

byte_stream_result certificate_inspection::begin_tls() {
  while (!request_.empty()) {
    auto sent = plain_->write(request_.data(), request_.size());
    if (sent.what != byte_stream_result::kind::done) return sent;
    request_.erase(0, sent.bytes);
  }
  while (true) {
    const auto frame = frame_pdu(answer_, largest_answer);
    if (frame.state == pdu_frame::status::malformed) return failed("the answer to StartTLS is none");
    if (frame.state == pdu_frame::status::complete) {
      // What came behind it in plain text is of nobody: it is not taken into TLS.
      if (auto why = refusal_in(std::string_view{answer_}.substr(0, frame.size))) {
        byte_stream_result refused;
        refused.what = byte_stream_result::kind::failed;
        refused.error = std::move(why);
        return refused;
      }
      return {};
    }
    // Byte by byte at the end: nothing of what follows is taken away.
    char piece = 0;
    auto got = plain_->read(&piece, 1);
    if (got.what == byte_stream_result::kind::closed) return failed("the server closed the connection at StartTLS");
    if (got.what != byte_stream_result::kind::done) return got;
    answer_.push_back(piece);
  }
}

byte_stream_result certificate_inspection::step() {
  if (!secure_) return failed("TLS is not available");
  if (plain_) {
    if (auto begun = begin_tls(); begun.what != byte_stream_result::kind::done) return begun;
    plain_.reset();
  }
  auto shaken = secure_->handshake();
  const bool waits =
      shaken.what == byte_stream_result::kind::want_read || shaken.what == byte_stream_result::kind::want_write;
  return waits || shown_.empty() ? shaken : byte_stream_result{};
}

}  // namespace understudy::internal
