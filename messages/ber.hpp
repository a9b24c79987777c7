// Just enough BER to build and read the values of controls and extended operations (RFC 4511, 5.1).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy {

/// Tags of universal types, as they stand on the wire. Others: 0x80 + N for a primitive [N], 0xa0 + N for a constructed
/// one, 0x60 + N for [APPLICATION N].
namespace ber_tag {
///@{
/// The tag of that type.
inline constexpr std::uint8_t boolean = 0x01, integer = 0x02, octet_string = 0x04, enumerated = 0x0a, sequence = 0x30,
                              set = 0x31;
///@}
}  // namespace ber_tag

/// One element: tag, definite length, content. The content of a constructed one is its elements, one after the other.
std::string ber_element(std::uint8_t tag, std::string_view content);
/// An OCTET STRING, or what is one under another tag. Binary-safe.
inline std::string ber_octets(std::string_view text, std::uint8_t tag = ber_tag::octet_string) {
  return ber_element(tag, text);
}
/// An INTEGER, or what is one under another tag, in as few octets as it takes.
std::string ber_integer(std::int64_t value, std::uint8_t tag = ber_tag::integer);

/// The length that stands in front of an element's content (X.690, 8.1.3).
struct ber_length {
  /// Whether all of it is there.
  enum class status : std::uint8_t { partial, complete, malformed };
  status state = status::partial;  ///< partial: there are too few bytes to tell
  std::size_t octets = 0;          ///< it takes itself
  std::size_t content = 0;         ///< octets of content that follow
};

/// A length in the long form at the beginning of `bytes`.
ber_length read_long_ber_length(std::string_view bytes) noexcept;
/// The length at the beginning of `bytes`. Definite forms only (RFC 4511, 5.1); the long one may have more octets than
/// it needs (X.690, 8.1.3.5). One that no memory could hold is malformed.
inline ber_length read_ber_length(std::string_view bytes) noexcept {
  if (bytes.empty()) return {};
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  return first < 0x80 ? ber_length{ber_length::status::complete, 1, first} : read_long_ber_length(bytes);
}

/// True when the content of an INTEGER or ENUMERATED is in as few octets as it takes, as X.690, 8.3.2, has it.
inline bool is_shortest_integer(std::string_view content) noexcept {
  if (content.size() < 2) return content.size() == 1;
  const auto first = static_cast<std::uint8_t>(content[0]);
  const bool negative = (static_cast<std::uint8_t>(content[1]) & 0x80) != 0;
  return first != (negative ? 0xff : 0x00);
}

/// The value of an INTEGER or ENUMERATED by its content: at most eight octets, and no more than it takes.
std::optional<std::int64_t> read_ber_integer(std::string_view content) noexcept;

/// Reads elements one after the other from bytes that may be anything: what does not make sense is "nothing", and from
/// then on everything is. The bytes must outlive it and what it returned.
class ber_cursor {
 public:
  /// Of an integer.
  static constexpr std::size_t most_octets = 8;

  /// At the first element of `bytes`.
  explicit ber_cursor(std::string_view bytes) noexcept : rest_(bytes) {}

  /// Moves the next element's content to `content` when its tag is `tag`. Definite lengths only.
  bool take(std::uint8_t tag, std::string_view& content) noexcept {
    if (rest_.size() < 2 || octet(rest_, 0) != tag) return fail();
    std::size_t header = 2, length = octet(rest_, 1);
    if (length >= 0x80 && !long_length(1, header, length)) return false;
    if (length > rest_.size() - header) return fail();
    content = {rest_.data() + header, length};
    rest_.remove_prefix(header + length);
    return true;
  }
  /// Moves over the next element, whatever it is.
  bool skip() noexcept;
  /// The same, as a value.
  std::optional<std::string_view> element(std::uint8_t tag) noexcept {
    std::string_view content;
    return take(tag, content) ? std::optional{content} : std::nullopt;
  }
  /// The next element's value when it is an integer of at most eight octets under that tag, and no more than it takes.
  std::optional<std::int64_t> integer(std::uint8_t tag = ber_tag::integer) noexcept;
  /// The tag of the next element; 0 at the end.
  std::uint8_t peek() const noexcept { return rest_.empty() ? std::uint8_t{0} : octet(rest_, 0); }
  /// True when everything was read and made sense.
  bool finished() const noexcept { return !broken_ && rest_.empty(); }

 private:
  static std::uint8_t octet(std::string_view bytes, std::size_t i) noexcept {
    return static_cast<std::uint8_t>(bytes[i]);
  }
  /// The length at `at` in the long form; the element's content begins at `header`.
  bool long_length(std::size_t at, std::size_t& header, std::size_t& length) noexcept;
  bool fail() noexcept {
    broken_ = true;
    rest_ = {};
    return false;
  }

  std::string_view rest_;
  bool broken_ = false;
};

}  // namespace understudy
