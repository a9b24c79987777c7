// Does memory grow? Samples of its size, and the straight line that fits them best.
#pragma once
#include <cstddef>
#include <vector>

namespace understudy::soak {

/// Resident memory of this process in KiB.
std::size_t resident_kib();
/// What of this process's heap is in use, in KiB: a leak shows here however the allocator spreads its pages.
std::size_t heap_kib();

/// Samples taken at even intervals.
class memory_trend {
 public:
  void sample(std::size_t kib) { samples_.push_back(static_cast<double>(kib)); }
  /// Median of the quarter number `quarter` (0 … 3) of the samples, in KiB; 0 without samples.
  double median_of_quarter(std::size_t quarter) const;
  /// Of the samples after the first quarter (warm-up), in KiB a sample.
  double slope() const;
  /// True when the last quarter's median is at most a twentieth and 4 MiB above the second's.
  bool flat() const;

 private:
  std::vector<double> samples_;
};

}  // namespace understudy::soak
