// Reading and writing BER elements.
#include "support/ber.hpp"

#include <stdexcept>

namespace understudy::test {
namespace {

struct header {
  std::size_t size = 0;     ///< of tag and length
  std::size_t content = 0;  ///< of what follows
};

std::optional<header> read_header(std::string_view bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(bytes[1]);
  if (first < 0x80) return header{2, first};
  const std::size_t digits = first & 0x7fu;
  if (digits == 0 || digits > 4) throw std::runtime_error("BER: unusable length");
  if (bytes.size() < 2 + digits) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < digits; ++i) length = length << 8 | static_cast<std::uint8_t>(bytes[2 + i]);
  return header{2 + digits, length};
}

}  // namespace

std::int64_t ber_item::number() const {
  if (content.empty() || content.size() > 8) throw std::runtime_error("BER: no number");
  std::int64_t value = static_cast<std::int8_t>(content[0]);
  for (std::size_t i = 1; i < content.size(); ++i) value = value * 256 + static_cast<std::uint8_t>(content[i]);
  return value;
}

ber_item ber_reader::next() {
  const auto found = read_header(rest_);
  if (!found || rest_.size() - found->size < found->content) throw std::runtime_error("BER: truncated");
  const ber_item item{peek(), rest_.substr(found->size, found->content)};
  rest_.remove_prefix(found->size + found->content);
  return item;
}

ber_item ber_reader::next(std::uint8_t tag) {
  if (peek() != tag) throw std::runtime_error("BER: unexpected element");
  return next();
}

std::optional<std::size_t> ber_size(std::string_view bytes) {
  const auto found = read_header(bytes);
  if (!found) return std::nullopt;
  return found->size + found->content;
}

std::string ber(std::uint8_t tag, std::string_view content) {
  std::string bytes(1, static_cast<char>(tag));
  if (content.size() < 0x80) {
    bytes += static_cast<char>(content.size());
  } else {
    int digits = 1;
    while (digits < 4 && content.size() >> (8 * digits) != 0) ++digits;
    bytes += static_cast<char>(0x80 | digits);
    for (int i = digits - 1; i >= 0; --i) bytes += static_cast<char>(content.size() >> (8 * i) & 0xff);
  }
  return bytes.append(content);
}

std::string ber_number(std::uint8_t tag, std::int64_t value) {
  int digits = 1;
  while (digits < 8 && (value >> (8 * digits - 1)) != 0 && (value >> (8 * digits - 1)) != -1) ++digits;
  std::string content;
  for (int i = digits - 1; i >= 0; --i) content += static_cast<char>(value >> (8 * i) & 0xff);
  return ber(tag, content);
}

}  // namespace understudy::test
