// BER as it is written to the end of a string, without a copy of what is inside.
#pragma once
#include "understudy/messages/ber.hpp"

#include <algorithm>

namespace understudy::internal {

/// Writes elements; those with others inside get their length when they are closed.
class ber_writer {
 public:
  explicit ber_writer(std::string& out) : out_(out) {}

  /// Where its contents begin.
  std::size_t open(std::uint8_t tag) {
    const char head[] = {static_cast<char>(tag), 0};
    out_.append(head, sizeof head);
    return out_.size();
  }
  void close(std::size_t begin) {
    const auto size = out_.size() - begin;
    if (size < 0x80) {
      out_[begin - 1] = static_cast<char>(size);
      return;
    }
    char digits[sizeof size];
    std::size_t n = 0;
    for (auto left = size; left != 0; left >>= 8) digits[n++] = static_cast<char>(left);
    std::reverse(digits, digits + n);
    out_[begin - 1] = static_cast<char>(0x80 | n);
    out_.insert(begin, digits, n);
  }
  void octets(std::string_view bytes, std::uint8_t tag = ber_tag::octet_string) {
    // Most are short, and every search has several: their heads are written at once.
    if (bytes.size() >= 0x80) {
      const auto at = open(tag);
      out_.append(bytes);
      return close(at);
    }
    const char head[] = {static_cast<char>(tag), static_cast<char>(bytes.size())};
    out_.append(head, sizeof head).append(bytes);
  }
  /// Not negative.
  void integer(std::int32_t value, std::uint8_t tag = ber_tag::integer) {
    char bytes[2 + sizeof value];
    std::size_t size = 2;
    int shift = 24;
    // The shortest form whose first bit is 0.
    while (shift > 0 && value >> (shift - 1) == 0) shift -= 8;
    for (; shift >= 0; shift -= 8) bytes[size++] = static_cast<char>(value >> shift);
    bytes[0] = static_cast<char>(tag);
    bytes[1] = static_cast<char>(size - 2);
    out_.append(bytes, size);
  }
  void boolean(bool value) { octets(std::string_view{value ? "\xff" : "\0", 1}, ber_tag::boolean); }
  void raw(char byte) { out_.push_back(byte); }

 private:
  std::string& out_;
};

}  // namespace understudy::internal
