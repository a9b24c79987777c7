// What a manager is asked, as requests to the node.
#include "understudy/actors/node/remote_manager.hpp"

#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/node/snapshot_fields.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/fast_delivery.hpp"
#include "understudy/config/endpoint.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy::internal {
namespace {

caf::error only_there(const char* which) {
  return to_error(
      make_failure(errc::invalid_request, stage::queue,
                   std::string{"The "} + which + " of a node cannot be changed by its clients; do it there."));
}

class remote_manager_impl {
 public:
  static constexpr const char* name = "understudy.remote_manager";

  remote_manager_impl(connection_manager_actor::pointer self, settings_ptr all, environment_ptr env,
                      node_connecting connecting)
      : self_(self),
        all_(std::move(all)),
        env_(std::move(env)),
        router_(spawn_remote_router(self_->system(), all_, env_, std::move(connecting))),
        guard_(*self_, env_, "node") {
    self_->monitor(router_);
  }
  ~remote_manager_impl() { caf::anon_send_exit(router_, caf::exit_reason::user_shutdown); }
  connection_manager_actor::behavior_type make_behavior();

 private:
  template <class T>
  caf::result<T> ask(node_request asked, std::function<decoded<T>(answer_frame)> form);
  template <class T>
  caf::result<T> ask_state(std::function<decoded<T>(answer_frame)> form);
  caf::result<std::vector<probe_report>> health(bool until_one, int priority, time_point deadline);
  server_context_ptr context_of(const server_snapshot& there) const;

  connection_manager_actor::pointer self_;
  const settings_ptr all_;
  const environment_ptr env_;
  const remote_router_actor router_;
  handler_guard guard_;
};

connection_manager_actor::behavior_type remote_manager_impl::make_behavior() {
  // Whoever started it sees that it ended.
  self_->set_down_handler([this](const caf::down_msg& gone) {
    if (gone.source == router_->address()) self_->quit(gone.reason);
  });
  return {
      [this](perform_atom, call& order) { return fast_delegate<result_ptr>(*self_, router_, perform_atom_v, order); },
      [this](lease_atom, lease_request& wish) {
        return fast_delegate<lease_grant>(*self_, router_, lease_atom_v, wish);
      },
      [this](cancel_atom, const cancel_token_ptr& token) { self_->send(router_, cancel_atom_v, token); },
      [this](router_atom) { return circuit_breaker_actor{router_}; },
      [this](servers_atom) {
        return guard_.answer<std::vector<routed_server>>([&] {
          return ask_state<std::vector<routed_server>>([this](const answer_frame& f) {
            decoded<std::vector<routed_server>> all;
            auto read = decode_runtime_snapshot(f.body);
            all.error = std::move(read.error);
            if (!read.value) return all;
            all.value.emplace();
            for (const auto& there : read.value->servers) all.value->push_back({context_of(there), {}});
            return all;
          });
        });
      },
      [](reload_atom, const settings_ptr&, const start_token_ptr&) -> caf::result<reload_report> {
        return only_there("settings");
      },
      [](discover_atom) {},
      [](credential_atom, server_id) -> caf::result<credential> { return only_there("credentials"); },
      [](credential_atom, const credential_verdict&) {},
      [](credential_atom, const std::string&, const secret&) { return service_claim::other; },
      [this](status_atom) {
        return guard_.answer<runtime_snapshot>([&] {
          return ask_state<runtime_snapshot>([](const answer_frame& f) { return decode_runtime_snapshot(f.body); });
        });
      },
      [this](health_atom, time_point deadline) {
        return guard_.answer<std::vector<probe_report>>([&] { return health(false, 0, deadline); });
      },
      [this](health_atom, int priority, time_point deadline) {
        return guard_.answer<std::vector<probe_report>>([&] { return health(true, priority, deadline); });
      },
      [](check_atom, server_id, time_point) -> caf::result<pool_health> { return only_there("pools"); },
      [](cleanup_atom, server_id) -> caf::result<std::uint32_t> { return only_there("pools"); },
      [this](claim_atom, server_id, lease_id lease) { self_->send(router_, claim_atom_v, lease); },
      [this](release_atom, server_id, lease_id lease) { return self_->delegate(router_, release_atom_v, lease); },
      [this](suspend_atom, server_id id, std::uint32_t ttl) {
        return self_->delegate(router_, suspend_atom_v, id, ttl);
      },
      [this](resume_atom, server_id id) { return self_->delegate(router_, resume_atom_v, id); },
      // It reconnects of itself.
      [](resume_atom) {},
      [this](drain_atom, time_point until) {
        return guard_.answer<bool>([&] {
          auto asker = self_->make_response_promise<bool>();
          auto done = [this, asker](bool clean) mutable {
            asker.deliver(clean);
            self_->quit();
          };
          self_->request(router_, caf::infinite, drain_atom_v, until).then(done, [done](const caf::error&) mutable {
            done(false);
          });
          return caf::result<bool>{asker};
        });
      },
      [](tick_atom, std::uint64_t) {},
  };
}

template <class T>
caf::result<T> remote_manager_impl::ask(node_request asked, std::function<decoded<T>(answer_frame)> form) {
  auto asker = self_->make_response_promise<T>();
  self_->request(router_, caf::infinite, perform_atom_v, std::move(asked))
      .then([asker, form = std::move(form)](answer_frame& f) mutable { deliver(asker, form(std::move(f))); },
            [asker](caf::error& e) mutable { asker.deliver(to_error(failure_of(e))); });
  return asker;
}

template <class T>
caf::result<T> remote_manager_impl::ask_state(std::function<decoded<T>(answer_frame)> form) {
  return ask<T>(make_node_request(request_kind::status, env_->clock->now() + order_timeout), std::move(form));
}

caf::result<std::vector<probe_report>> remote_manager_impl::health(bool until_one, int priority, time_point deadline) {
  auto asked = make_node_request(request_kind::health, deadline);
  asked.frame.flag = until_one;
  asked.frame.target = static_cast<std::uint64_t>(std::max(priority, 0));
  return ask<std::vector<probe_report>>(std::move(asked),
                                        [](const answer_frame& f) { return decode_probe_reports(f.body); });
}

/// As far as a client can know it.
server_context_ptr remote_manager_impl::context_of(const server_snapshot& there) const {
  server_context made;
  made.id = there.id;
  made.server.host = there.host;
  made.server.port = there.port;
  made.server.priority = there.priority;
  made.name = server_name(there);
  made.all = all_;
  made.env = env_;
  return std::make_shared<const server_context>(std::move(made));
}

}  // namespace

connection_manager_actor spawn_remote_manager(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                              node_connecting connecting) {
  return spawn_shell<connection_manager_actor, remote_manager_impl>(system, std::move(all), std::move(env),
                                                                    std::move(connecting));
}

}  // namespace understudy::internal
