// The end of a runtime: refuse what is new, let pools finish until the deadline, tell everyone to exit.
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"

#include <algorithm>

namespace understudy {
namespace {

/// How long after the deadline a pool may take to say what became of its drain.
constexpr milliseconds grace{250};

}  // namespace

/// A second order may bring the end forward, never put it off.
caf::result<bool> connection_manager_impl::drain(time_point deadline) {
  auto answer = self_->make_response_promise<bool>();
  drained_.push_back(answer);
  if (draining_ && deadline >= drain_deadline_) {
    return answer;
  }
  drain_deadline_ = deadline;
  if (!draining_) {
    draining_ = true;
    say(log_level::info, "draining");
    self_->send(breaker_, drain_atom_v);
    self_->send(monitor_, drain_atom_v);
    watch_.reset();
    env_->poller->clear_timer(watch_timer_);
    answer_for_router();
  }
  env_->poller->set_timer(drain_timer_, deadline + grace);
  ask_pools_to_drain();
  return answer;
}

void connection_manager_impl::ask_pools_to_drain() {
  const auto round = ++drain_round_;
  const auto patience = std::max<duration>(drain_deadline_ - env_->clock->now(), duration::zero()) + 2 * grace;
  pools_draining_ = servers_.size() + leaving_.size();
  for (const auto* table : {&servers_, &leaving_}) {
    for (const auto& server : *table) {
      self_->request(server.pool, patience, drain_atom_v, drain_deadline_)
          .then([this, round](bool clean) { guard_.run([&] { pool_drained(round, clean); }); },
                [this, round](caf::error&) { guard_.run([&] { pool_drained(round, false); }); });
    }
  }
  if (pools_draining_ == 0) {
    finish(true);
  }
}

void connection_manager_impl::pool_drained(std::uint64_t round, bool clean) {
  if (round != drain_round_) {
    return;
  }
  clean_ = clean_ && clean;
  if (--pools_draining_ == 0) {
    finish(true);
  }
}

void connection_manager_impl::finish(bool in_time) {
  ++drain_round_;
  const bool clean = in_time && clean_;
  say(clean ? log_level::info : log_level::warning, clean ? "drained" : "drained; some requests were cut off");
  env_->poller->clear_timer(drain_timer_);
  credentials_.close();
  dismiss_children();
  watch_.reset();
  answer_for_router();
  for (auto& answer : std::exchange(drained_, {})) {
    answer.deliver(clean);
  }
  self_->quit(failed_ ? caf::make_error(errc::internal) : caf::error{caf::exit_reason::normal});
}

void connection_manager_impl::on_exit(const caf::error& order) {
  if (order == caf::exit_reason::user_shutdown || order == caf::exit_reason::kill) {
    finish(false);
  }
}

}  // namespace understudy
