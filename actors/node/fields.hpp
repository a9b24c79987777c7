// Numbered fields in BER, as frames between nodes are made of: what a reader does not know it passes over.
#pragma once
#include "understudy/messages/ber_writer.hpp"
#include "understudy/messages/time.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::internal {

/// Appends fields, numbers 0 to 30, each under its context-specific tag (X.690, 8.1.2.2).
class field_writer {
 public:
  explicit field_writer(std::string& out) noexcept : out_(out) {}

  void bytes(std::uint8_t number, std::string_view content) { ber_writer{out_}.octets(content, tag_of(number)); }
  /// Left out when it is empty.
  void text(std::uint8_t number, std::string_view content) {
    if (!content.empty()) bytes(number, content);
  }
  /// Also when it is 0.
  void always(std::uint8_t number, std::int64_t value) { out_ += ber_integer(value, tag_of(number)); }
  /// Left out when it is 0.
  void number(std::uint8_t number, std::int64_t value) {
    if (value != 0) always(number, value);
  }
  /// Numbers of ours; those that 63 bits do not hold do not occur.
  void count(std::uint8_t number, std::uint64_t value) { this->number(number, static_cast<std::int64_t>(value)); }
  void span(std::uint8_t number, duration value) { this->number(number, value.count()); }
  void flag(std::uint8_t number, bool value) { this->number(number, value ? 1 : 0); }
  void moment(std::uint8_t number, wall_time value) {
    always(number, std::chrono::duration_cast<milliseconds>(value.time_since_epoch()).count());
  }
  /// A field of fields, which `fill` writes.
  template <class Fill>
  void group(std::uint8_t number, Fill fill) {
    ber_writer to{out_};
    const auto begin = to.open(tag_of(number));
    fill(*this);
    to.close(begin);
  }

 private:
  static std::uint8_t tag_of(std::uint8_t number) noexcept { return static_cast<std::uint8_t>(0x80 | number); }

  std::string& out_;
};

/// Reads fields one after the other from bytes that may be anything. What it gives refers to them.
class field_reader {
 public:
  explicit field_reader(std::string_view bytes) noexcept : rest_(bytes) {}

  /// Moves to the next field; false at the end, and when what follows is none (then broken()).
  bool next() noexcept {
    const auto tag = rest_.peek();
    if (rest_.finished() || (tag & 0xe0) != 0x80 || (tag & 0x1f) == 0x1f) {
      broken_ = broken_ || !rest_.finished();
      return false;
    }
    number_ = tag & 0x1f;
    if (!rest_.take(tag, content_)) broken_ = true;
    return !broken_;
  }
  std::uint8_t number() const noexcept { return number_; }
  std::string_view content() const noexcept { return content_; }
  std::string text() const { return std::string{content_}; }
  /// Of the field in hand; broken() when it is no number between these.
  std::int64_t integer(std::int64_t least, std::int64_t most) noexcept {
    const auto value = read_ber_integer(content_);
    if (!value || *value < least || *value > most) broken_ = true;
    return std::clamp(value.value_or(least), least, most);
  }
  std::uint64_t count(std::int64_t most = INT64_MAX) noexcept { return static_cast<std::uint64_t>(integer(0, most)); }
  std::uint32_t count32() noexcept { return static_cast<std::uint32_t>(integer(0, UINT32_MAX)); }
  bool flag() noexcept { return integer(0, 1) != 0; }
  /// Until the year 2248.
  wall_time moment() noexcept { return wall_time{milliseconds{integer(0, std::int64_t{1} << 43)}}; }
  duration span() noexcept { return duration{integer(INT64_MIN, INT64_MAX)}; }
  milliseconds limit() noexcept {
    return milliseconds{integer(0, std::chrono::duration_cast<milliseconds>(longest_wait).count())};
  }
  /// A value of an enumeration that counts from 0 to `last`.
  template <class Enum>
  Enum one_up_to(Enum last) noexcept {
    return static_cast<Enum>(integer(0, static_cast<std::int64_t>(last)));
  }
  /// One more for a list, of which a hostile peer could make as many as it has bytes.
  template <class T>
  T& one_more(std::vector<T>& list) {
    if (list.size() >= most_items) {
      broken_ = true;
      list.pop_back();
    }
    return list.emplace_back();
  }
  /// What is inside of the field in hand was not as it should be.
  void note(bool good) noexcept { broken_ = broken_ || !good; }
  /// True when everything so far made sense.
  bool good() const noexcept { return !broken_; }

 private:
  static constexpr std::size_t most_items = 4096;

  ber_cursor rest_;
  std::string_view content_;
  std::uint8_t number_ = 0;
  bool broken_ = false;
};

}  // namespace understudy::internal
