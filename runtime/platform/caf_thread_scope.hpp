// A thread of the host program that does some of CAF's work for a while.
#pragma once
#include <caf/logger.hpp>

namespace understudy::internal {

/// CAF notes the actor system for every thread that makes one, spawns in it or runs its actors, and the system's
/// destructor waits until no thread has it noted. A thread that lives on and never tells CAF again would let a stop()
/// by another thread wait for ever: it forgets at the end of this, unless it was noted before.
class caf_thread_scope {
 public:
  caf_thread_scope() noexcept : unknown_(caf::logger::current_logger() == nullptr) {}
  ~caf_thread_scope() {
    if (unknown_) caf::logger::set_current_actor_system(nullptr);
  }
  caf_thread_scope(const caf_thread_scope&) = delete;
  caf_thread_scope& operator=(const caf_thread_scope&) = delete;

 private:
  bool unknown_;
};

}  // namespace understudy::internal
