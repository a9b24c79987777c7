// Arguments to settings.
#include "our_settings.hpp"

#include "measure.hpp"

#include <sstream>

namespace understudy::benchmark {

using namespace internal;

settings settings_from(const arguments& given) {
  settings all;
  std::istringstream ports(given.text("port"));
  const bool equal = given.number("equal", 1) != 0;
  for (std::string port; std::getline(ports, port, ',');) {
    connection_info one;
    one.host = "127.0.0.1";
    one.port = static_cast<std::uint16_t>(std::stoi(port));
    one.bind_dn = service_dn;
    one.password = secret{service_password};
    one.use_ssl = given.number("tls", 0) != 0;
    if (one.use_ssl) one.ca_cert_path = given.text("ca");
    one.priority = equal ? 1 : static_cast<int>(all.servers.size()) + 1;
    all.servers.push_back(std::move(one));
  }
  const int connections = given.number("connections", 1);
  // One more socket than that for the health monitor's probe, and the binds' own.
  all.pool.bind_connections = given.number("bind_connections", 1);
  all.pool.min_connections = connections;
  all.pool.max_connections = connections + 2 + all.pool.bind_connections;
  all.pool.preload_connections = true;
  all.pool.max_in_flight = given.number("max_in_flight", 10000);
  all.pool.max_waiters = 100000;
  all.pool.max_connecting = given.number("connecting", 64);
  all.limits.max_requests = 100000;
  all.limits.max_result_bytes = std::int64_t{256} * 1024 * 1024;
  all.log.level = log_level::error;
  return all;
}

}  // namespace understudy::benchmark
