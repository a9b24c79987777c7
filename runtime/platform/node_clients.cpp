// Links as operators are told of them: see node_clients.hpp.
#include "understudy/runtime/platform/node_clients.hpp"

#include "understudy/actors/node/frame.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/platform/node_links.hpp"

namespace understudy::internal {
namespace {

// As long as a DNS name may be. A certificate may have any: two hundred of those have to fit into one answer.
constexpr std::size_t longest_name = 253;

}  // namespace

void tell_of_clients(const std::vector<node_peer>& all, runtime_snapshot& into) {
  into.node_clients.clear();
  into.more_node_clients = 0;
  for (const auto& peer : all) {
    if (peer.side != link_side::accepted) continue;
    if (into.node_clients.size() >= node_clients::most_told) {
      ++into.more_node_clients;
      continue;
    }
    into.node_clients.push_back({shortened(peer.name, longest_name), peer.address,
                                 std::string{to_string(peer.permission)}, peer.received, peer.sent, peer.since});
  }
}

void node_clients::watch(std::weak_ptr<node_links> links) {
  const std::lock_guard lock{mutex_};
  links_ = std::move(links);
}

void node_clients::fill(runtime_snapshot& into) {
  std::weak_ptr<node_links> links;
  {
    const std::lock_guard lock{mutex_};
    links = links_;
  }
  const auto there = links.lock();
  tell_of_clients(there ? there->peers() : std::vector<node_peer>{}, into);
}

}  // namespace understudy::internal
