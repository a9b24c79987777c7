// The DNs of users that were searched for a moment ago.
#pragma once
#include "understudy/actors/authenticator/oldest_first_table.hpp"
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace understudy::internal {

/// One for each name as it was typed; the oldest is forgotten for a new one. Thread-safe.
class user_dn_cache {
 public:
  /// `ttl` zero: nothing is kept.
  explicit user_dn_cache(duration ttl, std::size_t most = 10'000) : ttl_(ttl), most_(most) {}

  /// A DN, or the beginning of a search for it.
  struct known {
    std::optional<std::string> dn;
    std::uint64_t generation = 0;
  };
  known find(const std::string& user, time_point now) const;
  /// What a search that began in that generation has found; nothing: no such user.
  void note(const std::string& user, std::optional<std::string> dn, std::uint64_t generation, time_point now);
  ///@{
  /// That user, or everybody, is searched for again; `dns`, as comparable_dn() has them: the same under other names.
  void forget(const std::string& user, const std::set<std::string>& dns);
  void forget_all();
  ///@}
  /// What was found by that name, however long ago, as comparable_dn() has it; empty: nothing.
  std::string comparable_dn_of(const std::string& user) const;

 private:
  struct kept_dn {
    std::string user, dn, comparable;
    time_point since{};
  };

  const duration ttl_;
  const std::size_t most_;
  mutable std::mutex mutex_;
  oldest_first_table<kept_dn> entries_;
  std::uint64_t generation_ = 0;
};

}  // namespace understudy::internal
