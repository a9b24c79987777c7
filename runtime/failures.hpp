// Failures that the runtime itself finds, before or instead of an answer.
#pragma once
#include "understudy/messages/error.hpp"

namespace understudy {

/// A failure with a message for people; `server` may be empty.
failure_ptr make_failure(errc code, stage where, std::string message, std::string server = {});

/// The one used wherever the runtime is not running.
failure_ptr not_running();

}  // namespace understudy
