// The manager's messages and where each of them goes.
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"
#include "understudy/actors/connection_manager/pool_evidence.hpp"
#include "understudy/actors/connection_manager/srv_servers.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/reload.hpp"
#include "understudy/messages/text.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace understudy::internal {
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
      context->checks = each.context->checks;
    }
  }
  if (env->cluster) context->permits = env->cluster->permits(context->name);
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
  return joined(servers, ", ", [](const routed_server& s) {
    return s.context->name + " (priority " + std::to_string(s.context->server.priority) + ")";
  });
}

/// How long after the deadline a pool may take to say what became of its drain.
constexpr milliseconds grace{500};

/// The server that stands for those that DNS lists, or null.
const connection_info* pattern_in(const settings& all) {
  return all.servers.size() == 1 && !all.servers.front().srv.empty() ? &all.servers.front() : nullptr;
}

log_port::fields fields_of(const reload_report& report) {
  log_port::fields more;
  const std::pair<std::string_view, const std::vector<std::string>*> parts[] = {
      {"added", &report.added},
      {"removed", &report.removed},
      {"changed", &report.changed},
      {"needs_restart", &report.needs_restart}};
  for (const auto& [what, names] : parts)
    if (!names->empty()) more.emplace_back(what, joined(*names, ", "));
  return more;
}

/// How long after the deadline a pool may take to say what became of its drain.
constexpr milliseconds drain_grace{250};

/// How long a child may take to say how it is.
constexpr milliseconds patience{500};
/// For how long what the children said holds for one that does not answer: it may have had no processor.
constexpr seconds remembered_for{10};

/// One gathering: filled by the children's answers, told when the last of them is in.
struct gathering {
  caf::typed_response_promise<runtime_snapshot> answer;
  std::vector<server_snapshot> routed;   // from the breaker
  std::vector<server_snapshot> servers;  // from the table, with the pools' counters
  bool credentials_refused = false;
  bool all_answered = true;
  std::size_t missing = 0;
};

/// A server as the table knows it, for when the breaker does not answer.
server_snapshot known_of(const server_context& context) {
  server_snapshot s;
  s.id = context.id;
  s.host = context.server.host;
  s.port = context.server.port;
  s.priority = context.server.priority;
  s.read_only = context.server.role == server_role::read_only;
  s.state = server_state::suspect;
  s.global_catalog = context.server.role == server_role::global_catalog;
  return s;
}

std::vector<server_snapshot> merged(gathering& g) {
  for (auto& server : g.servers) {
    const auto routed =
        std::find_if(g.routed.begin(), g.routed.end(), [&](const server_snapshot& r) { return r.id == server.id; });
    if (routed != g.routed.end()) {
      add_pool_evidence(*routed, server.pool);
      routed->warning = server.warning;
      routed->budget = server.budget;
      routed->last_check = std::move(server.last_check);
      routed->last_connect_check = std::move(server.last_connect_check);
      server = std::move(*routed);
    }
  }
  return std::move(g.servers);
}

std::optional<int> active_priority(const std::vector<server_snapshot>& servers) {
  std::optional<int> level;
  for (const auto& s : servers)
    if (s.serving) level = level ? std::min(*level, s.priority) : s.priority;
  return level;
}

void tell(gathering& g, std::vector<server_snapshot> servers, const environment& env) {
  runtime_snapshot all;
  all.servers = std::move(servers);
  all.active_priority = active_priority(all.servers);
  all.credentials_refused = g.credentials_refused;
  if (env.cluster) all.peers = env.cluster->peers();
  if (env.metrics) env.metrics->fill(all, env.clock->now());
  if (env.clients) env.clients->fill(all);
  if (env.node_clients) env.node_clients->fill(all);
  g.answer.deliver(std::move(all));
}

}  // namespace

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
      watch_timer_(env_->poller, self->address()),
      drain_timer_(env_->poller, self->address()) {}

