// Failures that the runtime itself finds: see failures.hpp.
#include "understudy/runtime/client/failures.hpp"

namespace understudy::internal {

failure_ptr not_running() {
  return make_failure(errc::stopped, stage::queue, "the runtime is not running; connect() starts it");
}

failure_ptr given_up() {
  return make_failure(errc::stopped, stage::queue,
                      "the runtime ended itself after repeated defects, which its log names; please report them. "
                      "connect() starts it again");
}

failure_ptr would_wait_for_itself() {
  return make_failure(errc::invalid_request, stage::queue,
                      "a blocking call inside a completion would wait for itself; pass an executor, or start() it");
}

failure_ptr moved_from(const std::string& kind) {
  return make_failure(errc::invalid_request, stage::queue,
                      "this " + kind + " was moved from; use the one that it was moved to");
}

failure_ptr settings_of_nodes() {
  return make_failure(errc::invalid_request, stage::queue,
                      "the settings are those of the nodes; change their files and have them reloaded there");
}

failure_ptr forked_process() {
  return make_failure(errc::stopped, stage::queue,
                      "this process was forked from the one that runs the connections; create its own after the fork");
}

}  // namespace understudy::internal
