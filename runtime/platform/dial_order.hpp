// Which of several nodes is dialled next, and when: decisions only, on injected time.
#pragma once
#include "understudy/actors/ports/backoff.hpp"

namespace understudy::internal {

/// Rounds through the nodes in the order in which they were given: at once within a round, with a backoff between
/// rounds. After a lost link the next node's turn comes first. A link that did not last counts as a failure, so that
/// two sides that do not get on do not spin.
class dial_order {
 public:
  /// `nodes`: how many there are, at least 1.
  dial_order(std::size_t nodes, duration base, duration cap, random_source random)
      : nodes_(nodes), backoff_(base, cap), random_(std::move(random)) {}

  /// Whose turn it is.
  std::size_t node() const noexcept { return node_; }
  /// After it no other node is left in this round.
  bool is_last() const noexcept { return tried_ + 1 >= nodes_; }
  /// Not before this.
  time_point due_at() const noexcept { return due_; }
  /// That node was dialled in vain; true when all of this round were.
  bool failed(time_point now);
  void linked(time_point now) noexcept { linked_at_ = now; }
  /// The link to node() ended.
  void lost(time_point now);

 private:
  const std::size_t nodes_;
  backoff backoff_;
  const random_source random_;
  std::size_t node_ = 0, tried_ = 0;
  time_point due_ = time_point::min(), linked_at_{};
};

}  // namespace understudy::internal
