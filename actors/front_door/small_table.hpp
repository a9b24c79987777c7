// A map of few entries, in one block of memory: nothing is allocated for one more.
#pragma once
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace understudy::internal {

/// As std::map has it, but for this: iterators and references end with the next change. Its keys mostly ascend.
template <class Key, class Value>
class small_table {
  using entries = std::vector<std::pair<Key, Value>>;

 public:
  using iterator = typename entries::iterator;
  using const_iterator = typename entries::const_iterator;

  /// What was taken out.
  class node {
   public:
    explicit node(std::optional<Value> value) : value_(std::move(value)) {}
    bool empty() const noexcept { return !value_; }
    Value& mapped() noexcept { return *value_; }
    const Value& mapped() const noexcept { return *value_; }

   private:
    std::optional<Value> value_;
  };

  /// Nothing happens when the key is there.
  void emplace(Key key, Value value) {
    const auto at = lower_bound(entries_, key);
    if (at == entries_.end() || at->first != key) entries_.emplace(at, key, std::move(value));
  }
  iterator find(Key key) noexcept { return find_in(entries_, key); }
  const_iterator find(Key key) const noexcept { return find_in(entries_, key); }
  /// `key` is there.
  Value& at(Key key) noexcept { return find(key)->second; }
  std::size_t count(Key key) const noexcept { return find(key) == end() ? 0 : 1; }
  node extract(Key key) {
    const auto at = find(key);
    if (at == entries_.end()) return node{std::nullopt};
    node taken{std::move(at->second)};
    entries_.erase(at);
    return taken;
  }
  void erase(iterator at) { entries_.erase(at); }
  void erase(Key key) {
    if (const auto at = find(key); at != entries_.end()) entries_.erase(at);
  }
  void clear() noexcept { entries_.clear(); }
  std::size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  iterator begin() noexcept { return entries_.begin(); }
  iterator end() noexcept { return entries_.end(); }
  const_iterator begin() const noexcept { return entries_.begin(); }
  const_iterator end() const noexcept { return entries_.end(); }

 private:
  template <class Entries>
  static auto lower_bound(Entries& in, Key key) noexcept {
    if (in.empty() || in.back().first < key) return in.end();
    return std::lower_bound(in.begin(), in.end(), key,
                            [](const auto& each, Key sought) { return each.first < sought; });
  }
  template <class Entries>
  static auto find_in(Entries& in, Key key) noexcept {
    const auto at = lower_bound(in, key);
    return at == in.end() || at->first != key ? in.end() : at;
  }

  entries entries_;
};

}  // namespace understudy::internal
