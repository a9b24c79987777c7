// Connections and a breaker that do what the test says and remember what they were told.
#pragma once
#include "support/print.hpp"
#include "support/virtual_runtime.hpp"
#include "understudy/actors/pool/pool_actor.hpp"
#include "understudy/actors/ports/guard.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace understudy::test {

using namespace internal;

/// What a fake connection was told; outlives its actor.
struct fake_connection {
  connection_spec spec;
  caf::actor_addr address;
  std::vector<call> calls;
  std::vector<lease_id> leases, resets;
  std::vector<cancel_token_ptr> cancels;
  int drains = 0, closes = 0, checks = 0;
  bool removed = false;
  bool mute = false;    ///< validation is not answered, until it is told flush_atom
  bool unwell = false;  ///< validation fails
  failure_ptr problem;  ///< of one that fails
  bool answers_others = false;
  bool stubborn = false;  ///< does not close when told
};
using fake_ptr = std::shared_ptr<fake_connection>;

/// How fake connections behave; shared by all of a test.
struct fake_server {
  bool accepts = true;  ///< connects succeed at once
  bool silent = false;  ///< connects neither succeed nor fail
  bool answers = true;  ///< operations are answered at once
  bool throws = false;  ///< the factory throws
  failure connect_error;
  std::vector<fake_ptr> made;
};

struct fake_connection_state {
  using pointer = connection_actor::stateful_pointer<fake_connection_state>;
  explicit fake_connection_state(pointer p) : self(p) {}

  void answer(std::size_t count) {
    for (; count > 0 && !open.empty(); --count) {
      auto promise = open.front();
      open.erase(open.begin());
      count_one();
      promise.deliver(std::make_shared<result>());
    }
    if (draining && open.empty()) say_closed();
  }
  void count_one() {
    fake->spec.load->completed.fetch_add(1);
    if (!fake->spec.load->wanted.exchange(false)) return;
    if (auto owner = caf::actor_cast<pool_actor>(fake->spec.owner)) self->send(owner, load_atom_v, fake->spec.id);
  }
  void say(connection_event::kind kind, failure_ptr cause = nullptr) {
    if (auto owner = caf::actor_cast<pool_actor>(fake->spec.owner))
      self->send(owner, event_atom_v, connection_event{fake->spec.id, kind, std::move(cause)});
  }
  void say_closed() {
    if (fake->stubborn || closed) return;
    closed = true;
    say(connection_event::kind::closed);
  }
  void fail_all() {
    failure f;
    f.code = errc::connection_failed;
    for (auto& promise : open) {
      fake->spec.load->completed.fetch_add(1);
      promise.deliver(to_error(f));
    }
    open.clear();
  }

  probe_report found() const {
    probe_report report;
    report.ok = !fake->unwell;
    report.error = fake->problem;
    report.answers_others = fake->answers_others;
    return report;
  }

  connection_actor::behavior_type make_behavior() {
    return {
        [this](perform_atom, const call& c) -> caf::result<result_ptr> {
          fake->calls.push_back(c);
          auto promise = self->make_response_promise<result_ptr>();
          open.push_back(promise);
          if (server->answers) answer(1);
          return promise;
        },
        [this](perform_atom, lease_id, const call& c) -> caf::result<result_ptr> {
          fake->calls.push_back(c);
          return std::make_shared<result>();
        },
        [](stream_atom, lease_id, const call&, std::uint64_t, std::uint32_t) -> caf::result<result_ptr> {
          return std::make_shared<result>();
        },
        [](credit_atom, lease_id, std::uint64_t, std::uint32_t) {},
        [](credit_atom, std::int32_t, std::uint64_t) {},
        [this](cancel_atom, const cancel_token_ptr& token) { fake->cancels.push_back(token); },
        [this](lease_atom, lease_id id) { fake->leases.push_back(id); },
        [this](reset_atom, lease_id id) {
          fake->resets.push_back(id);
          say(connection_event::kind::ready);
        },
        [this](drain_atom) {
          ++fake->drains;
          draining = true;
          answer(0);
        },
        [this](close_atom) {
          ++fake->closes;
          fail_all();
          say_closed();
        },
        [this](removed_atom) {
          fake->removed = true;
          fail_all();
          self->quit();
        },
        [this](check_atom, time_point) -> caf::result<probe_report> {
          ++fake->checks;
          const auto report = found();
          if (!fake->mute) return report;
          held_checks.push_back(self->make_response_promise<probe_report>());
          return held_checks.back();
        },
        [](status_atom) { return connection_snapshot{}; },
        [](io_atom, std::uint64_t, std::uint32_t) {},
        [this](tick_atom, std::uint64_t count) { answer(count); },
        [this](flush_atom) {
          const auto report = found();
          for (auto& promise : std::exchange(held_checks, {})) promise.deliver(report);
        },
        [](resolved_atom, std::uint64_t, const resolution&) {},
    };
  }

