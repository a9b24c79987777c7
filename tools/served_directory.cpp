// Starts, watches and stops the connections to the directory: see served_directory.hpp.
#include "understudy/tools/served_directory.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/manager_access.hpp"
#include "understudy/runtime/client/readiness.hpp"
#include "understudy/runtime/http/http_service.hpp"
#include "understudy/runtime/platform/front_door_service.hpp"
#include "understudy/runtime/platform/node_service.hpp"

#include <algorithm>

namespace understudy::cli {

using namespace internal;
namespace {

std::string described(const settings& all) {
  std::vector<std::string> servers;
  for (const auto& server : all.servers) {
    const auto pool = pool_for(all, server);
    const auto name = server.srv.empty() ? server_name(server) : "the servers that DNS lists for " + server.srv;
    servers.push_back(name + " (" + (server.srv.empty() ? "priority " + std::to_string(server.priority) + ", " : "") +
                      std::to_string(pool.min_connections) + " to " + std::to_string(pool.max_connections) +
                      " connections)");
  }
  return "serves " + joined(servers, ", ");
}

/// Where clients and other nodes come in; empty: nowhere.
std::string places_of(const runtime& there) {
  const auto* nodes = there.nodes();
  if (!nodes) return {};
  std::string text;
  for (const auto& each : nodes->places())
    append_item(text, ", ", each.address + " (" + std::string{to_string(each.as.permission)} + ')');
  return text;
}

}  // namespace

service_observation observation_of(const runtime_snapshot& now) {
  service_observation seen;
  seen.answered = true;
  // Of a drain the service knows by itself.
  auto found = readiness_of(now, false);
  seen.serves = found.ready;
  seen.all_failed = found.all_failed;
  seen.summary = std::move(found.summary);
  return seen;
}

served_directory::served_directory(settings all, std::shared_ptr<log_writer> log,
                                   std::shared_ptr<service_orders> orders)
    : description_(described(all)), manager_(std::move(all)) {
  const auto taken = [orders = std::move(orders)](service_order order) {
    return [orders, order]() -> failure_ptr {
      if (orders->give(order)) return nullptr;
      return make_failure(errc::stopped, stage::queue, "The service is just starting, or ending; it takes no orders.");
    };
  };
  manager_access::serve_nodes(manager_, {taken(service_order::reload), taken(service_order::drain)});
  manager_.set_log([log = std::move(log)](log_level level, const std::string& line) { log->write(level, "", line); });
}

std::string served_directory::description() const { return description_; }

std::optional<std::string> served_directory::start() {
  {
    const std::lock_guard guard{mutex_};
    if (draining_) return "it is being stopped";
    starting_ = true;
  }
  const auto state = manager_.connect();
  const bool runs = manager_access::running(manager_) != nullptr;
  bool draining = false;
  {
    const std::lock_guard guard{mutex_};
    starting_ = false;
    draining = draining_;
  }
  changed_.notify_all();
  if (state.connected) return std::nullopt;
  // Nothing is there that would go on trying.
  if (!runs && !draining) throw_failure(state.failed);
  return describe(*state.failed);
}

service_observation served_directory::observe() {
  const auto there = manager_access::running(manager_);
  if (!there) return {};
  if (const auto* nodes = there->nodes(); nodes != nullptr && nodes->has_failed()) {
    service_observation seen;
    seen.ended = true;
    seen.summary = "what serves clients and other nodes has ended by a defect; please report it with the log";
    return seen;
  }
  const auto now = there->snapshot();
  if (now) {
    auto seen = observation_of(*now.value);
    if (const auto places = places_of(*there); !places.empty())
      append_item(seen.summary, "; ", "listens for nodes at " + places);
    if (const auto doors = there->front_door() ? joined(there->front_door()->addresses(), ", ") : ""; !doors.empty())
      append_item(seen.summary, "; ", "listens for LDAP clients at " + doors);
    if (const auto* http = there->http(); http != nullptr)
      append_item(seen.summary, "; ", "listens for HTTP at " + http->address());
    return seen;
  }
  service_observation seen;
  seen.ended = there->client().closed();
  seen.summary = describe(*now.error);
  return seen;
}

bool served_directory::wait_for_start(duration span) {
  std::unique_lock lock{mutex_};
  return changed_.wait_for(lock, span, [this] { return !starting_; });
}

bool served_directory::drain() {
  {
    const std::lock_guard guard{mutex_};
    draining_ = true;
  }
  bool clean = true;
  // What start() waits for may begin a moment after it was ended.
  do {
    const bool runs = manager_access::running(manager_) != nullptr;
    clean = (manager_.disconnect() || !runs) && clean;
  } while (!wait_for_start(milliseconds{50}));
  return clean;
}

}  // namespace understudy::cli
