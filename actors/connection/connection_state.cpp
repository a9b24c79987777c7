// What a connection does with requests and answers, when something fails, and at its end.
#include "understudy/actors/connection/connection_state.hpp"
#include "understudy/actors/connection/operation_codec.hpp"
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/actors/ports/backoff.hpp"
#include "understudy/messages/password_policy.hpp"
#include "understudy/messages/printable.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

constexpr std::array<const char*, 4> phase_names{"setting up", "ready", "draining", "closed"};

// More than this waiting to be written, and further requests wait where they can still be taken back.
constexpr std::size_t high_water = 1024 * 1024;
// Before a busy server's refusal is asked again; doubled with each attempt.
constexpr duration busy_pause = milliseconds{50}, longest_busy_pause = 64 * busy_pause;

// What an honest server may have sent, or be sending, when an abandon arrives: buffers of both ends, and what it looks
// at between two looks at its requests.
constexpr std::size_t usual_late_bytes = 16 * 1024 * 1024;
// Notifications that nothing asks for, without an answer in between: who sends more only keeps us busy.
constexpr std::size_t most_notified_bytes = 1024 * 1024;

// What a reader of parts may have before it passes some of it on, without anything being held up for it.
constexpr std::size_t most_unread = 256 * 1024;

// An answer in parts whose end is not there yet is kept while it is that small, for so many times `suspect_after` from
// the request on: until some of it has gone to who asked, another server can give all of it.
constexpr std::size_t most_kept_back = 16 * 1024;
constexpr int kept_back_for = 2;

// Of an unfinished message, what counts as a sign of life when it arrives within `suspect_after`.
constexpr std::size_t heard_part = 256;

/// Extended operations that leave nothing behind in the session.
bool leaves_no_trace(const any_operation& op) noexcept {
  if (const auto* opaque = std::get_if<opaque_request>(&op))
    return opaque->tag() != opaque_request::extended || safe_to_repeat(op);
  const auto* extended = std::get_if<extended_request>(&op);
  return extended == nullptr || extended->repeatable;
}

/// A step of somebody else's SASL bind.
bool is_relayed_bind(const any_operation& op) noexcept {
  const auto* opaque = std::get_if<opaque_request>(&op);
  return opaque != nullptr && opaque->tag() == request_tag::bind;
}

bool is_bind(const any_operation& op) noexcept {
  return std::holds_alternative<bind_request>(op) || is_relayed_bind(op);
}

bool may_come_in_parts(const any_operation& op) noexcept {
  const auto* opaque = std::get_if<opaque_request>(&op);
  return opaque != nullptr && opaque->tag() == opaque_request::search;
}

/// A TLS record (an alert, a handshake) where an LDAP message should begin.
bool speaks_tls(const ldap_wire& bytes) {
  if (bytes.bytes_in() < 3) return false;
  const auto head = bytes.front(3);
  return (head[0] == 0x15 || head[0] == 0x16) && head[1] == 0x03 && static_cast<unsigned char>(head[2]) <= 0x04;
}

// Their answers may never come, so that nothing tells when an id may be forgotten.
constexpr std::size_t most_abandoned = 65536;

}  // namespace

connection_state::connection_state(connection_dependencies dependencies, ldap_wire& bytes, time_point now)
    : dependencies_(std::move(dependencies)),
      all_(dependencies_.all),
      now_(now),
      setup_(dependencies_, bytes, now),
      wire_(bytes),
      outcomes_(dependencies_.server_number) {}

/// What is left to say when everything at hand is done.
void connection_state::finish_turn() {
  if (!was_ready_) setup_.finish_turn();
  wake_by(outcomes_.due_at());
  if (!completed_some_) return;
  completed_some_ = false;
  if (dependencies_.load->wanted.load() && dependencies_.load->wanted.exchange(false))
    act(connection_action::tell_load{});
}

void connection_state::tick() {
  wake_ = time_point::max();
  if (is_setting_up()) {
    setup_.tick();
    follow_setup();
  }
  check_deadlines();
  deliver_parts();
  if (now_ >= gone_at_) end(disconnection_notice_);
  if (unresponsive_) now_ < kept_until_ ? wake_by(kept_until_) : close_when_empty();
  check_suspicion();
  if (open_.empty()) open_.forget_spare();
  if (outcomes_.due_at() <= now_) {
    if (auto report = outcomes_.flush()) send_report(std::move(*report));
  }
}

void connection_state::on_lease(lease_id id) {
  if (phase_ != phase::ready && phase_ != phase::draining) return;
  lease_ = id;
  binds_first_ = dependencies_.kind == connection_kind::bind;
}

void connection_state::on_reset(lease_id id) {
  if (phase_ == phase::closed || id != lease_) return;
  const auto ended = connection_failure(errc::invalid_lease, "The lease ended before the operation did.");
  const bool bind_open = exclusive_ || std::exchange(bind_goes_on_, false);
  for (auto& held : std::exchange(held_, {})) settle(held, ended);
  // A check is the pool's and not the lease's: it goes on, and only a bind comes before it, which shows as much.
  const bool binds = bind_open || identity_changed_;
  for (const int open : open_.ids()) {
    const bool check = open_.find(open)->owner.why == purpose::check;
    if (check && !binds) continue;
    auto exchange = take_back(open);
    if (check)
      finish_check(exchange, nullptr);
    else
      settle(exchange, ended);
  }
  lease_ = 0;
  look_at_readers();
  if (phase_ == phase::draining) return close_when_empty();
  if (bind_open || tainted_) return end(nullptr);
  // Whoever gets a connection for binds binds first, and is nobody while that is under way (RFC 4511, 4.2.1).
  const bool bound_anew = dependencies_.kind == connection_kind::bind;
  if (!std::exchange(identity_changed_, false) || bound_anew) return tell_owner(connection_event::kind::ready);
  phase_ = phase::setting_up;
  setup_.bind_again();
  follow_setup();
}

void connection_state::on_drain() {
  if (phase_ == phase::closed) return;
  if (is_setting_up()) return end(nullptr);
  phase_ = phase::draining;
  // When its server is taken out, the probe that was asked for before ends without a word.
  if (suspected_) have_server_probed();
  close_when_empty();
}

void connection_state::on_check(time_point deadline, reply_id reply) {
  exchange_owner owner;
  owner.why = purpose::check;
  owner.reply = reply;
  table::item exchange;
  exchange.started = now_;
  exchange.owner = std::move(owner);
  if (phase_ != phase::ready && phase_ != phase::draining) {
    return finish_check(exchange,
                        end_cause_ ? end_cause_ : connection_failure(errc::connection_unhealthy, "It is not ready."));
  }
  // While a bind runs nothing else may be sent; the bind itself shows whether the server answers. So does a
  // stream; and what is not read for a slow reader's sake would bring no answer.
  if (exclusive_ || stream_ || waits_for_consumer())
    return finish_check(
        exchange,
        suspected_ ? connection_failure(errc::connection_unhealthy, "It leaves what runs on it unanswered.") : nullptr);
  // While requests are left unanswered the check asks what they asked; the root DSE tells whether that is all.
  if (const auto unanswered = dependencies_.unanswered->question()) {
    exchange_owner beside;
    beside.why = purpose::check;
    add_exchange(wire_.encode(*root_dse_read()), root_dse_read(), deadline, std::move(beside));
    if (const auto at = wire_.encode(*unanswered); !at.error)
      return add_exchange(at, unanswered, deadline, std::move(exchange.owner));
  }
  add_exchange(wire_.encode(*root_dse_read()), root_dse_read(), deadline, std::move(exchange.owner));
}

