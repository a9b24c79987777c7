// BER of messages: see pdu_codec.hpp.
#include "understudy/actors/connection/pdu_codec.hpp"

#include "understudy/actors/connection/filter_codec.hpp"
#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/error.hpp"
#include "understudy/messages/ldap_message.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

constexpr std::uint8_t referral_tag = 0xa3, controls_tag = 0xa0, response_name_tag = 0x8a, response_value_tag = 0x8b,
                       sasl_credentials_tag = 0x87, intermediate_name_tag = 0x80, intermediate_value_tag = 0x81;

struct answer_tags {
  std::uint8_t operator()(const search_request&) const noexcept { return pdu_op::search_done; }
  std::uint8_t operator()(const compare_request&) const noexcept { return pdu_op::compare_response; }
  std::uint8_t operator()(const add_request&) const noexcept { return pdu_op::add_response; }
  std::uint8_t operator()(const modify_request&) const noexcept { return pdu_op::modify_response; }
  std::uint8_t operator()(const delete_request&) const noexcept { return pdu_op::delete_response; }
  std::uint8_t operator()(const modify_dn_request&) const noexcept { return pdu_op::modify_dn_response; }
  std::uint8_t operator()(const bind_request&) const noexcept { return pdu_op::bind_response; }
  std::uint8_t operator()(const extended_request&) const noexcept { return pdu_op::extended_response; }
  std::uint8_t operator()(const whoami_request&) const noexcept { return pdu_op::extended_response; }
  std::uint8_t operator()(const password_modify_request&) const noexcept { return pdu_op::extended_response; }
  std::uint8_t operator()(const opaque_request& r) const noexcept { return answer_tag(r); }
};

bool take_text(ber_cursor& from, std::string& into, std::uint8_t tag = ber_tag::octet_string) {
  std::string_view bytes;
  if (!from.take(tag, bytes)) return false;
  into = bytes;
  return true;
}

/// A result code: not negative, at most four bytes.
bool take_code(ber_cursor& from, int& into) {
  std::string_view bytes;
  if (!from.take(ber_tag::enumerated, bytes) || bytes.size() > 4 || !is_shortest_integer(bytes) ||
      (bytes[0] & '\x80') != 0)
    return false;
  into = 0;
  for (const char c : bytes) into = into << 8 | static_cast<std::uint8_t>(c);
  return true;
}

/// The end of a SEQUENCE, of which `known` are the tags: trailing components with others are ignored (RFC 4511, 4);
/// known ones would be out of their place, and what they say must not be passed over.
bool only_unknown_follow(ber_cursor& parts, std::initializer_list<std::uint8_t> known) {
  while (!parts.finished())
    if (std::find(known.begin(), known.end(), parts.peek()) != known.end() || !parts.skip()) return false;
  return true;
}

/// How many elements with that tag follow.
std::size_t count(ber_cursor from, std::uint8_t tag) {
  std::size_t n = 0;
  for (std::string_view skipped; from.take(tag, skipped);) ++n;
  return n;
}

/// The contents of the operation, and what follows it in the message.
struct message_parts {
  std::string_view body, controls;
};

/// LDAPMessage ::= SEQUENCE { messageID, protocolOp, controls [0] OPTIONAL }; a second operation in it is none.
bool only_unknown_follow_message(ber_cursor& envelope) {
  while (!envelope.finished()) {
    const auto tag = envelope.peek();
    const bool application = (tag & 0xc0) == 0x40;
    if (application || tag == controls_tag || tag == ber_tag::integer || !envelope.skip()) return false;
  }
  return true;
}

bool open_message(std::string_view pdu, std::uint8_t op, message_parts& parts) {
  std::string_view message, id;
  ber_cursor whole{pdu};
  if (!whole.take(ber_tag::sequence, message)) return false;
  ber_cursor envelope{message};
  if (!envelope.take(ber_tag::integer, id) || !envelope.take(op, parts.body)) return false;
  if (envelope.peek() == controls_tag && !envelope.take(controls_tag, parts.controls)) return false;
  return only_unknown_follow_message(envelope);
}

bool decode_texts(std::string_view bytes, std::vector<std::string>& into, memory_allowance& room) {
  ber_cursor list{bytes};
  const auto n = count(list, ber_tag::octet_string);
  if (!room.take(n, footprint::text)) return false;
  into.reserve(n);
  while (!list.finished())
    if (!take_text(list, into.emplace_back())) return false;
  return true;
}

bool decode_attribute(std::string_view bytes, attribute& into, memory_allowance& room) {
  ber_cursor parts{bytes};
  std::string_view values;
  return take_text(parts, into.name) && parts.take(ber_tag::set, values) &&
         (parts.finished() || only_unknown_follow(parts, {ber_tag::octet_string, ber_tag::set})) &&
         decode_texts(values, into.values, room);
}

