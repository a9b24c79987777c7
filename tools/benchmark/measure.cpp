// getrusage and arithmetic.
#include "measure.hpp"

#include <sys/resource.h>
#include <unistd.h>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

namespace understudy::benchmark {

using namespace internal;
namespace {

double seconds_of(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }
double microseconds_of(duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

long resident_kib_of(const std::string& process) {
  std::ifstream statm("/proc/" + process + "/statm");
  long total = 0, resident = 0;
  return statm >> total >> resident ? resident * (sysconf(_SC_PAGESIZE) / 1024) : 0;
}

}  // namespace

usage usage::now() {
  rusage r{};
  getrusage(RUSAGE_SELF, &r);
  usage u;
  u.cpu_seconds = seconds_of(r.ru_utime) + seconds_of(r.ru_stime);
  u.voluntary = r.ru_nvcsw;
  u.involuntary = r.ru_nivcsw;
  u.resident_kib = resident_kib_of("self");
  return u;
}

usage usage::of(int pid) {
  usage u;
  const auto process = std::to_string(pid);
  // Nanoseconds on a processor, of each thread; the times of /proc/PID/stat are hundredths of a second.
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + process + "/task", gone)) {
    std::ifstream schedstat(thread.path() / "schedstat");
    double nanoseconds = 0;
    if (schedstat >> nanoseconds) u.cpu_seconds += nanoseconds / 1e9;
  }
  u.resident_kib = resident_kib_of(process);
  return u;
}

void meter::start() {
  before_ = usage::now();
  if (watched_ != 0) watched_before_ = usage::of(watched_);
  began_ = clock::now();
  measuring_ = true;
}

void meter::stop() {
  measuring_ = false;
  ended_ = clock::now();
  after_ = usage::now();
  if (watched_ != 0) watched_after_ = usage::of(watched_);
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
      "%ld",
      count, static_cast<unsigned long long>(failures_.load()), seconds, seconds > 0 ? count / seconds : 0,
      microseconds_of(latency_.percentile(0.5)), microseconds_of(latency_.percentile(0.99)),
      microseconds_of(latency_.percentile(0.999)), microseconds_of(latency_.max()),
      (after_.cpu_seconds - before_.cpu_seconds) / each * 1e6,
      static_cast<double>(after_.voluntary - before_.voluntary + after_.involuntary - before_.involuntary) / each,
      after_.resident_kib);
  if (watched_ != 0)
    std::printf(", \"between_cpu_us\": %.3f, \"between_rss_kib\": %ld",
                (watched_after_.cpu_seconds - watched_before_.cpu_seconds) / each * 1e6, watched_after_.resident_kib);
  std::printf("%s%s}\n", more.empty() ? "" : ", ", more.c_str());
  std::fflush(stdout);
}

int scattered_user(std::uint64_t turn) { return static_cast<int>(turn * 7919 % 10000); }
std::string scattered_filter(std::uint64_t turn) { return "(uid=user" + std::to_string(scattered_user(turn)) + ")"; }

}  // namespace understudy::benchmark
