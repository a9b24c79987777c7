// Turns LDIF change records into operations: see ldif_reader.hpp.
#include "understudy/tools/ldif_reader.hpp"

#include "understudy/messages/text.hpp"
#include "understudy/tools/base64.hpp"
#include "understudy/tools/ldif_lines.hpp"

#include <algorithm>
#include <optional>

namespace understudy::cli {

using namespace internal;
namespace {

// Walks over the lines of one record.
class cursor {
 public:
  explicit cursor(const ldif_record& record) : record_(record) {}

  bool at_end() const { return next_ == record_.size(); }
  bool at(std::string_view name) const { return !at_end() && same_name(record_[next_].name, name); }
  const ldif_line& take() { return record_[next_++]; }
  /// The line looked at, or the last one when all are taken: where an error is.
  std::size_t number() const { return record_[std::min(next_, record_.size() - 1)].number; }
  const ldif_line& expect(std::string_view name) {
    if (!at(name)) fail("expected \"" + std::string{name} + ":\"");
    return take();
  }
  void expect_end(std::string_view kind) const {
    if (!at_end()) fail("\"" + record_[next_].name + "\" does not belong in a " + std::string{kind} + " record");
  }
  [[noreturn]] void fail(const std::string& problem) const {
    throw ldif_error(number(), at_end() ? problem + ", but the record ends" : problem);
  }

 private:
  const ldif_record& record_;
  std::size_t next_ = 0;
};

/// Whether it is a DN is for the server to say; a NUL byte cannot be sent.
const std::string& dn_of(const ldif_line& line) {
  if (line.value.find('\0') != std::string::npos) throw ldif_error(line.number, line.name + " contains a NUL byte");
  return line.value;
}

// "control: OID [true|false][: value | :: base64]".
control read_control(const ldif_line& line) {
  std::string_view rest = line.value;
  control c;
  const auto oid_end = std::min(rest.find_first_of(" :"), rest.size());
  c.oid = std::string{rest.substr(0, oid_end)};
  rest.remove_prefix(oid_end);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto word = rest.substr(0, std::min(rest.find(':'), rest.size()));
  if (c.oid.empty() || (!word.empty() && word != "true" && word != "false"))
    throw ldif_error(line.number, "expected \"control: OID [true|false][: value]\"");
  c.critical = word == "true";
  rest.remove_prefix(word.size());
  if (rest.empty()) return c;
  rest.remove_prefix(1);
  const bool encoded = !rest.empty() && rest.front() == ':';
  if (encoded) rest.remove_prefix(1);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  c.value = encoded ? base64_decode(rest) : std::string{rest};
  if (!c.value) throw ldif_error(line.number, "the control's value is no base64");
  return c;
}

void add_value(std::vector<attribute>& attributes, const ldif_line& line) {
  const auto known = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const attribute& a) { return same_name(a.name, line.name); });
  if (known != attributes.end())
    known->values.push_back(line.value);
  else
    attributes.push_back({line.name, {line.value}});
}

add_request read_add(cursor& lines, const std::string& dn) {
  add_request op{dn, {}};
  while (!lines.at_end()) {
    if (lines.at("-")) lines.fail("\"-\" does not belong in an add record");
    add_value(op.attributes, lines.take());
  }
  if (op.attributes.empty()) lines.fail("an entry needs attributes");
  return op;
}

modification::kind read_kind(cursor& lines) {
  if (lines.at("add")) return modification::kind::add;
  if (lines.at("delete")) return modification::kind::remove;
  if (lines.at("replace")) return modification::kind::replace;
  if (lines.at("increment")) return modification::kind::increment;
  lines.fail("expected \"add:\", \"delete:\", \"replace:\" or \"increment:\"");
}

modification read_modification(cursor& lines) {
  modification change;
  change.op = read_kind(lines);
  change.target.name = lines.take().value;
  if (change.target.name.empty()) lines.fail("the attribute's name is missing");
  while (!lines.at_end() && !lines.at("-")) {
    if (!lines.at(change.target.name)) lines.fail("expected a value of " + change.target.name + " or \"-\"");
    change.target.values.push_back(lines.take().value);
  }
  const bool needs_value = change.op == modification::kind::add || change.op == modification::kind::increment;
  if (needs_value && change.target.values.empty()) lines.fail("no value of " + change.target.name + " to add");
  if (!lines.at_end()) lines.take();
  return change;
}

modify_request read_modify(cursor& lines, const std::string& dn) {
  modify_request op{dn, {}};
  while (!lines.at_end()) op.changes.push_back(read_modification(lines));
  if (op.changes.empty()) lines.fail("a modify record needs changes");
  return op;
}

modify_dn_request read_modify_dn(cursor& lines, const std::string& dn) {
  modify_dn_request op;
  op.dn = dn;
  op.new_rdn = dn_of(lines.expect("newrdn"));
  const auto& flag = lines.expect("deleteoldrdn");
  if (flag.value != "0" && flag.value != "1") throw ldif_error(flag.number, "deleteoldrdn is 0 or 1");
  op.delete_old_rdn = flag.value == "1";
  if (lines.at("newsuperior")) op.new_superior = dn_of(lines.take());
  lines.expect_end("modrdn");
  return op;
}

any_operation read_operation(cursor& lines, const std::string& dn, bool content_is_add) {
  if (!lines.at("changetype")) {
    if (content_is_add) return read_add(lines, dn);
    lines.fail("expected \"changetype:\"");
  }
  const auto& type = lines.take();
  if (same_name(type.value, "add")) return read_add(lines, dn);
  if (same_name(type.value, "modify")) return read_modify(lines, dn);
  if (same_name(type.value, "modrdn") || same_name(type.value, "moddn")) return read_modify_dn(lines, dn);
  if (!same_name(type.value, "delete"))
    throw ldif_error(type.number, "unknown changetype \"" + type.value + "\": add, delete, modify, modrdn or moddn");
  lines.expect_end("delete");
  return delete_request{dn};
}

ldif_change read_change(const ldif_record& record, bool content_is_add) {
  cursor lines(record);
  const auto& dn = lines.expect("dn");
  ldif_change change;
  change.line = dn.number;
  change.dn = dn_of(dn);
  while (lines.at("control")) change.controls.push_back(read_control(lines.take()));
  change.op = read_operation(lines, dn.value, content_is_add);
  return change;
}

}  // namespace

std::vector<ldif_change> read_ldif_changes(std::string_view text, bool content_is_add) {
  std::vector<ldif_change> changes;
  for (const auto& record : read_ldif_records(text)) changes.push_back(read_change(record, content_is_add));
  return changes;
}

}  // namespace understudy::cli
