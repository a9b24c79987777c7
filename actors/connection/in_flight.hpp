// The requests of one connection that wait for their answers, by message id.
#pragma once
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/messages/time.hpp"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>

namespace understudy::internal {

/// One encoded request. `Owner`: whatever its owner needs to answer it.
template <class Owner>
struct exchange {
  request_ptr what;
  result_ptr answer;         ///< what arrived of it so far
  memory_allowance room{0};  ///< what may still arrive
  time_point started{};
  time_point deadline{};
  time_point heard{};       ///< when the last entry or reference came
  std::uint64_t begin = 0;  ///< its place in the byte stream
  std::size_t size = 0;
  bool slow = false;  ///< reported as slow already
  Owner owner{};
};

/// Message ids are the session's. Remembers abandoned ones, because a late answer to them is no error (RFC 4511, 4.11).
template <class Owner>
class in_flight {
 public:
  using item = exchange<Owner>;

  in_flight() { open_.reserve(64); }

  /// A new one, to be filled in; no other with that id may be there.
  item& add(int id) {
    if (spare_.empty()) return open_[id];
    auto node = std::move(spare_.back());
    spare_.pop_back();
    node.key() = id;
    return open_.insert(std::move(node)).position->second;
  }
  item* find(int id) {
    const auto at = open_.find(id);
    return at == open_.end() ? nullptr : &at->second;
  }
  /// Removes it; `id` must be there.
  item take(int id) {
    auto node = open_.extract(id);
    item taken = std::move(node.mapped());
    // Fresh again; assigned from a temporary, GCC 12 warns of what cannot happen.
    std::destroy_at(&node.mapped());
    std::construct_at(&node.mapped());
    if (spare_.size() < most_spare) spare_.push_back(std::move(node));
    return taken;
  }
  /// Frees what is kept for the next requests.
  void forget_spare() { spare_.clear(); }
  /// Removes it and remembers its id.
  item abandon(int id) {
    abandoned_.emplace(id, 0);
    return take(id);
  }
  /// So many bytes came for an abandoned one: all that came since then; nothing when none of that id was abandoned.
  std::optional<std::size_t> came_late(int id, std::size_t bytes) {
    const auto at = abandoned_.find(id);
    if (at == abandoned_.end()) return std::nullopt;
    return at->second += bytes;
  }
  /// The last answer to an abandoned request came.
  void forget(int id) { abandoned_.erase(id); }
  std::size_t abandoned() const noexcept { return abandoned_.size(); }

  /// Bytes left the stream again, at `begin`: requests behind them move up.
  void close_gap(std::uint64_t begin, std::size_t size) {
    for (auto& [id, exchange] : open_)
      if (exchange.begin > begin) exchange.begin -= size;
  }

  /// Message ids of those that `chosen` picks, in the order they were sent.
  template <class Predicate>
  std::vector<int> ids(Predicate chosen) const {
    std::vector<int> found;
    for (const auto& [id, exchange] : open_)
      if (chosen(exchange)) found.push_back(id);
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<int> ids() const {
    return ids([](const item&) { return true; });
  }

  template <class Visitor>
  void each(Visitor visit) {
    for (auto& [id, exchange] : open_) visit(id, exchange);
  }

  std::size_t size() const noexcept { return open_.size(); }
  bool empty() const noexcept { return open_.empty(); }

 private:
  /// Nodes kept for the next requests.
  static constexpr std::size_t most_spare = 64;

  std::unordered_map<int, item> open_;
  std::vector<typename std::unordered_map<int, item>::node_type> spare_;
  std::unordered_map<int, std::size_t> abandoned_;  // bytes that came since
};

}  // namespace understudy::internal
