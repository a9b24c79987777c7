// What a test must leave as it found it: descriptors, sockets, threads, leases.
#pragma once
#include "support/eventually.hpp"
#include "understudy/messages/snapshot.hpp"

#include <map>
#include <string>
#include <vector>

namespace understudy::test {

/// What this process holds now. Reserved ports (free_port.hpp) do not count.
struct resource_counts {
  std::size_t descriptors = 0;  ///< open ones of every kind
  std::size_t sockets = 0;      ///< of those, sockets
  std::size_t threads = 0;
};
resource_counts count_resources();

/// Every open descriptor and what it is ("socket:[4711]", "/tmp/x" …), for messages.
std::map<int, std::string> open_descriptors();

/// What the process holds at one moment, to hold a later one against.
class resource_baseline {
 public:
  resource_baseline();
  /// What is held beyond it, as text; empty when nothing is. What ends on its own gets `settle` for it.
  std::string leaked(std::chrono::milliseconds settle = patience) const;

 private:
  resource_counts before_;
  std::map<int, std::string> open_before_;
};

/// Fails the test when, at its end, the process holds more than at its beginning. What ends on its own gets `settle`
/// for it.
class leak_guard {
 public:
  explicit leak_guard(std::chrono::milliseconds settle = patience) : settle_(settle) {}
  ~leak_guard();
  leak_guard(const leak_guard&) = delete;
  leak_guard& operator=(const leak_guard&) = delete;

  /// What is held beyond the beginning, as text; empty when nothing is. Waits.
  std::string leaked() const { return before_.leaked(settle_); }

 private:
  std::chrono::milliseconds settle_;
  resource_baseline before_;
};

/// What does not add up: leases (acquired == released + leased), requests dispatched and completed; when `none_left`,
/// leases that are out and requests in flight too. A sentence each.
std::vector<std::string> lease_problems(const runtime_snapshot& all, bool none_left = false);

/// Checks that every lease is accounted for: acquired == released + leased.
void check_leases(const pool_snapshot& pool);
/// The same for every server; and, when `none_left`, that no lease is out and no request in flight.
void check_leases(const runtime_snapshot& all, bool none_left = false);

}  // namespace understudy::test
