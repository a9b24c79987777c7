// Threads of the runtime on which code of the host program runs: it must not wait there for what needs that thread.
#pragma once
#include <cstdint>

namespace understudy::internal {

/// What a thread may wait for. Code of the host program asks it through every public call that waits.
enum class may_wait : std::uint8_t {
  for_all,       ///< a thread of the host program
  for_requests,  ///< a worker, the log's thread: requests are answered meanwhile, but the runtime cannot end
  for_nothing    ///< the poller, a thread that brings an answer: nothing would be answered meanwhile
};

/// Marks the calling thread until the end of the scope; an outer mark that allows less stays.
class callback_thread {
 public:
  explicit callback_thread(may_wait allowed) noexcept : before_(now_) {
    if (allowed > now_) now_ = allowed;
  }
  ~callback_thread() { now_ = before_; }
  callback_thread(const callback_thread&) = delete;
  callback_thread& operator=(const callback_thread&) = delete;

  static bool may_wait_for_requests() noexcept { return now_ != may_wait::for_nothing; }
  static bool may_wait_for_the_end() noexcept { return now_ == may_wait::for_all; }

 private:
  inline static thread_local constinit may_wait now_ = may_wait::for_all;
  may_wait before_;
};

}  // namespace understudy::internal