/// The criticality of a response's control means nothing and is ignored (RFC 4511, 4.1.11), whatever it says.
bool decode_control(std::string_view bytes, control& into) {
  ber_cursor parts{bytes};
  std::string_view flag;
  if (!take_text(parts, into.oid)) return false;
  if (parts.peek() == ber_tag::boolean) {
    if (!parts.take(ber_tag::boolean, flag) || flag.size() != 1) return false;
    into.critical = flag[0] != 0;
  }
  if (parts.peek() == ber_tag::octet_string && !take_text(parts, into.value.emplace())) return false;
  return only_unknown_follow(parts, {ber_tag::octet_string, ber_tag::boolean});
}

bool decode_controls(std::string_view bytes, std::vector<control>& into, memory_allowance& room) {
  std::string_view one;
  ber_cursor controls{bytes};
  const auto n = count(controls, ber_tag::sequence);
  if (!room.take(n, footprint::control)) return false;
  into.reserve(n);
  while (!controls.finished())
    if (!controls.take(ber_tag::sequence, one) || !decode_control(one, into.emplace_back())) return false;
  return true;
}

/// A Referral, or a SearchResultReference: SEQUENCE SIZE (1..MAX) OF URI.
bool decode_uris(std::string_view bytes, std::vector<std::string>& into, memory_allowance& room) {
  return !bytes.empty() && decode_texts(bytes, into, room);
}

/// SearchResultEntry ::= [APPLICATION 4] SEQUENCE { objectName, attributes }, and the controls beside it.
bool decode_entry(const message_parts& message, entry& made, memory_allowance& room) {
  std::string_view list, one;
  ber_cursor parts{message.body};
  if (!take_text(parts, made.dn) || !parts.take(ber_tag::sequence, list)) return false;
  if (!parts.finished() && !only_unknown_follow(parts, {ber_tag::octet_string, ber_tag::sequence})) return false;
  ber_cursor attributes{list};
  const auto n = count(attributes, ber_tag::sequence);
  if (!room.take(n, footprint::attribute)) return false;
  made.attributes.reserve(n);
  while (!attributes.finished())
    if (!attributes.take(ber_tag::sequence, one) || !decode_attribute(one, made.attributes.emplace_back(), room))
      return false;
  return message.controls.empty() || decode_controls(message.controls, made.controls, room);
}

/// The components of LDAPResult (RFC 4511, 4.1.9); what an operation adds to them is left in `parts`.
bool decode_ldap_result(ber_cursor& parts, result& into, memory_allowance& room) {
  std::string_view list;
  if (!take_code(parts, into.code) || !take_text(parts, into.matched_dn) || !take_text(parts, into.diagnostic))
    return false;
  return parts.peek() != referral_tag || (parts.take(referral_tag, list) && decode_uris(list, into.referrals, room));
}

/// An answer that begins with an LDAPResult; `rest` reads what its operation adds to that.
template <class Rest>
bool decode_with_result(std::string_view pdu, std::uint8_t op, result& into, memory_allowance& room, Rest rest) {
  message_parts message;
  if (!room.take(pdu.size()) || !open_message(pdu, op, message)) return false;
  ber_cursor parts{message.body};
  return decode_ldap_result(parts, into, room) && rest(parts) && decode_controls(message.controls, into.controls, room);
}

}  // namespace

std::uint8_t answer_tag(const any_operation& op) noexcept { return std::visit(answer_tags{}, op); }

std::uint8_t answer_tag(const opaque_request& op) noexcept { return response_tag(op.tag()); }

std::string encode_search(std::int32_t id, const search_request& order, const std::vector<control>& controls,
                          std::string& out) {
  const auto before = out.size();
  ber_writer to{out};
  const auto message = to.open(ber_tag::sequence);
  to.integer(id);
  const auto body = to.open(opaque_request::search);
  to.octets(order.base);
  to.integer(static_cast<int>(order.scope), ber_tag::enumerated);
  to.integer(static_cast<int>(order.deref), ber_tag::enumerated);
  to.integer(std::max(order.size_limit, 0));
  to.integer(std::max(order.time_limit, 0));
  to.boolean(order.types_only);
  if (auto problem = encode_filter(order.filter, to); !problem.empty()) {
    out.resize(before);
    return problem;
  }
  const auto list = to.open(ber_tag::sequence);
  for (const auto& name : order.attributes) to.octets(name);
  to.close(list);
  to.close(body);
  if (!controls.empty()) write_controls(controls, to);
  to.close(message);
  return {};
}

void append_message_head(std::int32_t id, std::size_t rest, std::string& out) {
  char head[2 + sizeof rest + 2 + sizeof id];
  auto* to = head;
  const auto put = [&to](auto octet) { *to++ = static_cast<char>(octet); };
  // The shortest form whose first bit is 0.
  std::size_t octets = 1;
  while (octets < sizeof id && id >> (8 * octets - 1) != 0) ++octets;
  const auto size = 2 + octets + rest;
  put(ber_tag::sequence);
  if (size < 0x80) {
    put(size);
  } else {
    std::size_t digits = 1;
    while (digits < sizeof size && size >> (8 * digits) != 0) ++digits;
    put(0x80 | digits);
    while (digits-- > 0) put(size >> (8 * digits));
  }
  put(ber_tag::integer);
  put(octets);
  while (octets-- > 0) put(id >> (8 * octets));
  out.append(head, static_cast<std::size_t>(to - head));
}

