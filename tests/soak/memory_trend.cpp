// Does memory grow? See memory_trend.hpp.
#include "soak/memory_trend.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace understudy::soak {
namespace {

constexpr double tolerated_part = 0.05;
constexpr double tolerated_kib = 4096;

}  // namespace

std::size_t resident_kib() {
  std::size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

std::size_t heap_kib() {
  const auto heap = ::mallinfo2();
  return (heap.uordblks + heap.hblkhd) / 1024;
}

double memory_trend::median_of_quarter(std::size_t quarter) const {
  const auto n = samples_.size();
  std::vector<double> part(samples_.begin() + static_cast<std::ptrdiff_t>(n * quarter / 4),
                           samples_.begin() + static_cast<std::ptrdiff_t>(n * (quarter + 1) / 4));
  if (part.empty()) return 0;
  std::sort(part.begin(), part.end());
  return part[part.size() / 2];
}

double memory_trend::slope() const {
  const auto first = samples_.size() / 4;
  double n = 0, sum_x = 0, sum_y = 0, sum_xy = 0, sum_xx = 0;
  for (auto i = first; i < samples_.size(); ++i) {
    const auto x = static_cast<double>(i);
    n += 1, sum_x += x, sum_y += samples_[i], sum_xy += x * samples_[i], sum_xx += x * x;
  }
  const double spread = n * sum_xx - sum_x * sum_x;
  return spread > 0 ? (n * sum_xy - sum_x * sum_y) / spread : 0;
}

bool memory_trend::flat() const {
  return median_of_quarter(3) <= median_of_quarter(1) * (1 + tolerated_part) + tolerated_kib;
}

}  // namespace understudy::soak
