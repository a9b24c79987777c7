// Small pools, log lines, leases.
#include "scenarios/pool_rig.hpp"

#include <algorithm>

namespace understudy::test {

using namespace internal;

settings one_pool(std::uint16_t port, int min, int max) {
  auto server = server_at(port);
  server.pool_size = min;
  server.max_pool_size = max;
  return quick_settings({server});
}

pool_snapshot pool_at(const connection_manager& manager, std::uint16_t port) {
  return server_in(manager.snapshot(), port).pool;
}

bool at_rest(const connection_manager& manager, std::uint16_t port, std::uint32_t connections) {
  return eventually([&] {
    const auto now = pool_at(manager, port).now;
    return now.idle >= connections && now.in_use == 0 && now.connecting == 0;
  });
}

std::uint64_t last_bound_as(const stub_directory& server, const std::string& dn) {
  const auto binds = server.binds();
  const auto last = std::find_if(binds.rbegin(), binds.rend(), [&](const bind_note& b) { return b.dn == dn; });
  return last == binds.rend() ? 0 : last->connection;
}

std::function<void(log_level, const std::string&)> log_lines::sink() {
  return [this](log_level, const std::string& line) {
    const std::lock_guard lock(guard_);
    lines_.push_back(line);
  };
}

std::uint64_t log_lines::count(const std::string& text) const {
  const std::lock_guard lock(guard_);
  return static_cast<std::uint64_t>(std::count_if(
      lines_.begin(), lines_.end(), [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

std::vector<lease> lease_all(connection_manager& manager) {
  std::vector<lease> all;
  lease_options at_once;
  at_once.wait = false;
  try {
    for (;;) all.push_back(manager.get_connection(at_once));
  } catch (const pool_exhausted&) {
    return all;
  }
}

std::set<std::uint64_t> pooled_connections(connection_manager& manager, const stub_directory& server,
                                           std::uint32_t count) {
  std::vector<lease> held;
  for (std::uint32_t i = 0; i < count; ++i) held.push_back(manager.get_connection());
  for (auto& one : held) (void)one.whoami();
  std::set<std::uint64_t> those;
  for (const auto& request : server.requests(operation::whoami)) those.insert(request.connection);
  return those;
}

std::string service_identity() { return "dn:" + std::string{admin_dn}; }

}  // namespace understudy::test