/// Children are left only when the manager was killed; nobody else would end them.
connection_manager_impl::~connection_manager_impl() {
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
caf::result<Answer> connection_manager_impl::to_child(const Handle& child, What&&... message) {
  return guard_.answer<Answer>([&]() -> caf::result<Answer> {
    if (!child) return to_error(make_failure(runtime_stopping(stage::queue)));
    return self_->delegate(child, std::forward<What>(message)...);
  });
}

/// The same, to the pool of `server`; `unknown`: what to answer when there is no such server.
template <class Answer, class... What>
caf::result<Answer> connection_manager_impl::to_pool(server_id server, errc unknown, What&&... message) {
  const auto pool = pool_of(server);
  if (!pool && breaker_) return to_error(refusal(unknown, "There is no server number " + std::to_string(server) + "."));
  return to_child<Answer>(pool, std::forward<What>(message)...);
}

manager_interface::behavior_type connection_manager_impl::make_behavior() {
  self_->set_down_handler([this](caf::down_msg& down) { guard_.run([&] { on_down(down.source); }); });
  self_->set_exit_handler([this](caf::exit_msg& order) { on_exit(order.reason); });
  watch_services();
  start_children();
  say_start();
  look_up_services();
  return {
      [this](perform_atom atom, call& c) { return to_child<result_ptr>(breaker_, atom, std::move(c)); },
      [this](lease_atom atom, lease_request& r) { return to_child<lease_grant>(breaker_, atom, std::move(r)); },
      [this](cancel_atom atom, const cancel_token_ptr& token) { self_->send(breaker_, atom, token); },
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
      [this](credential_atom, const std::string& bind_dn, const secret& password) -> caf::result<service_claim> {
        auto answer = self_->make_response_promise<service_claim>();
        guard_.run([&] { credentials_.check_claim(bind_dn, password, answer); });
        return answer;
      },
      [this](status_atom) { return guard_.answer<runtime_snapshot>([this] { return status(); }); },
      [this](health_atom atom, time_point deadline) {
        return to_child<std::vector<probe_report>>(monitor_, atom, deadline);
      },
      [this](health_atom atom, int priority, time_point deadline) {
        return to_child<std::vector<probe_report>>(monitor_, atom, priority, deadline);
      },
      [this](check_atom atom, server_id server, time_point deadline) {
        return to_pool<pool_health>(server, errc::no_server, atom, deadline);
      },
      [this](cleanup_atom atom, server_id server) { return to_pool<std::uint32_t>(server, errc::no_server, atom); },
      [this](claim_atom atom, server_id server, lease_id lease) {
        if (const auto pool = pool_of(server)) self_->send(pool, atom, lease);
      },
      [this](release_atom atom, server_id server, lease_id lease) {
        return to_pool<bool>(server, errc::invalid_lease, atom, lease);
      },
      [this](suspend_atom atom, server_id server, std::uint32_t ttl) {
        return to_child<bool>(breaker_, atom, server, ttl);
      },
      [this](resume_atom atom, server_id server) {
        guard_.run([&] { credentials_.resume(server); });
        return to_child<bool>(breaker_, atom, server);
      },
      [this](resume_atom atom) {
        for (const auto& server : servers_) self_->send(server.pool, atom);
      },
      [this](drain_atom, time_point deadline) { return guard_.answer<bool>([&] { return drain(deadline); }); },
      [this](tick_atom, std::uint64_t timer) { guard_.run([&] { on_tick(timer); }); },
      [this](resolved_atom, std::uint64_t number, const secret_reading& found) {
        guard_.run([&] { credentials_.read_done(number, found); });
      },
      [this](resolved_atom, std::uint64_t number, const std::string& fingerprint) {
        guard_.run([&] { credentials_.fingerprint_done(number, fingerprint); });
      },
      [this](credential_atom, const std::vector<refused_secret>& elsewhere) {
        guard_.run([&] { credentials_.on_refused_elsewhere(elsewhere); });
      },
      [this](resolved_atom, std::uint64_t number, const service_answer& found) {
        guard_.run([&] { on_services(number, found); });
      },
  };
}

void connection_manager_impl::on_tick(std::uint64_t timer) {
  if (watch_timer_.fired(timer))
    look_up_services();
  else if (!credentials_.on_tick(timer) && drain_timer_.fired(timer) && draining_)
    finish(false);
}

void connection_manager_impl::say(log_level level, std::string_view text, const log_port::fields& more) const {
  env_->log->write(level, "manager", text, more);
}

connection_manager_actor spawn_connection_manager(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                                  manager_dependencies parts) {
  auto poller = env->poller;
  return spawn_shell_on_poller<manager_interface, connection_manager_impl>(system, std::move(poller), std::move(all),
                                                                           std::move(env), std::move(parts));
}

connection_manager_actor spawn_connection_manager(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                                  connection_factory connect) {
  auto parts = make_manager_dependencies(all, env, std::move(connect));
  return spawn_connection_manager(system, std::move(all), std::move(env), std::move(parts));
}

// ---- children: starting them, and replacing one that ended ----

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
  const auto manager = self_->address();
  breaker_ = parts_.breaker(system);
  self_->monitor(breaker_);
  servers_.clear();
  all_ = effective();
  for (auto& context : contexts_of(all_)) servers_.push_back(start_pool(std::move(context)));
  tell_credentials();
  monitor_ = parts_.monitor(system, servers_, breaker_.address(), manager);
  self_->monitor(monitor_);
  introduce_children();
}

