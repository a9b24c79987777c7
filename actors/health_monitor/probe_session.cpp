// One probe after the other of one server.
#include "understudy/actors/health_monitor/probe_session.hpp"

#include "understudy/messages/stage_words.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

/// What a connection's report of an unanswered check has to reach the probe.
constexpr milliseconds report_time{20};
/// How long a concluded probe waits for what its connection knows of the steps.
constexpr milliseconds steps_time{50};
/// How long connects of the pool that are under way have before it is asked for them again.
constexpr milliseconds connects_time{50};

/// The connection is gone, which says nothing about the server yet: it may just have closed an idle one.
bool connection_lost(const failure& f) {
  return f.ldap_code == 0 && f.code != errc::operation_timeout && f.code != errc::connection_timeout;
}

std::string no_socket(const std::string& name) {
  return "No socket was free for a probe of " + name + ", and no pooled connection could be checked.";
}

std::string taken_by_pool(const std::string& name, const failure& refused) {
  return "No connection could be had for a probe of " + name + " (" + refused.message +
         ") while those of its pool are being set up.";
}

failure_ptr lost_without_cause(const std::string& name) {
  return make_failure(errc::connection_failed, stage::operation, "The probe's connection to " + name + " ended.", name);
}

}  // namespace

probe_session::actions probe_session::begin(time_point now, time_point deadline, const probe_mode& mode) {
  actions out;
  if (running_) return out;
  running_ = true;
  mode_ = mode;
  started_ = now;
  deadline_ = deadline;
  outcome_ = {};
  outcome_.report.server = server_;
  check_steps_.clear();
  hangs_ = connects_ = false;
  cannot_connect_ = nullptr;
  light_ = state_ == state::standing;  // what is closing was another probe's
  if (light_) {
    check(now, out);
  } else if (state_ == state::closing) {
    again_ = true;
  } else {
    start(now, out);
  }
  return out;
}

void probe_session::start(time_point now, actions& out) {
  light_ = false;
  if (mode_.use_slot) {
    state_ = state::waiting_slot;
    out.push_back({kind::ask_slot});
  } else {
    ask_pool(now, out);
  }
}

/// The pool answers by the deadline that it is given, which has to be before the probe's.
void probe_session::ask_pool(time_point now, actions& out) {
  state_ = state::checking_pool;
  out.push_back({kind::check_pool, deadline_ - std::max<duration>(deadline_ - now, duration{}) / 5, ++turn_});
}

probe_session::actions probe_session::hurry(time_point now, time_point deadline, bool hurried) {
  actions out;
  if (!running_) return out;
  // Also when it is over sooner anyway: it must not begin another long wait then.
  mode_.hurried = mode_.hurried || hurried;
  if (deadline < deadline_) {
    deadline_ = deadline;
    if (state_ == state::checking_pool) ask_pool(now, out);
  }
  return out;
}

probe_session::actions probe_session::on_slot(bool granted, time_point now) {
  actions out;
  if (state_ != state::waiting_slot) {
    if (granted) out.push_back({kind::give_slot_back});
    return out;
  }
  slot_ = granted;
  if (granted)
    open(out);
  else
    ask_pool(now, out);
  return out;
}

void probe_session::open(actions& out) {
  light_ = false;
  connection_ = connects_ = true;
  ended_ = told_to_close_ = false;
  state_ = state::connecting;
  out.push_back({kind::open});
}

/// The connection knows more of a check that is not answered than that: its report comes before the probe's deadline.
void probe_session::check(time_point now, actions& out) {
  state_ = state::checking;
  const auto left = std::max<duration>(deadline_ - now, duration{});
  out.push_back({kind::check, deadline_ - std::min<duration>(left / 10, report_time), ++turn_});
}

probe_session::actions probe_session::on_ready(time_point now) {
  actions out;
  if (state_ == state::connecting) {
    connects_ = false;
    check(now, out);
  }
  return out;
}

probe_session::actions probe_session::on_ended(const failure_ptr& cause, time_point now) {
  actions out;
  if (!connection_ || ended_) return out;
  ended_ = true;
  if (state_ == state::checking && light_) {
    out.push_back({kind::forget});
    open(out);
  } else if (state_ == state::connecting || state_ == state::checking) {
    conclude(false, cause ? cause : lost_without_cause(name_), now, out);
  } else if (state_ == state::standing || state_ == state::closing) {
    const bool lost = state_ == state::standing;
    drop_connection(out);
    if (again_) {
      again_ = false;
      start(now, out);
    } else if (lost) {
      out.push_back({kind::lost});
    }
  }
  return out;
}