std::string_view behind_message_id(std::string_view message) {
  const auto content = ber_cursor{message}.element(ber_tag::sequence);
  if (!content) return {};
  ber_cursor parts{*content};
  std::string_view id;
  return parts.take(ber_tag::integer, id)
             ? content->substr(static_cast<std::size_t>(id.data() + id.size() - content->data()))
             : std::string_view{};
}

void encode_abandon(std::int32_t id, std::int32_t abandoned, std::string& out) {
  ber_writer to{out};
  const auto message = to.open(ber_tag::sequence);
  to.integer(id);
  to.integer(abandoned, request_tag::abandon);
  to.close(message);
}

void encode_unbind(std::int32_t id, std::string& out) {
  ber_writer to{out};
  const auto message = to.open(ber_tag::sequence);
  to.integer(id);
  to.octets({}, request_tag::unbind);
  to.close(message);
}

bool decode_search_entry(std::string_view pdu, result& into, memory_allowance& room) {
  message_parts message;
  // Its texts are parts of the PDU.
  if (!room.take(pdu.size() + footprint::entry) || !open_message(pdu, pdu_op::search_entry, message)) return false;
  if (decode_entry(message, into.entries.emplace_back(), room)) return true;
  // Nobody shall see half of one.
  into.entries.pop_back();
  return false;
}

bool decode_search_reference(std::string_view pdu, result& into, memory_allowance& room) {
  message_parts message;
  std::vector<std::string> uris;
  std::vector<control> controls;
  if (!room.take(pdu.size() + footprint::reference) || !open_message(pdu, pdu_op::search_reference, message) ||
      !decode_uris(message.body, uris, room) || !decode_controls(message.controls, controls, room))
    return false;
  if (!controls.empty()) {
    into.reference_controls.resize(into.references.size());
    into.reference_controls.push_back(std::move(controls));
  }
  into.reference_positions.push_back(into.entries.size());
  into.references.push_back(std::move(uris));
  return true;
}

bool decode_result(std::string_view pdu, std::uint8_t op, result& into, memory_allowance& room) {
  return decode_with_result(pdu, op, into, room, [op](ber_cursor& more) {
    std::string_view credentials;
    if (op != pdu_op::bind_response)
      return more.finished() || only_unknown_follow(more, {ber_tag::enumerated, ber_tag::octet_string, referral_tag});
    if (more.peek() == sasl_credentials_tag && !more.take(sasl_credentials_tag, credentials)) return false;
    return only_unknown_follow(more, {ber_tag::enumerated, ber_tag::octet_string, referral_tag, sasl_credentials_tag});
  });
}

bool decode_extended(std::string_view pdu, result& into, memory_allowance& room) {
  return decode_with_result(pdu, pdu_op::extended_response, into, room, [&](ber_cursor& more) {
    if (more.peek() == response_name_tag && !take_text(more, into.response_oid, response_name_tag)) return false;
    if (more.peek() == response_value_tag && !take_text(more, into.response_value.emplace(), response_value_tag))
      return false;
    return only_unknown_follow(
        more, {ber_tag::enumerated, ber_tag::octet_string, referral_tag, response_name_tag, response_value_tag});
  });
}

bool decode_opaque(std::string_view pdu, std::uint8_t op, std::int32_t id, result& into, memory_allowance& room) {
  constexpr std::size_t longest_head = 16;
  if (!room.take(pdu.size() + longest_head)) return false;
  const auto rest = behind_message_id(pdu);
  if (rest.empty()) return false;
  if (op != pdu_op::search_entry && op != pdu_op::search_reference && op != pdu_op::intermediate_response) {
    message_parts message;
    if (!open_message(pdu, op, message)) return false;
    ber_cursor parts{message.body};
    auto code = parts;
    if (!take_code(code, into.code) || !decode_controls(message.controls, into.controls, room)) return false;
    if (is_overload(into.code) && !decode_ldap_result(parts, into, room)) return false;
  }
  // Most answers are an entry and the result behind it.
  if (into.messages.empty()) into.messages.reserve(rest.size() + 3 * longest_head);
  append_message_head(id, rest.size(), into.messages);
  into.messages.append(rest);
  return true;
}

bool check_intermediate(std::string_view pdu, memory_allowance& room) {
  message_parts message;
  std::string_view skipped;
  std::vector<control> controls;
  if (!room.take(pdu.size()) || !open_message(pdu, pdu_op::intermediate_response, message)) return false;
  ber_cursor parts{message.body};
  for (const auto tag : {intermediate_name_tag, intermediate_value_tag})
    if (parts.peek() == tag && !parts.take(tag, skipped)) return false;
  return only_unknown_follow(parts, {intermediate_name_tag, intermediate_value_tag}) &&
         decode_controls(message.controls, controls, room);
}

}  // namespace understudy::internal
