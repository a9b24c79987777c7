// Events of a connector as events of a link.
#include "understudy/runtime/platform/node_connecting.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

/// "node1.example (192.0.2.7:4100)".
std::string name_of(const node_peer& peer) { return peer.name + " (" + peer.address + ")"; }

bool is_named(const host_and_port& node, const std::string& name) {
  return name.find("(" + to_string(node) + ")") != std::string::npos;
}

/// A name that was looked up is not in what a link says of its address: then the next one's turn comes.
void put_last(std::vector<host_and_port>& nodes, const std::string& avoid) {
  const auto kept = std::stable_partition(nodes.begin(), nodes.end(),
                                          [&](const host_and_port& node) { return !is_named(node, avoid); });
  if (kept == nodes.end()) std::rotate(nodes.begin(), nodes.begin() + 1, nodes.end());
}

}  // namespace

node_connecting connecting_over(caf::actor_system& system, environment_ptr env, node_links& links,
                                node_connector_options options) {
  return [&system, env = std::move(env), &links, options = std::move(options)](
             std::function<void(node_event)> tell, const std::string& avoid) mutable -> std::shared_ptr<void> {
    if (!avoid.empty()) put_last(options.nodes, avoid);
    node_connector_handlers handlers;
    handlers.on_linked = [tell, nodes = options.nodes.size()](node_gateway_actor gateway, const node_peer& peer,
                                                              time_point by) {
      tell({node_event::kind::linked, std::move(gateway), name_of(peer), 0, nullptr, nodes, by});
    };
    handlers.on_lost = [tell](failure_ptr why) { tell({node_event::kind::lost, {}, {}, 0, std::move(why)}); };
    handlers.on_unreachable = [tell](failure_ptr why) {
      tell({node_event::kind::unreachable, {}, {}, 0, std::move(why)});
    };
    handlers.on_silent = [tell](failure_ptr why) { tell({node_event::kind::silent, {}, {}, 0, std::move(why)}); };
    return std::make_shared<node_connector>(system, env, links, options, std::move(handlers));
  };
}

node_connecting keeping(std::shared_ptr<void> alive, node_connecting begin) {
  return [alive = std::move(alive), begin = std::move(begin)](std::function<void(node_event)> tell, std::string avoid) {
    auto way = begin(std::move(tell), std::move(avoid));
    auto* const kept = way.get();
    return std::shared_ptr<void>{kept, [alive, way = std::move(way)](void*) mutable { way.reset(); }};
  };
}

}  // namespace understudy::internal
