// Requests checked down to each value, answers put together.
#include "understudy/messages/ldap_message.hpp"

#include <limits>

namespace understudy::internal {
namespace {

constexpr std::uint8_t controls_tag = 0xa0, referral_tag = 0xa3, simple_tag = 0x80, sasl_tag = 0xa3;
constexpr std::uint8_t name_tag = 0x80, value_tag = 0x81, response_name_tag = 0x8a, response_value_tag = 0x8b;
constexpr std::uint8_t new_superior_tag = 0x80;
// Filters within filters; servers have such a limit too.
constexpr int deepest_filter = 100;
constexpr std::int64_t largest = std::numeric_limits<std::int32_t>::max();

bool take_octets(ber_cursor& from) noexcept {
  std::string_view ignored;
  return from.take(ber_tag::octet_string, ignored);
}

bool take_boolean(ber_cursor& from) noexcept {
  std::string_view content;
  return from.take(ber_tag::boolean, content) && content.size() == 1;
}

bool take_number(ber_cursor& from, std::uint8_t tag, std::int64_t most) noexcept {
  const auto number = from.integer(tag);
  return number && *number >= 0 && *number <= most;
}

/// A list of texts under `tag`.
bool take_texts(ber_cursor& from, std::uint8_t tag, bool may_be_empty) noexcept {
  std::string_view content;
  if (!from.take(tag, content) || (content.empty() && !may_be_empty)) return false;
  ber_cursor all{content};
  while (all.peek() != 0)
    if (!take_octets(all)) return false;
  return all.finished();
}

bool is_assertion(std::string_view content) noexcept {
  ber_cursor parts{content};
  return take_octets(parts) && take_octets(parts) && parts.finished();
}

bool is_substring(std::string_view content) noexcept {
  ber_cursor parts{content};
  std::string_view list, ignored;
  if (!take_octets(parts) || !parts.take(ber_tag::sequence, list) || !parts.finished() || list.empty()) return false;
  ber_cursor pieces{list};
  // "initial" first, "final" last, each once (RFC 4511, 4.5.1.7.2).
  for (bool first = true; pieces.peek() != 0; first = false) {
    const auto tag = pieces.peek();
    if (tag < 0x80 || tag > 0x82 || (tag == 0x80 && !first) || !pieces.take(tag, ignored)) return false;
    if (tag == 0x82) return pieces.finished();
  }
  return pieces.finished();
}

bool is_extensible(std::string_view content) noexcept {
  ber_cursor parts{content};
  std::string_view ignored;
  for (const auto tag : {std::uint8_t{0x81}, std::uint8_t{0x82}})
    if (parts.peek() == tag && !parts.take(tag, ignored)) return false;
  if (!parts.take(0x83, ignored)) return false;
  if (parts.peek() == 0x84 && (!parts.take(0x84, ignored) || ignored.size() != 1)) return false;
  return parts.finished();
}

bool take_filter(ber_cursor& from, int depth) noexcept {
  const auto tag = from.peek();
  std::string_view content;
  if (depth > deepest_filter || !from.take(tag, content)) return false;
  switch (tag) {
    case 0xa0:
    case 0xa1: {
      ber_cursor all{content};
      while (all.peek() != 0)
        if (!take_filter(all, depth + 1)) return false;
      return all.finished();
    }
    case 0xa2: {
      ber_cursor negated{content};
      return take_filter(negated, depth + 1) && negated.finished();
    }
    case 0xa3:
    case 0xa5:
    case 0xa6:
    case 0xa8:
      return is_assertion(content);
    case 0xa4:
      return is_substring(content);
    case 0x87:
      return true;
    case 0xa9:
      return is_extensible(content);
    default:
      return false;
  }
}

bool is_search(std::string_view body) noexcept {
  ber_cursor parts{body};
  return take_octets(parts) && take_number(parts, ber_tag::enumerated, 3) &&
         take_number(parts, ber_tag::enumerated, 3) && take_number(parts, ber_tag::integer, largest) &&
         take_number(parts, ber_tag::integer, largest) && take_boolean(parts) && take_filter(parts, 0) &&
         take_texts(parts, ber_tag::sequence, true) && parts.finished();
}

bool is_attribute(std::string_view content, bool may_be_empty) noexcept {
  ber_cursor parts{content};
  return take_octets(parts) && take_texts(parts, ber_tag::set, may_be_empty) && parts.finished();
}

/// `check`: of each element of the list that is left.
template <class Check>
bool is_list(ber_cursor& parts, Check check) noexcept {
  std::string_view list, item;
  if (!parts.take(ber_tag::sequence, list) || !parts.finished()) return false;
  ber_cursor all{list};
  while (all.peek() != 0)
    if (!all.take(ber_tag::sequence, item) || !check(item)) return false;
  return all.finished();
}

bool is_modify(std::string_view body) noexcept {
  ber_cursor parts{body};
  return take_octets(parts) && is_list(parts, [](std::string_view change) {
           ber_cursor of{change};
           std::string_view target;
           return take_number(of, ber_tag::enumerated, 3) && of.take(ber_tag::sequence, target) && of.finished() &&
                  is_attribute(target, true);
         });
}

bool is_add(std::string_view body) noexcept {
  ber_cursor parts{body};
  return take_octets(parts) && is_list(parts, [](std::string_view item) { return is_attribute(item, false); });
}

bool is_modify_dn(std::string_view body) noexcept {
  ber_cursor parts{body};
  std::string_view ignored;
  if (!take_octets(parts) || !take_octets(parts) || !take_boolean(parts)) return false;
  if (parts.peek() == new_superior_tag && !parts.take(new_superior_tag, ignored)) return false;
  return parts.finished();
}

bool is_compare(std::string_view body) noexcept {
  ber_cursor parts{body};
  std::string_view assertion;
  return take_octets(parts) && parts.take(ber_tag::sequence, assertion) && parts.finished() && is_assertion(assertion);
}

bool is_operation(std::uint8_t tag, std::string_view body) {
  switch (tag) {
    case request_tag::bind:
      return read_bind(body).has_value();
    case request_tag::unbind:
      return body.empty();
    case request_tag::abandon:
      return read_abandon(body).has_value();
    case opaque_request::search:
      return is_search(body);
    case opaque_request::modify:
      return is_modify(body);
    case opaque_request::add:
      return is_add(body);
    case opaque_request::remove:
      return true;
    case opaque_request::modify_dn:
      return is_modify_dn(body);
    case opaque_request::compare:
      return is_compare(body);
    case opaque_request::extended:
      return read_extended(body).has_value();
    default:
      return false;
  }
}

}  // namespace

std::optional<client_message> read_client_message(std::string_view pdu) {
  ber_cursor outer{pdu};
  std::string_view content;
  if (!outer.take(ber_tag::sequence, content) || !outer.finished()) return std::nullopt;
  ber_cursor parts{content};
  const auto id = parts.integer();
  if (!id || *id <= 0 || *id > largest) return std::nullopt;
  client_message read;
  read.id = static_cast<std::int32_t>(*id);
  read.tag = parts.peek();
  if (!parts.take(read.tag, read.body)) return std::nullopt;
  const auto* const end = read.body.data() + read.body.size();
  // The head of the operation is what stands between the id and its content.
  ber_cursor again{content};
  std::string_view number;
  again.take(ber_tag::integer, number);
  const auto* const op = number.data() + number.size();
  read.op = {op, static_cast<std::size_t>(end - op)};
  if (parts.peek() == controls_tag) {
    std::string_view list;
    if (!parts.take(controls_tag, list)) return std::nullopt;
    read.controls = {end, static_cast<std::size_t>(list.data() + list.size() - end)};
  }
  // What a later version of the protocol may put behind it is ignored (RFC 4511, 4): it is not passed on.
  if (!is_operation(read.tag, read.body) || !read_controls(read.controls)) return std::nullopt;
  return read;
}

std::optional<bind_fields> read_bind(std::string_view body) {
  ber_cursor parts{body};
  bind_fields read;
  const auto version = parts.integer();
  if (!version || !parts.take(ber_tag::octet_string, read.name)) return std::nullopt;
  read.version = *version;
  read.simple = parts.peek() == simple_tag;
  if (read.simple) {
    if (!parts.take(simple_tag, read.password)) return std::nullopt;
  } else if (parts.peek() == sasl_tag) {
    std::string_view sasl;
    if (!parts.take(sasl_tag, sasl)) return std::nullopt;
    ber_cursor inside{sasl};
    if (!inside.take(ber_tag::octet_string, read.mechanism)) return std::nullopt;
    if (inside.peek() != 0) read.credentials = inside.element(ber_tag::octet_string);
    if (!inside.finished()) return std::nullopt;
  } else {
    // Another choice is answered authMethodNotSupported (RFC 4511, 4.2).
    if (!parts.skip()) return std::nullopt;
  }
  if (!parts.finished()) return std::nullopt;
  return read;
}

std::optional<search_fields> read_search(std::string_view body) {
  ber_cursor parts{body};
  search_fields read;
  if (!parts.take(ber_tag::octet_string, read.base)) return std::nullopt;
  const auto scope = parts.integer(ber_tag::enumerated), aliases = parts.integer(ber_tag::enumerated);
  if (!scope || !aliases) return std::nullopt;
  read.scope = *scope;
  read.dereference = *aliases;
  return read;
}

std::optional<std::string_view> read_target(std::uint8_t tag, std::string_view body) {
  if (tag == opaque_request::remove) return body;
  return ber_cursor{body}.element(ber_tag::octet_string);
}

std::optional<extended_fields> read_extended(std::string_view body) {
  ber_cursor parts{body};
  extended_fields read;
  if (!parts.take(name_tag, read.oid) || read.oid.empty()) return std::nullopt;
  if (parts.peek() == value_tag) read.value = parts.element(value_tag);
  if (!parts.finished()) return std::nullopt;
  return read;
}

std::optional<std::int32_t> read_abandon(std::string_view body) {
  const auto id = read_ber_integer(body);
  if (!id || *id < 0 || *id > largest) return std::nullopt;
  return static_cast<std::int32_t>(*id);
}

std::optional<std::vector<control>> read_controls(std::string_view controls) {
  std::vector<control> read;
  if (controls.empty()) return read;
  ber_cursor outer{controls};
  std::string_view list, item, text;
  if (!outer.take(controls_tag, list) || !outer.finished()) return std::nullopt;
  ber_cursor all{list};
  while (all.peek() != 0) {
    if (!all.take(ber_tag::sequence, item)) return std::nullopt;
    ber_cursor parts{item};
    auto& one = read.emplace_back();
    if (!parts.take(ber_tag::octet_string, text) || text.empty()) return std::nullopt;
    one.oid = text;
    if (parts.peek() == ber_tag::boolean) {
      if (!parts.take(ber_tag::boolean, text) || text.size() != 1) return std::nullopt;
      one.critical = text[0] != 0;
    }
    if (parts.peek() == ber_tag::octet_string) {
      if (!parts.take(ber_tag::octet_string, text)) return std::nullopt;
      one.value = std::string{text};
    }
    if (!parts.finished()) return std::nullopt;
  }
  if (!all.finished()) return std::nullopt;
  return read;
}

std::uint8_t response_tag(std::uint8_t request) noexcept {
  switch (request) {
    case request_tag::bind:
      return pdu_op::bind_response;
    case opaque_request::search:
      return pdu_op::search_done;
    case opaque_request::modify:
      return pdu_op::modify_response;
    case opaque_request::add:
      return pdu_op::add_response;
    case opaque_request::remove:
      return pdu_op::delete_response;
    case opaque_request::modify_dn:
      return pdu_op::modify_dn_response;
    case opaque_request::compare:
      return pdu_op::compare_response;
    case opaque_request::extended:
      return pdu_op::extended_response;
    default:
      return 0;
  }
}

void write_controls(const std::vector<control>& controls, ber_writer& to) {
  const auto all = to.open(controls_tag);
  for (const auto& each : controls) {
    const auto written = to.open(ber_tag::sequence);
    to.octets(each.oid);
    if (each.critical) to.boolean(true);
    if (each.value) to.octets(*each.value);
    to.close(written);
  }
  to.close(all);
}

std::string encode_controls(const std::vector<control>& controls) {
  std::string made;
  if (controls.empty()) return made;
  ber_writer to{made};
  write_controls(controls, to);
  return made;
}

std::string encode_answer(std::int32_t id, std::uint8_t tag, const ldap_answer& answer) {
  std::string out;
  ber_writer to{out};
  const auto message = to.open(ber_tag::sequence);
  to.integer(id);
  const auto op = to.open(tag);
  to.integer(answer.code, ber_tag::enumerated);
  to.octets(answer.matched_dn);
  to.octets(answer.diagnostic);
  if (!answer.referrals.empty()) {
    const auto list = to.open(referral_tag);
    for (const auto& uri : answer.referrals) to.octets(uri);
    to.close(list);
  }
  if (tag == pdu_op::extended_response) {
    if (!answer.oid.empty()) to.octets(answer.oid, response_name_tag);
    if (answer.value) to.octets(*answer.value, response_value_tag);
  }
  to.close(op);
  if (!answer.controls.empty()) write_controls(answer.controls, to);
  to.close(message);
  return out;
}

std::string encode_notice_of_disconnection(int code, const std::string& diagnostic) {
  ldap_answer notice;
  notice.code = code;
  notice.diagnostic = diagnostic;
  notice.oid = extension::notice_of_disconnection;
  return encode_answer(0, pdu_op::extended_response, notice);
}

void write_attribute(const attribute& written, ber_writer& to) {
  const auto all = to.open(ber_tag::sequence);
  to.octets(written.name);
  const auto values = to.open(ber_tag::set);
  for (const auto& value : written.values) to.octets(value);
  to.close(values);
  to.close(all);
}

std::string encode_entry(std::int32_t id, const entry& found) {
  std::string out;
  ber_writer to{out};
  const auto message = to.open(ber_tag::sequence);
  to.integer(id);
  const auto op = to.open(pdu_op::search_entry);
  to.octets(found.dn);
  const auto attributes = to.open(ber_tag::sequence);
  for (const auto& each : found.attributes) write_attribute(each, to);
  to.close(attributes);
  to.close(op);
  to.close(message);
  return out;
}

}  // namespace understudy::internal
