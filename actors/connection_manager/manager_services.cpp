// Servers that DNS lists: look-ups when they are due, and what they bring.
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"

#include <utility>

namespace understudy {

/// Starts a look-up when one is due, and sets the timer for what comes next.
void connection_manager_impl::look_up_services() {
  if (!watch_ || draining_) {
    return;
  }
  const auto now = env_->clock->now();
  note_services(watch_->tick(now));
  if (watch_->start_if_due(now)) {
    look_up_ = env_->next_number();
    env_->resolver->find_services(watch_->name(), self_->address(), look_up_);
  }
  if (const auto next = watch_->next_event()) {
    env_->poller->set_timer(watch_timer_, *next);
  } else {
    env_->poller->clear_timer(watch_timer_);
  }
}

void connection_manager_impl::on_services(std::uint64_t number, const service_answer& found) {
  if (!watch_ || number != look_up_ || draining_) {
    return;  // of a name that is no longer asked for
  }
  look_up_ = 0;
  note_services(watch_->answered(found, env_->clock->now()));
  look_up_services();
}

/// What stays the same for long is said once.
void connection_manager_impl::note_services(const srv_watcher::news& news) {
  if (news.changed) {
    take_services();
  }
  if (news.failing) {
    say(log_level::warning,
        servers_.empty() ? "the SRV records could not be used; there is no server until they can"
                         : "the SRV records could not be used; the servers stay as they are",
        {{"name", watch_->name()}, {"why", watch_->problem()}});
  } else if (news.recovered) {
    say(log_level::info, "the SRV records can be used again", {{"name", watch_->name()}});
  }
  if (servers_.empty()) {
    self_->send(breaker_, servers_atom_v, no_server_reason());
  }
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
  if (watch_ && !watch_->settled()) {
    return;
  }
  for (auto& answer : std::exchange(asked_for_router_, {})) {
    if (breaker_) {
      answer.deliver(breaker_);
      continue;
    }
    answer.deliver(to_error(make_failure(errc::draining, stage::queue, "The runtime is being stopped.")));
  }
}

}  // namespace understudy
