// BER of messages: see pdu_codec.hpp.
#include "understudy/actors/connection/pdu_codec.hpp"

#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/messages/ber.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

constexpr std::uint8_t search_request_tag = 0x63, abandon_request_tag = 0x50, referral_tag = 0xa3, controls_tag = 0xa0,
                       response_name_tag = 0x8a, response_value_tag = 0x8b, sasl_credentials_tag = 0x87,
                       intermediate_name_tag = 0x80, intermediate_value_tag = 0x81;
// Filter choices (RFC 4511, 4.5.1.7).
constexpr std::uint8_t filter_and = 0xa0, filter_or = 0xa1, filter_not = 0xa2, filter_equality = 0xa3,
                       filter_substrings = 0xa4, filter_greater = 0xa5, filter_less = 0xa6, filter_present = 0x87,
                       filter_approx = 0xa8;
constexpr std::uint8_t substring_initial = 0x80, substring_any = 0x81, substring_final = 0x82;

/// Writes elements; those with others inside get their length when they are closed.
class ber_writer {
 public:
  explicit ber_writer(std::string& out) : out_(out) {}

  /// Where its contents begin.
  std::size_t open(std::uint8_t tag) {
    out_.push_back(static_cast<char>(tag));
    out_.push_back(0);
    return out_.size();
  }
  void close(std::size_t begin) {
    const auto size = out_.size() - begin;
    if (size < 0x80) {
      out_[begin - 1] = static_cast<char>(size);
      return;
    }
    char digits[sizeof size];
    std::size_t n = 0;
    for (auto left = size; left != 0; left >>= 8) digits[n++] = static_cast<char>(left);
    std::reverse(digits, digits + n);
    out_[begin - 1] = static_cast<char>(0x80 | n);
    out_.insert(begin, digits, n);
  }
  void octets(std::string_view bytes, std::uint8_t tag = ber_tag::octet_string) {
    const auto at = open(tag);
    out_.append(bytes);
    close(at);
  }
  /// Not negative.
  void integer(std::int32_t value, std::uint8_t tag = ber_tag::integer) {
    const auto at = open(tag);
    int shift = 24;
    // The shortest form whose first bit is 0.
    while (shift > 0 && value >> (shift - 1) == 0) shift -= 8;
    for (; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(value >> shift));
    close(at);
  }
  void boolean(bool value) { octets(std::string_view{value ? "\xff" : "\0", 1}, ber_tag::boolean); }
  void raw(char byte) { out_.push_back(byte); }

 private:
  std::string& out_;
};

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool in_description(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == ';' || c == '.';
}

/// A filter's text (RFC 4515) as BER. Every member is false when it meets what is left to libldap.
class filter_encoder {
 public:
  filter_encoder(std::string_view text, ber_writer& out) : text_(text), out_(out) {}

  bool whole() { return one(0) && at_ == text_.size(); }

 private:
  // Deeper filters have been refused before.
  static constexpr int most_depth = 200;

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool one(int depth) {
    if (depth > most_depth || !take('(') || at_ >= text_.size()) return false;
    switch (text_[at_]) {
      case '&':
        return set(filter_and, depth);
      case '|':
        return set(filter_or, depth);
      case '!': {
        ++at_;
        const auto begin = out_.open(filter_not);
        if (!one(depth + 1)) return false;
        out_.close(begin);
        return take(')');
      }
      default:
        return item() && take(')');
    }
  }

  bool set(std::uint8_t tag, int depth) {
    ++at_;
    const auto begin = out_.open(tag);
    while (at_ < text_.size() && text_[at_] == '(')
      if (!one(depth + 1)) return false;
    out_.close(begin);
    return take(')');
  }

  bool item() {
    const auto begin = at_;
    while (at_ < text_.size() && in_description(text_[at_])) ++at_;
    const auto attribute = text_.substr(begin, at_ - begin);
    if (attribute.empty() || at_ >= text_.size()) return false;
    const char kind = text_[at_];
    if (kind != '=') ++at_;
    if (!take('=')) return false;
    const auto end = text_.find(')', at_);
    if (end == std::string_view::npos) return false;
    const auto value = text_.substr(at_, end - at_);
    at_ = end;
    if (kind == '=' && value == "*") {
      out_.octets(attribute, filter_present);
      return true;
    }
    const bool has_star = value.find('*') != std::string_view::npos;
    if (kind == '=' && has_star) return substrings(attribute, value);
    const std::uint8_t tag = kind == '='   ? filter_equality
                             : kind == '>' ? filter_greater
                             : kind == '<' ? filter_less
                             : kind == '~' ? filter_approx
                                           : 0;
    if (tag == 0 || has_star) return false;
    const auto at = out_.open(tag);
    out_.octets(attribute);
    if (!assertion(value, ber_tag::octet_string)) return false;
    out_.close(at);
    return true;
  }

  bool substrings(std::string_view attribute, std::string_view value) {
    const auto at = out_.open(filter_substrings);
    out_.octets(attribute);
    const auto list = out_.open(ber_tag::sequence);
    for (std::size_t begin = 0;;) {
      const auto star = value.find('*', begin);
      const bool first = begin == 0, last = star == std::string_view::npos;
      const auto piece = value.substr(begin, last ? star : star - begin);
      if (piece.empty() && !first && !last) return false;
      const auto tag = first ? substring_initial : last ? substring_final : substring_any;
      if (!piece.empty() && !assertion(piece, tag)) return false;
      if (last) break;
      begin = star + 1;
    }
    out_.close(list);
    out_.close(at);
    return true;
  }

  /// A value, its escapes resolved.
  bool assertion(std::string_view value, std::uint8_t tag) {
    if (value.find('\\') == std::string_view::npos) {
      out_.octets(value, tag);
      return true;
    }
    const auto at = out_.open(tag);
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] != '\\') {
        out_.raw(value[i]);
        continue;
      }
      if (i + 2 >= value.size()) return false;
      const int high = hex_digit(value[i + 1]), low = hex_digit(value[i + 2]);
      if (high < 0 || low < 0) return false;
      out_.raw(static_cast<char>(high << 4 | low));
      i += 2;
    }
    out_.close(at);
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  ber_writer& out_;
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

bool encode_search(std::int32_t id, const search_request& what, std::string& out) {
  const auto before = out.size();
  ber_writer to{out};
  const auto message = to.open(ber_tag::sequence);
  to.integer(id);
  const auto body = to.open(search_request_tag);
  to.octets(what.base);
  to.integer(static_cast<int>(what.scope), ber_tag::enumerated);
  to.integer(static_cast<int>(what.deref), ber_tag::enumerated);
  to.integer(std::max(what.size_limit, 0));
  to.integer(std::max(what.time_limit, 0));
  to.boolean(what.types_only);
  if (!filter_encoder{what.filter, to}.whole()) {
    out.resize(before);
    return false;
  }
  const auto list = to.open(ber_tag::sequence);
  for (const auto& name : what.attributes) to.octets(name);
  to.close(list);
  to.close(body);
  to.close(message);
  return true;
}

void encode_abandon(std::int32_t id, std::int32_t abandoned, std::string& out) {
  ber_writer to{out};
  const auto message = to.open(ber_tag::sequence);
  to.integer(id);
  to.integer(abandoned, abandon_request_tag);
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
