// Other settings while everything runs: servers come, go and change; what is the same goes on undisturbed.
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"
#include "understudy/actors/connection_manager/srv_servers.hpp"
#include "understudy/config/reload.hpp"

#include <algorithm>

namespace understudy {
namespace {

/// How long after the deadline a pool may take to say what became of its drain.
constexpr milliseconds grace{500};

/// The server that stands for those that DNS lists, or null.
const connection_info* pattern_in(const settings& all) {
  return all.servers.size() == 1 && !all.servers.front().srv.empty() ? &all.servers.front() : nullptr;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

log_port::fields fields_of(const reload_report& report) {
  log_port::fields more;
  const std::pair<std::string_view, const std::vector<std::string>*> parts[] = {
      {"added", &report.added},
      {"removed", &report.removed},
      {"changed", &report.changed},
      {"needs_restart", &report.needs_restart}};
  for (const auto& [what, names] : parts) {
    if (!names->empty()) {
      more.emplace_back(what, listed(*names));
    }
  }
  return more;
}

}  // namespace

caf::result<reload_report> connection_manager_impl::reload(const settings_ptr& next, const start_token_ptr& token) {
  if (draining_) {
    return to_error(refusal(errc::draining, "The runtime is being stopped; its settings stay as they are."));
  }
  if (token && !token->begin()) {
    return to_error(refusal(errc::cancelled, "Who asked for other settings has given up; they stay as they are."));
  }
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
  if (pattern == nullptr) {
    return configured_;
  }
  auto all = std::make_shared<settings>(*configured_);
  if (watch_ && !watch_->records().empty()) {
    all->servers = servers_of(*pattern, watch_->records()).servers;
  } else {
    all->servers = all_ ? all_->servers : std::vector<connection_info>{};
  }
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
    if (!same_server(known->context->server, context->server)) {
      report.changed.push_back(context->name);
    }
    table.push_back({std::move(context), known->pool});
    kept.push_back(table.back());
  }
  std::swap(servers_, table);
  all_ = std::move(next);
  self_->send(breaker_, servers_atom_v, servers_);
  self_->send(monitor_, servers_atom_v, servers_);
  for (const auto& server : kept) {
    self_->send(server.pool, reload_atom_v, server.context);
  }
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
  if (left == leaving_.end()) {
    return;
  }
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
  std::vector<desk_server> servers;
  for (const auto* table : {&servers_, &leaving_}) {
    for (const auto& each : *table) {
      servers.push_back({each.context->id, each.context->server});
    }
  }
  credentials_.set_servers(servers, *all_);
}

/// Starts, keeps or ends the watch over DNS, as it is configured now.
void connection_manager_impl::watch_services() {
  const auto* pattern = pattern_in(*configured_);
  if (pattern == nullptr) {
    watch_.reset();
    env_->poller->clear_timer(watch_timer_);
    answer_for_router();
  } else if (!watch_ || watch_->name() != pattern->srv) {
    look_up_ = 0;
    watch_.emplace(pattern->srv, watch_options{}, make_random(env_->seed ^ self_->id()), env_->clock->now());
  }
}

/// DNS lists other servers than before.
void connection_manager_impl::take_services() {
  for (const auto& each : servers_of(*pattern_in(*configured_), watch_->records()).ignored) {
    say(log_level::warning, "an SRV record is not used", {{"name", watch_->name()}, {"record", each}});
  }
  const auto report = apply(effective());
  say(log_level::info, "the servers are those that DNS lists now", fields_of(report));
}

}  // namespace understudy
