// LDAP messages as bytes and back, without libldap: every answer, and of the requests searches, which are nearly all of
// a directory's traffic. What libldap 2.5 cannot make sense of it loses memory with.
#pragma once
#include "understudy/messages/answer_meter.hpp"
#include "understudy/messages/result.hpp"

namespace understudy::internal {

/// Appends the SearchRequest PDU (RFC 4511, 4.5.1) with message id `id` (positive) to `out`. Empty, or what is wrong
/// with the filter and where; then nothing is appended.
std::string encode_search(std::int32_t id, const search_request& order, const std::vector<control>& controls,
                          std::string& out);
/// Appends the beginning of an LDAPMessage with that id, of which `rest` bytes follow.
void append_message_head(std::int32_t id, std::size_t rest, std::string& out);
/// An LDAPMessage without its SEQUENCE and its id (RFC 4511, 4.1.1); empty when it is none.
std::string_view behind_message_id(std::string_view message);
/// Appends an AbandonRequest (RFC 4511, 4.11) for `abandoned`.
void encode_abandon(std::int32_t id, std::int32_t abandoned, std::string& out);
/// Appends an UnbindRequest (RFC 4511, 4.3).
void encode_unbind(std::int32_t id, std::string& out);

///@{
/// The tag of the protocolOp that ends the answer to `op`; 0: an opaque request of something that is not relayed.
std::uint8_t answer_tag(const any_operation& op) noexcept;
std::uint8_t answer_tag(const opaque_request& op) noexcept;
///@}

/// How much memory decoded answers may still take: their bytes and what holds them (messages/result.hpp, footprint).
class memory_allowance {
 public:
  /// `metered`: where the same is counted besides; may be null, and has to be there as long as this is used.
  explicit memory_allowance(std::size_t bytes, metered_answer* metered = nullptr) noexcept
      : left_(bytes), metered_(metered) {}
  /// False, now and for ever, when there is not so much left.
  bool take(std::size_t bytes) noexcept {
    exceeded_ = exceeded_ || bytes > left_ || (metered_ != nullptr && !metered_->take(bytes));
    left_ -= exceeded_ ? 0 : bytes;
    return !exceeded_;
  }
  /// `count` of them, `each` so large.
  bool take(std::size_t count, std::size_t each) noexcept { return take(count * each); }
  bool exceeded() const noexcept { return exceeded_; }
  std::size_t left() const noexcept { return left_; }

 private:
  std::size_t left_;
  metered_answer* metered_;
  bool exceeded_ = false;
};

/// One whole PDU each, added to `into`; false when it is malformed, or when it needs more than `room` (which then is
/// exceeded: nothing of that size was allocated). Values are copied once, from the PDU to their place. Trailing
/// components that nobody knows are ignored (RFC 4511, 4).
bool decode_search_entry(std::string_view pdu, result& into, memory_allowance& room);
bool decode_search_reference(std::string_view pdu, result& into, memory_allowance& room);
/// An LDAPResult (RFC 4511, 4.1.9) under `op`; what an operation adds to it is ignored.
bool decode_result(std::string_view pdu, std::uint8_t op, result& into, memory_allowance& room);
/// An ExtendedResponse (RFC 4511, 4.12), with its OID and value if it has them.
bool decode_extended(std::string_view pdu, result& into, memory_allowance& room);
/// Any answer to an opaque request: the message is appended to `into.messages` with `id` in place of its own, and of a
/// result the code and the response controls are read; of a busy server's, which may not be for who asked, all.
bool decode_opaque(std::string_view pdu, std::uint8_t op, std::int32_t id, result& into, memory_allowance& room);
/// An IntermediateResponse (RFC 4511, 4.13), of which nothing is kept.
bool check_intermediate(std::string_view pdu, memory_allowance& room);

}  // namespace understudy::internal
