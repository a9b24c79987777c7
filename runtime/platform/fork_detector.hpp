// Which process something belongs to.
#pragma once
#include <sys/types.h>

#include <cstdint>

namespace understudy::internal {

/// The process that this was made in. A child forked from it has a copy of everything but the threads, so that nothing
/// of a runtime works there. Costs no system call to ask. A child made by a bare clone(), past the handlers of
/// pthread_atfork(), is taken for its parent.
class fork_detector {
 public:
  fork_detector() noexcept;
  /// True in that process.
  bool here() const noexcept;

 private:
  pid_t id_;
  std::uint64_t forks_;
};

}  // namespace understudy::internal
