// Requests out, answers in.
#include "understudy/actors/connection/connection.hpp"
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/ports/fast_delivery.hpp"

namespace understudy {
namespace {

// More than this waiting to be written, and further requests wait where they can still be taken back.
constexpr std::size_t high_water = 1024 * 1024;
// Before a busy server's refusal is asked again; doubled with each attempt.
constexpr duration busy_pause = milliseconds{50};

// What an honest server may have sent, or be sending, when an abandon arrives: buffers of both ends, and what it looks
// at between two looks at its requests.
constexpr std::size_t usual_late_bytes = 16 * 1024 * 1024;
// Notifications that nothing asks for, without an answer in between: who sends more only keeps us busy.
constexpr std::size_t most_notified_bytes = 1024 * 1024;

// Of an unfinished message, what counts as a sign of life when it arrives within `suspect_after`.
constexpr std::size_t heard_part = 256;

constexpr std::string_view notice_of_disconnection_oid = "1.3.6.1.4.1.1466.20036";

/// Extended operations that leave nothing behind in the session.
bool leaves_no_trace(const any_operation& op) noexcept {
  const auto* extended = std::get_if<extended_request>(&op);
  return extended == nullptr || extended->repeatable;
}

bool is_bind(const any_operation& op) noexcept { return std::holds_alternative<bind_request>(op); }

bool is_outcome(const any_operation& op, int code) noexcept {
  if (code == result_code::success) return true;
  return std::holds_alternative<compare_request>(op) &&
         (code == result_code::compare_true || code == result_code::compare_false);
}

/// A TLS record (an alert, a handshake) where an LDAP message should begin.
bool speaks_tls(const transport& bytes) noexcept {
  if (bytes.bytes_in() < 3) return false;
  const auto head = bytes.front(3);
  return (head[0] == 0x15 || head[0] == 0x16) && head[1] == 0x03 && static_cast<unsigned char>(head[2]) <= 0x04;
}

}  // namespace

void connection::accept(call order, lease_id lease, result_promise promise, stream_ptr stream) {
  held_call one{std::move(order), lease, now_, std::move(promise), std::move(stream)};
  try {
    admit(one);
  } catch (...) {
    if (one.promise.pending()) settle(one, connection_failure(errc::internal, "The operation was not sent: a defect."));
    throw;
  }
}

void connection::admit(held_call& one) {
  if (one.order.token) one.order.token->rest_at(context_.id, spec_.id);
  if (auto why = refusal(one)) return settle(one, std::move(why));
  const bool serving = phase_ == phase::ready || (phase_ == phase::draining && one.lease != 0);
  if (!serving) {
    const auto why =
        end_cause_ ? end_cause_ : connection_failure(errc::connection_failed, "The connection is closing.");
    if (one.lease == 0) return recast(std::move(one), why);
    failure broken = *connection_failure(errc::connection_unhealthy, "The leased connection broke.");
    broken.cause = why->message;
    return settle(one, make_failure(std::move(broken)));
  }
  if (one.stream) open(one.stream);
  if (!must_wait(one)) return dispatch(one);
  wake_by(one.order.deadline);
  held_.push_back(std::move(one));
}

/// Null when it may go; a connection that does not serve is another matter.
failure_ptr connection::refusal(const held_call& one) const {
  const auto& order = one.order;
  const auto lease = one.lease;
  if (order.token && order.token->cancelled())
    return connection_failure(errc::cancelled, "Cancelled before it was sent.");
  if (one.stream) {
    if (auto why = stream_refusal(one)) return why;
  }
  if (lease != lease_ && phase_ != phase::closed) {
    return lease != 0 ? connection_failure(errc::invalid_lease, "The lease is not (any more) for this connection.")
                      : nullptr;
  }
  if (order.deadline <= now_)
    return connection_failure(errc::operation_timeout, "The deadline passed before it was sent.");
  if (lease == 0 && is_bind(order.what->op) != (spec_.kind == connection_kind::bind)) {
    return connection_failure(errc::invalid_request,
                              "Users' binds run on connections of their own, and nothing else does.");
  }
  if (stream_ && lease != 0) {
    return connection_failure(
        errc::invalid_request,
        "A streaming search is open on this lease; read it to its end or cancel it, or use another "
        "connection.");
  }
  return check_request(*order.what);
}

/// A bind needs the connection to itself (RFC 4511, 4.2.1); a stream too, because it holds up all that comes behind it.
bool connection::must_wait(const held_call& one) const {
  const bool alone = is_bind(one.order.what->op) || one.stream;
  return exclusive_ || stream_ != one.stream || !held_.empty() || bytes_.bytes_out() > high_water ||
         (alone && !open_.empty());
}

void connection::dispatch(held_call& one) {
  const auto at = ldap_.encode(*one.order.what);
  if (at.error) return settle(one, at.error);
  if (is_bind(one.order.what->op)) exclusive_ = true;
  if (one.lease != 0 && !leaves_no_trace(one.order.what->op)) tainted_ = true;
  auto what = one.order.what;
  const auto deadline = one.order.deadline;
  ticket whose{purpose::call, one.lease, std::move(one.order), std::move(one.promise), {}, std::move(one.stream)};
  add_exchange(at, std::move(what), deadline, std::move(whose));
  if (ldap_.operations() >= session::most_operations)
    start_draining("it has carried as many operations as a connection can");
}

void connection::release_held() {
  while (!held_.empty() && (phase_ == phase::ready || phase_ == phase::draining)) {
    auto one = std::move(held_.front());
    held_.pop_front();
    auto rest = std::exchange(held_, {});
    const bool wait = must_wait(one);
    held_ = std::move(rest);
    if (wait) return held_.push_front(std::move(one));
    dispatch(one);
  }
}

void connection::add_exchange(const encoded_request& at, request_ptr what, time_point deadline, ticket&& whose) {
  auto answer = whose.stream ? whose.stream->answer : std::make_shared<result>();
  auto& one = open_.add(at.id);
  one.what = std::move(what);
  one.answer = std::move(answer);
  if (whose.stream) whose.stream->flow.heard(now_);
  one.room = memory_allowance{most_result_bytes()};
  one.started = now_;
  one.deadline = deadline;
  one.begin = at.begin;
  one.size = at.size;
  one.ticket = std::move(whose);
  wake_by(std::min(deadline, now_ + std::min(all_.breaker.suspect_after, all_.breaker.slow_call)));
}

void connection::on_io(std::uint64_t id, std::uint32_t events) {
  if (id != io_ || io_ == 0) return on_dialled(id);
  armed_ = 0;
  if (waits_for_certificates_) shake_hands();
  if (id == io_) react(bytes_.resume(events));
}

void connection::on_flush() {
  flush_queued_ = false;
  react(bytes_.flush());
}

/// An action speaks of the socket that it was done on: once a step has given that up for another address, the rest of
/// it means nothing any more.
void connection::react(const transport_action& action) {
  const auto socket = io_;
  const auto given_up = [&] { return phase_ == phase::closed || io_ != socket; };
  if (action.connected) reached_peer();
  if (given_up()) return;
  if (action.secured) authenticate();
  if (given_up()) return;
  const bool heard = action.received && is_worth_hearing();
  if (heard) {
    last_heard_ = now_;
    suspected_ = false;
    if (spec_.gauge->silent.load(std::memory_order_relaxed)) spec_.gauge->silent = false;
  }
  if (bytes_.bytes_in() != 0) read_answers();
  if (given_up()) return;
  if (heard) heard_in_ = bytes_.bytes_in();
  if (action.ended) {
    if (!was_ready_) {
      failure cause = *action.ended;
      const bool mute = action.orderly && last_heard_ == time_point{} && bytes_.bytes_in() == 0;
      if (mute && !endpoint_.encrypted()) cause.message += " without a word (a port that speaks TLS does so: use_ssl)";
      return address_failed(std::move(cause));
    }
    failure why = *action.ended;
    why.where = phase_ == phase::binding ? stage::bind : stage::operation;
    why.server = context_.name;
    why.message = "The connection to " + context_.name + " was lost: " + why.message + ".";
    // A server may close what is idle; nobody was harmed.
    return end(make_failure(std::move(why)), action.orderly && open_.empty() && held_.empty());
  }
  release_held();
  if (action.more) self_->send(self_, io_atom_v, io_, transport::readable);
}

/// A message is, and so is a good part of a long one. Who sends a byte now and then answers nobody.
bool connection::is_worth_hearing() const {
  return bytes_.bytes_in() >= heard_in_ + heard_part || bytes_.peek().state != pdu_frame::status::partial;
}

void connection::read_answers() {
  take_answers();
  deliver_batch();
}

void connection::take_answers() {
  while (phase_ != phase::closed && bytes_.is_open()) {
    if (waits_for_certificates_) {
      // Bytes that came before TLS are an injection, whoever sent them (RFC 4513, 3.1.1).
      if (bytes_.bytes_in() == 0) return;
      return address_failed(
          setup_failure(errc::ssl_error, stage::secure, "the server sent unprotected bytes before TLS"));
    }
    const auto frame = bytes_.peek();
    if (frame.state == pdu_frame::status::partial) return;
    const char* wrong = frame.state == pdu_frame::status::malformed ? frame.why : nullptr;
    if (wrong == nullptr && frame.id == 0) {
      if (notified(frame)) continue;
      wrong = "message id 0 for what is no notification";
    }
    auto* one = wrong == nullptr ? open_.find(frame.id) : nullptr;
    if (one != nullptr) {
      if (one->ticket.stream && !may_take(*one, frame)) return;
      const auto what = ldap_.decode(frame, one->what->op, *one->answer, one->room);
      if (what == decoded_pdu::complete) {
        completed(frame.id);
        continue;
      }
      if (what == decoded_pdu::part) {
        one->heard = now_;
        if (one->ticket.stream) took(*one, frame);
        continue;
      }
      if (what == decoded_pdu::too_large && one->ticket.why == purpose::call) {
        too_large(frame.id, is_part(frame.op));
        continue;
      }
      wrong = "an answer that cannot be decoded";
    } else if (wrong == nullptr && is_answer(frame.op)) {
      if (const auto late = open_.came_late(frame.id, frame.size)) {
        came_late(frame, *late);
        continue;
      }
    }
    if (env_.metrics) env_.metrics->protocol_error();
    if (!endpoint_.encrypted() && speaks_tls(bytes_)) {
      auto why = setup_failure(errc::ssl_error, stage::secure,
                               "the server speaks TLS here, and was addressed in plain text: set use_ssl");
      if (!was_ready_) return address_failed(std::move(why));
    }
    return end(connection_failure(errc::connection_failed,
                                  "The server at " + context_.name + " broke the protocol: " +
                                      (wrong != nullptr ? wrong : "an answer nobody asked for") + "."));
  }
}

/// `more` of it would come.
void connection::too_large(int id, bool more) {
  auto cut = more ? take_back(id) : open_.take(id);
  if (is_bind(cut.what->op)) exclusive_ = false;
  const auto limit = "limits.max_result_bytes (" + std::to_string(most_result_bytes()) + ")";
  settle(cut, connection_failure(errc::result_too_large,
                                 cut.ticket.stream
                                     ? "One entry takes more memory than " + limit + "; ask for fewer attributes."
                                     : "The result takes more memory than " + limit +
                                           "; read it entry by entry with stream(), or in pages with paged()."));
  if (phase_ == phase::draining) close_when_empty();
}

/// An abandoned operation's answer. A server need not stop at once, but it cannot have this for ever: first the
/// connection takes nothing new and lets the others finish, then it ends.
void connection::came_late(const pdu_frame& frame, std::size_t bytes) {
  bytes_.skip(frame.size);
  if (!is_part(frame.op)) return open_.forget(frame.id);
  const auto most = std::max(most_result_bytes(), usual_late_bytes);
  if (bytes <= most) return;
  start_draining("the server goes on with an operation that was abandoned");
  close_when_empty();
  if (bytes / 2 > most && phase_ != phase::closed) {
    end(connection_failure(errc::connection_failed,
                           context_.name + " went on and on with an operation that was abandoned."),
        true);
  }
}

/// RFC 4511, 4.4: notifications of unknown kinds are ignored. False when it is none, or one too many.
bool connection::notified(const pdu_frame& frame) {
  result notice;
  notified_bytes_ += frame.size;
  if (!ldap_.decode_notification(frame, notice) || notified_bytes_ > most_notified_bytes) return false;
  if (notice.response_oid != notice_of_disconnection_oid) return true;
  const auto said = context_.name + " announced that it closes the connection (" + result_code_name(notice.code) +
                    (notice.diagnostic.empty() ? ")" : ", \"" + notice.diagnostic + "\")");
  if (is_setting_up()) {
    auto refused = setup_failure(errc::connection_failed, attempt_.step(), said);
    refused.server = context_.name;
    address_failed(std::move(refused));
    return true;
  }
  failure why = *connection_failure(errc::connection_failed, said + ".");
  why.diagnostic = notice.diagnostic;
  const auto cause = goodbye_ = make_failure(std::move(why));
  start_draining("the server announced that it closes the connection");
  recast_held(cause);
  // What it has not answered by now it will not answer (RFC 4511, 4.4.1). Whether a write was carried out the answer
  // may still tell, if one is on its way.
  const auto waits = [this](const table::item& one) { return maybe_sent(one) && !env_.may_repeat(one.what->op); };
  const auto gone = open_.ids([&](const table::item& one) { return !waits(one); });
  bool news = false, some = false;
  for (const int id : gone) {
    const auto& one = *open_.find(id);
    some = some || was_sent_in_vain(one);
    if (maybe_sent(one)) news = note_unanswered(one) || news;
  }
  if (some) report_death(cause);
  for (const int id : gone) lose(take_back(id), cause);
  if (news) have_server_probed();
  if (open_.empty() || phase_ == phase::binding) {
    end(cause);
    return true;
  }
  end_cause_ = cause;
  gone_at_ = now_ + all_.breaker.suspect_after;
  wake_by(gone_at_);
  return true;
}

void connection::completed(int id) {
  notified_bytes_ = 0;
  auto done = open_.take(id);
  const bool question = done.ticket.why == purpose::check && done.what != root_dse_read();
  if (done.ticket.why != purpose::call && !question) context_.pace->answered(now_ - done.started);
  switch (done.ticket.why) {
    case purpose::start_tls:
      return start_tls_answered(*done.answer);
    case purpose::bind:
      return bind_answered(*done.answer);
    case purpose::first_answer:
      return life_answered(*done.answer);
    case purpose::check: {
      const int code = done.answer->code;
      if (!is_overload(code)) {
        finish_check(std::move(done), nullptr);
        break;
      }
      auto why = setup_failure(errc::ldap_error, stage::operation,
                               context_.name + " answered a probe with " + result_code_name(code) + ".");
      why.ldap_code = code;
      why.diagnostic = done.answer->diagnostic;
      finish_check(std::move(done), make_failure(std::move(why)));
      break;
    }
    case purpose::call:
      complete_call(done);
      break;
  }
  if (phase_ == phase::draining) close_when_empty();
}

void connection::complete_call(table::item& done) {
  if (is_bind(done.what->op)) {
    exclusive_ = false;
    // Also when it was refused: the connection is anonymous then (RFC 4511, 4.2.1).
    if (done.ticket.lease != 0) identity_changed_ = true;
  }
  auto& whose = done.ticket;
  done.answer->server = context_.name;
  if (!is_overload(done.answer->code)) context_.unanswered->answered(done.what->op, now_);
  if (!is_outcome(done.what->op, done.answer->code)) return judge_answer(done);
  report_answer(done);
  count(whose.lease);
  if (whose.stream) close(whose.stream);
  fast_deliver(*self_, whose.promise, std::move(done.answer));
}

/// Whatever it says but busy and unavailable, the server lives. One that came too late was counted when it was due.
void connection::report_answer(const table::item& done) {
  const auto& whose = done.ticket;
  shared_->retries.answered(whose.order.last && is_overload(whose.order.last->ldap_code));
  if (!done.slow) {
    report_success(whose.order,
                   whose.stream ? whose.stream->first_heard.value_or(now_ - done.started) : now_ - done.started);
  } else if (whose.order.trial) {
    report_failure(whose.order, failure_class::slow, nullptr);
  }
}

/// The directory said no.
void connection::judge_answer(table::item& done) {
  const auto& answer = *done.answer;
  const bool overload = is_overload(answer.code);
  const bool user_bind = is_bind(done.what->op);
  failure why = *connection_failure(
      user_bind && !overload ? errc::authentication_failed : errc::ldap_error,
      context_.name + " refused the " + describe(done.what->op) + " with " + result_code_name(answer.code) + ".");
  why.ldap_code = answer.code;
  why.matched_dn = answer.matched_dn;
  why.diagnostic = answer.diagnostic;
  why.referrals = answer.referrals;
  why.controls = answer.controls;
  // A directory that wants the password changed first refuses everything else, and seldom says why.
  if (warning_ && warning_->restricted && !user_bind && !identity_changed_) {
    why.cause = text_of(*warning_);
    why.cause_at = env_.clock->wall_now();
  }
  const bool some = !answer.entries.empty() || !answer.references.empty();
  if (some && !done.ticket.stream) why.partial = done.answer;
  const auto refused = make_failure(std::move(why));
  if (!overload) {
    report_answer(done);
    done.ticket.order.trial = false;
    settle(done, refused);
  } else if (!postpone(done, refused)) {
    settle(done, refused);
  }
}

/// A busy server's refusal may be asked again elsewhere, once at each other server, after a pause and within a budget.
/// Whether a busy server is asked again is for the caller to say (recovery).
bool connection::postpone(table::item& done, const failure_ptr& why) {
  auto& whose = done.ticket;
  const auto pause = jittered<duration>(busy_pause * (1 << std::min<int>(whose.order.attempts, 6)), 0.5, random_);
  const bool elsewhere = whose.order.attempts + 1U < all_.servers.size();
  const bool possible = elsewhere && whose.lease == 0 && env_.may_repeat(done.what->op) &&
                        may_go_elsewhere(whose.order) && now_ + pause < whose.order.deadline;
  // Whoever was sent here to try a server that had failed is not made to pay for it; the breaker bounds their number.
  if (!possible || !(whose.order.trial || shared_->retries.spend())) return false;
  report_failure(whose.order, failure_class::overload, why);
  whose.order.trial = false;
  count(whose.lease);
  wake_by(now_ + pause);
  postponed_.push_back({{std::move(whose.order), 0, done.started, std::move(whose.promise)}, why, now_ + pause});
  return true;
}

/// Of our own accord: the owner learns that it has to replace this connection.
void connection::start_draining(const char* why) {
  if (phase_ != phase::ready) return;
  phase_ = phase::draining;
  log(log_level::debug, why);
  tell_owner(connection_event::kind::draining);
}

}  // namespace understudy
