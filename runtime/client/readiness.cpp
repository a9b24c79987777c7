// What a snapshot says of readiness: see readiness.hpp.
#include "understudy/runtime/client/readiness.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

const std::string& last_error_of(const server_snapshot& server) noexcept {
  return server.last_error.empty() ? server.pool.last_error : server.last_error;
}

std::string why_unusable(const server_snapshot& server) {
  const auto& why = last_error_of(server);
  if (server.breaker == breaker_state::suspended) return server_name(server) + ": suspended by command";
  return server_name(server) + ": " + (why.empty() ? "no answer yet" : why);
}

bool has_failed(const server_snapshot& server) {
  return !last_error_of(server).empty() || server.breaker == breaker_state::suspended;
}

std::string why_not_ready(const runtime_snapshot& all, bool draining) {
  const auto& servers = all.servers;
  if (draining) return "draining";
  if (servers.empty()) return "DNS has listed no server yet";
  if (all.credentials_refused) return "the directory refuses the service's own bind";
  if (std::none_of(servers.begin(), servers.end(), has_failed)) return "no server has answered yet";
  return "no server can be used";
}

}  // namespace

bool is_usable(const server_snapshot& server, const runtime_snapshot& all) noexcept {
  // Suspect is a half-open one that has answered since.
  const bool answers_again = server.breaker == breaker_state::half_open && server.state == server_state::suspect;
  const bool let_through = server.breaker == breaker_state::closed || answers_again;
  const bool ready = server.pool.now.idle + server.pool.now.in_use > 0;
  // A pool may be empty for want of work; it serves if what it had came and went without trouble, and may bind again.
  const bool on_demand = server.state == server_state::healthy && server.pool.opened > 0 && !all.credentials_refused;
  return let_through && (ready || on_demand);
}

bool is_usable(const runtime_snapshot& all) noexcept {
  return std::any_of(all.servers.begin(), all.servers.end(),
                     [&](const auto& server) { return !server.global_catalog && is_usable(server, all); });
}

bool is_serving(const server_snapshot& server, const runtime_snapshot& all) noexcept {
  return server.serving && is_usable(server, all);
}

std::optional<int> serving_priority(const runtime_snapshot& all) noexcept {
  std::optional<int> level;
  for (const auto& server : all.servers)
    if (is_serving(server, all)) level = std::min(level.value_or(server.priority), server.priority);
  return level;
}

readiness readiness_of(const runtime_snapshot& all, bool draining) {
  readiness found;
  found.ready = is_usable(all) && !draining;
  const auto& servers = all.servers;
  found.all_failed = !servers.empty() && std::all_of(servers.begin(), servers.end(), has_failed);
  std::vector<std::string> serving, down;
  for (const auto& server : servers) {
    if (is_serving(server, all)) serving.push_back(server_name(server));
    if (!is_usable(server, all)) down.push_back(why_unusable(server));
  }
  if (found.ready) {
    const auto count = std::to_string(servers.size() - down.size()) + " of " + std::to_string(servers.size());
    found.summary = (serving.empty() ? "" : "requests go to " + joined(serving, ", ") + "; ") + count +
                    (servers.size() == 1 ? " server" : " servers") + " can be used";
  } else {
    found.why_not = why_not_ready(all, draining);
    found.summary = found.why_not + (down.empty() || draining ? "" : " (" + joined(down, "; ") + ")");
  }
  return found;
}

std::string readiness_line(const server_snapshot& server, const runtime_snapshot& all) {
  const bool usable = is_usable(server, all);
  auto line = std::string{usable ? "[+] " : "[-] "} + printable(server_name(server)) + ": " +
              std::string{state_name(server)} + ", breaker " + std::string{to_string(server.breaker)} +
              (is_serving(server, all) ? ", serving" : "");
  const auto& error = last_error_of(server);
  if (!usable && !error.empty()) line += " (" + printable(error) + ")";
  return line;
}

}  // namespace understudy::internal
