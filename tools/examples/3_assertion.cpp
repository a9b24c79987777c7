// Changes a mail address only if it is still the old one: assertion DIRECTORY.toml DN OLD NEW
#include <iostream>
#include <understudy/messages/ber.hpp>
#include <understudy/runtime/connection_manager.hpp>

using namespace understudy;

namespace {

constexpr const char* assertion_oid = "1.3.6.1.1.12";    // RFC 4528
constexpr const char* post_read_oid = "1.3.6.1.1.13.2";  // RFC 4527

// The value is a Filter (RFC 4511, 4.5.1.7); here equalityMatch [3] { attributeDesc, assertionValue }.
control assert_equal(const std::string& attribute, const std::string& value) {
  return {assertion_oid, true, ber_element(0xa3, ber_octets(attribute) + ber_octets(value))};
}

// The value is an AttributeSelection: SEQUENCE OF what is wanted of the entry after the change.
control post_read(const std::string& attribute) {
  return {post_read_oid, true, ber_element(ber_tag::sequence, ber_octets(attribute))};
}

// The answer's value is a SearchResultEntry: [APPLICATION 4] { DN, SEQUENCE OF { type, SET OF value } }. Whatever the
// server sent: what cannot be read is an empty text.
std::string first_value(const control& answer) {
  ber_cursor whole{*answer.value};
  ber_cursor entry{whole.element(0x64).value_or("")};
  entry.element(ber_tag::octet_string);
  ber_cursor attributes{entry.element(ber_tag::sequence).value_or("")};
  ber_cursor first{attributes.element(ber_tag::sequence).value_or("")};
  first.element(ber_tag::octet_string);
  ber_cursor values{first.element(ber_tag::set).value_or("")};
  return std::string{values.element(ber_tag::octet_string).value_or("")};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) throw std::invalid_argument("usage: assertion DIRECTORY.toml DN OLD NEW");
  auto directory = connection_manager::from_file(argv[1]);
  directory.connect();
  modify_request change;
  change.dn = argv[2];
  change.changes = {{modification::kind::replace, {"mail", {argv[4]}}}};
  call_options with;
  with.controls = {assert_equal("mail", argv[3]), post_read("mail")};
  const outcome changed = directory.try_modify(change, with);
  if (!changed && changed.error()->ldap_code == result_code::assertion_failed) {
    std::cout << "not changed: it is not " << argv[3] << " any more\n";
    return 1;
  }
  const control* after = find_control(changed.value().controls, post_read_oid);  // value() throws every other failure
  std::cout << "changed to " << (after && after->value ? first_value(*after) : "?") << "\n";
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 2;
}
