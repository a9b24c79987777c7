// Failures that the runtime itself finds, before or instead of an answer.
#pragma once
#include "understudy/messages/error.hpp"

namespace understudy::internal {

/// The one used wherever the runtime is not running.
failure_ptr not_running();

/// The one used when the runtime ended of itself, because its actors kept failing.
failure_ptr given_up();

/// The one used where a thread that answers requests would wait for one.
failure_ptr would_wait_for_itself();

/// The one used on what was moved from; `kind`: "connection_manager" …
failure_ptr moved_from(const std::string& kind);

/// The one used where a client of nodes would change their settings.
failure_ptr settings_of_nodes();

/// The one used in a process forked from the one that runs the runtime: it has a copy of everything but the threads.
failure_ptr forked_process();

}  // namespace understudy::internal
