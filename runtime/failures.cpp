// Failures that the runtime itself finds: see failures.hpp.
#include "understudy/runtime/failures.hpp"

namespace understudy {

failure_ptr make_failure(errc code, stage where, std::string message, std::string server) {
  auto f = std::make_shared<failure>();
  f->code = code;
  f->where = where;
  f->message = std::move(message);
  f->server = std::move(server);
  return f;
}

failure_ptr not_running() {
  return make_failure(errc::stopped, stage::queue, "the runtime is not running; connect() starts it");
}

failure_ptr given_up() {
  return make_failure(errc::stopped, stage::queue,
                      "the runtime ended itself after repeated defects, which its log names; please report them. "
                      "connect() starts it again");
}

failure_ptr forked_process() {
  return make_failure(errc::stopped, stage::queue,
                      "this process was forked from the one that runs the connections; create its own after the fork");
}

}  // namespace understudy
