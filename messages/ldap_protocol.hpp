// Tags and names that LDAP's protocol has for its operations (RFC 4511).
#pragma once
#include <cstdint>
#include <string_view>

namespace understudy::internal {

/// Tags of the protocolOps that clients send and that are about the session; the others: opaque_request.
namespace request_tag {
inline constexpr std::uint8_t bind = 0x60, unbind = 0x42, abandon = 0x50;
}

/// Tags of the protocolOps that servers send (RFC 4511, 4.2 to 4.14).
namespace pdu_op {
inline constexpr std::uint8_t bind_response = 0x61, search_entry = 0x64, search_done = 0x65, modify_response = 0x67,
                              add_response = 0x69, delete_response = 0x6b, modify_dn_response = 0x6d,
                              compare_response = 0x6f, search_reference = 0x73, extended_response = 0x78,
                              intermediate_response = 0x79;
}

/// OIDs of extended operations: RFC 4511, 4.14; RFC 4532; RFC 3062; RFC 3909.
namespace extension {
inline constexpr std::string_view start_tls = "1.3.6.1.4.1.1466.20037", who_am_i = "1.3.6.1.4.1.4203.1.11.3",
                                  password_modify = "1.3.6.1.4.1.4203.1.11.1", cancel = "1.3.6.1.1.8";
/// A server's notice that it is about to close the connection (RFC 4511, 4.4.1).
inline constexpr std::string_view notice_of_disconnection = "1.3.6.1.4.1.1466.20036";
}  // namespace extension

}  // namespace understudy::internal
