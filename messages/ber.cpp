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

ber_length read_long_ber_length(std::string_view bytes) noexcept {
  const std::size_t octets = static_cast<std::uint8_t>(bytes[0]) & 0x7f;
  // The indefinite form, and what is reserved for extensions.
  if (octets == 0 || octets == 0x7f) return {ber_length::status::malformed, 0, 0};
  if (bytes.size() < 1 + octets) return {};
  std::size_t length = 0;
  for (std::size_t i = 1; i <= octets; ++i) {
    if (length >> (8 * (sizeof length - 1)) != 0) return {ber_length::status::malformed, 0, 0};
    length = length << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  return {ber_length::status::complete, 1 + octets, length};
}

std::optional<std::int64_t> read_ber_integer(std::string_view content) noexcept {
  if (content.size() > most_octets || !is_shortest_integer(content)) return std::nullopt;
  std::uint64_t value = (static_cast<std::uint8_t>(content[0]) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const char octet : content) value = value << 8 | static_cast<std::uint8_t>(octet);
  return static_cast<std::int64_t>(value);
}

bool ber_cursor::long_length(std::size_t at, std::size_t& header, std::size_t& length) noexcept {
  const auto read = read_ber_length(rest_.substr(at));
  if (read.state != ber_length::status::complete) return fail();
  header = at + read.octets;
  length = read.content;
  return true;
}

bool ber_cursor::skip() noexcept {
  if (rest_.size() < 2) return fail();
  std::size_t at = 1;
  // A tag of several octets (X.690, 8.1.2.4).
  if ((octet(rest_, 0) & 0x1f) == 0x1f) {
    while (at < rest_.size() && (octet(rest_, at) & 0x80) != 0) ++at;
    if (++at >= rest_.size()) return fail();
  }
  std::size_t header = 0, length = 0;
  if (!long_length(at, header, length) || length > rest_.size() - header) return fail();
  rest_.remove_prefix(header + length);
  return true;
}

std::optional<std::int64_t> ber_cursor::integer(std::uint8_t tag) noexcept {
  std::string_view content;
  if (!take(tag, content)) return std::nullopt;
  const auto value = read_ber_integer(content);
  if (!value) fail();
  return value;
}

}  // namespace understudy