/// `why`: null when the server answered.
void connection_state::finish_check(const table::item& done, failure_ptr why) {
  if (done.owner.reply == 0) return;  // the read beside that
  probe_report report;
  report.server = dependencies_.server_number;
  report.ok = why == nullptr;
  if (done.what && done.what != root_dse_read()) {
    if (report.ok) {
      dependencies_.unanswered->question_answered(done.what, now_);
    } else if (why->code == errc::operation_timeout && last_heard_ >= done.started) {
      report.answers_others = true;
      why = connection_failure(errc::operation_timeout, dependencies_.server_name + " answers, but left a " +
                                                            describe(done.what->op) +
                                                            " unanswered, as it did with requests.");
    }
  }
  report.took = now_ - done.started;
  report.error = std::move(why);
  if (setup_.warning()) report.warning = text_of(*setup_.warning());
  if (dependencies_.kind == connection_kind::probe) report.steps = setup_.attempt().steps();
  auto& steps = report.steps;
  if (!steps.empty() && steps.back().what == stage::operation) steps.pop_back();
  if (done.what) steps.push_back({stage::operation, report.took, report.ok});
  act(connection_action::checked{done.owner.reply, std::move(report)});
}

connection_snapshot connection_state::snapshot() const {
  connection_snapshot s;
  s.id = dependencies_.id;
  s.kind = dependencies_.kind;
  s.state = is_setting_up() ? setup_.state_name() : phase_names[static_cast<std::size_t>(phase_)];
  s.peer = setup_.attempt().address();
  s.auth_method = setup_.auth_method();
  s.in_flight = static_cast<std::uint32_t>(open_.size() + held_.size());
  s.completed = completed_;
  s.connect_time = setup_.attempt().took();
  s.steps = setup_.attempt().steps_until(now_);
  return s;
}

// ---- setting up ----

void connection_state::follow_setup() {
  for (auto& action : setup_.take_actions()) std::visit([this](auto& a) { carry_out(a); }, action);
  wake_by(setup_.next_event());
}

void connection_state::address_failed(failure why) {
  setup_.address_failed(std::move(why));
  follow_setup();
}

void connection_state::carry_out(setup_action::ask& action) {
  exchange_owner owner;
  owner.why = purpose::setup;
  add_exchange(action.at, std::move(action.request), action.deadline, std::move(owner));
}

void connection_state::carry_out(setup_action::forget_asked) {
  for (const int id : open_.ids()) open_.take(id);
}

void connection_state::carry_out(setup_action::ready) {
  phase_ = phase::ready;
  last_heard_ = now_;
  if (!was_ready_) {
    was_ready_ = true;
    open_since_ = now_;
    log("ready");
  }
  tell_owner(connection_event::kind::ready);
}

// ---- requests out, answers in ----

void connection_state::accept(call order, lease_id lease, reply_id reply, const std::optional<stream_terms>& terms) {
  stream_ptr stream;
  if (terms) stream = make_stream(*terms);
  held_call held{std::move(order), lease, now_, reply, std::move(stream)};
  try {
    admit(held);
  } catch (...) {
    if (held.reply != 0) settle(held, connection_failure(errc::internal, "The operation was not sent: a defect."));
    throw;
  }
}

void connection_state::admit(held_call& held) {
  if (held.order.token) held.order.token->rest_at(dependencies_.server_number, dependencies_.id);
  if (auto why = refusal(held)) return settle(held, std::move(why));
  const bool serving = phase_ == phase::ready || (phase_ == phase::draining && held.lease != 0);
  if (!serving) {
    const auto why =
        end_cause_ ? end_cause_ : connection_failure(errc::connection_failed, "The connection is closing.");
    if (held.lease == 0) return redispatch(std::move(held), why);
    return settle(held, lease_broke(unsent(held), *why));
  }
  // The pool gives it nobody else meanwhile. Were it to, he would be served as who the holder has bound as.
  if (lease_ != 0 && held.lease == 0)
    return redispatch(std::move(held), connection_failure(errc::pool_exhausted, "The connection is somebody's own."));
  if (held.stream) open(held);
  if (reader_behind_ && held.lease == 0 && may_go_elsewhere(held.order)) return send_away(std::move(held));
  if (!must_wait(held)) return dispatch(held);
  wake_by(held.order.deadline);
  held_.push_back(std::move(held));
}

/// What comes behind the holder's bind waits for it, which may be given up unsent: looked at when it is to be sent.
failure_ptr connection_state::refusal_before_bind(const held_call& held) const {
  if (!binds_first_ || held.lease == 0 || is_bind(held.order.what->op)) return nullptr;
  return connection_failure(errc::invalid_lease, "Others were bound on this connection before: bind first.");
}

/// Null when it may go; a connection that does not serve is another matter.
failure_ptr connection_state::refusal(const held_call& held) const {
  const auto& order = held.order;
  const auto lease = held.lease;
  if (order.token && order.token->cancelled()) return of_server(caller_cancelled(stage::operation, "nothing was sent"));
  if (held.stream) {
    if (auto why = stream_refusal(held)) return why;
  }
  if (lease != lease_ && phase_ != phase::closed)
    return lease != 0 ? of_server(lease_is_of_another_connection()) : nullptr;
  if (order.deadline <= now_) return of_server(deadline_passed_unsent(stage::operation));
  if (order.parts != 0 && !may_come_in_parts(order.what->op))
    return connection_failure(errc::invalid_request, "Only an opaque search can be answered in parts.");
  if (lease == 0 && is_bind(order.what->op) != (dependencies_.kind == connection_kind::bind)) {
    return connection_failure(errc::invalid_request,
                              "Users' binds run on connections of their own, and nothing else does.");
  }
  if (is_relayed_bind(order.what->op) && lease == 0)
    return connection_failure(errc::invalid_request, "A bind of several steps needs a connection of its own.");
  if (stream_ && lease != 0) return of_server(stream_is_open());
  return check_request(*order.what, dependencies_.kind == connection_kind::bind);
}

/// A bind needs the connection to itself (RFC 4511, 4.2.1); a stream too, because it holds up all that comes behind it.
bool connection_state::must_wait(const held_call& held) const {
  const bool alone = is_bind(held.order.what->op) || held.stream;
  return exclusive_ || reader_behind_ || stream_ != held.stream || !held_.empty() || wire_.bytes_out() > high_water ||
         (alone && !open_.empty());
}

