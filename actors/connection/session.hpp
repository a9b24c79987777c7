// One LDAP session on top of a transport: searches and all answers by a codec of ours, other requests by libldap, which
// never learns of those searches. It never blocks and never reconnects.
#pragma once
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/transport.hpp"

struct ldap;

namespace understudy::internal {

/// Lets libldap read its configuration, once, before other threads run. open() does it too.
void initialise_libldap();

/// Not thread-safe; may move between threads.
class session {
 public:
  explicit session(transport& bytes) noexcept : transport_(bytes) {}
  ~session() { close(false); }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Makes the libldap handle with every option set: ldap.conf and LDAP* variables change nothing.
  failure_ptr open();
  /// Frees the handle; `polite` leaves an unbind request in the transport's buffer.
  void close(bool polite) noexcept;
  bool is_open() const noexcept { return handle_ != nullptr; }

  /// Encodes into the transport's buffer. `what` has passed check_request().
  encoded_request encode(const request& what);
  /// A simple bind; both empty: an anonymous one, which takes an earlier identity away (RFC 4513, 5.1.1).
  encoded_request encode_bind(const std::string& dn, const secret& password);
  /// SASL EXTERNAL (RFC 4422, appendix A), as whoever the layer below says that we are.
  encoded_request encode_external_bind();
  encoded_request encode_start_tls();

  /// Forgets `id`; `on_wire` tells the server (RFC 4511, 4.11).
  void abandon(int id, bool on_wire);

  /// Decodes the PDU that transport::peek() found complete, as an answer to `op`, and consumes it.
  decoded_pdu decode(const pdu_frame& frame, const any_operation& op, result& into, memory_allowance& room);
  /// Consumes an unsolicited notification (message id 0; RFC 4511, 4.4), which is an ExtendedResponse with an OID.
  /// False when it is none.
  bool decode_notification(const pdu_frame& frame, result& into);

  /// Requests encoded so far.
  std::uint32_t operations() const noexcept { return operations_; }
  /// More than these, and message ids would meet or wrap.
  static constexpr std::uint32_t most_operations = 1u << 29;

 private:
  friend struct request_encoder;
  bool settle_with_libldap(const pdu_frame& frame);
  encoded_request sent(int code, int id, std::uint64_t begin);
  /// Message ids that libldap does not know; its own count up from 1.
  int next_own_id() noexcept { return static_cast<int>(most_operations + ++own_ids_); }
  static bool is_own(int id) noexcept { return id > static_cast<int>(most_operations); }

  transport& transport_;
  ldap* handle_ = nullptr;
  int dereference_ = 0;
  bool mute_ = false;   // what libldap writes now is dropped
  bool wipes_ = false;  // what libldap writes now has a password in it: gone as soon as it is sent
  std::uint32_t operations_ = 0, own_ids_ = 0;
  std::string scratch_;  // a search being encoded
  friend struct sockbuf_callbacks;
};

/// True when `tag` can answer `op`.
bool answers(std::uint8_t tag, const any_operation& op) noexcept;

}  // namespace understudy::internal
