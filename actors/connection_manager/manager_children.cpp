// Supervision: starting the children, replacing one that ended, giving up when that happens too often.
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"
#include "understudy/config/endpoint.hpp"

#include <algorithm>

namespace understudy {
namespace {

server_context_ptr make_context(server_id id, const connection_info& server, const settings_ptr& all,
                                const environment_ptr& env, const std::vector<routed_server>& known) {
  auto context = std::make_shared<server_context>();
  context->id = id;
  context->server = server;
  config::complete_endpoint(context->server, config::given_in(context->server));
  context->name = server_name(context->server);
  context->all = all;
  context->env = env;
  for (const auto& each : known) {
    if (each.context->id == id) {
      context->pace = each.context->pace;
      context->unanswered = each.context->unanswered;
    }
  }
  return context;
}

template <class Handle>
void dismiss(manager_interface::pointer self, Handle& child) {
  if (child) {
    self->demonitor(child.address());
    self->send_exit(child, caf::exit_reason::user_shutdown);
    child = nullptr;
  }
}

/// "ldap1:389 (priority 1), ldap2:389 (priority 2)"
std::string listed(const std::vector<routed_server>& servers) {
  std::string all;
  for (const auto& s : servers)
    all +=
        (all.empty() ? "" : ", ") + s.context->name + " (priority " + std::to_string(s.context->server.priority) + ")";
  return all;
}

}  // namespace

/// Once, as the first line of the log.
void connection_manager_impl::say_start() const {
  log_port::fields more;
  if (!servers_.empty()) more.emplace_back("servers", listed(servers_));
  if (watch_) more.emplace_back("srv", watch_->name());
  say(log_level::info, "understudy " UNDERSTUDY_VERSION " starts", more);
}

/// The breaker first: pools and monitor know its address, and it is told of them afterwards.
void connection_manager_impl::start_children() {
  auto& system = self_->system();
  const auto gate = self_->address();
  breaker_ = parts_.breaker(system);
  self_->monitor(breaker_);
  servers_.clear();
  all_ = effective();
  for (auto& context : contexts_of(all_)) {
    servers_.push_back(start_pool(std::move(context)));
  }
  tell_credentials();
  monitor_ = parts_.monitor(system, servers_, breaker_.address(), gate);
  self_->monitor(monitor_);
  introduce_children();
}

std::vector<server_context_ptr> connection_manager_impl::contexts_of(const settings_ptr& all) {
  std::vector<server_context_ptr> contexts;
  const auto ids = roster_.number(all->servers);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    contexts.push_back(make_context(ids[i], all->servers[i], all, env_, servers_));
  }
  return contexts;
}

routed_server connection_manager_impl::start_pool(server_context_ptr context) {
  auto pool = parts_.pool(self_->system(), context, breaker_.address(), self_->address());
  self_->monitor(pool);
  return {std::move(context), std::move(pool)};
}

/// Null when there is no such server; one that was taken out counts for as long as it finishes what it has.
pool_actor connection_manager_impl::pool_of(server_id server) const {
  for (const auto* table : {&servers_, &leaving_}) {
    for (const auto& each : *table) {
      if (each.context->id == server) {
        return each.pool;
      }
    }
  }
  return pool_actor{};
}

void connection_manager_impl::introduce_children() {
  self_->send(breaker_, discover_atom_v, self_->address());
  self_->send(breaker_, servers_atom_v, no_server_reason());
  self_->send(breaker_, servers_atom_v, servers_);
  self_->send(breaker_, health_atom_v, monitor_.address());
}

void connection_manager_impl::on_down(const caf::actor_addr& child) {
  if (draining_) {
    return;  // its part of the drain is answered by CAF, or ended by the timer
  }
  const auto left =
      std::find_if(leaving_.begin(), leaving_.end(), [&](const routed_server& s) { return s.pool.address() == child; });
  if (left != leaving_.end()) {
    gone(left->context->id, false);
    return;
  }
  if (!replacements_.note(env_->clock->now())) {
    give_up();
    return;
  }
  replace(child);
}

void connection_manager_impl::replace(const caf::actor_addr& child) {
  if (breaker_ && child == breaker_.address()) {
    say(log_level::error, "the circuit breaker ended; everything below is started afresh");
    replace_all();
    return;
  }
  if (monitor_ && child == monitor_.address()) {
    say(log_level::error, "the health monitor ended and is replaced");
    monitor_ = parts_.monitor(self_->system(), servers_, breaker_.address(), self_->address());
    self_->monitor(monitor_);
    self_->send(breaker_, health_atom_v, monitor_.address());
    return;
  }
  for (auto& server : servers_) {
    if (server.pool && child == server.pool.address()) {
      say(log_level::error, "a pool ended and is replaced", {{"server", server.context->name}});
      server = start_pool(server.context);
      self_->send(breaker_, servers_atom_v, servers_);
      self_->send(monitor_, servers_atom_v, servers_);
      return;
    }
  }
}

/// Pools and connections know the old breaker's address: none of them can stay.
void connection_manager_impl::replace_all() {
  dismiss_children();
  start_children();
}

void connection_manager_impl::give_up() {
  say(log_level::error, "children keep ending; the runtime is drained and stopped");
  failed_ = true;
  clean_ = false;
  drain(env_->clock->now() + all_->limits.drain_timeout);
}

void connection_manager_impl::dismiss_children() {
  dismiss(self_, monitor_);
  for (auto* table : {&servers_, &leaving_}) {
    for (auto& server : *table) {
      dismiss(self_, server.pool);
    }
    table->clear();
  }
  dismiss(self_, breaker_);
}

}  // namespace understudy
