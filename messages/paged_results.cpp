// realSearchControlValue of RFC 2696, section 2.
#include "understudy/messages/paged_results.hpp"

#include "understudy/messages/ber.hpp"

#include <limits>

namespace understudy::internal {

std::string encode_paged_results(const paged_results& value) {
  return ber_element(ber_tag::sequence, ber_integer(value.size) + ber_octets(value.cookie));
}

std::optional<paged_results> decode_paged_results(std::string_view value) {
  ber_cursor whole{value};
  const auto content = whole.element(ber_tag::sequence);
  if (!content || !whole.finished()) return std::nullopt;
  ber_cursor parts{*content};
  const auto size = parts.integer();
  const auto cookie = parts.element(ber_tag::octet_string);
  if (!size || !cookie || !parts.finished()) return std::nullopt;
  if (*size < 0 || *size > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  return paged_results{static_cast<std::int32_t>(*size), std::string{*cookie}};
}

control paged_results_control(const paged_results& value, bool critical) {
  return {std::string{paged_results_oid}, critical, encode_paged_results(value)};
}

}  // namespace understudy::internal
