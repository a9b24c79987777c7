// What a connection can be told, and what happens at the end of each turn.
#include "understudy/actors/connection/connection.hpp"

#include "understudy/actors/metrics/registry.hpp"

#include <caf/send.hpp>

namespace understudy {
namespace {

constexpr std::array<const char*, 6> phase_names{"connecting", "securing", "binding", "ready", "draining", "closed"};

// Encoded requests that are worth a system call before the rest is encoded.
constexpr std::size_t worth_sending = 4 * 1024;

constexpr const char* contained = "A defect in a connection was contained; please report it with the log.";

/// A turn that failed before its body began has taken nothing over: CAF would drop the promise in silence.
template <class Promise>
void settle_unaccepted(Promise& promise) {
  if (!promise.pending()) return;
  promise.deliver(to_error(make_failure(errc::internal, stage::operation, contained)));
}

}  // namespace

const request_ptr& root_dse_read() {
  static const auto read = [] {
    search_request r;
    r.scope = search_scope::base;
    r.attributes = {"1.1"};
    return make_request(std::move(r));
  }();
  return read;
}

bool is_overload(int code) noexcept { return code == result_code::busy || code == result_code::unavailable; }

connection::connection(self_pointer self, connection_spec spec, std::shared_ptr<shared_by_connections> shared)
    : self_(self),
      spec_(std::move(spec)),
      shared_(shared ? std::move(shared) : std::make_shared<shared_by_connections>()),
      context_(*spec_.context),
      env_(*context_.env),
      all_(*context_.all),
      endpoint_(endpoint_of(context_.server)),
      now_(env_.clock->now()),
      attempt_(context_.name, now_, context_.server.timeout, all_.breaker.suspect_after),
      bytes_(static_cast<std::size_t>(all_.limits.max_pdu_bytes)),
      ldap_(bytes_),
      outcomes_(context_.id),
      random_(make_random(env_.seed ^ spec_.id)),
      setup_deadline_(attempt_.deadline()) {
  timer_ = env_.poller->add_timer(self_->address());
}

connection::~connection() {
  try {
    end(connection_failure(errc::stopped, "The connection ended."), true);
    env_.poller->remove_timer(timer_);
  } catch (...) {
    // Nothing is left that could be told.
    ldap_.close(false);
  }
}

connection_actor::behavior_type connection::make_behavior() {
  // Whoever owns it says when it may go; when the owner has gone itself, nobody would.
  self_->set_down_handler([this](const caf::down_msg& gone) {
    if (gone.source != spec_.owner) return turn([&] { consumer_ended(gone.source); });
    removed_ = true;
    turn([this] { on_removed(); });
  });
  // CAF looks at the actor behind an address without asking whether it is still there: an owner may end meanwhile.
  if (const auto owner = caf::actor_cast<caf::strong_actor_ptr>(spec_.owner)) {
    self_->monitor(owner);
  } else if (spec_.owner) {
    self_->send(self_, close_atom_v);
    self_->send(self_, removed_atom_v);
  }
  turn([this] { start(); });
  return {
      [this](perform_atom, call& order) -> caf::delegated<result_ptr> {
        auto promise = self_->make_response_promise<result_ptr>();
        turn([&] { accept(std::move(order), 0, std::move(promise)); });
        settle_unaccepted(promise);
        return {};
      },
      [this](perform_atom, lease_id lease, call& order) -> caf::delegated<result_ptr> {
        auto promise = self_->make_response_promise<result_ptr>();
        turn([&] { accept(std::move(order), lease, std::move(promise)); });
        settle_unaccepted(promise);
        return {};
      },
      [this](stream_atom, lease_id lease, call& order, std::uint64_t number,
             std::uint32_t credits) -> caf::delegated<result_ptr> {
        // The promise takes the sender with it.
        auto stream = make_stream(number, credits);
        auto promise = self_->make_response_promise<result_ptr>();
        turn([&] { accept(std::move(order), lease, std::move(promise), std::move(stream)); });
        return {};
      },
      [this](credit_atom, lease_id lease, std::uint64_t number, std::uint32_t more) {
        turn([&] { on_credit(lease, number, more); });
      },
      [this](cancel_atom, const cancel_token_ptr& token) { turn([&] { cancel(token); }); },
      [this](lease_atom, lease_id id) { turn([&] { on_lease(id); }); },
      [this](reset_atom, lease_id id) { turn([&] { on_reset(id); }); },
      [this](drain_atom) { turn([&] { on_drain(); }); },
      [this](close_atom) { turn([&] { on_close(); }); },
      [this](removed_atom) {
        // Before anything can fail: nobody says it twice.
        removed_ = true;
        turn([&] { on_removed(); });
      },
      [this](check_atom, time_point deadline) -> caf::delegated<probe_report> {
        auto promise = self_->make_response_promise<probe_report>();
        turn([&] { on_check(deadline, std::move(promise)); });
        settle_unaccepted(promise);
        return {};
      },
      [this](status_atom) { return snapshot(); },
      [this](io_atom, std::uint64_t id, std::uint32_t events) { turn([&] { on_io(id, events); }); },
      [this](tick_atom, std::uint64_t timer) { turn([&] { on_tick(timer); }); },
      [this](flush_atom) { turn([&] { on_flush(); }); },
      [this](resolved_atom, std::uint64_t number, resolution& found) {
        turn([&] { on_resolved(number, std::move(found)); });
      },
  };
}

/// Inside a catch block: a defect costs this connection and nobody's answer.
void connection::contain() {
  try {
    end(connection_failure(errc::internal, contained));
    finish_turn();
    quit_if_done();
  } catch (...) {
    self_->quit(caf::make_error(errc::internal));
  }
}

void connection::finish_turn() {
  // While answers are on their way it is needed again at once.
  if (open_.empty()) bytes_.release_empty_buffers();
  flush_or_gather();
  watch_socket();
  if (!was_ready_) {
    spec_.gauge->held_up = attempt_.held_up();
    spec_.gauge->awaits_credential = phase_ == phase::binding && attempt_.paused();
    spec_.gauge->awaited_since = attempt_.awaited_since();
  }
  wake_by(outcomes_.due_at());
  if (!completed_some_) return;
  completed_some_ = false;
  if (spec_.gauge->wanted.load() && spec_.gauge->wanted.exchange(false)) {
    if (auto owner = caf::actor_cast<pool_actor>(spec_.owner)) caf::anon_send(owner, load_atom_v, spec_.id);
  }
}

/// A server with nothing to do is given the first request at once and works while the others are encoded; those leave
/// together when the messages at hand are done, or as soon as they are many.
void connection::flush_or_gather() {
  if (!bytes_.wants_flush()) return;
  if (bytes_.bytes_out() >= worth_sending || (open_.size() == 1 && !flush_queued_)) react(bytes_.flush());
  if (flush_queued_ || !bytes_.wants_flush()) return;
  flush_queued_ = true;
  self_->send(self_, flush_atom_v);
}

void connection::watch_socket() {
  const auto wanted = bytes_.interest();
  if (io_ == 0 || (wanted & ~armed_) == 0) return;
  armed_ = wanted;
  env_.poller->arm(io_, wanted);
}

void connection::forget_socket() {
  if (io_ != 0) env_.poller->remove(io_);
  io_ = 0;
  armed_ = 0;
}

void connection::wake_by(time_point when) {
  if (when >= wake_at_) return;
  wake_at_ = when;
  env_.poller->set_timer(timer_, when);
}

void connection::on_tick(std::uint64_t timer) {
  if (timer != timer_) return;
  wake_at_ = time_point::max();
  if (is_setting_up()) check_setup_deadline();
  check_deadlines();
  if (now_ >= gone_at_) end(goodbye_);
  check_suspicion();
  if (open_.empty()) open_.forget_spare();
  if (outcomes_.due_at() <= now_) {
    if (auto report = outcomes_.flush()) send_report(std::move(*report));
  }
}

void connection::on_lease(lease_id id) {
  if (phase_ == phase::ready || phase_ == phase::draining) lease_ = id;
}

void connection::on_reset(lease_id id) {
  if (phase_ == phase::closed || id != lease_) return;
  const auto ended = connection_failure(errc::invalid_lease, "The lease ended before the operation did.");
  const bool bind_open = exclusive_;
  for (auto& one : std::exchange(held_, {})) settle(one, ended);
  for (const int open : open_.ids()) {
    auto one = take_back(open);
    if (one.ticket.why != purpose::check) {
      settle(one, ended);
    } else {
      // It is the pool's and not the lease's; any answer since then will do.
      const bool heard = last_heard_ >= one.started;
      finish_check(std::move(one), heard ? nullptr : ended);
    }
  }
  lease_ = 0;
  if (phase_ == phase::draining) return close_when_empty();
  if (bind_open || tainted_) return end(nullptr);
  if (!identity_changed_) return tell_owner(connection_event::kind::ready);
  identity_changed_ = false;
  setup_deadline_ = now_ + context_.server.timeout;
  wake_by(setup_deadline_);
  authenticate();
}

void connection::on_drain() {
  if (phase_ == phase::closed) return;
  if (is_setting_up()) return end(nullptr);
  phase_ = phase::draining;
  // When its server is taken out, the probe that was asked for before ends without a word.
  if (suspected_) have_server_probed();
  close_when_empty();
}

void connection::on_close() { end(nullptr); }

void connection::on_removed() {
  end(nullptr);
  quit_if_done();
}

void connection::on_check(time_point deadline, probe_promise promise) {
  ticket whose;
  whose.why = purpose::check;
  whose.report = std::move(promise);
  table::item one;
  one.started = now_;
  one.ticket = std::move(whose);
  if (phase_ != phase::ready && phase_ != phase::draining) {
    return finish_check(std::move(one),
                        end_cause_ ? end_cause_ : connection_failure(errc::connection_unhealthy, "It is not ready."));
  }
  // While a bind runs nothing else may be sent; the bind itself shows whether the server answers. So does a stream.
  if (exclusive_ || stream_)
    return finish_check(
        std::move(one),
        suspected_ ? connection_failure(errc::connection_unhealthy, "It leaves what runs on it unanswered.") : nullptr);
  // While requests are left unanswered the check asks what they asked; the root DSE tells whether that is all.
  if (const auto question = context_.unanswered->question()) {
    ticket beside;
    beside.why = purpose::check;
    add_exchange(ldap_.encode(*root_dse_read()), root_dse_read(), deadline, std::move(beside));
    if (const auto at = ldap_.encode(*question); !at.error) {
      return add_exchange(at, question, deadline, std::move(one.ticket));
    }
  }
  add_exchange(ldap_.encode(*root_dse_read()), root_dse_read(), deadline, std::move(one.ticket));
}

/// `why`: null when the server answered.
void connection::finish_check(table::item done, failure_ptr why) {
  if (!done.ticket.report.pending()) return;  // the read beside a question
  probe_report report;
  report.server = context_.id;
  report.ok = why == nullptr;
  if (done.what && done.what != root_dse_read()) {
    if (report.ok) {
      context_.unanswered->question_answered(done.what, now_);
    } else if (why->code == errc::operation_timeout && last_heard_ >= done.started) {
      report.answers_others = true;
      why = connection_failure(
          errc::operation_timeout,
          context_.name + " answers, but left a " + describe(done.what->op) + " unanswered, as it did with requests.");
    }
  }
  report.took = now_ - done.started;
  report.error = std::move(why);
  if (warning_) report.warning = text_of(*warning_);
  if (spec_.kind == connection_kind::probe) report.steps = attempt_.steps();
  auto& steps = report.steps;
  if (!steps.empty() && steps.back().what == stage::operation) steps.pop_back();
  if (done.what) steps.push_back({stage::operation, report.took, report.ok});
  done.ticket.report.deliver(std::move(report));
}

connection_snapshot connection::snapshot() const {
  connection_snapshot s;
  s.id = spec_.id;
  s.kind = spec_.kind;
  s.state = phase_names[static_cast<std::size_t>(phase_)];
  s.peer = attempt_.address();
  s.encryption = bytes_.is_open() ? bytes_.encryption() : "none";
  s.auth_method = auth_method_;
  s.in_flight = static_cast<std::uint32_t>(open_.size() + held_.size());
  s.completed = completed_;
  s.connect_time = attempt_.took();
  s.steps = attempt_.steps_until(env_.clock->now());
  return s;
}

}  // namespace understudy