std::vector<server_context_ptr> connection_manager_impl::contexts_of(const settings_ptr& all) {
  std::vector<server_context_ptr> contexts;
  const auto ids = server_ids_.number(all->servers);
  for (std::size_t i = 0; i < ids.size(); ++i)
    contexts.push_back(make_context(ids[i], all->servers[i], all, env_, servers_));
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
    for (const auto& each : *table)
      if (each.context->id == server) return each.pool;
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
  if (draining_) return;  // its part of the drain is answered by CAF, or ended by the timer
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
    for (auto& server : *table) dismiss(self_, server.pool);
    table->clear();
  }
  dismiss(self_, breaker_);
}

// ---- what is due at a time: look-ups ----

/// Starts a look-up when one is due, and sets the timer for what comes next.
void connection_manager_impl::look_up_services() {
  if (!watch_ || draining_) return;
  const auto now = env_->clock->now();
  note_services(watch_->tick(now));
  if (watch_->start_if_due(now)) {
    look_up_ = env_->next_number();
    env_->resolver->find_services(watch_->name(), self_->address(), look_up_);
  }
  watch_timer_.arm(watch_->next_event());
}

void connection_manager_impl::on_services(std::uint64_t number, const service_answer& found) {
  if (!watch_ || number != look_up_ || draining_) return;  // of a name that is no longer asked for
  look_up_ = 0;
  note_services(watch_->answered(found, env_->clock->now()));
  look_up_services();
}

/// What stays the same for long is said once.
void connection_manager_impl::note_services(const srv_watcher::news& news) {
  if (news.changed) take_services();
  if (news.failing) {
    say(log_level::warning,
        servers_.empty() ? "the SRV records could not be used; there is no server until they can"
                         : "the SRV records could not be used; the servers stay as they are",
        {{"name", watch_->name()}, {"why", watch_->problem()}});
  } else if (news.recovered) {
    say(log_level::info, "the SRV records can be used again", {{"name", watch_->name()}});
  }
  if (servers_.empty()) self_->send(breaker_, servers_atom_v, no_server_reason());
  answer_for_router();
}

/// What to answer while there are no servers; null where they do not come from DNS.
failure_ptr connection_manager_impl::no_server_reason() const {
  return watch_ ? watch_->no_server_reason(env_->clock->now()) : nullptr;
}

/// Who starts the runtime asks this first: the first look-up is given a moment, so that the first request finds a
/// server.
caf::result<circuit_breaker_actor> connection_manager_impl::router() {
  auto answer = self_->make_response_promise<circuit_breaker_actor>();
  asked_for_router_.push_back(answer);
  answer_for_router();
  return answer;
}

void connection_manager_impl::answer_for_router() {
  if (watch_ && !watch_->settled()) return;
  for (auto& answer : std::exchange(asked_for_router_, {})) {
    if (breaker_) {
      answer.deliver(breaker_);
      continue;
    }
    answer.deliver(to_error(make_failure(runtime_stopping(stage::queue))));
  }
}

// ---- servers come, go and change ----

caf::result<reload_report> connection_manager_impl::reload(const settings_ptr& next, const start_token_ptr& token) {
  if (draining_) return to_error(make_failure(runtime_stopping(stage::queue, "its settings stay as they are")));
  if (token && !token->begin())
    return to_error(make_failure(caller_cancelled(stage::queue, "the settings stay as they are")));
  std::vector<std::string> needs_restart;
  configured_ = std::make_shared<const settings>(keep_unreloadable(*configured_, *next, needs_restart));
  watch_services();
  auto report = apply(effective());
  report.needs_restart = std::move(needs_restart);
  say(report.needs_restart.empty() ? log_level::info : log_level::warning, "the settings were changed",
      fields_of(report));
  look_up_services();
  return report;
}

