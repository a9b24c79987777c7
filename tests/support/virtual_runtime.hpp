// Actors on virtual time: a fixture with CAF's testing scheduler and ports that are moved by hand. Nothing runs and no
// time passes unless the test says so, so that tests of actors are exact and repeat.
#pragma once
#include "support/manual_ports.hpp"
#include "understudy/actors/metrics/registry.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>

namespace understudy::test {

using namespace internal;

/// What became of a request to an actor.
template <class Value>
struct answer {
  std::optional<Value> value;
  failure_ptr error;  ///< set when it failed
  bool done() const { return value.has_value() || error != nullptr; }
  bool ok() const { return value.has_value(); }
  errc code() const { return error ? error->code : errc::none; }
};
template <class Value>
using answer_ptr = std::shared_ptr<answer<Value>>;

/// Fixture: derive from it, or use it as the fixture of a test case. Spawn with own(system.spawn(…)): the fixture ends
/// those actors, and fails the test when others are left.
class virtual_runtime {
 public:
  explicit virtual_runtime(std::uint64_t seed = 1);
  ~virtual_runtime();
  virtual_runtime(const virtual_runtime&) = delete;
  virtual_runtime& operator=(const virtual_runtime&) = delete;

  std::shared_ptr<manual_clock> clock = std::make_shared<manual_clock>();
  std::shared_ptr<manual_poller> poller = std::make_shared<manual_poller>(clock);
  std::shared_ptr<scripted_resolver> resolver = std::make_shared<scripted_resolver>();
  std::shared_ptr<manual_workers> workers = std::make_shared<manual_workers>();
  std::shared_ptr<recording_log> log = std::make_shared<recording_log>();
  std::shared_ptr<metrics_registry> metrics = std::make_shared<metrics_registry>();
  /// All of the above.
  environment_ptr env;

 private:
  struct config : caf::actor_system_config {
    config();
  };
  config config_;

 public:
  caf::actor_system system{config_};
  caf::scheduler::test_coordinator& scheduler;

  time_point now() const { return clock->now(); }

  /// Runs actors, due timers and jobs until nothing more happens at this moment. Throws std::runtime_error when that
  /// does not end (actors that keep each other busy).
  void run();
  /// As run(), and descriptors that the kernel says are ready too: for actors on real sockets.
  void settle();
  /// Lets `span` pass: stops at every timer and CAF timeout on the way, in order, and runs what follows from it.
  void advance(duration span);

  /// Keeps an actor until the end of the fixture, then ends it; returns it.
  template <class Handle>
  Handle own(Handle handle) {
    owned_.push_back(caf::actor_cast<caf::strong_actor_ptr>(handle));
    return handle;
  }
  /// Ends an actor now, from outside, as a crash would.
  template <class Handle>
  void kill(const Handle& handle) {
    end(caf::actor_cast<caf::strong_actor_ptr>(handle));
    run();
  }

  /// Sends a request; its answer appears in what is returned (after run() or advance()). Nothing, if it is never
  /// answered.
  template <class Value, class Handle, class... Content>
  answer_ptr<Value> start(const Handle& to, Content... content) {
    auto slot = std::make_shared<answer<Value>>();
    system.spawn([=](caf::event_based_actor* self) {
      self->request(to, caf::infinite, content...)
          .then([slot](const Value& value) { slot->value = value; },
                [slot](const caf::error& e) { slot->error = failure_of(e); });
    });
    return slot;
  }
  /// Sends a request and runs: the answer that comes without time passing.
  template <class Value, class Handle, class... Content>
  answer<Value> ask(const Handle& to, Content... content) {
    const auto slot = start<Value>(to, std::move(content)...);
    run();
    return *slot;
  }
  /// Sends a message without sender and runs.
  template <class Handle, class... Content>
  void tell(const Handle& to, Content... content) {
    caf::anon_send(to, std::move(content)...);
    run();
  }

  /// The context of a server in this environment; number 0, called "host:port".
  server_context_ptr context(connection_info server, settings all = {}, server_id id = 0) const;

 private:
  static void end(const caf::strong_actor_ptr& actor);

  std::vector<caf::strong_actor_ptr> owned_;
};

}  // namespace understudy::test
