// Just enough BER (RFC 4511, 5.1: definite lengths, short tags) to play a directory, independent of the library under
// test.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::test {

/// One element: its tag byte and its content.
struct ber_item {
  std::uint8_t tag = 0;
  std::string_view content;

  std::int64_t number() const;
  std::string text() const { return std::string{content}; }
};

/// Reads elements one after the other; throws std::runtime_error where they do not make sense.
class ber_reader {
 public:
  explicit ber_reader(std::string_view bytes) : rest_(bytes) {}
  explicit ber_reader(const ber_item& item) : rest_(item.content) {}

  bool empty() const { return rest_.empty(); }
  /// The tag of the next element; 0 at the end.
  std::uint8_t peek() const { return rest_.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(rest_[0]); }
  ber_item next();
  /// The next element, which must have that tag.
  ber_item next(std::uint8_t tag);

 private:
  std::string_view rest_;
};

/// The size of the element that `bytes` begins with; nothing while its header is incomplete. Throws std::runtime_error
/// on an indefinite or absurd length.
std::optional<std::size_t> ber_size(std::string_view bytes);

/// An element of that tag and content.
std::string ber(std::uint8_t tag, std::string_view content);
std::string ber_number(std::uint8_t tag, std::int64_t value);

/// Universal tags, and the constructed sequence and set.
namespace ber_tag {
inline constexpr std::uint8_t boolean = 0x01, integer = 0x02, octets = 0x04, enumerated = 0x0a, sequence = 0x30,
                              set = 0x31;
}

}  // namespace understudy::test
