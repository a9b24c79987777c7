// What scenarios about pools share: settings of one small pool, the log's lines, leases taken all at once.
#pragma once
#include "scenarios/scenario.hpp"

#include <set>

namespace understudy::test {

using namespace internal;

/// One server whose pool keeps `min` connections and has `max` sockets.
settings one_pool(std::uint16_t port, int min, int max);

/// Its pool as the runtime sees it now.
pool_snapshot pool_at(const connection_manager& manager, std::uint16_t port);
/// Waits until that many connections are there and at rest.
bool at_rest(const connection_manager& manager, std::uint16_t port, std::uint32_t connections);
/// The connection on which the server heard `dn` bind last; 0: on none. Others of the pool's may bind meanwhile.
std::uint64_t last_bound_as(const stub_directory& server, const std::string& dn);

/// The log's lines, and whether one of them holds a text.
class log_lines {
 public:
  std::function<void(log_level, const std::string&)> sink();
  std::uint64_t count(const std::string& text) const;
  bool has(const std::string& text) const { return count(text) > 0; }

 private:
  mutable std::mutex guard_;
  std::vector<std::string> lines_;
};

/// Every connection that can be leased without waiting.
std::vector<lease> lease_all(connection_manager& manager);

/// The pool's connections as the server numbers them, found by holding `count` leases at once; the monitor's own is not
/// among them.
std::set<std::uint64_t> pooled_connections(connection_manager& manager, const stub_directory& server,
                                           std::uint32_t count);

/// "dn:…" of the service, as who-am-i tells it.
std::string service_identity();

}  // namespace understudy::test
