// Builds search filters (RFC 4515).
#include "understudy/messages/filter.hpp"

#include "understudy/messages/name.hpp"

#include <stdexcept>

namespace understudy::filter {

using namespace internal;
namespace {

bool must_escape(char c) noexcept { return c == '*' || c == '(' || c == ')' || c == '\\' || c == '\0'; }

std::string item(std::string_view attr, std::string_view relation, const std::string& escaped) {
  require_attribute_description(attr);
  return "(" + std::string{attr} + std::string{relation} + escaped + ")";
}

std::string join(char op, const std::vector<std::string>& filters) {
  if (filters.empty()) throw std::invalid_argument("a filter of several parts needs at least one part");
  std::string text{"("};
  text += op;
  for (const auto& f : filters) text += f;
  return text + ")";
}

}  // namespace

std::string escape(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  while (!value.empty()) {
    const auto length = utf8_sequence(value);
    if (length == 0 || must_escape(value.front())) {
      append_escaped_byte(out, value.front());
      value.remove_prefix(1);
    } else {
      out += value.substr(0, length);
      value.remove_prefix(length);
    }
  }
  return out;
}

std::string equal(std::string_view attr, std::string_view value) { return item(attr, "=", escape(value)); }
std::string approx(std::string_view attr, std::string_view value) { return item(attr, "~=", escape(value)); }
std::string greater_or_equal(std::string_view attr, std::string_view value) { return item(attr, ">=", escape(value)); }
std::string less_or_equal(std::string_view attr, std::string_view value) { return item(attr, "<=", escape(value)); }
std::string present(std::string_view attr) { return item(attr, "=", "*"); }

std::string substring(std::string_view attr, std::string_view first, const std::vector<std::string>& any,
                      std::string_view last) {
  std::string pattern = escape(first) + "*";
  bool some = !first.empty() || !last.empty();
  for (const auto& part : any) {
    if (part.empty()) continue;
    pattern += escape(part) + "*";
    some = true;
  }
  if (!some) throw std::invalid_argument("a substring filter needs at least one part; use present() for any value");
  return item(attr, "=", pattern + escape(last));
}

std::string all_of(const std::vector<std::string>& filters) { return join('&', filters); }
std::string any_of(const std::vector<std::string>& filters) { return join('|', filters); }

std::string negate(std::string_view filter) {
  if (filter.empty()) throw std::invalid_argument("negate() needs a filter");
  return "(!" + std::string{filter} + ")";
}

}  // namespace understudy::filter
