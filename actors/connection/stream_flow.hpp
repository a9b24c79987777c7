// The pure part of a streaming search: what may come, what came, and whose silence it is.
#pragma once
#include "understudy/messages/result.hpp"
#include "understudy/messages/time.hpp"

namespace understudy::internal {

/// Credits of one streaming search: an entry or reference costs one, and a large one more, so that the first credits
/// together are worth `most_bytes` of memory. While the next one waits for a credit, it is the consumer who is slow,
/// and the server's silence means nothing.
class stream_flow {
 public:
  /// More than these are as good as none: nobody needs to count further ahead.
  static constexpr std::uint32_t most_credits = 1u << 24;

  stream_flow(std::uint32_t credits, std::size_t most_bytes, time_point now) noexcept;

  /// The consumer takes more. True when an entry waited for that: it is to be looked at again.
  bool grant(std::uint32_t more, time_point now) noexcept;
  /// An entry or reference came: true when it may be taken; false: it waits for a credit.
  bool may_take(time_point now) noexcept;
  /// It was taken, and so large: the credits that it cost. The last one may cost more than there are; that is owed.
  std::uint32_t took(std::size_t bytes, time_point now) noexcept;
  /// Something else of the server's came, or the request left just now.
  void heard(time_point now) noexcept { silent_since_ = now; }

  bool waiting() const noexcept { return waiting_; }
  /// Negative: owed.
  std::int64_t credits() const noexcept { return credits_; }
  /// Entries and references taken so far.
  std::uint64_t taken() const noexcept { return taken_; }
  /// How long the server has kept everybody waiting; zero while it is the consumer who does.
  duration silence(time_point now) const noexcept { return waiting_ ? duration::zero() : now - silent_since_; }

 private:
  void add(std::uint32_t more) noexcept;

  std::int64_t credits_ = 0;
  std::size_t bytes_of_credit_;
  bool waiting_ = false;
  std::uint64_t taken_ = 0;
  time_point silent_since_;
};

/// Takes what `gathered` has of entries and references out of it.
search_batch cut_batch(result& gathered);

}  // namespace understudy::internal
