// Who has come in at the listeners for nodes, as operators are told of them.
#pragma once
#include "understudy/actors/ports/clients_port.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace understudy::internal {

class node_links;
struct node_peer;

/// Sets `node_clients` and `more_node_clients`: of `all`, which are in the order of their coming, those who have come
/// in. What was dialled is no client.
void tell_of_clients(const std::vector<node_peer>& all, runtime_snapshot& into);

/// Known to the actors before there are any links; thread-safe.
class node_clients final : public clients_port {
 public:
  /// That many are told of.
  static constexpr std::size_t most_told = 200;

  /// Whose clients these are from now on; without links there are none.
  void watch(std::weak_ptr<node_links> links);
  void fill(runtime_snapshot& into) override;

 private:
  std::mutex mutex_;  ///< of what follows
  std::weak_ptr<node_links> links_;
};

}  // namespace understudy::internal
