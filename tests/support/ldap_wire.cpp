// Decoding requests and encoding answers.
#include "support/ldap_wire.hpp"

#include "support/ber.hpp"
#include "understudy/messages/hex.hpp"

#include <stdexcept>

namespace understudy::test {
namespace {

using namespace ber_tag;

constexpr std::uint8_t context(unsigned number) { return static_cast<std::uint8_t>(0x80u | number); }
constexpr std::uint8_t constructed(unsigned number) { return static_cast<std::uint8_t>(0xa0u | number); }

/// Assertion values with the escapes of RFC 4515, 3.
std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '*' || c == '(' || c == ')' || c == '\\' || c == '\0') {
      text += '\\';
      internal::append_hex(text, {&c, 1});
    } else {
      text += c;
    }
  }
  return text;
}

std::string filter_text(const ber_item& filter);

std::string filter_list(const char* op, const ber_item& filter) {
  std::string text = std::string("(") + op;
  for (ber_reader parts(filter); !parts.empty();) text += filter_text(parts.next());
  return text + ")";
}

std::string assertion(const char* op, const ber_item& filter) {
  ber_reader parts(filter);
  const std::string name = parts.next(octets).text();
  return "(" + name + op + escaped(parts.next(octets).content) + ")";
}

std::string substrings(const ber_item& filter) {
  ber_reader parts(filter);
  std::string text = "(" + parts.next(octets).text() + "=";
  bool open = true;  // A star is due before the next piece or the end.
  for (ber_reader pieces(parts.next(sequence)); !pieces.empty();) {
    const ber_item piece = pieces.next();
    if (piece.tag != context(0)) text += "*";
    text += escaped(piece.content);
    open = piece.tag != context(2);
  }
  return text + (open ? "*)" : ")");
}

std::string extensible(const ber_item& filter) {
  std::string rule, name, value, dn;
  for (ber_reader parts(filter); !parts.empty();) {
    const ber_item part = parts.next();
    if (part.tag == context(1)) rule = ":" + part.text();
    if (part.tag == context(2)) name = part.text();
    if (part.tag == context(3)) value = escaped(part.content);
    if (part.tag == context(4) && part.content != std::string_view("\0", 1)) dn = ":dn";
  }
  return "(" + name + dn + rule + ":=" + value + ")";
}

std::string filter_text(const ber_item& filter) {
  switch (filter.tag) {
    case constructed(0):
      return filter_list("&", filter);
    case constructed(1):
      return filter_list("|", filter);
    case constructed(2):
      return "(!" + filter_text(ber_reader(filter).next()) + ")";
    case constructed(3):
      return assertion("=", filter);
    case constructed(4):
      return substrings(filter);
    case constructed(5):
      return assertion(">=", filter);
    case constructed(6):
      return assertion("<=", filter);
    case context(7):
      return "(" + filter.text() + "=*)";
    case constructed(8):
      return assertion("~=", filter);
    case constructed(9):
      return extensible(filter);
    default:
      throw std::runtime_error("LDAP: unknown filter");
  }
}

std::vector<std::string> texts(const ber_item& list) {
  std::vector<std::string> all;
  for (ber_reader parts(list); !parts.empty();) all.push_back(parts.next(octets).text());
  return all;
}

attribute read_attribute(const ber_item& item) {
  ber_reader parts(item);
  attribute a;
  a.name = parts.next(octets).text();
  a.values = texts(parts.next(set));
  return a;
}

void read_bind(ber_reader op, directory_request& r) {
  op.next(integer);
  r.dn = op.next(octets).text();
  const ber_item choice = op.next();
  if (choice.tag == context(0)) r.password = choice.text();
  if (choice.tag == constructed(3)) r.mechanism = ber_reader(choice).next(octets).text();
}

void read_search(ber_reader op, directory_request& r) {
  r.dn = op.next(octets).text();
  r.scope = static_cast<search_scope>(op.next(enumerated).number());
  r.deref = static_cast<dereference>(op.next(enumerated).number());
  r.size_limit = op.next(integer).number();
  r.time_limit = op.next(integer).number();
  r.types_only = op.next(boolean).number() != 0;
  r.filter = filter_text(op.next());
  r.names = texts(op.next(sequence));
}

void read_modify(ber_reader op, directory_request& r) {
  r.dn = op.next(octets).text();
  for (ber_reader list(op.next(sequence)); !list.empty();) {
    ber_reader change(list.next(sequence));
    modification m;
    m.op = static_cast<modification::kind>(change.next(enumerated).number());
    m.target = read_attribute(change.next(sequence));
    r.changes.push_back(std::move(m));
  }
}

void read_add(ber_reader op, directory_request& r) {
  r.dn = op.next(octets).text();
  for (ber_reader list(op.next(sequence)); !list.empty();) r.attributes.push_back(read_attribute(list.next(sequence)));
}

void read_modify_dn(ber_reader op, directory_request& r) {
  r.dn = op.next(octets).text();
  r.new_rdn = op.next(octets).text();
  r.delete_old_rdn = op.next(boolean).number() != 0;
  if (op.peek() == context(0)) r.new_superior = op.next().text();
}

