// Operations in their LDAP encoding: what a connection sends and a node relays, and what came back for them.
#pragma once
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/messages/error.hpp"

namespace understudy::internal {

/// The protocolOp (RFC 4511, 4.6 to 4.10) of a compare, an add, a modify, a delete or a modify DN; empty for others.
std::string encode_protocol_op(const any_operation& op);

/// An operation that may be relayed, or why not.
struct encoded_operation {
  opaque_request op;
  failure_ptr error;
};
/// `order`, which is a search, a compare, an add, a modify, a delete or a modify DN, with its controls. What is
/// malformed is refused as a connection refuses it.
encoded_operation encode_operation(const request& order);

/// One answer to `op`, a PDU of which `tag` is the operation, added to `into`: see pdu_codec.hpp.
bool decode_answer(std::string_view pdu, std::uint8_t tag, const any_operation& op, result& into,
                   memory_allowance& room);

/// True when that result code is an outcome of `op`, and no failure.
bool is_outcome(const any_operation& op, int code) noexcept;
/// The failure that any other result is. Who answered is `answer.server`.
failure refusal_of(const any_operation& op, const result& answer);

/// What became of an operation: one of the two is set.
struct operation_outcome {
  result_ptr answer;
  failure_ptr error;
};
/// What `messages` (result::messages), all that came for `order` from `server`, say: the same that a connection would
/// have said, which reads them itself. `most_bytes`: of memory, as limits.max_result_bytes.
operation_outcome decode_operation(const request& order, std::string_view messages, std::string server,
                                   std::size_t most_bytes);

}  // namespace understudy::internal
