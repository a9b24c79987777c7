// LDAP messages as bytes and back, without libldap: every answer, and of the requests searches, which are nearly all of
// a directory's traffic. What libldap 2.5 cannot make sense of it loses memory with.
#pragma once
#include "understudy/messages/result.hpp"

namespace understudy {

/// Appends the SearchRequest PDU (RFC 4511, 4.5.1) with message id `id` (positive) to `out`. False, and nothing
/// appended, when the filter is of a kind that is left to libldap: extensible matches, and spellings that RFC 4515 does
/// not know.
bool encode_search(std::int32_t id, const search_request& what, std::string& out);
/// Appends an AbandonRequest (RFC 4511, 4.11) for `abandoned`.
void encode_abandon(std::int32_t id, std::int32_t abandoned, std::string& out);

/// One whole PDU each, added to `into`; false when it is malformed. Values are copied once, from the PDU to their
/// place.
bool decode_search_entry(std::string_view pdu, result& into);
bool decode_search_reference(std::string_view pdu, result& into);
/// An LDAPResult (RFC 4511, 4.1.9) under `op`; what an operation adds to it is ignored.
bool decode_result(std::string_view pdu, std::uint8_t op, result& into);
/// An ExtendedResponse (RFC 4511, 4.12), with its OID and value if it has them.
bool decode_extended(std::string_view pdu, result& into);

}  // namespace understudy