void read_compare(ber_reader op, directory_request& r) {
  r.dn = op.next(octets).text();
  ber_reader ava(op.next(sequence));
  r.compared_attribute = ava.next(octets).text();
  r.compared_value = ava.next(octets).text();
}

void read_extended(ber_reader op, directory_request& r) {
  r.oid = op.next(context(0)).text();
  if (op.peek() == context(1)) r.value = op.next().text();
  if (r.oid == start_tls_oid) r.kind = operation::start_tls;
  if (r.oid == whoami_oid) r.kind = operation::whoami;
  if (r.oid == password_modify_oid) r.kind = operation::password_modify;
}

control read_control(const ber_item& item) {
  ber_reader parts(item);
  control c;
  c.oid = parts.next(octets).text();
  if (parts.peek() == boolean) c.critical = parts.next().number() != 0;
  if (parts.peek() == octets) c.value = parts.next().text();
  return c;
}

void read_operation(const ber_item& op, directory_request& r) {
  switch (op.tag) {
    case 0x60:
      r.kind = operation::bind;
      return read_bind(ber_reader(op), r);
    case 0x42:
      r.kind = operation::unbind;
      return;
    case 0x63:
      r.kind = operation::search;
      return read_search(ber_reader(op), r);
    case 0x66:
      r.kind = operation::modify;
      return read_modify(ber_reader(op), r);
    case 0x68:
      r.kind = operation::add;
      return read_add(ber_reader(op), r);
    case 0x4a:
      r.kind = operation::remove;
      r.dn = op.text();
      return;
    case 0x6c:
      r.kind = operation::modify_dn;
      return read_modify_dn(ber_reader(op), r);
    case 0x6e:
      r.kind = operation::compare;
      return read_compare(ber_reader(op), r);
    case 0x50:
      r.kind = operation::abandon;
      r.abandoned = static_cast<std::int32_t>(op.number());
      return;
    case 0x77:
      r.kind = operation::extended;
      return read_extended(ber_reader(op), r);
    default:
      throw std::runtime_error("LDAP: unknown operation");
  }
}

std::uint8_t response_tag(operation to) {
  switch (to) {
    case operation::bind:
      return 0x61;
    case operation::search:
      return 0x65;
    case operation::modify:
      return 0x67;
    case operation::add:
      return 0x69;
    case operation::remove:
      return 0x6b;
    case operation::modify_dn:
      return 0x6d;
    case operation::compare:
      return 0x6f;
    default:
      return 0x78;
  }
}

std::string list_of(std::uint8_t tag, const std::vector<std::string>& values) {
  std::string content;
  for (const auto& value : values) content += ber(octets, value);
  return ber(tag, content);
}

std::string encode_controls(const std::vector<control>& controls) {
  if (controls.empty()) return {};
  std::string content;
  for (const auto& c : controls) {
    std::string one = ber(octets, c.oid);
    if (c.critical) one += ber(boolean, "\xff");
    if (c.value) one += ber(octets, *c.value);
    content += ber(sequence, one);
  }
  return ber(constructed(0), content);
}

std::string message(std::int32_t id, std::uint8_t tag, std::string_view content,
                    const std::vector<control>& controls = {}) {
  return ber(sequence, ber_number(integer, id) + ber(tag, content) + encode_controls(controls));
}

std::string encode_entry(const entry& e) {
  std::string attributes;
  for (const auto& a : e.attributes) attributes += ber(sequence, ber(octets, a.name) + list_of(set, a.values));
  return ber(octets, e.dn) + ber(sequence, attributes);
}

}  // namespace

directory_request decode_request(std::string_view bytes) {
  ber_reader parts(ber_reader(bytes).next(sequence));
  directory_request r;
  r.id = static_cast<std::int32_t>(parts.next(integer).number());
  read_operation(parts.next(), r);
  if (parts.peek() == constructed(0))
    for (ber_reader list(parts.next()); !list.empty();) r.controls.push_back(read_control(list.next(sequence)));
  return r;
}

std::vector<std::string> encode_answer(operation to, std::int32_t id, const directory_answer& answer) {
  std::vector<std::string> messages;
  for (const auto& e : answer.entries) messages.push_back(message(id, 0x64, encode_entry(e)));
  for (const auto& uris : answer.references) {
    std::string content;
    for (const auto& uri : uris) content += ber(octets, uri);
    messages.push_back(message(id, 0x73, content));
  }
  std::string result =
      ber_number(enumerated, answer.code) + ber(octets, answer.matched_dn) + ber(octets, answer.diagnostic);
  if (!answer.referrals.empty()) result += list_of(constructed(3), answer.referrals);
  if (response_tag(to) == 0x78) {
    if (!answer.oid.empty()) result += ber(context(10), answer.oid);
    if (answer.value) result += ber(context(11), *answer.value);
  }
  messages.push_back(message(id, response_tag(to), result, answer.controls));
  return messages;
}

std::string encode_notice_of_disconnection(int code, const std::string& diagnostic) {
  directory_answer notice;
  notice.code = code;
  notice.diagnostic = diagnostic;
  notice.oid = notice_of_disconnection_oid;
  return encode_answer(operation::extended, 0, notice).back();
}

}  // namespace understudy::test
