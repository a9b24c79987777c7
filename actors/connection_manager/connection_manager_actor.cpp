// The manager's messages and where each of them goes.
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"

#include "understudy/actors/ports/hosted.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

namespace understudy {
failure connection_manager_impl::refusal(errc code, std::string message) {
  failure f;
  f.code = code;
  f.where = stage::queue;
  f.message = std::move(message);
  return f;
}

connection_manager_impl::connection_manager_impl(manager_interface::pointer self, settings_ptr all, environment_ptr env,
                                                 manager_dependencies parts)
    : self_(self),
      configured_(std::move(all)),
      env_(std::move(env)),
      parts_(std::move(parts)),
      guard_(*self, env_, "manager"),
      credentials_(self, env_, *configured_, parts_.read_secret),
      watch_timer_(env_->poller->add_timer(self->address())),
      drain_timer_(env_->poller->add_timer(self->address())) {}

/// Children are left only when the manager was killed; nobody else would end them.
connection_manager_impl::~connection_manager_impl() {
  env_->poller->remove_timer(watch_timer_);
  env_->poller->remove_timer(drain_timer_);
  const auto end = [](const auto& child) {
    if (child) caf::anon_send_exit(child, caf::exit_reason::user_shutdown);
  };
  end(monitor_);
  for (const auto* table : {&servers_, &leaving_})
    for (const auto& server : *table) end(server.pool);
  end(breaker_);
}

/// Hands a request on to a child, which answers it.
template <class Answer, class Handle, class... What>
caf::result<Answer> connection_manager_impl::to_child(const Handle& child, What&&... what) {
  return guard_.answer<Answer>([&]() -> caf::result<Answer> {
    if (!child) {
      return to_error(refusal(errc::draining, "The runtime is being stopped and takes nothing new."));
    }
    return self_->delegate(child, std::forward<What>(what)...);
  });
}

/// The same, to the pool of `server`; `unknown`: what to answer when there is no such server.
template <class Answer, class... What>
caf::result<Answer> connection_manager_impl::to_pool(server_id server, errc unknown, What&&... what) {
  const auto pool = pool_of(server);
  if (!pool && breaker_) {
    return to_error(refusal(unknown, "There is no server number " + std::to_string(server) + "."));
  }
  return to_child<Answer>(pool, std::forward<What>(what)...);
}

manager_interface::behavior_type connection_manager_impl::make_behavior() {
  self_->set_down_handler([this](caf::down_msg& down) { guard_.run([&] { on_down(down.source); }); });
  self_->set_exit_handler([this](caf::exit_msg& order) { on_exit(order.reason); });
  watch_services();
  start_children();
  say_start();
  look_up_services();
  return {
      [this](perform_atom what, call& c) { return to_child<result_ptr>(breaker_, what, std::move(c)); },
      [this](lease_atom what, lease_request& r) { return to_child<lease_grant>(breaker_, what, std::move(r)); },
      [this](cancel_atom what, const cancel_token_ptr& token) { self_->send(breaker_, what, token); },
      [this](router_atom) { return guard_.answer<circuit_breaker_actor>([this] { return router(); }); },
      [this](servers_atom) { return servers_; },
      [this](reload_atom, const settings_ptr& next, const start_token_ptr& token) {
        return guard_.answer<reload_report>([&] { return reload(next, token); });
      },
      [this](discover_atom) {
        guard_.run([this] {
          if (watch_) watch_->hasten(env_->clock->now());
          look_up_services();
        });
      },
      [this](credential_atom, server_id server) -> caf::result<credential> {
        auto answer = self_->make_response_promise<credential>();
        guard_.run([&] { credentials_.ask(server, answer); });
        return answer;
      },
      [this](credential_atom, const credential_verdict& verdict) {
        guard_.run([&] { credentials_.on_verdict(verdict); });
      },
      [this](status_atom) { return guard_.answer<runtime_snapshot>([this] { return status(); }); },
      [this](health_atom what, time_point deadline) {
        return to_child<std::vector<probe_report>>(monitor_, what, deadline);
      },
      [this](health_atom what, int priority, time_point deadline) {
        return to_child<std::vector<probe_report>>(monitor_, what, priority, deadline);
      },
      [this](check_atom what, server_id server, time_point deadline) {
        return to_pool<pool_health>(server, errc::no_server, what, deadline);
      },
      [this](cleanup_atom what, server_id server) { return to_pool<std::uint32_t>(server, errc::no_server, what); },
      [this](claim_atom what, server_id server, lease_id lease) {
        if (const auto pool = pool_of(server)) self_->send(pool, what, lease);
      },
      [this](release_atom what, server_id server, lease_id lease) {
        return to_pool<bool>(server, errc::invalid_lease, what, lease);
      },
      [this](suspend_atom what, server_id server, std::uint32_t ttl) {
        return to_child<bool>(breaker_, what, server, ttl);
      },
      [this](resume_atom what, server_id server) {
        guard_.run([&] { credentials_.resume(server); });
        return to_child<bool>(breaker_, what, server);
      },
      [this](resume_atom what) {
        for (const auto& server : servers_) self_->send(server.pool, what);
      },
      [this](drain_atom, time_point deadline) { return guard_.answer<bool>([&] { return drain(deadline); }); },
      [this](tick_atom, std::uint64_t timer) { guard_.run([&] { on_tick(timer); }); },
      [this](resolved_atom, std::uint64_t number, const secret_reading& found) {
        guard_.run([&] { credentials_.read_done(number, found); });
      },
      [this](resolved_atom, std::uint64_t number, const service_answer& found) {
        guard_.run([&] { on_services(number, found); });
      },
  };
}

void connection_manager_impl::on_tick(std::uint64_t timer) {
  if (timer == watch_timer_) {
    look_up_services();
  } else if (!credentials_.on_tick(timer) && timer == drain_timer_ && draining_) {
    finish(false);
  }
}

void connection_manager_impl::say(log_level level, std::string_view text, const log_port::fields& more) const {
  env_->log->write(level, "manager", text, more);
}

namespace {

/// CAF makes the state with nothing but `self`; the rest comes with the behaviour.
struct connection_manager_state {
  static inline const char* name = "understudy.connection_manager";
  explicit connection_manager_state(manager_interface::stateful_pointer<connection_manager_state>) {}
  std::unique_ptr<connection_manager_impl> impl;
};

manager_interface::behavior_type connection_manager(manager_interface::stateful_pointer<connection_manager_state> self,
                                                    settings_ptr all, environment_ptr env, manager_dependencies parts) {
  install_default_handlers(*self);
  auto& impl = self->state.impl;
  impl = std::make_unique<connection_manager_impl>(self, std::move(all), std::move(env), std::move(parts));
  return impl->make_behavior();
}

}  // namespace

connection_manager_actor spawn_connection_manager(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                                  manager_dependencies parts) {
  auto poller = env->poller;
  return spawn_hosted(system, std::move(poller), connection_manager, std::move(all), std::move(env), std::move(parts));
}

connection_manager_actor spawn_connection_manager(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                                  connection_factory connect) {
  auto parts = make_manager_parts(all, env, std::move(connect));
  return spawn_connection_manager(system, std::move(all), std::move(env), std::move(parts));
}

}  // namespace understudy
