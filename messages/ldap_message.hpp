// LDAP messages as a server reads and writes them (RFC 4511): what a client asks, and answers to it.
#pragma once
#include "understudy/messages/ber_writer.hpp"
#include "understudy/messages/ldap_protocol.hpp"
#include "understudy/messages/result.hpp"

namespace understudy::internal {

/// One message of a client, cut into its parts; refers to the bytes that it was read from.
struct client_message {
  std::int32_t id = 0;        ///< never 0
  std::uint8_t tag = 0;       ///< of the protocolOp
  std::string_view op;        ///< the protocolOp with tag and length
  std::string_view body;      ///< its content
  std::string_view controls;  ///< [0] with tag and length; empty: none
};
/// Nothing when it is no message, or its operation is none that a client may send, or not as RFC 4511 has it, down to
/// each value: a server that is sent such a thing ends the connection.
std::optional<client_message> read_client_message(std::string_view pdu);

/// A BindRequest (RFC 4511, 4.2).
struct bind_fields {
  std::int64_t version = 0;
  std::string_view name;
  bool simple = false;
  std::string_view password;                         ///< of a simple one
  std::string_view mechanism;                        ///< of SASL …
  std::optional<std::string_view> credentials = {};  ///< … with what it says; may be nothing
};
std::optional<bind_fields> read_bind(std::string_view body);

/// Of a SearchRequest (RFC 4511, 4.5.1), what says where it looks.
struct search_fields {
  std::string_view base;
  std::int64_t scope = 0;        ///< as search_scope
  std::int64_t dereference = 0;  ///< as dereference
};
std::optional<search_fields> read_search(std::string_view body);

/// The entry that a compare, an add, a modify, a delete or a modify DN is about.
std::optional<std::string_view> read_target(std::uint8_t tag, std::string_view body);

/// An ExtendedRequest (RFC 4511, 4.12).
struct extended_fields {
  std::string_view oid;
  std::optional<std::string_view> value;
};
std::optional<extended_fields> read_extended(std::string_view body);

/// The message id that an AbandonRequest is about.
std::optional<std::int32_t> read_abandon(std::string_view body);

/// The controls of a message, [0] with tag and length; empty: none.
std::optional<std::vector<control>> read_controls(std::string_view controls);

/// The tag of what answers that request; 0: nothing does.
std::uint8_t response_tag(std::uint8_t request) noexcept;

/// An LDAPResult (RFC 4511, 4.1.9) as it answers one.
struct ldap_answer {
  int code = 0;
  std::string matched_dn = {};
  std::string diagnostic = {};
  std::vector<std::string> referrals = {};
  std::vector<control> controls = {};
  std::string oid = {};                   ///< of an extended response
  std::optional<std::string> value = {};  ///< the same
};
/// Appends the controls of a message (RFC 4511, 4.1.11); at least one.
void write_controls(const std::vector<control>& controls, ber_writer& to);
/// The controls of a message, [0] with tag and length; empty: none.
std::string encode_controls(const std::vector<control>& controls);
/// The whole message; `tag`: of the response.
std::string encode_answer(std::int32_t id, std::uint8_t tag, const ldap_answer& answer);
/// The unsolicited notice (RFC 4511, 4.4.1) that the connection is about to be closed, and why.
std::string encode_notice_of_disconnection(int code, const std::string& diagnostic);
/// An Attribute or PartialAttribute (RFC 4511, 4.1.7).
void write_attribute(const attribute& written, ber_writer& to);
/// A SearchResultEntry (RFC 4511, 4.5.2).
std::string encode_entry(std::int32_t id, const entry& found);

}  // namespace understudy::internal
