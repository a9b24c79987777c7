// The one bridge from threads to actors: see client.hpp.
#include "understudy/runtime/client/client.hpp"

#include "understudy/actors/metrics/registry.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/messages/time_units.hpp"
#include "understudy/runtime/client/client_request.hpp"
#include "understudy/runtime/client/lease_state.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"

#include <unistd.h>
#include <caf/send.hpp>

namespace understudy::internal {
namespace {

// Refusals whose completions wait to be called; they hold no permit that would bound them.
constexpr std::size_t most_refusals_untold = 1 << 18;

/// A request is shared and immutable: more controls make another one.
request_ptr with_controls(request_ptr original, const std::vector<control>& more) {
  if (more.empty()) return original;
  auto made = std::make_shared<request>(*original);
  made->controls.insert(made->controls.end(), more.begin(), more.end());
  return made;
}

std::string thread_name() { return "thread " + std::to_string(::gettid()); }

}  // namespace

failure_ptr error_in(caf::type_erased_tuple& content) {
  if (content.match_elements<caf::error>()) return failure_of(content.get_as<caf::error>(0));
  return make_failure(errc::internal, stage::queue, "an actor's answer was of the wrong kind; please report it");
}

runtime_client::runtime_client(caf::actor_system& system, environment_ptr env, const settings& all)
    : env_(std::move(env)),
      permits_(std::make_shared<request_permits>(static_cast<std::uint64_t>(all.limits.max_requests))),
      replies_(make_pending_replies(system, env_)) {
  configure(all);
}

void runtime_client::configure(const settings& all) {
  live_.operation_timeout = all.limits.operation_timeout;
  duration longest = all.servers.empty() ? all.pool.timeout : duration::zero();
  for (const auto& server : all.servers) longest = std::max(longest, pool_for(all, server).timeout);
  live_.pool_timeout = longest;
  live_.max_result_bytes = all.limits.max_result_bytes;
  live_.reconnect_delay = all.recovery.reconnect_delay;
  live_.reconnect_attempts = all.recovery.reconnect_attempts;
  live_.auto_reconnect = all.recovery.auto_reconnect;
  live_.recovery_delay = all.recovery.recovery_delay;
  live_.recovery_attempts = all.recovery.recovery_attempts;
  live_.auto_recovery = all.recovery.auto_recovery;
}

recovery_settings runtime_client::recovery() const {
  recovery_settings now;
  now.reconnect_delay = live_.reconnect_delay;
  now.reconnect_attempts = live_.reconnect_attempts;
  now.auto_reconnect = live_.auto_reconnect;
  now.recovery_delay = live_.recovery_delay;
  now.recovery_attempts = live_.recovery_attempts;
  now.auto_recovery = live_.auto_recovery;
  return now;
}

runtime_client::~runtime_client() {
  if (!forked()) close();
}

bool runtime_client::forked() const noexcept { return !fork_detector_.here(); }

void runtime_client::connect_to(circuit_breaker_actor router, connection_manager_actor manager) {
  router_ = std::move(router);
  manager_ = std::move(manager);
}

caf::strong_actor_ptr runtime_client::first_hop() const {
  if (router_ended_) return caf::actor_cast<caf::strong_actor_ptr>(manager_);
  return caf::actor_cast<caf::strong_actor_ptr>(router_);
}

failure_ptr runtime_client::refusal() const {
  if (forked()) return forked_process();
  if (auto why = replies_->closed()) return why;
  if (draining_) return make_failure(runtime_stopping(stage::queue));
  return nullptr;
}

failure_ptr runtime_client::cannot_wait() const {
  if (forked()) return forked_process();
  return callback_thread::may_wait_for_requests() ? nullptr : would_wait_for_itself();
}

failure_ptr runtime_client::lost_answer() {
  return make_failure(errc::operation_timeout, stage::queue,
                      "the answer was lost inside the runtime; please report it");
}

bool runtime_client::take_permit() { return permits_->try_take(); }

void runtime_client::count_failed(const failure_ptr& why, duration took) {
  env_->metrics->finished(why.get(), took, env_->clock->now());
}

void runtime_client::finished(const failure_ptr& why, duration took) {
  permits_->give_back();
  env_->metrics->finished(why.get(), took, env_->clock->now());
  if (!why) last_success_ = env_->clock->wall_now().time_since_epoch().count();
}

std::optional<wall_time> runtime_client::last_success() const {
  auto at = last_success_.load();
  if (at == 0) return std::nullopt;
  return wall_time{wall_time::duration{at}};
}

time_point runtime_client::deadline_after(duration timeout, duration fallback) const {
  auto span = timeout == duration::zero() ? fallback : timeout;
  return env_->clock->now() + as_limit(span);
}

outcome runtime_client::perform(request_ptr request, const call_options& options) {
  return perform_on({first_hop(), 0, {}}, std::move(request), options);
}

void runtime_client::start(request_ptr request, completion done, const call_options& options, executor where) {
  start_on({first_hop(), 0, {}}, std::move(request), {std::move(done), std::move(where), env_->log}, options);
}

outcome runtime_client::perform_on(route to, request_ptr request, const call_options& options) {
  if (auto why = cannot_wait()) return why;
  auto reply = std::make_shared<reply_waiter<outcome>>();
  to.awaited = true;
  const auto send = [&] {
    start_on(std::move(to), std::move(request), {[reply](outcome o) { reply->set(std::move(o)); }, {}, nullptr},
             options);
  };
  env_->poller->run_inline(std::cref(send));
  auto wait = deadline_of(options.timeout) - env_->clock->now();
  if (auto got = reply->wait_out(wait, spin_limiter_)) return std::move(*got);
  return lost_answer();
}

void runtime_client::start_on(route to, request_ptr request, completion_delivery done, const call_options& options,
                              std::shared_ptr<stream_buffer> parts) {
  const auto refused = [&](failure_ptr why) {
    count_failed(why, duration::zero());
    if (to.awaited) return done.tell(std::move(why));
    refuse(std::move(done), std::move(why));
  };
  if (auto why = refusal()) return refused(std::move(why));
  if (!request) {
    // No operation, so it is not counted as one.
    auto why = make_failure(errc::invalid_request, stage::queue, "there is no request (a null pointer)");
    return to.awaited ? done.tell(std::move(why)) : refuse(std::move(done), std::move(why));
  }
  if (!take_permit())
    return refused(make_failure(errc::queue_full, stage::queue,
                                "more than " + std::to_string(permits_->most()) +
                                    " requests are under way (limits.max_requests); refused at once"));
  auto op = std::make_shared<client_request>(shared_from_this(), std::move(to),
                                             with_controls(std::move(request), options.controls),
                                             deadline_of(options.timeout), std::move(done), std::move(parts));
  op->start(options.cancel ? options.cancel->state_ : nullptr);
}

void runtime_client::refuse(completion_delivery done, failure_ptr why) const {
  // A forked child has no thread of ours that could tell it.
  auto* poller = forked() ? nullptr : env_->poller.get();
  if (poller != nullptr && poller->posted() >= most_refusals_untold)
    throw_failure(make_failure(errc::queue_full, stage::queue,
                               "requests are refused faster than their completions return; this one's is not called"));
  done.tell_elsewhere(poller, std::move(why));
}

answer<lease> runtime_client::acquire(const lease_options& options) {
  const auto began = env_->clock->now();
  auto got = acquire(options, lease_request{});
  if (!got) count_failed(got.error, env_->clock->now() - began);
  return got;
}

answer<lease> runtime_client::acquire_anew(const lease_options& options, std::uint16_t attempts) {
  lease_request ask_for;
  ask_for.anew = true;
  ask_for.attempts = attempts;
  return acquire(options, std::move(ask_for));
}

answer<lease> runtime_client::acquire_elsewhere(const lease_options& options, server_set tried) {
  lease_request ask_for;
  ask_for.tried = tried;
  return acquire(options, std::move(ask_for));
}

answer<lease> runtime_client::acquire_until(time_point deadline) {
  lease_options options;
  options.timeout = left_until(deadline);
  return acquire(options);
}

duration runtime_client::left_until(time_point deadline) const {
  return std::max<duration>(deadline - env_->clock->now(), duration{1});
}

void runtime_client::resume() { caf::anon_send(manager_, resume_atom_v); }

answer<reload_report> runtime_client::reload(settings_ptr next, duration timeout) {
  if (auto why = cannot_wait()) return {std::nullopt, why};
  const auto token = std::make_shared<start_token>();
  const auto reply = std::make_shared<reply_waiter<answer<reload_report>>>();
  // This request never expires: who waits here decides with the token, so that what is told is what happens.
  auto asked = std::make_shared<typed_pending_request<reload_report>>(
      time_point::max(), [reply](answer<reload_report> got) { reply->set(std::move(got)); });
  if (auto id = replies_->note(asked))
    caf::actor_cast<caf::strong_actor_ptr>(manager_)->enqueue(
        caf::make_mailbox_element(replies_.actor, *id, {}, reload_atom_v, std::move(next), token), nullptr);
  if (auto got = reply->wait(as_limit(timeout))) return std::move(*got);
  if (token->give_up())
    return {std::nullopt,
            make_failure(errc::operation_timeout, stage::queue,
                         "the runtime is busy and did not begin to change its settings within " +
                             std::to_string(whole_milliseconds(timeout).count()) + " ms; they stay as they are")};
  // It is at it just now.
  if (auto got = reply->wait_out(duration::zero(), spin_limiter_)) return std::move(*got);
  return {std::nullopt, lost_answer()};
}

void runtime_client::tell(const probe_report& found) { caf::anon_send(router_, probe_atom_v, found); }

answer<lease> runtime_client::acquire(const lease_options& options, lease_request ask_for) {
  if (auto why = refusal()) return {std::nullopt, why};
  if (auto why = cannot_wait()) return {std::nullopt, why};
  ask_for.deadline = deadline_after(options.timeout, live_.pool_timeout);
  ask_for.token = std::make_shared<cancel_token>();
  ask_for.holder = options.holder.empty() ? thread_name() : options.holder;
  ask_for.wait = options.wait;

  auto reply = std::make_shared<reply_waiter<answer<lease>>>();
  // Claimed on the thread that grants it: the pool does not wait for the caller to be scheduled.
  auto granted = [self = shared_from_this(), reply](answer<lease_grant> got) {
    if (got)
      reply->set({self->hold(*got.value), nullptr});
    else
      reply->set({std::nullopt, got.error});
  };
  auto router = first_hop();
  auto give_up = [router, token = ask_for.token] {
    token->cancel();
    router->get()->eq_impl(caf::make_message_id(), nullptr, nullptr, cancel_atom_v, token);
  };
  auto asked = std::make_shared<typed_pending_request<lease_grant>>(ask_for.deadline + pending_replies::sweep_interval,
                                                                    std::move(granted), std::move(give_up));
  auto wait = ask_for.deadline - env_->clock->now();
  const auto send = [&] {
    if (auto id = replies_->note(asked))
      router->enqueue(caf::make_mailbox_element(replies_.actor, *id, {}, lease_atom_v, std::move(ask_for)), nullptr);
  };
  env_->poller->run_inline(std::cref(send));
  if (auto got = reply->wait_out(wait, spin_limiter_)) return std::move(*got);
  return {std::nullopt, lost_answer()};
}

lease runtime_client::hold(const lease_grant& grant) {
  auto held = std::make_shared<lease::state>();
  held->client = shared_from_this();
  held->connection = caf::actor_cast<caf::strong_actor_ptr>(grant.connection);
  held->id = grant.id;
  held->server = grant.server;
  held->server_name = grant.server_name;
  {
    std::lock_guard guard{leases_mutex_};
    leases_.emplace(grant.id, held);
  }
  caf::anon_send(manager_, claim_atom_v, grant.server, grant.id);
  return lease{std::move(held)};
}

void runtime_client::forget(lease_id id) {
  std::lock_guard guard{leases_mutex_};
  leases_.erase(id);
}

void runtime_client::send_release(const lease::state& held) {
  caf::anon_send(manager_, release_atom_v, held.server, held.id);
}

void runtime_client::let_go(lease::state& held) {
  if (forked() || !held.take()) return;
  forget(held.id);
  if (!replies_->closed()) send_release(held);
}

answer<bool> runtime_client::give_back(lease& connection) {
  auto held = connection.state_;
  if (!held) return {false, nullptr};
  // Before any lock: a thread that is not here may have held it at the fork.
  if (forked()) return {std::nullopt, forked_process()};
  if (held->client.get() != this)
    return {std::nullopt, make_failure(errc::invalid_lease, stage::queue,
                                       "this lease is of another manager; return it there", held->server_name)};
  connection.state_.reset();
  if (!held->take()) return {false, nullptr};
  forget(held->id);
  if (replies_->closed()) return {false, nullptr};
  if (cannot_wait()) {
    send_release(*held);
    return {true, nullptr};
  }
  return ask<bool>(manager_, seconds{1}, release_atom_v, held->server, held->id);
}

answer<connection_snapshot> runtime_client::inspect(const lease& connection, duration timeout) {
  auto target = connection.state_ ? connection.state_->target() : nullptr;
  if (!target) return {std::nullopt, forked() ? forked_process() : not_running()};
  return ask<connection_snapshot>(target, timeout, status_atom_v);
}

answer<probe_report> runtime_client::check(const lease& connection, duration timeout) {
  timeout = as_limit(timeout);
  auto target = connection.state_ ? connection.state_->target() : nullptr;
  if (!target) return {std::nullopt, forked() ? forked_process() : not_running()};
  return ask<probe_report>(target, timeout, check_atom_v, env_->clock->now() + timeout);
}

void runtime_client::close(failure_ptr why) {
  replies_->close(std::move(why));
  std::map<lease_id, std::weak_ptr<lease::state>> left;
  {
    std::lock_guard guard{leases_mutex_};
    left.swap(leases_);
  }
  for (auto& [id, weak] : left)
    if (auto held = weak.lock()) held->take();
}

}  // namespace understudy::internal