/// What was configured, with servers in place of what stands for them: those that DNS lists, or, until it has
/// answered, those that there are already.
settings_ptr connection_manager_impl::effective() const {
  const auto* pattern = pattern_in(*configured_);
  if (pattern == nullptr) return configured_;
  auto all = std::make_shared<settings>(*configured_);
  if (watch_ && !watch_->records().empty())
    all->servers = servers_of(*pattern, watch_->records()).servers;
  else
    all->servers = all_ ? all_->servers : std::vector<connection_info>{};
  return all;
}

/// The breaker is told first: when a pool hears that its server left, nothing is routed there any more.
reload_report connection_manager_impl::apply(settings_ptr next) {
  reload_report report;
  std::vector<routed_server> table;
  std::vector<routed_server> kept;
  for (auto& context : contexts_of(next)) {
    const auto known = std::find_if(servers_.begin(), servers_.end(),
                                    [&](const routed_server& s) { return s.context->id == context->id; });
    if (known == servers_.end()) {
      report.added.push_back(context->name);
      table.push_back(start_pool(std::move(context)));
      continue;
    }
    if (!same_server(known->context->server, context->server)) report.changed.push_back(context->name);
    table.push_back({std::move(context), known->pool});
    kept.push_back(table.back());
  }
  std::swap(servers_, table);
  all_ = std::move(next);
  self_->send(breaker_, servers_atom_v, servers_);
  self_->send(monitor_, servers_atom_v, servers_);
  for (const auto& server : kept) self_->send(server.pool, reload_atom_v, server.context);
  for (auto& old : table) {
    if (std::none_of(kept.begin(), kept.end(), [&](const routed_server& k) { return k.pool == old.pool; })) {
      report.removed.push_back(old.context->name);
      let_go(std::move(old));
    }
  }
  tell_credentials();
  return report;
}

void connection_manager_impl::let_go(routed_server server) {
  const auto id = server.context->id;
  const auto span = all_->limits.drain_timeout;
  say(log_level::info, "a server was taken out and is drained", {{"server", server.context->name}});
  self_->request(server.pool, span + grace, removed_atom_v, env_->clock->now() + span)
      .then([this, id](bool clean) { guard_.run([&] { gone(id, clean); }); },
            [this, id](caf::error&) { guard_.run([&] { gone(id, false); }); });
  leaving_.push_back(std::move(server));
}

void connection_manager_impl::gone(server_id server, bool clean) {
  const auto left =
      std::find_if(leaving_.begin(), leaving_.end(), [&](const routed_server& s) { return s.context->id == server; });
  if (left == leaving_.end()) return;
  say(clean ? log_level::info : log_level::warning,
      clean ? "a server that was taken out is drained" : "a server that was taken out was cut off",
      {{"server", left->context->name}});
  self_->demonitor(left->pool.address());
  self_->send_exit(left->pool, caf::exit_reason::user_shutdown);
  leaving_.erase(left);
  tell_credentials();
}

/// A server that leaves may still have to bind: a connection that comes back from its holder does.
void connection_manager_impl::tell_credentials() {
  std::vector<guarded_server> servers;
  for (const auto* table : {&servers_, &leaving_})
    for (const auto& each : *table) servers.push_back({each.context->id, each.context->server});
  credentials_.set_servers(servers, *all_);
}

/// Starts, keeps or ends the watch over DNS, as it is configured now.
void connection_manager_impl::watch_services() {
  const auto* pattern = pattern_in(*configured_);
  if (pattern == nullptr) {
    watch_.reset();
    watch_timer_.disarm();
    answer_for_router();
  } else if (!watch_ || watch_->name() != pattern->srv) {
    look_up_ = 0;
    watch_.emplace(pattern->srv, watch_options{}, make_random(env_->seed ^ self_->id()), env_->clock->now());
  }
}

/// DNS lists other servers than before.
void connection_manager_impl::take_services() {
  for (const auto& each : servers_of(*pattern_in(*configured_), watch_->records()).ignored)
    say(log_level::warning, "an SRV record is not used", {{"name", watch_->name()}, {"record", each}});
  const auto report = apply(effective());
  say(log_level::info, "the servers are those that DNS lists now", fields_of(report));
}