probe_session::actions probe_session::on_draining() {
  actions out;
  mode_.keep = false;
  if (state_ == state::standing) close(out);
  return out;
}

probe_session::actions probe_session::on_check(std::uint64_t turn, const probe_report& report, time_point now) {
  actions out;
  if (state_ != state::checking || turn != turn_) return out;
  if (light_ && !report.ok && report.error && connection_lost(*report.error)) {
    // The event of its end is on its way; a full probe follows it.
    close(out);
    again_ = true;
    return out;
  }
  outcome_.report.warning = report.warning;
  outcome_.report.answers_others = report.answers_others;
  check_steps_ = report.steps;
  if (check_steps_.empty()) check_steps_.push_back({stage::operation, report.took, report.ok});
  conclude(report.ok, report.error, now, out);
  return out;
}

probe_session::actions probe_session::on_pool(std::uint64_t turn, const pool_health& health, time_point now) {
  actions out;
  if (state_ != state::checking_pool || turn != turn_) return out;
  if (cannot_connect_) {
    if (health.answered == 0 && health.connecting > 0 && !hangs_) {
      // The pool was there first: where one more is refused, those that are under way tell whether the server lives.
      if (mode_.patient && now + connects_time < deadline_) {
        state_ = state::waiting_pool;
        look_again_ = now + connects_time;
        return out;
      }
      say_nothing(taken_by_pool(name_, *cannot_connect_), out);
      return out;
    }
    if (health.answered > 0) {
      outcome_.report.ok = true;
      outcome_.report.error = nullptr;
      outcome_.report.warning =
          "no further connection can be had (" + cannot_connect_->message + "); those that are open answer";
    }
    outcome_.report.answers_others = !outcome_.report.ok && health.answered_others > 0;
    outcome_.report.took = now - started_;
    finish(out);
  } else if (health.answered > 0) {
    conclude(true, nullptr, now, out);
  } else if (health.unhealthy_connections > 0) {
    failure f;
    f.code = errc::connection_failed;
    f.message = "None of the " + std::to_string(health.unhealthy_connections) + " checked connections to " + name_ +
                " answered.";
    f.server = name_;
    outcome_.report.hurried = mode_.hurried;
    outcome_.report.answers_others = health.answered_others > 0;
    conclude(false, make_failure(std::move(f)), now, out);
  } else {
    say_nothing(no_socket(name_), out);
  }
  return out;
}

probe_session::actions probe_session::on_steps(std::uint64_t turn, const std::vector<probe_step>& steps) {
  actions out;
  if (state_ != state::collecting || turn != turn_) return out;
  auto& all = outcome_.report.steps;
  all = steps;
  for (const auto& s : check_steps_) {
    const auto known = std::find_if(all.begin(), all.end(), [&](const probe_step& k) { return k.what == s.what; });
    if (known == all.end())
      all.push_back(s);
    else if (!s.ok)
      *known = s;
  }
  if (hangs_) {
    const bool known = !all.empty() && !all.back().ok;
    outcome_.report.error = timed_out(known ? std::optional{all.back().what} : std::nullopt, errc::connection_timeout);
  }
  if (!ask_pool_instead(out)) finish(out);
  return out;
}

probe_session::actions probe_session::on_time(time_point now, const probe_wait& waits_for) {
  actions out;
  if (!running_ || now < deadline()) return out;
  switch (state_) {
    case state::connecting:
      time_out_connect(now, waits_for, out);
      break;
    case state::checking:
      if (mode_.content && !light_) {
        check_steps_ = {{stage::operation, now - started_, false}};
        conclude(true, nullptr, now, out);
      } else {
        time_out_check(now, out);
      }
      break;
    case state::checking_pool:
      if (cannot_connect_)
        finish(out);
      else
        say_nothing(no_socket(name_), out);
      break;
    case state::waiting_pool:
      if (now < deadline_)
        ask_pool(now, out);
      else
        say_nothing(taken_by_pool(name_, *cannot_connect_), out);
      break;
    case state::collecting:
      out = on_steps(turn_, {});
      break;
    case state::closing:
      again_ = false;
      if (light_)
        time_out_check(now, out);
      else
        say_nothing(no_socket(name_), out);
      break;
    default:
      say_nothing(no_socket(name_), out);
  }
  return out;
}

probe_session::actions probe_session::stop() {
  actions out;
  running_ = false;
  again_ = false;
  ++turn_;
  if (connection_ && !ended_)
    close(out);
  else
    drop_connection(out);
  return out;
}