  pointer self;
  fake_ptr fake;
  std::shared_ptr<fake_server> server;
  std::vector<caf::typed_response_promise<result_ptr>> open;
  std::vector<caf::typed_response_promise<probe_report>> held_checks;
  bool draining = false, closed = false;
};

inline connection_factory fake_factory(std::shared_ptr<fake_server> server) {
  return [server](caf::actor_system& system, connection_spec spec) -> connection_actor {
    if (server->throws) throw std::runtime_error("out of something");
    auto fake = std::make_shared<fake_connection>();
    fake->spec = std::move(spec);
    server->made.push_back(fake);
    auto made = system.spawn([fake, server](fake_connection_state::pointer self) {
      install_default_handlers(*self);
      self->state.fake = fake;
      self->state.server = server;
      if (!server->silent)
        self->state.say(server->accepts ? connection_event::kind::ready : connection_event::kind::failed,
                        server->accepts ? nullptr : std::make_shared<const failure>(server->connect_error));
      return self->state.make_behavior();
    });
    fake->address = made.address();
    return made;
  };
}

/// What came to the breaker.
struct fake_router {
  std::vector<call> calls;
  std::vector<lease_request> leases;
  std::vector<outcome_report> reports;
  pool_actor back_to;  ///< set: calls go to that pool again; otherwise they fail with no_server
};

inline circuit_breaker_actor spawn_fake_router(caf::actor_system& system, std::shared_ptr<fake_router> router) {
  return system.spawn([router](circuit_breaker_actor::pointer self) -> circuit_breaker_actor::behavior_type {
    install_default_handlers(*self);
    failure none;
    none.code = errc::no_server;
    return {
        [=](perform_atom atom, const call& c) -> caf::result<result_ptr> {
          router->calls.push_back(c);
          if (router->back_to) return self->delegate(router->back_to, atom, c);
          return to_error(none);
        },
        [=](lease_atom atom, const lease_request& wish) -> caf::result<lease_grant> {
          router->leases.push_back(wish);
          if (router->back_to) return self->delegate(router->back_to, atom, wish);
          return to_error(none);
        },
        [](cancel_atom, const cancel_token_ptr&) {},
        [=](report_atom, const outcome_report& report) { router->reports.push_back(report); },
        [](probe_atom, const probe_report&) {},
        [](suspect_atom, server_id) {},
        [](suspend_atom, server_id, std::uint32_t) { return true; },
        [](resume_atom, server_id) { return true; },
        [](status_atom) { return std::vector<server_snapshot>{}; },
        [](servers_atom, const std::vector<routed_server>&) {},
        [](servers_atom, const failure_ptr&) {},
        [](discover_atom, const caf::actor_addr&) {},
        [](health_atom, const caf::actor_addr&) {},
        [](drain_atom) {},
        [](tick_atom, std::uint64_t) {},
    };
  });
}

}  // namespace understudy::test
