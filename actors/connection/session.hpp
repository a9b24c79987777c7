// One LDAP session on top of a transport: searches and all answers by a codec of ours, other requests by libldap, which
// never learns of their answers; one count of message ids for all. It never blocks and never reconnects.
#pragma once
#include "understudy/actors/connection/libldap_codec.hpp"
#include "understudy/actors/connection/transport.hpp"

#include <algorithm>

namespace understudy::internal {

/// Not thread-safe; may move between threads.
class session {
 public:
  explicit session(transport& bytes) noexcept : transport_(bytes) {}
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Begins anew, with message id 1.
  failure_ptr open();
  /// `polite` leaves an unbind request in the transport's buffer.
  void close(bool polite) noexcept;

  /// Encodes into the transport's buffer. `order` has passed check_request(); a malformed filter is found here, where
  /// it is read.
  encoded_request encode(const request& order);
  /// As libldap_codec has them.
  encoded_request encode_bind(const std::string& dn, const secret& password);
  encoded_request encode_external_bind();
  encoded_request encode_start_tls();

  /// Tells the server that nobody waits for `id` any more (RFC 4511, 4.11).
  void abandon(int id);

  /// Decodes the PDU that transport::peek() found complete, as an answer to `op`, and consumes it.
  decoded_pdu decode(const pdu_frame& frame, const any_operation& op, result& into, memory_allowance& room);
  /// Consumes an unsolicited notification (message id 0; RFC 4511, 4.4), which is an ExtendedResponse with an OID.
  /// False when it is none.
  bool decode_notification(const pdu_frame& frame, result& into);

  /// How many more requests it may encode; what ends it (abandons, an unbind) has room behind those.
  std::uint32_t ids_left() const noexcept {
    const auto used = static_cast<std::uint32_t>(last_id_);
    return most_ids - std::min(most_ids, used);
  }

 private:
  /// Half of those that there are (RFC 4511, 4.1.1.1).
  static constexpr std::uint32_t most_ids = 1U << 30;

  int next_id() const noexcept { return last_id_ + 1; }
  encoded_request encoded(std::uint64_t begin, failure_ptr error);
  void append_message(std::string_view protocol_op, std::string_view controls);

  transport& transport_;
  libldap_codec libldap_;
  int last_id_ = 0;
  std::string scratch_;  // what is being encoded
};

/// True when `tag` can answer `op`.
bool answers(std::uint8_t tag, const any_operation& op) noexcept;

}  // namespace understudy::internal
