// What a caller can ask of a directory: every operation of RFC 4511, with controls, as plain values.
#pragma once
#include "understudy/messages/secret.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace understudy {

/// A control (RFC 4511, 4.1.11) on its way to the server or back. The value is BER or whatever its definition says.
struct control {
  std::string oid;                   ///< its object identifier, dotted
  bool critical = false;             ///< true: a server that does not know it refuses the request
  std::optional<std::string> value;  ///< nothing: it has none; binary-safe
};

/// An attribute description and its values, binary-safe (RFC 4511, 4.1.7).
struct attribute {
  std::string name;                 ///< attribute description, options included ("userCertificate;binary")
  std::vector<std::string> values;  ///< may be none
};

/// RFC 4511, 4.5.1.2; `children` is the subordinate subtree of draft-sermersheim-ldap-subordinate-scope.
enum class search_scope : std::uint8_t { base = 0, one = 1, subtree = 2, children = 3 };

/// RFC 4511, 4.5.1.3.
enum class dereference : std::uint8_t { never = 0, in_searching = 1, finding_base = 2, always = 3 };

/// RFC 4511, 4.5. Build `filter` with messages/filter.hpp when any part of it comes from a user.
struct search_request {
  std::string base;                            ///< DN; empty: the root DSE
  search_scope scope = search_scope::subtree;  ///< how far below `base`
  std::string filter = "(objectClass=*)";      ///< RFC 4515
  /// Empty: all user attributes. "+": all operational ones. "1.1": none.
  std::vector<std::string> attributes;
  bool types_only = false;  ///< names of attributes without values
  /// Entries the server may return at most; 0: no limit of ours (the server may have its own).
  std::int32_t size_limit = 0;
  /// Seconds the server may take; 0: no limit of ours. The request's deadline holds in any case.
  std::int32_t time_limit = 0;
  dereference deref = dereference::never;  ///< what the server does with aliases
};

/// RFC 4511, 4.10.
struct compare_request {
  std::string dn;         ///< of the entry
  std::string attribute;  ///< attribute description
  std::string value;      ///< what it is compared with; binary-safe
};

/// RFC 4511, 4.7.
struct add_request {
  std::string dn;                     ///< of the new entry
  std::vector<attribute> attributes;  ///< all of it, objectClass included
};

/// One change of a modify (RFC 4511, 4.6; increment: RFC 4525).
struct modification {
  /// What is done with the values; numbered as on the wire.
  enum class kind : std::uint8_t { add = 0, remove = 1, replace = 2, increment = 3 };
  kind op = kind::replace;  ///< what is done
  attribute target;         ///< the attribute and the values; none: of remove and replace, all there are
};

/// RFC 4511, 4.6.
struct modify_request {
  std::string dn;                     ///< of the entry
  std::vector<modification> changes;  ///< in order; all of them or none
};

/// RFC 4511, 4.8.
struct delete_request {
  std::string dn;  ///< of the entry, which has none below it
};

/// RFC 4511, 4.9.
struct modify_dn_request {
  std::string dn;              ///< as it is
  std::string new_rdn;         ///< the new first component
  bool delete_old_rdn = true;  ///< false: the old one stays as an attribute
  /// Set: the entry moves below this DN.
  std::optional<std::string> new_superior;
};

/// A user's simple bind (RFC 4511, 4.2). Runs on a bind connection of its own unless a lease holder sends it. An empty
/// password is refused before it is sent: the server would take it for an anonymous bind (RFC 4513, 5.1.2).
struct bind_request {
  std::string dn;   ///< whose password it is; never empty
  secret password;  ///< never empty
};

/// Any extended operation (RFC 4511, 4.12).
struct extended_request {
  std::string oid;                   ///< which operation
  std::optional<std::string> value;  ///< its parameters, as its definition has them; nothing: none
  /// True when repeating it does no harm; only then is it redispatched after it may have been sent.
  bool repeatable = false;
};

/// RFC 4532. The answer's `response_value` is the authorization identity.
struct whoami_request {};