// ---- draining ----

/// A second order may bring the end forward, never put it off.
caf::result<bool> connection_manager_impl::drain(time_point deadline) {
  auto answer = self_->make_response_promise<bool>();
  drained_.push_back(answer);
  if (draining_ && deadline >= drain_deadline_) return answer;
  drain_deadline_ = deadline;
  if (!draining_) {
    draining_ = true;
    say(log_level::info, "draining");
    self_->send(breaker_, drain_atom_v);
    self_->send(monitor_, drain_atom_v);
    watch_.reset();
    watch_timer_.disarm();
    answer_for_router();
  }
  drain_timer_.arm(deadline + drain_grace);
  ask_pools_to_drain();
  return answer;
}

void connection_manager_impl::ask_pools_to_drain() {
  const auto round = ++drain_round_;
  const auto limit = std::max<duration>(drain_deadline_ - env_->clock->now(), duration::zero()) + 2 * drain_grace;
  pools_draining_ = servers_.size() + leaving_.size();
  for (const auto* table : {&servers_, &leaving_}) {
    for (const auto& server : *table) {
      self_->request(server.pool, limit, drain_atom_v, drain_deadline_)
          .then([this, round](bool clean) { guard_.run([&] { pool_drained(round, clean); }); },
                [this, round](caf::error&) { guard_.run([&] { pool_drained(round, false); }); });
    }
  }
  if (pools_draining_ == 0) finish(true);
}

void connection_manager_impl::pool_drained(std::uint64_t round, bool clean) {
  if (round != drain_round_) return;
  clean_ = clean_ && clean;
  if (--pools_draining_ == 0) finish(true);
}

void connection_manager_impl::finish(bool in_time) {
  ++drain_round_;
  const bool clean = in_time && clean_;
  say(clean ? log_level::info : log_level::warning, clean ? "drained" : "drained; some requests were cut off");
  drain_timer_.disarm();
  credentials_.close();
  dismiss_children();
  watch_.reset();
  answer_for_router();
  for (auto& answer : std::exchange(drained_, {})) answer.deliver(clean);
  self_->quit(failed_ ? caf::make_error(errc::internal) : caf::error{caf::exit_reason::normal});
}

void connection_manager_impl::on_exit(const caf::error& order) {
  if (order == caf::exit_reason::user_shutdown || order == caf::exit_reason::kill) finish(false);
}

// ---- the state of breaker and pools ----

caf::result<runtime_snapshot> connection_manager_impl::status() {
  auto g = std::make_shared<gathering>();
  g->answer = self_->make_response_promise<runtime_snapshot>();
  g->credentials_refused = credentials_.any_refused();
  g->missing = servers_.size() + 1;
  if (env_->clock->now() - last_seen_at_ > remembered_for) last_seen_.clear();
  for (const auto& server : servers_) {
    const auto seen = std::find_if(last_seen_.begin(), last_seen_.end(),
                                   [&](const server_snapshot& s) { return s.id == server.context->id; });
    g->servers.push_back(seen != last_seen_.end() ? *seen : known_of(*server.context));
    g->servers.back().last_check = server.context->checks->latest();
    g->servers.back().last_connect_check = server.context->checks->latest_connect();
    g->servers.back().warning = credentials_.warning(server.context->id);
    if (env_->cluster) g->servers.back().budget = env_->cluster->budget(server.context->name);
  }
  const auto arrived = [this, g] {
    guard_.run([&] {
      if (--g->missing > 0) return;
      auto servers = merged(*g);
      if (g->all_answered) {
        last_seen_ = servers;
        last_seen_at_ = env_->clock->now();
      }
      tell(*g, std::move(servers), *env_);
    });
  };
  const auto silent = [g, arrived](const caf::error&) {
    g->all_answered = false;
    arrived();
  };
  self_->request(breaker_, patience, status_atom_v)
      .then(
          [g, arrived](std::vector<server_snapshot>& routed) {
            g->routed = std::move(routed);
            arrived();
          },
          silent);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    self_->request(servers_[i].pool, patience, status_atom_v)
        .then(
            [g, arrived, i](const pool_snapshot& pool) {
              g->servers[i].pool = pool;
              arrived();
            },
            silent);
  }
  return g->answer;
}

}  // namespace understudy::internal
