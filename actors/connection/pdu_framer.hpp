// Finds complete LDAPMessage PDUs in a byte stream without decoding them.
#pragma once
#include "understudy/messages/ldap_protocol.hpp"

#include <cstddef>

namespace understudy::internal {

/// True when more will come behind it: an entry, a reference or an intermediate response.
constexpr bool is_part(std::uint8_t tag) noexcept {
  return tag == pdu_op::search_entry || tag == pdu_op::search_reference || tag == pdu_op::intermediate_response;
}

/// What stands at the beginning of a byte stream.
struct pdu_frame {
  enum class status : std::uint8_t { partial, complete, malformed };
  status state = status::partial;
  std::size_t size = 0;  ///< bytes of the whole PDU; 0 while its length is not known yet
  std::int32_t id = 0;   ///< message id, of a complete PDU
  std::uint8_t op = 0;   ///< tag of protocolOp, of a complete PDU
  const char* why = "";  ///< what is wrong, of a malformed one
};

/// Looks at the first PDU of `stream`: its envelope (RFC 4511, 4.1.1) with definite lengths only (5.1), however many
/// octets these take (X.690, 8.1.3.5), at most `max_bytes` long; a longer one is malformed as soon as its length is
/// seen. Constant time.
pdu_frame frame_pdu(std::string_view stream, std::size_t max_bytes) noexcept;

}  // namespace understudy::internal