/// RFC 3062. Unset parts are left to the server; the generated password comes back in `response_value`.
struct password_modify_request {
  std::optional<std::string> user_identity;  ///< whose password; nothing: that of who is bound
  secret old_password;                       ///< as it is
  secret new_password;                       ///< as it shall be; not set: the server makes one
};

/// Somebody else's operation as bytes, sent as it came. The connection gives it a message id of its own, and relays
/// the answers as they come (result::messages); of these it reads the tag and the result code, which decide where a
/// request goes. Binds, unbinds, abandons and StartTLS are refused: they are about the session, which is not the
/// asker's.
struct opaque_request {
  std::string protocol_op;      ///< the protocolOp (RFC 4511, 4.1.1) with its tag and length
  std::string controls;         ///< the controls, [0], with tag and length; empty: none
  std::int32_t message_id = 0;  ///< that the answers are to carry: the asker's own

  ///@{
  /// The tag of a protocolOp.
  static constexpr std::uint8_t search = 0x63, modify = 0x66, add = 0x68, remove = 0x4a, modify_dn = 0x6c,
                                compare = 0x6e, extended = 0x77;
  ///@}
  /// Which of them it is; 0: nothing.
  std::uint8_t tag() const noexcept { return protocol_op.empty() ? 0 : static_cast<std::uint8_t>(protocol_op[0]); }
};

/// Every operation that there is; new ones are added here (CONTRIBUTING.md).
using any_operation =
    std::variant<search_request, compare_request, add_request, modify_request, delete_request, modify_dn_request,
                 bind_request, extended_request, whoami_request, password_modify_request, opaque_request>;

/// Where a request is to go while there is a choice: a wish, which gives way to failover, and no condition.
struct server_wish {
  /// The server of that name, as result::server has it ("host:port"), takes it while it is well. Empty: any.
  std::string server{};
  /// Of a look-up: servers whose role is `global_catalog` are asked first; they get nothing else.
  bool global_catalog = false;
};

/// An operation with its controls. Shared and immutable once sent: no hop copies it.
struct request {
  any_operation op;               ///< what is asked
  std::vector<control> controls;  ///< request controls
  server_wish wish{};             ///< where it is to go
};
/// How requests are passed on: shared and immutable.
using request_ptr = std::shared_ptr<const request>;

/// True for operations among whose values a password may be in plain text: adds, modifies, compares, extended
/// operations, and somebody else's but searches.
template <class Operation>
constexpr bool may_carry_password(const Operation&) noexcept {
  return std::is_same_v<Operation, add_request> || std::is_same_v<Operation, modify_request> ||
         std::is_same_v<Operation, compare_request> || std::is_same_v<Operation, extended_request>;
}
/// As above.
inline bool may_carry_password(const opaque_request& op) noexcept { return op.tag() != opaque_request::search; }
/// As above.
bool may_carry_password(const any_operation& op) noexcept;

/// A shared request whose values are overwritten when its last holder lets go.
request_ptr make_wiped_request(request made);

/// A shared request of `op`. The values of what may carry a password (an add, a modify, a compare, an extended
/// operation) are overwritten when its last holder lets go; move `op` here, a copy of it is the caller's own.
template <class Operation>
request_ptr make_request(Operation op, std::vector<control> controls = {}, server_wish wish = {}) {
  const bool wiped = may_carry_password(op);
  request made{any_operation{std::move(op)}, std::move(controls), std::move(wish)};
  if (wiped) return make_wiped_request(std::move(made));
  return std::make_shared<const request>(std::move(made));
}

/// "search", "modify DN", … for messages to people.
std::string_view operation_name(const any_operation& op) noexcept;

/// The operation and what it is about, for messages to people: `add of "cn=a,dc=b"`, `search of "dc=b"`; never a value
/// or a filter, which may be private. A long name is cut.
std::string describe(const any_operation& op);

/// True for operations that may be sent again although they may already have been carried out: search, compare,
/// who-am-i, and extended operations that say so. A user's bind is not among them (it counts against lockout).
bool safe_to_repeat(const any_operation& op) noexcept;

/// True for operations that change the directory; servers with role `read_only` never get one.
bool is_write(const any_operation& op) noexcept;

}  // namespace understudy
