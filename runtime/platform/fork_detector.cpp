// Counting forks: see fork_detector.hpp.
#include "understudy/runtime/platform/fork_detector.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>

namespace understudy::internal {
namespace {

// How many forks lie between the process that loaded this and the one that runs it.
std::atomic<std::uint64_t> forks{0};
// False when the system had no memory for the handler: then it is asked each time.
const bool counted = ::pthread_atfork(nullptr, nullptr, [] { ++forks; }) == 0;

}  // namespace

fork_detector::fork_detector() noexcept : id_(::getpid()), forks_(forks.load()) {}

bool fork_detector::here() const noexcept {
  return counted ? forks.load(std::memory_order_relaxed) == forks_ : ::getpid() == id_;
}

}  // namespace understudy::internal
