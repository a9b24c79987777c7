// One TLS session over a socket, of either side, that never blocks and never raises SIGPIPE.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/actors/connection/tls_context.hpp"

#include <memory>
#include <string>

struct ssl_st;

namespace understudy::internal {

/// What both sides have in common. A side says which it is in its constructor (SSL_set_connect_state() or
/// SSL_set_accept_state()), and what failures mean.
class tls_stream : public byte_stream {
 public:
  ~tls_stream() override;
  byte_stream_result handshake() override;
  byte_stream_result read(char* to, std::size_t room) override;
  byte_stream_result write(const char* from, std::size_t size) override;
  std::size_t largest_write() const noexcept override;
  bool drained_by_short_read() const noexcept override { return false; }
  void shut_down() noexcept override;
  std::string encryption() const override;
  std::vector<std::string> peer_chain() const override;

 protected:
  /// `fd` stays the caller's; `bio` is kept for as long as the stream lives.
  tls_stream(ssl_ctx_st* context, std::shared_ptr<const socket_bio> bio, int fd);
  /// Null when it could not be set up: the handshake asks failure_of() then.
  ssl_st* ssl() const noexcept { return ssl_.get(); }
  /// It cannot be set up.
  void give_up() noexcept { ssl_.reset(); }
  /// At least one byte of the protected stream came.
  bool heard() const noexcept { return heard_; }
  /// A failure with this message.
  static byte_stream_result failed(const std::string& message);
  /// A call while `doing` failed for good; OpenSSL's queue holds the reasons, `system_code` what errno was.
  virtual byte_stream_result failure_of(const char* doing, int system_code) = 0;
  /// The peer ended the stream in due form.
  virtual byte_stream_result closed(const char* doing) = 0;

 private:
  byte_stream_result result_of(int code, const char* doing);

  std::shared_ptr<const socket_bio> bio_;
  int fd_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
  bool broken_ = false;
  bool heard_ = false;
};

}  // namespace understudy::internal
