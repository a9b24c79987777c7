// Finds complete LDAPMessage PDUs in a byte stream without decoding them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace understudy::internal {

/// Application tags of protocolOp as they stand on the wire (RFC 4511, 4.2 to 4.14).
namespace pdu_op {
inline constexpr std::uint8_t bind_response = 0x61, search_entry = 0x64, search_done = 0x65, modify_response = 0x67,
                              add_response = 0x69, delete_response = 0x6b, modify_dn_response = 0x6d,
                              compare_response = 0x6f, search_reference = 0x73, extended_response = 0x78,
                              intermediate_response = 0x79;
}
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
