// Deadlines, cancellation, failures, re-casts, and the end of a connection.
#include "understudy/actors/connection/connection.hpp"
#include "understudy/actors/metrics/registry.hpp"

#include <caf/send.hpp>

namespace understudy {
namespace {

constexpr std::size_t most_abandoned = 65536;  // libldap's list of abandoned ids only grows

}  // namespace

failure_ptr connection::connection_failure(errc code, std::string message) const {
  return make_failure(code, stage::operation, std::move(message), context_.name);
}

void connection::log(log_level level, std::string_view text, const failure_ptr& cause) const {
  if (!env_.log || !env_.log->enabled(level)) return;
  log_port::fields more{{"server", context_.name}, {"connection", std::to_string(spec_.id)}};
  if (cause) more.emplace_back("cause", describe(*cause));
  env_.log->write(level, "connection", text, more);
}

// ---- deadlines ----

void connection::check_deadlines() {
  time_point next = time_point::max();
  const auto slow_call = all_.breaker.slow_call;
  std::vector<int> due;
  bool news = false;
  open_.each([&](int id, table::item& one) {
    if (one.deadline <= now_) {
      due.push_back(id);
      return;
    }
    next = std::min(next, one.deadline);
    // A consumer who takes his time is no slow server; he brings the matter up again with his next credit.
    if (one.slow || one.ticket.why != purpose::call || waits_for_consumer()) return;
    if (const auto waited = unanswered(one); waited < slow_call) {
      next = std::min(next, now_ + (slow_call - waited));
      return;
    }
    one.slow = true;
    news = note_unanswered(one) || news;
    if (!one.ticket.order.trial) {
      report_failure(
          one.ticket.order, failure_class::slow,
          connection_failure(errc::operation_timeout, "An operation is unanswered for longer than slow_call."));
    }
  });
  // A deadline that passes is the caller's choice; that nothing at all was answered meanwhile is worth a question.
  for (const int id : due) {
    if (const auto* one = open_.find(id)) news = note_unanswered(*one) || news;
  }
  for (const int id : due) expire(id);
  if (news) have_server_probed();
  expire_held();
  recast_postponed(false);
  if (next != time_point::max()) wake_by(next);
  if (phase_ == phase::draining) close_when_empty();
}

void connection::expire_held() {
  for (std::size_t i = held_.size(); i-- > 0;) {
    if (held_[i].order.deadline > now_) {
      wake_by(held_[i].order.deadline);
      continue;
    }
    settle(held_[i], connection_failure(errc::operation_timeout, "The deadline passed before it was sent."));
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void connection::recast_postponed(bool all) {
  for (auto& one : std::exchange(postponed_, {})) {
    if (all || one.due <= now_) {
      send_elsewhere(std::move(one.one), std::move(one.cause));
    } else {
      wake_by(one.due);
      postponed_.push_back(std::move(one));
    }
  }
}

void connection::expire(int id) {
  // The connection may have ended with one that expired before.
  const auto* found = open_.find(id);
  if (found == nullptr || (found->ticket.why != purpose::call && found->ticket.why != purpose::check)) return;
  const bool sent = maybe_sent(*found);
  auto one = take_back(id);
  auto late = connection_failure(errc::operation_timeout, "The " + describe(one.what->op) + " at " + context_.name +
                                                              (sent ? " was not answered in time; it was abandoned."
                                                                    : " could not be sent in time."));
  if (one.ticket.why == purpose::check) return finish_check(std::move(one), std::move(late));
  const bool bind = std::holds_alternative<bind_request>(one.what->op);
  if (sent && !env_.may_repeat(one.what->op)) {
    failure unknown = *late;
    unknown.code = errc::outcome_unknown;
    unknown.message = "The " + describe(one.what->op) + " was sent to " + context_.name +
                      " and not answered in time: it may or may not have happened.";
    if (goodbye_) unknown.cause = goodbye_->message;
    late = make_failure(std::move(unknown));
  }
  if (sent && goodbye_ && !death_reported_) report_death(goodbye_);
  settle(one, std::move(late));
  // A bind cannot be abandoned (RFC 4511, 4.11): the connection is of no use any more.
  if (bind && sent) end(connection_failure(errc::connection_failed, "A bind was not answered in time."), true);
}

/// For each silence: the breaker has the server probed, long before any deadline; again when it lasts longer than is
/// usual, since the pool of a server that fails ends what is silent then.
void connection::check_suspicion() {
  if (waits_for_consumer()) return;
  if (open_.empty() || (phase_ != phase::ready && phase_ != phase::draining)) return;
  time_point oldest = time_point::max();
  open_.each([&](int, table::item& one) { oldest = std::min(oldest, one.started); });
  const auto since = std::max(oldest, last_heard_);
  const auto suspect_at = since + all_.breaker.suspect_after;
  if (now_ < suspect_at) return wake_by(suspect_at);
  // A server that takes its time is no reason to give up what waits for it.
  const auto silent_at = std::max<time_point>(suspect_at, since + context_.pace->patience(true));
  open_.each([&](int, table::item& one) {
    if (one.started == oldest) note_unanswered(one);
  });
  const bool silent = now_ >= silent_at && !spec_.gauge->silent.exchange(true);
  if (!std::exchange(suspected_, true) || silent) have_server_probed();
  if (now_ < silent_at) wake_by(silent_at);
}

/// What a server owes is the result. An entry is a sign of life for a while: until the deadline, if that comes sooner.
/// True when the server is to be probed for it.
bool connection::note_unanswered(const table::item& one) {
  if (one.ticket.why != purpose::call || !maybe_sent(one) || waits_for_consumer()) return false;
  const auto& breaker = all_.breaker;
  const auto since = std::max(now_ - unanswered(one), one.heard);
  const auto waited = now_ - since;
  if (one.heard != time_point{} && waited < breaker.suspect_after && now_ < one.deadline) return false;
  const bool news =
      context_.unanswered->note(one.what->op, since, now_, breaker.circuit_breaker_threshold, breaker.suspect_after);
  // What else waits here goes elsewhere when the probe fails.
  if (news && last_heard_ <= since && waited >= context_.pace->patience(true)) spec_.gauge->silent = true;
  return news;
}

void connection::have_server_probed() {
  if (auto breaker = caf::actor_cast<circuit_breaker_actor>(spec_.breaker)) {
    caf::anon_send(breaker, suspect_atom_v, context_.id);
  }
}

void connection::cancel(const cancel_token_ptr& token) {
  if (!token) return;
  const auto message = [&](bool sent) {
    return connection_failure(errc::cancelled, sent ? "Cancelled; it was abandoned, but may have been carried out."
                                                    : "Cancelled before it was sent.");
  };
  for (auto at = held_.begin(); at != held_.end(); ++at) {
    if (at->order.token != token) continue;
    settle(*at, message(false));
    held_.erase(at);
    return close_when_empty();
  }
  for (auto at = postponed_.begin(); at != postponed_.end(); ++at) {
    if (at->one.order.token != token) continue;
    at->one.promise.deliver(to_error(message(true)));
    postponed_.erase(at);
    return;
  }
  for (const int id : open_.ids([&](const table::item& one) { return one.ticket.order.token == token; })) {
    const bool sent = maybe_sent(*open_.find(id));
    auto one = take_back(id);
    const bool bind = std::holds_alternative<bind_request>(one.what->op);
    settle(one, message(sent));
    if (bind && sent) return end(connection_failure(errc::cancelled, "A bind was cancelled."), true);
  }
  close_when_empty();
}

/// Out of the table; off the wire when none of it left, abandoned there otherwise.
connection::table::item connection::take_back(int id) {
  const auto& found = *open_.find(id);
  if (std::holds_alternative<bind_request>(found.what->op)) exclusive_ = false;
  if (maybe_sent(found)) {
    ldap_.abandon(id, true);
    if (open_.abandoned() + 1 >= most_abandoned)
      start_draining("it has abandoned as many operations as it can remember");
    return open_.abandon(id);
  }
  ldap_.abandon(id, false);
  auto one = open_.take(id);
  bytes_.discard(one.begin, one.size);
  open_.close_gap(one.begin, one.size);
  return one;
}

// ---- answers ----

void connection::count(lease_id lease) noexcept {
  ++completed_;
  // Lost behind a goodbye: no sign that the connection was of use, so that the next one is not opened without a pause.
  if (lease != 0 || goodbye_) return;
  spec_.gauge->completed.fetch_add(1);
  completed_some_ = true;
}

void connection::settle(held_call& one, failure_ptr why) {
  if (one.order.trial) report_failure(one.order, classify(*why, true), why);
  count(one.lease);
  if (one.stream) close(one.stream);
  one.promise.deliver(to_error(std::move(why)));
}

void connection::settle(table::item& one, failure_ptr why) {
  auto& whose = one.ticket;
  auto what = classify(*why, true);
  // A deadline shorter than slow_call says something about the caller, not about the server.
  const bool late = why->code == errc::operation_timeout || why->code == errc::outcome_unknown;
  if (late && phase_ != phase::closed) {
    what = unanswered(one) >= all_.breaker.slow_call ? failure_class::slow : failure_class::caller;
  }
  const bool reported = one.slow && what == failure_class::slow;
  if (whose.order.trial || (what != failure_class::caller && !reported && phase_ != phase::closed)) {
    report_failure(whose.order, what, why);
  }
  count(whose.lease);
  if (whose.stream) close(whose.stream);
  whose.promise.deliver(to_error(std::move(why)));
}

bool connection::may_go_elsewhere(const call& order) const {
  return order.attempts < context_.server.max_retries && order.deadline > now_ && spec_.breaker;
}

/// Back to the breaker, if there is a chance left.
void connection::recast(held_call one, failure_ptr cause) {
  if (!may_go_elsewhere(one.order)) {
    failure why = *cause;
    if (one.order.attempts > 0)
      why.message += " Given up after " + std::to_string(one.order.attempts + 1) + " attempts.";
    return settle(one, make_failure(std::move(why)));
  }
  if (one.order.trial) report_failure(one.order, classify(*cause), cause);
  count(one.lease);
  send_elsewhere(std::move(one), std::move(cause));
}

/// Its part here is over and counted.
void connection::send_elsewhere(held_call one, failure_ptr cause) {
  const auto breaker = caf::actor_cast<circuit_breaker_actor>(spec_.breaker);
  if (!breaker) {
    one.promise.deliver(to_error(std::move(cause)));
    return;
  }
  if (env_.metrics) env_.metrics->recast();
  ++one.order.attempts;
  one.order.tried.insert(context_.id);
  one.order.last = std::move(cause);
  one.order.trial = false;
  one.promise.delegate(breaker, perform_atom_v, std::move(one.order));
}

void connection::recast_held(const failure_ptr& cause) {
  for (auto& one : std::exchange(held_, {})) {
    if (one.lease == 0) {
      recast(std::move(one), cause);
    } else {
      failure broken = *connection_failure(errc::connection_unhealthy,
                                           "The leased connection to " + context_.name + " broke before the " +
                                               describe(one.order.what->op) + " was sent; take another lease.");
      broken.cause = cause->message;
      settle(one, make_failure(std::move(broken)));
    }
  }
}

/// Its answer will not come: somewhere else, or an honest error.
void connection::lose(table::item one, const failure_ptr& cause) {
  auto& whose = one.ticket;
  if (whose.why == purpose::check) return finish_check(std::move(one), cause);
  if (whose.why != purpose::call) return;
  const bool unknown = maybe_sent(one) && !env_.may_repeat(one.what->op);
  if (!unknown && whose.lease == 0) {
    return recast({std::move(whose.order), 0, one.started, std::move(whose.promise)}, cause);
  }
  failure why =
      *connection_failure(unknown ? errc::outcome_unknown : errc::connection_unhealthy,
                          unknown ? "The " + describe(one.what->op) + " was sent to " + context_.name +
                                        " and its answer was lost with the connection: it may or may not have happened."
                                  : "The leased connection to " + context_.name + " broke before the " +
                                        describe(one.what->op) + " was answered; take another lease.");
  if (whose.stream && whose.stream->flow.taken() != 0)
    why.message = "The leased connection to " + context_.name + " broke after " +
                  std::to_string(whose.stream->flow.taken()) + " entries of the " + describe(one.what->op) +
                  "; the rest is missing. Begin again on another lease.";
  why.cause = cause->message;
  why.cause_at = env_.clock->wall_now();
  settle(one, make_failure(std::move(why)));
}

// ---- reports ----

void connection::send_report(outcome_report report) {
  if (auto breaker = caf::actor_cast<circuit_breaker_actor>(spec_.breaker)) {
    caf::anon_send(breaker, report_atom_v, std::move(report));
  }
}

void connection::report_success(const call& order, duration latency) {
  if (!spec_.breaker) return;
  if (auto earlier = outcomes_.turn_to(order.generation)) send_report(std::move(*earlier));
  outcomes_.success(latency, now_);
  if (!order.trial) return;
  if (auto report = outcomes_.flush(true)) send_report(std::move(*report));
}

void connection::report_failure(const call& order, failure_class what, failure_ptr cause) {
  if (!spec_.breaker) return;
  if (auto earlier = outcomes_.turn_to(order.generation)) send_report(std::move(*earlier));
  send_report(outcomes_.failed(what, std::move(cause), order.trial));
}

/// One failure, however many operations were under way.
void connection::report_death(const failure_ptr& cause) {
  if (!spec_.breaker) return;
  death_reported_ = true;
  auto report = outcomes_.failed(classify(*cause), cause, false);
  report.open_since = open_since_;
  send_report(std::move(report));
}

void connection::tell_owner(connection_event::kind what, failure_ptr cause) {
  connection_event event{spec_.id, what, std::move(cause), secret_number_};
  if (spec_.kind == connection_kind::probe) {
    if (auto owner = caf::actor_cast<health_monitor_actor>(spec_.owner)) {
      caf::anon_send(owner, event_atom_v, std::move(event));
    }
  } else if (auto owner = caf::actor_cast<pool_actor>(spec_.owner)) {
    caf::anon_send(owner, event_atom_v, std::move(event));
  }
}

// ---- the end ----

/// `cause`: null when asked to; `harmless`: it says nothing about the server's health.
void connection::end(failure_ptr cause, bool harmless) {
  if (phase_ == phase::closed) return;
  bind_over(false);
  if (cause && goodbye_) cause = goodbye_;
  const bool lost_connection = cause != nullptr;
  phase_ = phase::closed;
  end_cause_ = cause ? cause
                     : connection_failure(errc::connection_failed,
                                          suspected_ ? "The connection to " + context_.name +
                                                           " was given up: what was sent stays unanswered, and so does "
                                                           "its server."
                                                     : "The connection was closed.");
  // Before the session says goodbye: what is maybe sent is judged by what was handed over until now.
  std::vector<table::item> lost;
  for (const int id : open_.ids()) lost.push_back(open_.take(id));
  ldap_.close(!lost_connection);
  if (!lost_connection) bytes_.flush();
  hang_up();
  forget_socket();
  bytes_.close();
  // What a death means for its server is told by the breaker, once for however many connections.
  log(log_level::debug, "closed", cause);
  pass_verdict(credential_verdict::kind::unknown, end_cause_);
  // A goodbye is polite, unless it comes in place of answers.
  const bool carried_something =
      (!held_.empty() && !goodbye_) || std::any_of(lost.begin(), lost.end(), [this](const table::item& i) {
        return goodbye_ ? was_sent_in_vain(i) : i.ticket.why == purpose::call;
      });
  const bool polite = goodbye_ && (death_reported_ || !carried_something);
  const bool says_something = was_ready_ && lost_connection && !harmless && !polite;
  if (says_something && carried_something) {
    report_death(end_cause_);
  } else if (auto report = outcomes_.flush()) {
    send_report(std::move(*report));
  }
  // Somebody on the way may end any number of idle connections in one moment: a new one tells what that means.
  if (says_something && !carried_something) have_server_probed();
  tell_owner(was_ready_ ? connection_event::kind::closed : connection_event::kind::failed, std::move(cause));
  for (auto& one : lost) lose(std::move(one), end_cause_);
  recast_held(end_cause_);
  recast_postponed(true);
}

/// A pool's check of a connection that drains is of no use any more; a probe's is all that its connection is for.
void connection::close_when_empty() {
  if (phase_ != phase::draining || !held_.empty() || lease_ != 0) return;
  const auto matters = [this](const table::item& one) {
    return one.ticket.why != purpose::check || spec_.kind == connection_kind::probe;
  };
  if (open_.ids(matters).empty()) end(goodbye_);
}

/// A credential that was asked for is waited for, so that its verdict is not left out.
void connection::quit_if_done() {
  if (!removed_ || credentials_asked_ != 0) return;
  // CAF forgets who watches an actor only when that ends: a pool outlives its connections by far.
  if (spec_.owner) self_->demonitor(spec_.owner);
  self_->quit();
}

}  // namespace understudy