void probe_session::close(actions& out) {
  state_ = state::closing;
  if (!std::exchange(told_to_close_, true)) out.push_back({kind::close});
}

/// No new connection can be had. That need not mean that the server is down: those that are open may answer.
bool probe_session::ask_pool_instead(actions& out) {
  const bool dead = outcome_.conclusive && verdict(outcome_.report) == probe_verdict::dead;
  if (!dead || !connects_ || (hangs_ && mode_.hurried)) return false;
  cannot_connect_ = outcome_.report.error;
  if (ended_)
    drop_connection(out);
  else
    close(out);
  if (hangs_) deadline_ += mode_.pool_time + mode_.pool_time / 4;  // of which the pool has four fifths
  ask_pool(started_ + outcome_.report.took, out);
  return true;
}

/// The connection, if any, has closed: nothing is held any more.
void probe_session::drop_connection(actions& out) {
  if (connection_) out.push_back({kind::forget});
  if (slot_) out.push_back({kind::give_slot_back});
  connection_ = false;
  ended_ = false;
  slot_ = false;
  state_ = state::idle;
}

/// The result is known; a full probe still asks how long each step took.
void probe_session::conclude(bool ok, failure_ptr error, time_point now, actions& out) {
  outcome_.report.ok = ok;
  outcome_.report.error = std::move(error);
  outcome_.conclusive = verdict(outcome_.report) != probe_verdict::nothing;
  outcome_.report.took = now - started_;
  outcome_.report.hurried = outcome_.report.hurried || (mode_.hurried && !ok && now >= deadline_);
  if (connection_ && !light_) {
    state_ = state::collecting;
    deadline_ = std::max(deadline_, now + steps_time);
    out.push_back({kind::ask_steps, {}, ++turn_});
  } else {
    outcome_.report.steps = check_steps_;
    finish(out);
  }
}

void probe_session::say_nothing(std::string why, actions& out) {
  failure f;
  f.code = errc::pool_exhausted;
  f.where = stage::queue;
  f.message = std::move(why);
  f.server = name_;
  outcome_.report.error = make_failure(std::move(f));
  outcome_.conclusive = false;
  finish(out);
}

/// Reports, and settles what becomes of the connection.
void probe_session::finish(actions& out) {
  running_ = false;
  ++turn_;
  out.push_back({kind::report});
  if (!connection_ || ended_)
    drop_connection(out);
  else if (mode_.keep && outcome_.conclusive && verdict(outcome_.report) == probe_verdict::alive)
    state_ = state::standing;
  else
    close(out);
}

time_point probe_session::deadline() const noexcept {
  if (!running_) return time_point::max();
  return state_ == state::waiting_pool ? std::min(look_again_, deadline_) : deadline_;
}

void probe_session::time_out_connect(time_point now, const probe_wait& waits_for, actions& out) {
  const auto nothing_known = "Nothing could be found out about " + name_ + " in time: the probe waited for ";
  const std::string or_another_bind = ", or for another connection's bind (the first bind with a password goes alone).";
  switch (waits_for.what) {
    case probe_wait::reason::server:
      hangs_ = true;  // where, its steps will tell
      return conclude(false, timed_out(std::nullopt, errc::connection_timeout), now, out);
    case probe_wait::reason::own_bind:
      // Its own connection has asked for nothing yet: that says where the server hangs, and is no evidence of its own.
      check_steps_ = {{stage::bind, waits_for.owed, false}};
      conclude(false, timed_out(stage::bind, errc::connection_timeout), now, out);
      outcome_.conclusive = false;
      return;
    case probe_wait::reason::credential:
      return say_nothing(nothing_known +
                             "the service's credentials: for a command or callback that gives the password" +
                             or_another_bind + " Ask again with more time.",
                         out);
    case probe_wait::reason::ours:
      return say_nothing(
          nothing_known + "a name look-up, for a command or callback that gives a password" + or_another_bind, out);
  }
}

void probe_session::time_out_check(time_point now, actions& out) {
  check_steps_ = {{stage::operation, now - started_, false}};
  conclude(false, timed_out(stage::operation, errc::operation_timeout), now, out);
}

/// `where`: the step that hangs, if that is known.
failure_ptr probe_session::timed_out(std::optional<stage> where, errc code) const {
  failure f;
  f.code = code;
  f.where = where.value_or(stage::connect);
  f.message = name_ + " did not answer a probe in time" +
              (where ? ": timed out waiting for " + std::string{awaited_at(*where)} : "") + ".";
  f.server = name_;
  return make_failure(std::move(f));
}

}  // namespace understudy::internal
