// The text format in which Prometheus reads metrics (exposition format 0.0.4).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::internal {

/// Writes families one after the other, and the samples of each behind it. Pure.
class prometheus_writer {
 public:
  enum class type : std::uint8_t { counter, gauge, histogram };
  using labels = std::vector<std::pair<std::string_view, std::string>>;

  /// What follows belongs to it. `help`: one sentence. A counter's name ends with _total.
  void family(std::string_view name, type kind, std::string_view help);
  void sample(const labels& of, std::uint64_t value);
  void sample(const labels& of, double value);
  void sample(std::uint64_t value) { sample({}, value); }
  /// `at_most`: how many were no more than `bounds` (in the metric's unit) has at the same index.
  void histogram(std::span<const double> bounds, std::span<const std::uint64_t> at_most, std::uint64_t count,
                 double sum);

  std::string take() { return std::exchange(text_, {}); }

 private:
  void line(std::string_view suffix, const labels& of, std::string_view value);

  std::string text_;
  std::string name_;
};

}  // namespace understudy::internal