void connection_state::dispatch(held_call& held) {
  if (auto why = refusal_before_bind(held)) return settle(held, std::move(why));
  const auto at = wire_.encode(*held.order.what);
  if (at.error) return settle(held, at.error);
  if (is_bind(held.order.what->op)) exclusive_ = true;
  if (held.lease != 0 && !leaves_no_trace(held.order.what->op)) tainted_ = true;
  auto request = held.order.what;
  const auto deadline = held.order.deadline;
  exchange_owner owner{purpose::call, held.lease, std::move(held.order), held.reply, std::move(held.stream)};
  add_exchange(at, std::move(request), deadline, std::move(owner));
  held.reply = 0;
  if (wire_.ids_left() == 0) start_draining("it has carried as many operations as a connection can");
}

void connection_state::release_held() {
  while (!held_.empty() && (phase_ == phase::ready || phase_ == phase::draining)) {
    auto held = std::move(held_.front());
    held_.pop_front();
    auto rest = std::exchange(held_, {});
    const bool wait = must_wait(held);
    held_ = std::move(rest);
    if (wait) return held_.push_front(std::move(held));
    dispatch(held);
  }
}

void connection_state::add_exchange(const encoded_request& at, request_ptr request, time_point deadline,
                                    exchange_owner&& owner) {
  auto answer = owner.stream ? owner.stream->answer : std::make_shared<result>();
  auto& exchange = open_.add(at.id);
  exchange.what = std::move(request);
  exchange.answer = std::move(answer);
  if (owner.stream) owner.stream->flow.heard(now_);
  if (owner.order.metered) owner.order.metered->begin();
  exchange.room = memory_allowance{most_bytes_of(owner.order), owner.order.metered.get()};
  exchange.started = now_;
  exchange.deadline = deadline;
  exchange.begin = at.begin;
  exchange.size = at.size;
  exchange.owner = std::move(owner);
  wake_by(std::min(deadline, now_ + std::min(all_.breaker.suspect_after, all_.breaker.slow_call)));
}

/// An action speaks of the socket that it was done on: once a step has given that up for another address, the rest of
/// it means nothing any more.
void connection_state::on_transport(const transport_action& action) {
  const auto socket = setup_.socket();
  const auto given_up = [&] { return phase_ == phase::closed || setup_.socket() != socket; };
  if (action.connected || action.secured) {
    if (action.connected) setup_.on_connected();
    follow_setup();
    if (given_up()) return;
    if (action.secured) setup_.on_secured();
    follow_setup();
    if (given_up()) return;
  }
  const bool heard = action.received && is_worth_hearing();
  if (heard) {
    last_heard_ = now_;
    dependencies_.pace->heard(now_);
    suspected_ = false;
  }
  if (wire_.bytes_in() != 0) read_answers();
  if (given_up()) return;
  if (heard) heard_in_ = wire_.bytes_in();
  // While requests for data are left unanswered, that something else is answered does not mean that these will be.
  if (heard && dependencies_.load->silent.load(std::memory_order_relaxed) && !dependencies_.unanswered->question())
    dependencies_.load->silent = false;
  if (action.ended) {
    if (!was_ready_) {
      failure cause = *action.ended;
      const bool mute = action.orderly && last_heard_ == time_point{} && wire_.bytes_in() == 0;
      if (mute && !setup_.is_encrypted()) cause.message += " without a word (a port that speaks TLS does so: use_ssl)";
      return address_failed(std::move(cause));
    }
    failure why = *action.ended;
    why.where = is_setting_up() ? stage::bind : stage::operation;
    why.server = dependencies_.server_name;
    why.message = "The connection to " + dependencies_.server_name + " was lost: " + why.message + ".";
    // A server may close what is idle; nobody was harmed.
    return end(make_failure(std::move(why)), action.orderly && open_.empty() && held_.empty());
  }
  release_held();
  if (action.more) act(connection_action::read_on{});
}

/// A message is, and so is a good part of a long one. Who sends a byte now and then answers nobody.
bool connection_state::is_worth_hearing() const {
  return wire_.bytes_in() >= heard_in_ + heard_part || wire_.peek().state != pdu_frame::status::partial;
}

void connection_state::read_answers() {
  take_answers();
  deliver_batch();
  deliver_parts();
}

