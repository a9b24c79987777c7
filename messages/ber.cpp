// Lengths, contents, and a reader that believes nothing.
#include "understudy/messages/ber.hpp"

namespace understudy {
namespace {

constexpr auto most_octets = ber_cursor::most_octets;

std::string big_endian(std::uint64_t value, std::size_t octets) {
  std::string out(octets, '\0');
  for (std::size_t i = octets; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xff);
  return out;
}

}  // namespace

std::string ber_element(std::uint8_t tag, std::string_view content) {
  std::string out(1, static_cast<char>(tag));
  if (content.size() < 0x80) {
    out.push_back(static_cast<char>(content.size()));
  } else {
    std::size_t octets = 1;
    while (octets < most_octets && content.size() >> (8 * octets) != 0) ++octets;
    out.push_back(static_cast<char>(0x80 | octets));
    out += big_endian(content.size(), octets);
  }
  return out.append(content);
}

std::string ber_integer(std::int64_t value, std::uint8_t tag) {
  std::size_t octets = 1;
  // The sign must survive: all bits above the content equal its first one.
  while (octets < most_octets && value >> (8 * octets - 1) != (value < 0 ? -1 : 0)) ++octets;
  return ber_element(tag, big_endian(static_cast<std::uint64_t>(value), octets));
}

std::optional<std::int64_t> ber_cursor::integer(std::uint8_t tag) noexcept {
  std::string_view content;
  if (!take(tag, content)) return std::nullopt;
  if (content.empty() || content.size() > most_octets) {
    fail();
    return std::nullopt;
  }
  std::uint64_t value = (octet(content, 0) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < content.size(); ++i) value = value << 8 | octet(content, i);
  return static_cast<std::int64_t>(value);
}

}  // namespace understudy
