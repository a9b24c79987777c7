// Requests as they end, for who watches: while somebody does, so many a second, and how many more there were.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <atomic>
#include <deque>
#include <mutex>

namespace understudy::internal {

/// One request, as it ended; no name, filter or value is in it.
struct operation_sample {
  std::optional<wall_time> at;  ///< when it ended
  std::string operation;        ///< "search", "bind" …
  int code = 0;                 ///< the LDAP result code that was told; where none was, that of `error`, or 0
  std::string error;            ///< name of the failure ("operation_timeout"), or empty
  std::string server;           ///< who answered, or should have; empty: nobody, or not known
  duration took{};              ///< from being asked to being answered; zero: it was refused at once
};

/// Requests that ended lately, for who watches.
struct operation_samples {
  std::vector<operation_sample> samples;  ///< in order
  std::uint64_t next = 0;                 ///< where the next ones begin
  std::uint64_t dropped = 0;              ///< requests that ended meanwhile and are not told
};

/// Thread-safe, on injected time. Costs one relaxed load a request while nobody watches.
class operation_tap {
 public:
  static constexpr std::size_t most_kept = 1'000;         ///< samples for who has not asked yet
  static constexpr std::uint64_t most_each_second = 500;  ///< more are counted and not kept
  static constexpr seconds watched_for{5};                ///< since somebody asked last

  bool is_watched(time_point now) const noexcept { return now.time_since_epoch().count() < until_.load(relaxed); }
  /// One request ended.
  void note(operation_sample sample, duration took, const clock_port& clock);

  /// Nothing yet: what ends from now on is to be asked for.
  operation_samples begin(time_point now);
  /// What ended since `from`, the `next` of the last time.
  operation_samples since(std::uint64_t from, time_point now);

 private:
  static constexpr auto relaxed = std::memory_order_relaxed;
  struct kept_sample {
    std::uint64_t number = 0;
    operation_sample sample;
  };

  void watch(time_point now);

  std::atomic<time_point::rep> until_{0};
  std::mutex mutex_;  ///< of what follows
  std::deque<kept_sample> kept_;
  std::uint64_t next_ = 0;  ///< number of the next request that ends
  time_point second_began_{};
  std::uint64_t in_second_ = 0;
};

/// What is told of a request that ended, but for the time: `answer` null when it failed, `why` null when it did not.
operation_sample sample_of(std::string_view operation, const result* answer, const failure* why);

}  // namespace understudy::internal
