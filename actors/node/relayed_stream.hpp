// A streaming search on its way to a client: what came waits until it is asked for, part by part.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/result.hpp"

#include <optional>

namespace understudy::internal {

/// At most what its connection sends before it is told that some of it was passed on. Knows nothing of actors.
class relayed_stream {
 public:
  /// What is to be answered next.
  struct part {
    std::string messages;
    std::string server;
    bool more = true;          ///< false: the search has ended, and this is its last
    failure_ptr error;         ///< the search failed; nothing else is set then
    std::uint64_t credit = 0;  ///< bytes that the connection may be told were passed on
  };

  /// `most_bytes`: of one part, unless a single message is longer.
  explicit relayed_stream(std::size_t most_bytes) noexcept : most_bytes_(most_bytes) {}

  /// A part came from the connection.
  void add(std::string_view messages);
  /// The search has ended, with these last messages.
  void end(const result& last);
  void fail(failure_ptr why);
  /// What is there; nothing when the connection has to send more first. A failure comes when all before it was taken.
  std::optional<part> take();
  bool ended() const noexcept { return ended_; }

 private:
  const std::size_t most_bytes_;
  std::string held_;
  std::size_t begin_ = 0;     ///< of held_: what was not taken
  std::size_t credited_ = 0;  ///< bytes at the end that are no part, but the answer: no credit is due for them
  bool ended_ = false;
  std::string server_;
  failure_ptr error_;
};

}  // namespace understudy::internal
