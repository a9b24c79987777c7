// Digits in groups of two, a fraction, a zone: see generalized_time.hpp.
#include "understudy/messages/generalized_time.hpp"

namespace understudy::internal {
namespace {

bool is_decimal(char c) noexcept { return c >= '0' && c <= '9'; }

/// Takes `count` digits as a number.
std::optional<int> take(std::string_view& text, std::size_t count) noexcept {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_decimal(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

/// Of `unit`; zero when there is none.
std::optional<std::chrono::microseconds> take_fraction(std::string_view& text,
                                                       std::chrono::microseconds unit) noexcept {
  std::chrono::microseconds sum{};
  if (text.empty() || (text.front() != '.' && text.front() != ',')) return sum;
  text.remove_prefix(1);
  if (text.empty() || !is_decimal(text.front())) return std::nullopt;
  for (auto part = unit / 10; !text.empty() && is_decimal(text.front()); part /= 10) {
    sum += part * (text.front() - '0');
    text.remove_prefix(1);
  }
  return sum;
}

/// East of Greenwich; nothing when what is left is no zone.
std::optional<std::chrono::minutes> zone_of(std::string_view text) noexcept {
  if (text == "Z") return std::chrono::minutes{0};
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '+' ? 1 : -1;
  text.remove_prefix(1);
  const auto hours = take(text, 2);
  const auto minutes = text.empty() ? std::optional{0} : take(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59 || !text.empty()) return std::nullopt;
  return std::chrono::minutes{sign * (*hours * 60 + *minutes)};
}

}  // namespace

std::optional<wall_time> generalized_time(std::string_view text) noexcept {
  using namespace std::chrono;
  const auto year_part = take(text, 4), month_part = take(text, 2), day_part = take(text, 2), hour = take(text, 2);
  if (!year_part || !month_part || !day_part || !hour || *hour > 23) return std::nullopt;
  const year_month_day day{year{*year_part}, month{static_cast<unsigned>(*month_part)},
                           std::chrono::day{static_cast<unsigned>(*day_part)}};
  if (!day.ok()) return std::nullopt;
  int minute = 0, second = 0;
  microseconds unit = hours{1};
  if (!text.empty() && is_decimal(text.front())) {
    const auto given = take(text, 2);
    if (!given || *given > 59) return std::nullopt;
    minute = *given;
    unit = minutes{1};
    if (!text.empty() && is_decimal(text.front())) {
      const auto more = take(text, 2);
      if (!more || *more > 60) return std::nullopt;  // a leap second
      second = *more;
      unit = std::chrono::seconds{1};
    }
  }
  const auto fraction = take_fraction(text, unit);
  const auto zone = zone_of(text);
  if (!fraction || !zone) return std::nullopt;
  return wall_time{sys_days{day} + hours{*hour} + minutes{minute} + std::chrono::seconds{second} + *fraction - *zone};
}

}  // namespace understudy::internal
