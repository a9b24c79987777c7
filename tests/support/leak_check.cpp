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

leak_guard::leak_guard(std::chrono::milliseconds settle)
    : settle_(settle), before_((start_sanitizer_thread(), count_resources())), open_before_(open_descriptors()) {}

leak_guard::~leak_guard() {
  const std::string text = leaked();
  BOOST_CHECK_MESSAGE(text.empty(), "left behind: " << text);
}

std::string leak_guard::leaked() const {
  resource_counts after;
  const auto settled = [&] {
    after = count_resources();
    return after.descriptors <= before_.descriptors && after.threads <= before_.threads;
  };
  if (eventually(settled, settle_)) return {};
  std::string text;
  if (after.threads > before_.threads) text += std::to_string(after.threads - before_.threads) + " thread(s) ";
  for (const auto& [fd, what] : open_descriptors()) {
    const auto known = open_before_.find(fd);
    if (known == open_before_.end() || known->second != what) text += std::to_string(fd) + "=" + what + " ";
  }
  return text.empty() ? "something" : text;
}

void check_leases(const pool_snapshot& pool) {
  BOOST_CHECK_MESSAGE(pool.acquired == pool.released + pool.leased, "leases: acquired "
                                                                        << pool.acquired << ", released "
                                                                        << pool.released << ", leased " << pool.leased);
  BOOST_CHECK_MESSAGE(pool.dispatched >= pool.completed,
                      "requests: dispatched " << pool.dispatched << ", completed " << pool.completed);
}

void check_leases(const runtime_snapshot& all, bool none_left) {
  for (const auto& server : all.servers) {
    check_leases(server.pool);
    if (!none_left) continue;
    BOOST_CHECK_MESSAGE(server.pool.leased == 0, "leases left: " << server.pool.leased);
    BOOST_CHECK_MESSAGE(server.pool.dispatched == server.pool.completed,
                        "requests left: " << server.pool.dispatched - server.pool.completed);
  }
  if (none_left) BOOST_CHECK_MESSAGE(all.requests_in_flight == 0, "permits left: " << all.requests_in_flight);
}

}  // namespace understudy::test
