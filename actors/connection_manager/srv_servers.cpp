// SRV records as servers: see srv_servers.hpp.
#include "understudy/actors/connection_manager/srv_servers.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace understudy::internal {
namespace {

std::string why_unusable(const service_record& r) {
  if (r.port == 0) return "its port is 0";
  const auto host = plain_target(r.target);
  const auto wrong = config::check_host(host);
  // A path would be taken for a socket on this machine.
  return wrong.empty() && host.front() == '/' ? "must be a host name" : wrong;
}

}  // namespace

std::string plain_target(const std::string& host) {
  std::string plain = host;
  if (!plain.empty() && plain.back() == '.') plain.pop_back();
  return ascii_lower(std::move(plain));
}

srv_servers servers_of(const connection_info& pattern, std::vector<service_record> records) {
  srv_servers found;
  std::sort(records.begin(), records.end(), [](const service_record& a, const service_record& b) {
    return std::tie(a.priority, b.weight, a.target, a.port) < std::tie(b.priority, a.weight, b.target, b.port);
  });
  std::set<std::string> places;
  for (const auto& r : records) {
    if (r.target == ".") continue;
    const auto written = r.target + ":" + std::to_string(r.port);
    if (const auto wrong = why_unusable(r); !wrong.empty()) {
      found.ignored.push_back(written + ": " + wrong);
      continue;
    }
    connection_info server = pattern;
    server.srv.clear();
    server.host = plain_target(r.target);
    server.port = r.port;
    server.priority = r.priority;
    server.weight = r.weight;
    if (!places.insert(server_key(server)).second) continue;
    if (found.servers.size() >= most_srv_servers) {
      found.ignored.push_back(written + ": only " + std::to_string(most_srv_servers) + " servers are used");
      continue;
    }
    found.servers.push_back(std::move(server));
  }
  return found;
}

}  // namespace understudy::internal
