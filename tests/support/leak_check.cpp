// Counting what /proc says this process holds.
#include "support/leak_check.hpp"

#include "support/free_port.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <system_error>
#include <thread>

namespace understudy::test {
namespace {

namespace fs = std::filesystem;

/// Sanitizers start a thread of their own with the program's first one: it must not be taken for a leak.
void start_sanitizer_thread() {
  std::thread([] {}).join();
}

std::size_t count_threads() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& task : fs::directory_iterator("/proc/self/task")) ++count;
  return count;
}

}  // namespace

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> found;
  for (const auto& item : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // The one that lists the folder, or one that another thread closed meanwhile.
    const std::string what = fs::read_symlink(item.path(), gone);
    const int fd = std::stoi(item.path().filename());
    if (!gone && what.find("/proc/") != 0 && !is_port_reservation(fd)) found[fd] = what;
  }
  return found;
}

resource_counts count_resources() {
  resource_counts counts;
  for (const auto& [fd, what] : open_descriptors()) {
    ++counts.descriptors;
    if (what.compare(0, 7, "socket:") == 0) ++counts.sockets;
  }
  counts.threads = count_threads();
  return counts;
}

resource_baseline::resource_baseline()
    : before_((start_sanitizer_thread(), count_resources())), open_before_(open_descriptors()) {}

std::string resource_baseline::leaked(std::chrono::milliseconds settle) const {
  resource_counts after;
  const auto settled = [&] {
    after = count_resources();
    return after.descriptors <= before_.descriptors && after.threads <= before_.threads;
  };
  if (eventually(settled, settle)) return {};
  std::string text;
  if (after.threads > before_.threads) text += std::to_string(after.threads - before_.threads) + " thread(s) ";
  for (const auto& [fd, what] : open_descriptors()) {
    const auto known = open_before_.find(fd);
    if (known == open_before_.end() || known->second != what) text += std::to_string(fd) + "=" + what + " ";
  }
  return text.empty() ? "something" : text;
}

leak_guard::~leak_guard() {
  const std::string text = leaked();
  BOOST_CHECK_MESSAGE(text.empty(), "left behind: " << text);
}

namespace {

void require(std::vector<std::string>& problems, bool holds, const std::string& otherwise) {
  if (!holds) problems.push_back(otherwise);
}

void add_problems(std::vector<std::string>& problems, const pool_snapshot& pool) {
  require(problems, pool.acquired == pool.released + pool.leased,
          "leases: acquired " + std::to_string(pool.acquired) + ", released " + std::to_string(pool.released) +
              ", leased " + std::to_string(pool.leased));
  require(problems, pool.dispatched >= pool.completed,
          "requests: dispatched " + std::to_string(pool.dispatched) + ", completed " + std::to_string(pool.completed));
}

}  // namespace

std::vector<std::string> lease_problems(const runtime_snapshot& all, bool none_left) {
  std::vector<std::string> problems;
  for (const auto& server : all.servers) {
    const auto& pool = server.pool;
    add_problems(problems, pool);
    if (!none_left) continue;
    require(problems, pool.leased == 0, "leases left: " + std::to_string(pool.leased));
    require(problems, pool.dispatched == pool.completed,
            "requests left: " + std::to_string(pool.dispatched - pool.completed));
  }
  if (none_left)
    require(problems, all.requests_in_flight == 0, "permits left: " + std::to_string(all.requests_in_flight));
  return problems;
}

void check_leases(const pool_snapshot& pool) {
  std::vector<std::string> problems;
  add_problems(problems, pool);
  for (const auto& one : problems) BOOST_ERROR(one);
}

void check_leases(const runtime_snapshot& all, bool none_left) {
  for (const auto& one : lease_problems(all, none_left)) BOOST_ERROR(one);
}

}  // namespace understudy::test
