// What a directory answers: entries, result codes, referrals and response controls, as plain values.
#pragma once
#include "understudy/messages/request.hpp"

namespace understudy {

/// One entry of a search result (RFC 4511, 4.5.2), values binary-safe, in the server's order.
struct entry {
  std::string dn;                     ///< as the server writes it
  std::vector<attribute> attributes;  ///< those that were asked for and may be read
  /// Response controls that came with this entry (RFC 4511, 4.1.11).
  std::vector<control> controls{};

  /// The first attribute called `name` (ASCII case does not matter), or null.
  const attribute* find(std::string_view name) const noexcept;
  /// Its first value, or an empty text.
  std::string_view first(std::string_view name) const noexcept;
};

/// Result codes that Understudy itself speaks of (RFC 4511, appendix A).
namespace result_code {
///@{
/// A result code, by its name in RFC 4511 (cancelled: RFC 3909; assertion_failed: RFC 4528).
inline constexpr int success = 0, operations_error = 1, protocol_error = 2, time_limit_exceeded = 3,
                     size_limit_exceeded = 4, compare_false = 5, compare_true = 6, auth_method_not_supported = 7,
                     stronger_auth_required = 8, referral = 10, unavailable_critical_extension = 12,
                     sasl_bind_in_progress = 14, no_such_attribute = 16, no_such_object = 32, invalid_dn_syntax = 34,
                     inappropriate_authentication = 48, invalid_credentials = 49, insufficient_access = 50, busy = 51,
                     unavailable = 52, unwilling_to_perform = 53, already_exists = 68, other = 80, cancelled = 118,
                     assertion_failed = 122;
///@}
}  // namespace result_code

/// The outcome of one operation that the directory carried out (compare: 5 and 6 are both outcomes).
struct result {
  int code = result_code::success;  ///< see result_code; success, or of a compare 5 or 6
  std::string matched_dn;           ///< of noSuchObject: the part of the DN that exists
  std::string diagnostic;           ///< the server's words, for people
  /// URIs of a referral result (code 10); never chased.
  std::vector<std::string> referrals;
  /// Continuation references among a search's entries (RFC 4511, 4.5.3); never chased.
  std::vector<std::vector<std::string>> references;
  /// For each of `references`, how many entries came before it; empty when that is not known.
  std::vector<std::size_t> reference_positions;
  /// For each of `references`, the controls that came with it; may be shorter: the rest came without any.
  std::vector<std::vector<control>> reference_controls;
  std::vector<entry> entries;     ///< of a search
  std::vector<control> controls;  ///< response controls
  /// Of an extended response: its OID and value. Who-am-i: the identity. Password modify: the generated password.
  std::string response_oid;
  std::optional<std::string> response_value;  ///< see `response_oid`
  /// Of an opaque request: the LDAPMessages that answered it, one behind the other, as they came but for the message
  /// id; less what was sent in parts before. What they say is not in the other fields, except for `code` and the
  /// response `controls` that came with it.
  std::string messages;
  /// Who answered, as "host:port".
  std::string server;

  /// Of a compare: whether the entry has the value.
  bool compare_matched() const noexcept { return code == result_code::compare_true; }
};
/// How results are passed on; whoever gets it last may take it apart.
using result_ptr = std::shared_ptr<result>;

/// A part of a streaming search's answer, in the server's order.
struct search_batch {
  std::vector<entry> entries;  ///< in the server's order
  /// Continuation references among them (RFC 4511, 4.5.3); never chased.
  std::vector<std::vector<std::string>> references;
  /// For each of `references`, how many entries of this batch came before it.
  std::vector<std::size_t> reference_positions;
  /// For each of `references`, the controls that came with it; may be shorter.
  std::vector<std::vector<control>> reference_controls{};
  /// The credits that each entry cost; may be shorter: the rest cost one each. A large one costs more: see
  /// messages/actors.hpp.
  std::vector<std::uint32_t> entry_credits{};
  /// The credits that all references together cost: at least one each.
  std::uint32_t reference_credits = 0;

  /// How many entries and references there are.
  std::size_t size() const noexcept { return entries.size() + references.size(); }
  /// What the entry at `i` cost.
  std::uint32_t credits_of(std::size_t i) const noexcept { return i < entry_credits.size() ? entry_credits[i] : 1; }
  /// What all of it cost: to be granted again when it was dealt with.
  std::uint32_t credits() const noexcept;
};

/// A part of the answer to an opaque search (see call::parts), in the server's order.
struct relayed_part {
  std::int32_t id = 0;   ///< the connection's own name for the search: to be given back with the credit
  std::string messages;  ///< as result::messages
};

/// Memory that a decoded answer takes beside its bytes, on a 64-bit machine: `limits.max_result_bytes` counts it, or a
/// server's empty values would cost a multiple of it.
namespace footprint {
/// What the allocator adds to a block.
inline constexpr std::size_t block = 16;
/// A text that is not empty.
inline constexpr std::size_t text = sizeof(std::string) + block;
/// A list of values.
inline constexpr std::size_t list = sizeof(std::vector<std::string>) + block;
/// An attribute without its values.
inline constexpr std::size_t attribute = text + list;
/// A control: OID and value.
inline constexpr std::size_t control = text + text + block;
/// Lists of entries grow by doubling: one may stand in a list that is half empty.
inline constexpr std::size_t entry = 2 * sizeof(understudy::entry) + text + 2 * block;
/// A continuation reference without its URIs.
inline constexpr std::size_t reference = 2 * (list + list);
}  // namespace footprint

/// The first of `controls` with that OID, or null.
const control* find_control(const std::vector<control>& controls, std::string_view oid) noexcept;

/// The RFC 4511 name of a result code ("noSuchObject"), or "resultCode N".
std::string result_code_name(int code);

}  // namespace understudy
