// What every actor installs: silent handlers, so that CAF prints nothing (messages may hold secrets), and a guard that
// turns an exception in a handler into an answer instead of an end.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <caf/result.hpp>
#include <caf/scheduled_actor.hpp>

namespace understudy {

/// Unexpected messages, errors and downs are ignored in silence (an unexpected request is answered with CAF's error);
/// exits other than a supervisor's order (exit_reason::user_shutdown, kill) too. Actors that monitor set their own down
/// handler afterwards.
void install_default_handlers(caf::scheduled_actor& self);

/// How often an actor may restart in place before its cause goes up: 5 times within a minute.
class restart_budget {
 public:
  /// Notes a restart at `now`; false when there were too many.
  bool note(time_point now);

 private:
  std::vector<time_point> recent_;
};

/// Contains the exceptions of one actor's handlers: logged by type (texts may hold secrets), answered as
/// errc::internal, the state put right by `restart`; when that happens too often, or `restart` throws, the actor ends
/// with errc::internal, for its supervisor to see. A member of the actor's state.
class handler_guard {
 public:
  /// `restart` rebuilds the state of `self` in place; may be empty.
  handler_guard(caf::scheduled_actor& self, environment_ptr env, std::string component,
                std::function<void()> restart = {});

  /// The body of a handler that answers nobody.
  template <class Body>
  void run(Body&& body) {
    try {
      body();
    } catch (...) {
      contain();
    }
  }

  /// The body of a handler that answers with a `Value`: returns a value, an error, a promise, or what delegate()
  /// returned. A promise must be kept where it will be answered before anything else may throw.
  template <class Value, class Body>
  caf::result<Value> answer(Body&& body) {
    try {
      return body();
    } catch (...) {
      return contain();
    }
  }

 private:
  /// Inside a catch block: logs, restarts or ends the actor; the error to answer with.
  caf::error contain();

  caf::scheduled_actor& self_;
  environment_ptr env_;
  std::string component_;
  std::function<void()> restart_;
  restart_budget budget_;
};

}  // namespace understudy
