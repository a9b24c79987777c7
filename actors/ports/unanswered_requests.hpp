// What one server leaves unanswered while it answers other things, and what to ask it to find out whether it still
// does.
#pragma once
#include "understudy/messages/request.hpp"
#include "understudy/messages/time.hpp"

#include <atomic>
#include <mutex>

namespace understudy {

/// A balancer, or a server whose database hangs, may answer binds and reads of the root DSE and no request for data.
/// Only the answer to such a request shows that those are answered again: while one is in doubt, checks ask for it.
/// Shared by the connections to one server; thread-safe.
class unanswered_requests {
 public:
  /// The request sent at `since` is unanswered. True when that is news, which it is once in `apart` at the most: the
  /// server is to be probed. After `most` times without an answer to a request for data the question is the search
  /// itself, for a single entry, before that a read of the entry that it is about.
  bool note(const any_operation& op, time_point since, time_point now, int most, duration apart);
  /// A request had its result, whatever that was but busy and unavailable. Entries alone are no answer.
  void answered(const any_operation& op, time_point now);
  /// What a check asks, beside the root DSE; null while nothing is in doubt.
  request_ptr question() const;
  /// A check had its answer.
  void question_answered(const request_ptr& asked, time_point now);

 private:
  std::atomic<time_point> answered_at_{time_point::min()};
  std::atomic<bool> in_doubt_{false};  ///< rounds_ is not 0
  mutable std::mutex guard_;           ///< of everything below
  int rounds_ = 0;
  time_point round_at_{};
  request_ptr question_;
  bool repeats_ = false;  ///< the question is the search itself
};

}  // namespace understudy