void connection_state::take_answers() {
  while (phase_ != phase::closed && wire_.is_open()) {
    if (setup_.waits_for_certificates()) {
      // Bytes that came before TLS are an injection, whoever sent them (RFC 4513, 3.1.1).
      if (wire_.bytes_in() == 0) return;
      return address_failed(
          setup_.server_failure(errc::ssl_error, stage::secure, "the server sent unprotected bytes before TLS"));
    }
    const auto frame = wire_.peek();
    if (frame.state == pdu_frame::status::partial) return;
    const char* wrong = frame.state == pdu_frame::status::malformed ? frame.why : nullptr;
    if (wrong == nullptr && frame.id == 0) {
      if (notified(frame)) continue;
      wrong = "message id 0 for what is no notification";
    }
    auto* exchange = wrong == nullptr ? open_.find(frame.id) : nullptr;
    if (exchange != nullptr) {
      if (exchange->owner.stream && !may_take(*exchange, frame)) return;
      const auto decoded = wire_.decode(frame, exchange->what->op, *exchange->answer, exchange->room);
      if (decoded == decoded_pdu::complete) {
        completed(frame.id);
        continue;
      }
      if (decoded == decoded_pdu::part) {
        exchange->heard = now_;
        if (exchange->owner.stream) took(*exchange, frame);
        if (exchange->owner.order.parts != 0) note_part(*exchange, frame.id);
        continue;
      }
      if (decoded == decoded_pdu::too_large && exchange->owner.why == purpose::call) {
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
    act(connection_action::count_protocol_error{});
    if (!setup_.is_encrypted() && speaks_tls(wire_)) {
      auto why = setup_.server_failure(errc::ssl_error, stage::secure,
                                       "the server speaks TLS here, and was addressed in plain text: set use_ssl");
      if (!was_ready_) return address_failed(std::move(why));
    }
    broke_protocol_ = true;
    return end(connection_failure(errc::connection_failed,
                                  "The server at " + dependencies_.server_name + " broke the protocol: " +
                                      (wrong != nullptr ? wrong : "an answer nobody asked for") + "."));
  }
}

/// `more` of it would come.
void connection_state::too_large(int id, bool more) {
  auto cut = more ? take_back(id) : open_.take(id);
  if (is_bind(cut.what->op)) exclusive_ = false;
  const auto limit = "limits.max_result_bytes (" + std::to_string(most_result_bytes()) + ")";
  const auto& metered = cut.owner.order.metered;
  const bool for_want_of_room = metered && metered->refused();
  std::string why;
  if (for_want_of_room) {
    why = "More answers are on their way to who asked than are kept for it; this one was given up.";
  } else if (cut.owner.stream) {
    why = "One entry takes more memory than " + limit + "; ask for fewer attributes.";
  } else if (cut.owner.order.parts_sent) {
    why = "Who reads the answer is further behind than " + limit + "; the search was abandoned.";
  } else if (const auto most = most_bytes_of(cut.owner.order); most < most_result_bytes()) {
    why = "The answer takes more than " + std::to_string(most) +
          " bytes, and no more is passed on to another process at a time; read it entry by entry with stream(), or in "
          "pages with paged().";
  } else {
    why = "The result takes more memory than " + limit +
          "; read it entry by entry with stream(), or in pages with paged().";
  }
  settle(cut, connection_failure(for_want_of_room ? errc::queue_full : errc::result_too_large, std::move(why)));
  if (phase_ == phase::draining) close_when_empty();
}

/// An abandoned operation's answer. A server need not stop at once, but it cannot have this for ever: first the
/// connection takes nothing new and lets the others finish, then it ends.
void connection_state::came_late(const pdu_frame& frame, std::size_t bytes) {
  wire_.skip(frame.size);
  if (!is_part(frame.op)) return open_.forget(frame.id);
  const auto most = std::max(most_result_bytes(), usual_late_bytes);
  if (bytes <= most) return;
  start_draining("the server goes on with an operation that was abandoned");
  close_when_empty();
  if (bytes / 2 > most && phase_ != phase::closed) {
    end(connection_failure(errc::connection_failed,
                           dependencies_.server_name + " went on and on with an operation that was abandoned."),
        true);
  }
}

/// RFC 4511, 4.4: notifications of unknown kinds are ignored. False when it is none, or one too many.
bool connection_state::notified(const pdu_frame& frame) {
  result notice;
  notified_bytes_ += frame.size;
  if (!wire_.decode_notification(frame, notice) || notified_bytes_ > most_notified_bytes) return false;
  if (notice.response_oid != extension::notice_of_disconnection) return true;
  const auto said = dependencies_.server_name + " announced that it closes the connection (" +
                    result_code_name(notice.code) +
                    (notice.diagnostic.empty() ? ")" : ", \"" + shortened(notice.diagnostic) + "\")");
  if (is_setting_up()) {
    auto refused = setup_.server_failure(errc::connection_failed, setup_.attempt().step(), said);
    refused.server = dependencies_.server_name;
    address_failed(std::move(refused));
    return true;
  }
  failure why = *connection_failure(errc::connection_failed, said + ".");
  why.diagnostic = notice.diagnostic;
  const auto cause = disconnection_notice_ = make_failure(std::move(why));
  start_draining("the server announced that it closes the connection");
  redispatch_held(cause);
  // What it has not answered by now it will not answer (RFC 4511, 4.4.1). Whether a write was carried out the answer
  // may still tell, if one is on its way.
  const auto waits = [this](const table::item& exchange) {
    return maybe_sent(exchange) && !dependencies_.may_repeat(exchange.what->op);
  };
  const auto gone = open_.ids([&](const table::item& exchange) { return !waits(exchange); });
  bool news = false, some = false;
  for (const int id : gone) {
    const auto& exchange = *open_.find(id);
    some = some || was_sent_in_vain(exchange);
    if (maybe_sent(exchange)) news = note_unanswered(exchange) || news;
  }
  if (some) report_death(cause);
  for (const int id : gone) redispatch_or_fail(take_back(id), cause);
  if (news) have_server_probed();
  if (open_.empty()) {
    end(cause);
    return true;
  }
  end_cause_ = cause;
  gone_at_ = now_ + all_.breaker.suspect_after;
  wake_by(gone_at_);
  return true;
}

void connection_state::completed(int id) {
  notified_bytes_ = 0;
  auto done = open_.take(id);
  const bool reads_data = done.owner.why == purpose::check && done.what != root_dse_read();
  if (done.owner.why != purpose::call && !reads_data) dependencies_.pace->answered(now_ - done.started);
  switch (done.owner.why) {
    case purpose::setup:
      setup_.answered(*done.answer);
      return follow_setup();
    case purpose::check: {
      if (unresponsive_) dependencies_.pace->note_in_turn(now_);
      const int code = done.answer->code;
      if (!is_overload(code)) {
        finish_check(done, nullptr);
        break;
      }
      auto why =
          setup_.server_failure(errc::ldap_error, stage::operation,
                                dependencies_.server_name + " answered a probe with " + result_code_name(code) + ".");
      why.ldap_code = code;
      why.diagnostic = done.answer->diagnostic;
      finish_check(done, make_failure(std::move(why)));
      break;
    }
    case purpose::call:
      complete_call(done);
      break;
  }
  if (phase_ == phase::draining) close_when_empty();
}

void connection_state::complete_call(table::item& done) {
  if (is_bind(done.what->op)) {
    exclusive_ = false;
    // Not before: a bind that is given up unsent has changed nothing. Nor by another one's.
    if (done.owner.lease == lease_) binds_first_ = false;
    // Also when it was refused: the connection is anonymous then (RFC 4511, 4.2.1).
    if (done.owner.lease != 0) identity_changed_ = true;
    bind_goes_on_ = done.answer->code == result_code::sasl_bind_in_progress;
  }
  auto& owner = done.owner;
  done.answer->server = dependencies_.server_name;
  if (!is_overload(done.answer->code)) dependencies_.unanswered->answered(done.what->op, now_);
  if (!is_outcome(done.what->op, done.answer->code)) return classify_answer(done);
  report_answer(done);
  count(owner.lease);
  if (owner.stream) close(owner.stream);
  act(connection_action::deliver{owner.reply, std::move(done.answer)});
}

/// Whatever it says but busy and unavailable, the server lives. One that came too late was counted when it was due.
void connection_state::report_answer(const table::item& done) {
  const auto& owner = done.owner;
  dependencies_.retries->answered(owner.order.last && is_overload(owner.order.last->ldap_code));
  if (!done.slow) {
    auto latency = now_ - done.started;
    if (owner.stream) latency = owner.stream->first_heard.value_or(latency);
    if (owner.order.parts_sent) latency = owner.first_part - done.started;
    report_success(owner.order, latency);
  } else if (owner.order.trial) {
    report_failure(owner.order, failure_class::slow, nullptr);
  }
}

/// The directory said no.
void connection_state::classify_answer(table::item& done) {
  const auto& answer = *done.answer;
  const bool overload = is_overload(answer.code);
  auto why = refusal_of(done.what->op, answer);
  // A directory that wants the password changed first refuses everything else, and seldom says why.
  const auto& warning = setup_.warning();
  if (warning && warning->restricted && !is_bind(done.what->op) && !identity_changed_) {
    why.cause = text_of(*warning);
    why.cause_at = dependencies_.wall_now();
  }
  const bool some = !answer.entries.empty() || !answer.references.empty();
  if (some && !done.owner.stream) why.partial = done.answer;
  const auto refused = make_failure(std::move(why));
  if (!overload) {
    report_answer(done);
    done.owner.order.trial = false;
    settle(done, refused);
  } else if (!postpone(done, refused)) {
    settle(done, refused);
  }
}

/// What a busy server refused, it has not done: that may be asked again elsewhere, once at each other server, after a
/// pause and within a budget. Whether a busy server is asked again is for the caller to say (recovery).
bool connection_state::postpone(table::item& done, const failure_ptr& why) {
  auto& owner = done.owner;
  const auto pause =
      jittered(exponential_backoff(busy_pause, owner.order.attempts + std::uint64_t{1}, longest_busy_pause), 0.5,
               dependencies_.random);
  const bool elsewhere = owner.order.attempts + 1U < all_.servers.size();
  const bool possible =
      elsewhere && owner.lease == 0 && may_go_elsewhere(owner.order) && now_ + pause < owner.order.deadline;
  // A trial does not use the budget; the breaker bounds their number.
  if (!possible || !(owner.order.trial || dependencies_.retries->spend())) return false;
  report_failure(owner.order, failure_class::overload, why);
  owner.order.trial = false;
  count(owner.lease);
  wake_by(now_ + pause);
  postponed_.push_back({{std::move(owner.order), 0, done.started, owner.reply}, why, now_ + pause});
  return true;
}

/// Of our own accord: the owner learns that it has to replace this connection.
/// `cause`: what speaks against the other connections to that server too.
void connection_state::start_draining(const char* why, failure_ptr cause) {
  if (phase_ != phase::ready) return;
  phase_ = phase::draining;
  log(why);
  tell_owner(connection_event::kind::draining, std::move(cause));
}

// ---- streaming searches ----

connection_state::stream_ptr connection_state::make_stream(const stream_terms& terms) const {
  return std::make_shared<open_stream>(
      open_stream{terms.number, terms.has_consumer, stream_flow{terms.credits, most_result_bytes(), now_}});
}

/// What a stream may not be.
failure_ptr connection_state::stream_refusal(const held_call& held) const {
  if (!std::holds_alternative<search_request>(held.order.what->op)) return of_server(only_searches_stream());
  if (held.lease == 0) return connection_failure(errc::invalid_lease, "A streaming search needs a lease.");
  return held.stream->has_consumer ? nullptr : of_server(stream_without_consumer());
}

void connection_state::open(const held_call& held) {
  stream_ = held.stream;
  act(connection_action::watch_consumer{held.reply});
}

/// False: it stays where it is, and so does all that comes behind it, until there is a credit.
bool connection_state::may_take(table::item& exchange, const pdu_frame& frame) {
  auto& stream = *exchange.owner.stream;
  if (!stream.first_heard) stream.first_heard = now_ - exchange.started;
  const bool costs = frame.op == pdu_op::search_entry || frame.op == pdu_op::search_reference;
  if (!costs) {
    stream.flow.heard(now_);
    return true;
  }
  const bool may = stream.flow.may_take(now_);
  wire_.hold_reading(!may);
  // Each is measured by itself.
  if (may) exchange.room = memory_allowance{most_result_bytes()};
  return may;
}

void connection_state::took(table::item& exchange, const pdu_frame& frame) {
  if (frame.op != pdu_op::search_entry && frame.op != pdu_op::search_reference) return;
  auto& stream = *exchange.owner.stream;
  const auto cost = stream.flow.took(most_result_bytes() - exchange.room.left(), now_);
  if (frame.op == pdu_op::search_reference) {
    stream.reference_credits += cost;
  } else if (cost != 1) {
    stream.entry_credits.resize(stream.answer->entries.size() - 1, 1);
    stream.entry_credits.push_back(cost);
  }
}

/// What one turn gathered, together.
void connection_state::deliver_batch() {
  if (!stream_) return;
  auto batch = cut_batch(*stream_->answer);
  if (batch.size() == 0) return;
  batch.entry_credits = std::exchange(stream_->entry_credits, {});
  batch.reference_credits = std::exchange(stream_->reference_credits, 0);
  act(connection_action::batch{stream_->number, std::move(batch)});
}

void connection_state::on_credit(lease_id lease, std::uint64_t number, std::uint32_t more) {
  if (!stream_ || lease != lease_ || number != stream_->number || !stream_->flow.grant(more, now_)) return;
  wire_.hold_reading(false);
  last_heard_ = now_;
  wake_by(now_ + std::min(all_.breaker.suspect_after, all_.breaker.slow_call));
  // What is here goes first: reading before that would let the buffer grow with every credit.
  read_answers();
  if (!wire_.reading_held() && setup_.socket() != 0) act(connection_action::read_on{});
}

void connection_state::consumer_ended() {
  if (!stream_) return;
  const auto gone = of_server(internal::consumer_ended());
  for (auto at = held_.begin(); at != held_.end(); ++at) {
    if (at->stream != stream_) continue;
    settle(*at, gone);
    held_.erase(at);
    break;
  }
  for (const int id : open_.ids([](const table::item& exchange) { return exchange.owner.stream != nullptr; })) {
    auto exchange = take_back(id);
    settle(exchange, gone);
  }
  close_when_empty();
}

/// Its outcome is about to be delivered: nothing of it comes later than that.
void connection_state::close(const stream_ptr& stream) {
  if (stream != stream_) return;
  deliver_batch();
  act(connection_action::unwatch_consumer{});
  const bool held = wire_.reading_held();
  stream_ = nullptr;
  if (!held) return;
  // What the server still has of it is read and dropped, or nothing else would ever arrive.
  resume_reading();
}

/// How long the server has let it wait.
duration connection_state::unanswered(const table::item& exchange) const {
  if (exchange.owner.stream) return exchange.owner.stream->flow.silence(now_);
  const bool began = exchange.owner.order.parts != 0 && !exchange.answer->messages.empty();
  if (began || exchange.owner.order.parts_sent) return waits_for_consumer() ? duration::zero() : now_ - exchange.heard;
  return now_ - exchange.started;
}

// ---- opaque searches answered in parts ----

void connection_state::note_part(table::item& exchange, int id) {
  if (exchange.owner.first_part == time_point{}) exchange.owner.first_part = now_;
  if (std::find(with_parts_.begin(), with_parts_.end(), id) == with_parts_.end()) with_parts_.push_back(id);
}

/// Not so where nobody else could answer, nor with controls: those of a search that goes on for ever may be among them.
bool connection_state::is_kept_back(const table::item& exchange) {
  const auto& owner = exchange.owner;
  const auto* search = std::get_if<opaque_request>(&exchange.what->op);
  if (owner.order.parts_sent || owner.lease != 0 || search == nullptr || !search->controls.empty()) return false;
  if (exchange.answer->messages.size() >= most_kept_back || !may_go_elsewhere(owner.order)) return false;
  const auto until = exchange.started + kept_back_for * all_.breaker.suspect_after;
  if (now_ >= until) return false;
  wake_by(until);
  return true;
}

/// What one turn gathered of each. An answer that came whole goes whole.
void connection_state::deliver_parts() {
  std::erase_if(with_parts_, [&](int id) {
    auto* exchange = open_.find(id);
    if (exchange == nullptr || exchange->answer->messages.empty()) return true;
    if (is_kept_back(*exchange)) return false;
    auto messages = std::exchange(exchange->answer->messages, {});
    auto& owner = exchange->owner;
    owner.order.parts_sent = true;
    owner.unread += messages.size();
    parts_open_ = true;
    act(connection_action::part{owner.reply, owner.order.parts, {id, std::move(messages)}});
    return true;
  });
  look_at_readers();
}

void connection_state::passed_on(int id, std::uint64_t bytes) {
  auto* exchange = open_.find(id);
  if (exchange == nullptr || !exchange->owner.order.parts_sent) return;
  auto& unread = exchange->owner.unread;
  unread -= static_cast<std::size_t>(std::min<std::uint64_t>(bytes, unread));
  exchange->room = memory_allowance{most_result_bytes() - std::min(unread, most_result_bytes())};
  look_at_readers();
}

/// A reader that is far behind is waited for, but nobody else waits for it: first nothing new is taken and the others
/// are read to their ends, then the server has to wait.
void connection_state::look_at_readers() {
  if (!parts_open_ || phase_ == phase::closed) return;
  bool open = false, behind = false, all = true;
  open_.each([&](int, const table::item& exchange) {
    const bool waits = exchange.owner.unread > most_unread;
    open = open || exchange.owner.order.parts_sent;
    behind = behind || waits;
    all = all && waits;
  });
  parts_open_ = open;
  hold_for_readers(behind && all);
  if (std::exchange(reader_behind_, behind) == behind) return;
  dependencies_.load->reader_behind = behind;
  if (behind) return send_held_away();
  completed_some_ = true;
  release_held();
}

void connection_state::hold_for_readers(bool on) {
  if (on == wire_.reading_held()) return;
  if (on) return wire_.hold_reading(true);
  resume_reading();
  open_.each([&](int, table::item& exchange) {
    if (exchange.owner.order.parts_sent) exchange.heard = now_;
  });
}

/// The server is waited for again: its silence counts from now on.
void connection_state::resume_reading() {
  wire_.hold_reading(false);
  last_heard_ = now_;
  wake_by(now_ + std::min(all_.breaker.suspect_after, all_.breaker.slow_call));
  if (setup_.socket() != 0) act(connection_action::read_on{});
}

/// What has a chance elsewhere does not wait for a slow reader.
void connection_state::send_held_away() {
  for (auto& held : std::exchange(held_, {}))
    if (held.lease == 0 && may_go_elsewhere(held.order))
      send_away(std::move(held));
    else
      held_.push_back(std::move(held));
}

void connection_state::send_away(held_call held) {
  count(held.lease);
  if (held.order.trial) report_failure(held.order, failure_class::local, nullptr);
  send_elsewhere(std::move(held),
                 connection_failure(errc::pool_exhausted, "The connection waits for a slow reader of what it relays."));
}

// ---- deadlines, cancellation, failures, the end ----

failure_ptr connection_state::connection_failure(errc code, std::string message) const {
  return make_failure(code, stage::operation, std::move(message), dependencies_.server_name);
}

failure_ptr connection_state::lease_broke(const std::string& progress, const failure& cause) const {
  failure broken =
      *connection_failure(errc::connection_unhealthy, "The leased connection to " + dependencies_.server_name +
                                                          " broke " + progress + "; take another lease.");
  broken.cause = cause.message;
  return make_failure(std::move(broken));
}

failure_ptr connection_state::of_server(failure said) const {
  said.server = dependencies_.server_name;
  return make_failure(std::move(said));
}

void connection_state::log(const char* text, const failure_ptr& cause) {
  act(connection_action::note{log_level::debug, text, cause});
}

// ---- deadlines ----

void connection_state::check_deadlines() {
  time_point next = time_point::max();
  const auto slow_call = all_.breaker.slow_call;
  std::vector<int> due;
  bool news = false;
  open_.each([&](int id, table::item& exchange) {
    if (exchange.deadline <= now_) {
      due.push_back(id);
      return;
    }
    next = std::min(next, exchange.deadline);
    // A slow consumer is no slow server; its next credit has this looked at again.
    if (exchange.slow || exchange.owner.why != purpose::call || waits_for_consumer()) return;
    if (const auto waited = unanswered(exchange); waited < slow_call) {
      next = std::min(next, now_ + (slow_call - waited));
      return;
    }
    exchange.slow = true;
    news = note_unanswered(exchange) || news;
    if (!exchange.owner.order.trial)
      report_failure(
          exchange.owner.order, failure_class::slow,
          connection_failure(errc::operation_timeout, "An operation is unanswered for longer than slow_call."));
  });
  // A deadline that passes is the caller's choice; that nothing at all was answered meanwhile is worth a question.
  for (const int id : due)
    if (const auto* exchange = open_.find(id)) news = note_unanswered(*exchange) || news;
  for (const int id : due) expire(id);
  if (news) have_server_probed();
  expire_held();
  redispatch_postponed(false);
  wake_by(next);
  if (phase_ == phase::draining) close_when_empty();
}

void connection_state::expire_held() {
  for (std::size_t i = held_.size(); i-- > 0;) {
    if (held_[i].order.deadline > now_) {
      wake_by(held_[i].order.deadline);
      continue;
    }
    settle(held_[i], of_server(deadline_passed_unsent(stage::operation)));
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void connection_state::redispatch_postponed(bool all) {
  for (auto& postponed : std::exchange(postponed_, {})) {
    if (all || postponed.due <= now_) {
      send_elsewhere(std::move(postponed.held), std::move(postponed.cause));
    } else {
      wake_by(postponed.due);
      postponed_.push_back(std::move(postponed));
    }
  }
}

void connection_state::expire(int id) {
  // The connection may have ended with one that expired before.
  const auto* found = open_.find(id);
  if (found == nullptr || (found->owner.why != purpose::call && found->owner.why != purpose::check)) return;
  const bool sent = maybe_sent(*found);
  auto exchange = take_back(id);
  auto late =
      connection_failure(errc::operation_timeout,
                         "The " + describe(exchange.what->op) + " at " + dependencies_.server_name +
                             (sent ? " was not answered in time; it was abandoned." : " could not be sent in time."));
  if (exchange.owner.why == purpose::check) return finish_check(exchange, std::move(late));
  const bool bind = std::holds_alternative<bind_request>(exchange.what->op);
  if (sent && !dependencies_.may_repeat(exchange.what->op)) {
    failure unknown = *late;
    unknown.code = errc::outcome_unknown;
    unknown.message = "The " + describe(exchange.what->op) + " was sent to " + dependencies_.server_name +
                      " and not answered in time: it may or may not have happened.";
    if (disconnection_notice_) unknown.cause = disconnection_notice_->message;
    late = make_failure(std::move(unknown));
  }
  if (sent && disconnection_notice_ && !death_reported_) report_death(disconnection_notice_);
  settle(exchange, std::move(late));
  // A bind cannot be abandoned (RFC 4511, 4.11): the connection is of no use any more.
  if (bind && sent) end(connection_failure(errc::connection_failed, "A bind was not answered in time."), true);
}

/// For each silence: the breaker has the server probed, long before any deadline; again when it lasts longer than is
/// usual, since the pool of a server that fails ends what is silent then.
void connection_state::check_suspicion() {
  if (waits_for_consumer() || unresponsive_) return;
  if (open_.empty() || (phase_ != phase::ready && phase_ != phase::draining)) return;
  time_point oldest = time_point::max();
  open_.each([&](int, table::item& exchange) { oldest = std::min(oldest, exchange.started); });
  const auto since = std::max(oldest, last_heard_);
  const auto suspect_at = since + all_.breaker.suspect_after;
  if (now_ < suspect_at) return wake_by(suspect_at);
  // A server that takes its time is no reason to give up what waits for it.
  const auto silent_at = std::max<time_point>(suspect_at, since + dependencies_.pace->patience(true));
  open_.each([&](int, table::item& exchange) {
    if (exchange.started == oldest) note_unanswered(exchange);
  });
  const bool silent = now_ >= silent_at && !dependencies_.load->silent.exchange(true);
  if (!std::exchange(suspected_, true) || silent) have_server_probed();
  if (now_ < silent_at) wake_by(silent_at);
  check_unresponsiveness();
}

/// A server may be well and one connection to it not: a process of its own that hangs, something on the way that has
/// forgotten it. In each silence the connection is asked for the root DSE itself; when that too stays unanswered while
/// the server answers on others, it is of no use. A search that takes long is none of that where a server answers
/// several at a time.
void connection_state::check_unresponsiveness() {
  // What a lease or a bind waits for cannot be sent elsewhere.
  if (unresponsive_ || exclusive_ || stream_ || lease_ != 0 || !dependencies_.has_breaker ||
      dependencies_.pace->answers_in_turn(now_))
    return;
  const auto& breaker = all_.breaker;
  if (!liveness_asked_since_ || *liveness_asked_since_ <= last_heard_) {
    liveness_asked_since_ = now_;
    exchange_owner nobody;
    nobody.why = purpose::check;
    add_exchange(wire_.encode(*root_dse_read()), root_dse_read(), now_ + breaker.suspect_after + 3 * breaker.slow_call,
                 std::move(nobody));
  }
  const auto due =
      *liveness_asked_since_ + std::max<duration>(breaker.suspect_after / 2, dependencies_.pace->patience(true));
  if (now_ < due) return wake_by(due);
  bool judged = false;
  open_.each([&](int, const table::item& exchange) { judged = judged || shows_unresponsiveness(exchange); });
  if (judged && dependencies_.pace->heard_at() > *liveness_asked_since_) return leave_unresponsive();
  wake_by(now_ + breaker.suspect_after / 2);
}

/// Who has lost a connection that answered nothing already may just be asking for much.
bool connection_state::shows_unresponsiveness(const table::item& exchange) const noexcept {
  if (exchange.owner.why != purpose::call || !maybe_sent(exchange)) return false;
  return exchange.owner.order.attempts == 0 || now_ - exchange.started >= all_.breaker.slow_call;
}

/// Reads go elsewhere, if they may once more; what was sent and must not be repeated waits for its deadline.
void connection_state::leave_unresponsive() {
  const auto cause = connection_failure(errc::connection_failed, "The connection to " + dependencies_.server_name +
                                                                     " leaves unanswered what was sent on it, while "
                                                                     "the server answers on others.");
  start_draining("it leaves unanswered what its server answers on other connections", cause);
  unresponsive_ = true;
  kept_until_ = now_ + all_.breaker.slow_call;
  wake_by(kept_until_);
  redispatch_held(cause);
  for (const int id : open_.ids([&](const table::item& exchange) {
         return shows_unresponsiveness(exchange) && dependencies_.may_repeat(exchange.what->op) &&
                may_go_elsewhere(exchange.owner.order);
       }))
    redispatch_or_fail(take_back(id), cause);
}

/// What a server owes is the result. An entry is a sign of life for a while: until the deadline, if that comes sooner.
/// True when the server is to be probed for it.
bool connection_state::note_unanswered(const table::item& exchange) {
  if (exchange.owner.why != purpose::call || !maybe_sent(exchange) || waits_for_consumer()) return false;
  const auto& breaker = all_.breaker;
  const auto since = std::max(now_ - unanswered(exchange), exchange.heard);
  const auto waited = now_ - since;
  if (exchange.heard != time_point{} && waited < breaker.suspect_after && now_ < exchange.deadline) return false;
  const bool news = dependencies_.unanswered->note(exchange.what->op, since, now_, breaker.circuit_breaker_threshold,
                                                   breaker.suspect_after);
  // What else waits here goes elsewhere when the probe fails.
  if (news && last_heard_ <= since && waited >= dependencies_.pace->patience(true)) dependencies_.load->silent = true;
  return news;
}

void connection_state::have_server_probed() {
  if (dependencies_.has_breaker) act(connection_action::suspect{});
}

void connection_state::cancel(const cancel_token_ptr& token) {
  if (!token) return;
  const auto message = [&](bool sent) {
    return of_server(caller_cancelled(
        stage::operation, sent ? "the request was abandoned, but may have been carried out" : "nothing was sent"));
  };
  for (auto at = held_.begin(); at != held_.end(); ++at) {
    if (at->order.token != token) continue;
    settle(*at, message(false));
    held_.erase(at);
    return close_when_empty();
  }
  for (auto at = postponed_.begin(); at != postponed_.end(); ++at) {
    if (at->held.order.token != token) continue;
    act(connection_action::refuse{at->held.reply, message(true)});
    postponed_.erase(at);
    return;
  }
  for (const int id : open_.ids([&](const table::item& exchange) { return exchange.owner.order.token == token; })) {
    const bool sent = maybe_sent(*open_.find(id));
    auto exchange = take_back(id);
    const bool bind = std::holds_alternative<bind_request>(exchange.what->op);
    settle(exchange, message(sent));
    if (bind && sent) return end(connection_failure(errc::cancelled, "A bind was cancelled."), true);
  }
  look_at_readers();
  close_when_empty();
}

/// Out of the table; off the wire when none of it left, abandoned there otherwise.
connection_state::table::item connection_state::take_back(int id) {
  const auto& found = *open_.find(id);
  if (std::holds_alternative<bind_request>(found.what->op)) exclusive_ = false;
  if (maybe_sent(found)) {
    wire_.abandon(id);
    if (open_.abandoned() + 1 >= most_abandoned)
      start_draining("it has abandoned as many operations as it can remember");
    return open_.abandon(id);
  }
  auto exchange = open_.take(id);
  wire_.discard(exchange.begin, exchange.size);
  open_.close_gap(exchange.begin, exchange.size);
  return exchange;
}

// ---- answers ----

void connection_state::count(lease_id lease) noexcept {
  ++completed_;
  // Lost behind a Notice of Disconnection: no sign that the connection was of use, so that the next one is not opened
  // without a pause.
  if (lease != 0 || disconnection_notice_) return;
  dependencies_.load->completed.fetch_add(1);
  completed_some_ = true;
}

void connection_state::settle(held_call& held, failure_ptr why) {
  if (held.order.trial) report_failure(held.order, classify(*why, true), why);
  count(held.lease);
  if (held.stream) close(held.stream);
  act(connection_action::refuse{held.reply, std::move(why)});
}

void connection_state::settle(table::item& exchange, failure_ptr why) {
  auto& owner = exchange.owner;
  auto what = classify(*why, true);
  // A deadline shorter than slow_call says something about the caller, not about the server.
  const bool late = why->code == errc::operation_timeout || why->code == errc::outcome_unknown;
  if (late && phase_ != phase::closed)
    what = unanswered(exchange) >= all_.breaker.slow_call ? failure_class::slow : failure_class::caller;
  const bool reported = exchange.slow && what == failure_class::slow;
  if (owner.order.trial || (what != failure_class::caller && !reported && phase_ != phase::closed))
    report_failure(owner.order, what, why);
  count(owner.lease);
  if (owner.stream) close(owner.stream);
  act(connection_action::refuse{owner.reply, std::move(why)});
}

bool connection_state::may_go_elsewhere(const call& order) const {
  return order.attempts < dependencies_.server.max_retries && order.deadline > now_ && dependencies_.has_breaker &&
         !order.parts_sent;
}

/// Back to the breaker, if there is a chance left.
void connection_state::redispatch(held_call held, failure_ptr cause) {
  if (!may_go_elsewhere(held.order)) {
    failure why = *cause;
    if (held.order.attempts > 0)
      why.message += " Given up after " + std::to_string(held.order.attempts + 1) + " attempts.";
    return settle(held, make_failure(std::move(why)));
  }
  if (held.order.trial) report_failure(held.order, classify(*cause), cause);
  count(held.lease);
  send_elsewhere(std::move(held), std::move(cause));
}

/// Its part here is over and counted.
void connection_state::send_elsewhere(held_call held, failure_ptr cause) {
  ++held.order.attempts;
  held.order.tried.insert(dependencies_.server_number);
  held.order.last = std::move(cause);
  held.order.trial = false;
  act(connection_action::redispatch{held.reply, std::move(held.order)});
}

void connection_state::redispatch_held(const failure_ptr& cause) {
  for (auto& held : std::exchange(held_, {}))
    if (held.lease == 0)
      redispatch(std::move(held), cause);
    else
      settle(held, lease_broke(unsent(held), *cause));
}

/// Its answer will not come: somewhere else, or an honest error.
void connection_state::redispatch_or_fail(table::item exchange, const failure_ptr& cause) {
  auto& owner = exchange.owner;
  if (owner.why == purpose::check) return finish_check(exchange, cause);
  if (owner.why != purpose::call) return;
  const bool unknown = maybe_sent(exchange) && !dependencies_.may_repeat(exchange.what->op);
  if (!unknown && owner.lease == 0)
    return redispatch({std::move(owner.order), 0, exchange.started, owner.reply}, cause);
  const auto named = describe(exchange.what->op);
  const auto entries = owner.stream ? owner.stream->flow.taken() : 0;
  const auto progress = entries == 0
                            ? "before the " + named + " was answered"
                            : "after " + std::to_string(entries) + " entries of the " + named + ", the rest is missing";
  failure why = unknown ? *connection_failure(errc::outcome_unknown,
                                              "The " + named + " was sent to " + dependencies_.server_name +
                                                  " and its answer was lost with the connection: it may or may not "
                                                  "have happened.")
                        : *lease_broke(progress, *cause);
  why.cause = cause->message;
  why.cause_at = dependencies_.wall_now();
  settle(exchange, make_failure(std::move(why)));
}

// ---- reports ----

void connection_state::send_report(outcome_report report) { act(connection_action::report{std::move(report)}); }

void connection_state::report_success(const call& order, duration latency) {
  if (!dependencies_.has_breaker) return;
  if (auto earlier = outcomes_.turn_to(order.generation)) send_report(std::move(*earlier));
  outcomes_.success(latency, now_);
  if (!order.trial) return;
  if (auto report = outcomes_.flush(true)) send_report(std::move(*report));
}

void connection_state::report_failure(const call& order, failure_class kind, failure_ptr cause) {
  if (!dependencies_.has_breaker) return;
  if (auto earlier = outcomes_.turn_to(order.generation)) send_report(std::move(*earlier));
  send_report(outcomes_.failed(kind, std::move(cause), order.trial));
}

/// One failure, however many operations were under way.
void connection_state::report_death(const failure_ptr& cause) {
  if (!dependencies_.has_breaker) return;
  death_reported_ = true;
  auto report = outcomes_.failed(classify(*cause), cause, false);
  report.open_since = open_since_;
  send_report(std::move(report));
}

void connection_state::tell_owner(connection_event::kind kind, failure_ptr cause) {
  act(connection_action::tell_owner{
      {dependencies_.id, kind, std::move(cause), setup_.secret_number(), broke_protocol_}});
}

// ---- the end ----

/// `cause`: null when asked to; `harmless`: it says nothing about the server's health.
void connection_state::end(failure_ptr cause, bool harmless) {
  if (phase_ == phase::closed) return;
  if (cause && disconnection_notice_) cause = disconnection_notice_;
  const bool lost_connection = cause != nullptr;
  phase_ = phase::closed;
  end_cause_ = cause ? cause
                     : connection_failure(errc::connection_failed,
                                          suspected_ ? "The connection to " + dependencies_.server_name +
                                                           " was given up: what was sent stays unanswered, and so does "
                                                           "its server."
                                                     : "The connection was closed.");
  // Before the session unbinds: what is maybe sent is judged by what was handed over until now.
  std::vector<table::item> lost;
  for (const int id : open_.ids()) lost.push_back(open_.take(id));
  setup_.end(!lost_connection, end_cause_);
  // What a death means for its server is told by the breaker, once for however many connections.
  log("closed", cause);
  follow_setup();
  // A Notice of Disconnection is polite, unless it comes in place of answers.
  const bool carried_something =
      (!held_.empty() && !disconnection_notice_) || std::any_of(lost.begin(), lost.end(), [this](const table::item& i) {
        return disconnection_notice_ ? was_sent_in_vain(i) : i.owner.why == purpose::call;
      });
  const bool polite = disconnection_notice_ && (death_reported_ || !carried_something);
  const bool says_something = was_ready_ && lost_connection && !harmless && !polite;
  if (says_something && carried_something)
    report_death(end_cause_);
  else if (auto report = outcomes_.flush())
    send_report(std::move(*report));
  // Somebody on the way may end any number of idle connections in one moment: a new one tells what that means.
  if (says_something && !carried_something) have_server_probed();
  tell_owner(was_ready_ ? connection_event::kind::closed : connection_event::kind::failed, std::move(cause));
  for (auto& exchange : lost) redispatch_or_fail(std::move(exchange), end_cause_);
  redispatch_held(end_cause_);
  redispatch_postponed(true);
}

/// A pool's check of a connection that drains is of no use any more; a probe's is all that its connection is for.
void connection_state::close_when_empty() {
  if (unresponsive_ && now_ < kept_until_) return;
  if (phase_ != phase::draining || !held_.empty() || lease_ != 0) return;
  const auto matters = [this](const table::item& exchange) {
    return exchange.owner.why != purpose::check || dependencies_.kind == connection_kind::probe;
  };
  if (open_.ids(matters).empty()) end(disconnection_notice_);
}

}  // namespace understudy::internal
