// Equal requests that are under way: one of them is sent, and all that wait for it are told its answer.
#pragma once
#include "understudy/actors/authenticator/dialogue.hpp"
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

namespace understudy::internal {

/// A hundred logins of one user at the same moment need one search, and one bind for each password that was given. Of
/// searches and users' binds; other requests are each asker's own. Thread-safe; tells outside its lock.
class shared_requests {
 public:
  /// Called once, on the thread that lands the answer, which belongs to others too: it is to be copied.
  using told = std::function<void(const reply_to_request&)>;
  /// Asks for `order` until `deadline`. 0: `tell` is told what comes of another's; it ends before that deadline. Else a
  /// number: `order` is the asker's to send, and land() to be called with that number and the answer.
  std::uint64_t join(const request& order, time_point deadline, told tell);
  /// The answer to what join() gave that number. Who waits for it is told.
  void land(std::uint64_t number, const reply_to_request& reply);

  /// Nobody joins what is under way any more: it may have been answered before something was changed. Who waits for it
  /// already is told as ever.
  void forget();

  /// That answer says nothing of what was asked: the asker gave up, or had no time left. Others ask again.
  static bool is_the_askers_own(const reply_to_request& reply) noexcept;
  /// Those that wait for others' answers.
  std::size_t waiting() const;

  /// More do not wait: they send theirs, and `limits.max_requests` counts.
  static constexpr std::size_t most_waiting = 100'000;

 private:
  struct flight {
    std::string key;
    secret password;  ///< of a bind
    time_point deadline{};
    std::vector<told> waiting;
  };

  mutable std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::size_t waiting_ = 0;
  std::map<std::uint64_t, flight> flights_;
  std::multimap<std::string, std::uint64_t> by_key_;
};

}  // namespace understudy::internal
