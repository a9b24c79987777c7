// What is kept for each user's name, the oldest first.
#pragma once
#include <list>
#include <set>
#include <string>
#include <unordered_map>

namespace understudy::internal {

/// One entry for each name; when it is full the oldest is forgotten for a new one. `Entry` has the name as `user`, and
/// as `comparable` the DN that was found by it, in the form of comparable_dn(), or nothing. Its owner locks it.
template <class Entry>
class oldest_first_table {
 public:
  /// That of this name, or null.
  const Entry* find(const std::string& user) const {
    const auto at = by_user_.find(user);
    return at == by_user_.end() ? nullptr : &*at->second;
  }
  /// In place of what was kept for that name; `most` zero: nothing is.
  void keep(Entry entry, std::size_t most) {
    erase(entry.user);
    if (most == 0) return;
    if (entries_.size() >= most) erase(entries_.front().user);
    entries_.push_back(std::move(entry));
    by_user_[entries_.back().user] = std::prev(entries_.end());
  }
  /// `user` may be that of the entry itself.
  void erase(const std::string& user) {
    const auto at = by_user_.find(user);
    if (at == by_user_.end()) return;
    const auto entry = at->second;
    by_user_.erase(at);
    entries_.erase(entry);
  }
  /// That name's, and those of other names by which one of `dns` (as comparable_dn() has them) was found.
  void erase(const std::string& user, const std::set<std::string>& dns) {
    erase(user);
    for (auto at = entries_.begin(); !dns.empty() && at != entries_.end();) {
      const auto entry = at++;
      if (entry->comparable.empty() || dns.count(entry->comparable) == 0) continue;
      by_user_.erase(entry->user);
      entries_.erase(entry);
    }
  }
  void clear() {
    by_user_.clear();
    entries_.clear();
  }
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  std::list<Entry> entries_;
  std::unordered_map<std::string, typename std::list<Entry>::iterator> by_user_;
};

}  // namespace understudy::internal
