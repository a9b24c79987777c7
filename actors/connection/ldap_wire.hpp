// The bytes of a connection as its state machine sees them: requests in, answers out, and which bytes may have left.
#pragma once
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/messages/error.hpp"

namespace understudy::internal {

/// What a step of the transport came to. Bytes that arrived are to be looked at before `ended`.
struct transport_action {
  bool connected = false;  ///< the socket reached its peer
  bool secured = false;    ///< the TLS handshake is complete and its checks passed
  bool received = false;   ///< at least one byte arrived
  bool more = false;       ///< stopped reading to let others work: call resume() again soon
  bool orderly = false;    ///< of an end: the peer closed the stream, nothing broke
  failure_ptr ended;       ///< the stream is over, and why
};

/// Where a request stands in the byte stream, or why it could not be encoded.
struct encoded_request {
  int id = 0;               ///< message id
  std::uint64_t begin = 0;  ///< position of its first byte in the stream of all bytes
  std::size_t size = 0;
  failure_ptr error;
};

/// What a PDU was for its request.
enum class decoded_pdu : std::uint8_t {
  part,       ///< an entry, a reference or an intermediate response; more will come
  complete,   ///< the result
  too_large,  ///< either of them, without the room for it
  malformed   ///< not decodable, or no answer to such a request
};

/// Whether TLS can begin.
struct tls_start {
  bool waits = false;  ///< for certificates that are still being read: an event of the socket tells when they are there
  failure_ptr error;
};

/// Nothing here waits: what is encoded leaves later, what is decoded has arrived before.
class ldap_wire {
 public:
  virtual ~ldap_wire() = default;

  // The stream.

  /// A socket is there: an LDAP session on it.
  virtual failure_ptr open() = 0;
  /// TLS from the next byte on.
  virtual tls_start secure() = 0;
  /// Closes what is open or being dialled; `polite`: what is encoded, and an unbind, are sent before.
  virtual void close(bool polite) = 0;
  /// LDAP messages can be sent and taken.
  virtual bool is_open() const = 0;

  // Out.

  /// `order` has passed check_request().
  virtual encoded_request encode(const request& order) = 0;
  virtual encoded_request encode_bind(const std::string& dn, const secret& password) = 0;
  virtual encoded_request encode_external_bind() = 0;
  virtual encoded_request encode_start_tls() = 0;
  /// Tells the server that nobody waits for `id` any more (RFC 4511, 4.11).
  virtual void abandon(int id) = 0;
  /// Takes a request back of which no byte was handed over; later ones move up by `size`.
  virtual void discard(std::uint64_t begin, std::size_t size) = 0;
  /// How many more requests the connection may encode before message ids run out.
  virtual std::uint32_t ids_left() const = 0;
  /// A byte before this position may reach the server, or has.
  virtual std::uint64_t handed_over() const = 0;
  /// Encoded, and not written yet.
  virtual std::size_t bytes_out() const = 0;

  // In.

  virtual std::size_t bytes_in() const = 0;
  /// The first PDU that arrived.
  virtual pdu_frame peek() const = 0;
  /// The next `size` bytes, of at most bytes_in(); until the next call of anything else.
  virtual std::string_view front(std::size_t size) const = 0;
  /// Drops the next `size` bytes.
  virtual void skip(std::size_t size) = 0;
  /// Decodes the PDU that peek() found complete, as an answer to `op`, and consumes it.
  virtual decoded_pdu decode(const pdu_frame& frame, const any_operation& op, result& into, memory_allowance& room) = 0;
  /// Consumes an unsolicited notification (message id 0; RFC 4511, 4.4). False when it is none.
  virtual bool decode_notification(const pdu_frame& frame, result& into) = 0;
  /// Leaves what arrives with the peer until told otherwise.
  virtual void hold_reading(bool on) = 0;
  virtual bool reading_held() const = 0;
};

/// True when `tag` can answer something.
bool is_answer(std::uint8_t tag) noexcept;

}  // namespace understudy::internal
