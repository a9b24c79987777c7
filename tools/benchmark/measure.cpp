// getrusage and arithmetic.
#include "measure.hpp"

#include <sys/resource.h>
#include <unistd.h>
#include <cstdio>
#include <fstream>
#include <thread>

namespace understudy::benchmark {

using namespace internal;
namespace {

double seconds_of(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }
double microseconds_of(duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

}  // namespace

usage usage::now() {
  rusage r{};
  getrusage(RUSAGE_SELF, &r);
  usage u;
  u.cpu_seconds = seconds_of(r.ru_utime) + seconds_of(r.ru_stime);
  u.voluntary = r.ru_nvcsw;
  u.involuntary = r.ru_nivcsw;
  std::ifstream statm("/proc/self/statm");
  long total = 0, resident = 0;
  if (statm >> total >> resident) u.resident_kib = resident * (sysconf(_SC_PAGESIZE) / 1024);
  return u;
}

void meter::start() {
  before_ = usage::now();
  began_ = clock::now();
  measuring_ = true;
}

void meter::stop() {
  measuring_ = false;
  ended_ = clock::now();
  after_ = usage::now();
  over_ = true;
}

void meter::run(double warm_up_seconds, double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(warm_up_seconds));
  start();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop();
}

void meter::print(const std::string& more) const {
  const auto count = static_cast<double>(latency_.count());
  const double seconds = std::chrono::duration<double>(ended_ - began_).count();
  const double each = count > 0 ? count : 1;
  std::printf(
      "{\"operations\": %.0f, \"failures\": %llu, \"seconds\": %.4f, \"ops_per_second\": %.1f, \"p50_us\": %.1f, "
      "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"cpu_us\": %.3f, \"switches\": %.4f, \"rss_kib\": "
      "%ld%s%s}\n",
      count, static_cast<unsigned long long>(failures_.load()), seconds, seconds > 0 ? count / seconds : 0,
      microseconds_of(latency_.percentile(0.5)), microseconds_of(latency_.percentile(0.99)),
      microseconds_of(latency_.percentile(0.999)), microseconds_of(latency_.max()),
      (after_.cpu_seconds - before_.cpu_seconds) / each * 1e6,
      static_cast<double>(after_.voluntary - before_.voluntary + after_.involuntary - before_.involuntary) / each,
      after_.resident_kib, more.empty() ? "" : ", ", more.c_str());
  std::fflush(stdout);
}

int scattered_user(std::uint64_t turn) { return static_cast<int>(turn * 7919 % 10000); }
std::string scattered_filter(std::uint64_t turn) { return "(uid=user" + std::to_string(scattered_user(turn)) + ")"; }

}  // namespace understudy::benchmark
