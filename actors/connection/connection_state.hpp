// A connection as a state machine: what happened goes in, what to do comes out. No actors, no sockets, no clock of its
// own; the bytes are behind ldap_wire.hpp.
#pragma once
#include "understudy/actors/connection/actions.hpp"
#include "understudy/actors/connection/connection_dependencies.hpp"
#include "understudy/actors/connection/connection_setup.hpp"
#include "understudy/actors/connection/in_flight.hpp"
#include "understudy/actors/connection/ldap_wire.hpp"
#include "understudy/actors/connection/outcome_batch.hpp"
#include "understudy/actors/connection/stream_flow.hpp"

#include <deque>

namespace understudy::internal {

/// How a streaming search begins.
struct stream_terms {
  std::uint64_t number = 0;  ///< the consumer's own
  std::uint32_t credits = 0;
  bool has_consumer = true;
};

/// The life of one connection: set-up, requests, deadlines, leases, streams, suspicion, and what a failure becomes. A
/// turn begins with begin_turn(), goes on with any events and ends with finish_turn(). Each may leave actions behind,
/// to be taken with take_actions() and carried out in order; next_event() says when tick() is due. Who asks is known by
/// a number of the actor's, and every number is answered exactly once.
class connection_state {
 public:
  connection_state(connection_dependencies dependencies, ldap_wire& bytes, time_point now);
  connection_state(const connection_state&) = delete;
  connection_state& operator=(const connection_state&) = delete;

  /// What time it is, until the next turn.
  void begin_turn(time_point now) noexcept {
    now_ = now;
    setup_.begin_turn(now);
  }
  void finish_turn();
  void tick();

  // While it is set up (connection_setup.hpp).

  void start() {
    setup_.start();
    follow_setup();
  }
  void on_resolved(resolution found) {
    setup_.on_resolved(std::move(found));
    follow_setup();
  }
  void reached(std::size_t number, std::uint64_t socket) { setup_.reached(number, socket); }
  void dial_failed(std::size_t number, errc code, std::string message) {
    setup_.dial_failed(number, code, std::move(message));
    follow_setup();
  }
  void on_certificates() {
    setup_.begin_tls();
    follow_setup();
  }
  void on_credential(const credential& given, std::uint64_t socket) {
    setup_.on_credential(given, socket);
    follow_setup();
  }
  void no_credential(failure why, std::uint64_t socket) {
    setup_.no_credential(std::move(why), socket);
    follow_setup();
  }
  void nobody_knows_credentials() {
    setup_.nobody_knows_credentials();
    follow_setup();
  }

  // Requests and answers.

  /// `terms`: of a streaming search.
  void accept(call order, lease_id lease, reply_id reply, const std::optional<stream_terms>& terms = {});
  void cancel(const cancel_token_ptr& token);
  /// A step of the socket came to that; bytes that arrived are with the wire.
  void on_transport(const transport_action& action);
  void on_credit(lease_id lease, std::uint64_t number, std::uint32_t more);
  /// So many bytes of the parts of that search were passed on.
  void passed_on(int id, std::uint64_t bytes);
  void consumer_ended();

  // Its owner.

  void on_lease(lease_id id);
  void on_reset(lease_id id);
  void on_drain();
  void on_check(time_point deadline, reply_id reply);
  void on_close() { end(nullptr); }
  /// The end, by a defect or because nobody is left; `harmless`: it says nothing about the server's health.
  void give_up(errc code, std::string message, bool harmless) {
    end(connection_failure(code, std::move(message)), harmless);
  }

  /// What is to be done, in order; `into` comes empty, and its memory is used for what follows.
  void take_actions(std::vector<connection_action::any>& into) { actions_.swap(into); }
  bool has_actions() const noexcept { return !actions_.empty(); }
  time_point next_event() const noexcept { return wake_; }
  bool is_closed() const noexcept { return phase_ == phase::closed; }
  /// Requests encoded and not answered.
  std::size_t in_flight_count() const noexcept { return open_.size(); }
  bool waits_for_certificates() const noexcept { return setup_.waits_for_certificates(); }
  bool waits_for_credential() const noexcept { return setup_.waits_for_credential(); }
  /// All but what the socket knows.
  connection_snapshot snapshot() const;

 private:
  enum class phase : std::uint8_t { setting_up, ready, draining, closed };
  enum class purpose : std::uint8_t { call, setup, check };

  /// A streaming search, whether its request is held or under way.
  struct open_stream {
    std::uint64_t number = 0;  ///< the consumer's own
    bool has_consumer = false;
    stream_flow flow;
    result_ptr answer = std::make_shared<result>();  ///< what is gathered for the next batch, and the end
    std::vector<std::uint32_t> entry_credits{};      ///< of the next batch, as there
    std::uint32_t reference_credits = 0;
    std::optional<duration> first_heard{};  ///< from request to first answer
  };
  using stream_ptr = std::shared_ptr<open_stream>;

  /// Whom an operation is for.
  struct exchange_owner {
    purpose why = purpose::call;
    lease_id lease = 0;
    call order;
    reply_id reply = 0;  ///< 0: nobody's
    stream_ptr stream{};
    std::size_t unread = 0;   ///< bytes of the parts that its reader has and has not passed on
    time_point first_part{};  ///< when the first of them was sent there
  };
  using table = in_flight<exchange_owner>;

  /// A call that has to wait here for its turn; none of it is encoded.
  struct held_call {
    call order;
    lease_id lease = 0;
    time_point since{};
    reply_id reply = 0;
    stream_ptr stream{};
  };

  /// A call that a busy server refused, on its way elsewhere after a pause.
  struct postponed_call {
    held_call held;
    failure_ptr cause;
    time_point due{};
  };

  // Setting up.
  void follow_setup();
  void address_failed(failure why);
  void carry_out(setup_action::ask& action);
  void carry_out(setup_action::forget_asked action);
  void carry_out(setup_action::ready action);
  void carry_out(setup_action::failed& action) { end(std::move(action.why)); }
  template <class Action>
  void carry_out(Action& action) {
    act(std::move(action));
  }
  bool is_setting_up() const noexcept { return phase_ == phase::setting_up; }

  // Requests out, answers in.
  void admit(held_call& held);
  failure_ptr refusal(const held_call& held) const;
  failure_ptr refusal_before_bind(const held_call& held) const;
  static std::string unsent(const held_call& held) {
    return "before the " + describe(held.order.what->op) + " was sent";
  }
  bool must_wait(const held_call& held) const;
  void dispatch(held_call& held);
  void release_held();
  void add_exchange(const encoded_request& at, request_ptr request, time_point deadline, exchange_owner&& owner);
  bool is_worth_hearing() const;
  void read_answers();
  void take_answers();
  bool notified(const pdu_frame& frame);
  void too_large(int id, bool more);
  void came_late(const pdu_frame& frame, std::size_t bytes);
  void completed(int id);
  void complete_call(table::item& done);
  void finish_check(const table::item& done, failure_ptr why);
  void report_answer(const table::item& done);
  void classify_answer(table::item& done);
  bool postpone(table::item& done, const failure_ptr& why);
  void start_draining(const char* why, failure_ptr cause = nullptr);

  // A streaming search and its consumer.
  stream_ptr make_stream(const stream_terms& terms) const;
  failure_ptr stream_refusal(const held_call& held) const;
  void open(const held_call& held);
  bool may_take(table::item& exchange, const pdu_frame& frame);
  void took(table::item& exchange, const pdu_frame& frame);
  void deliver_batch();
  void close(const stream_ptr& stream);
  /// The server is not read: it is our side that is slow.
  bool waits_for_consumer() const noexcept { return wire_.reading_held(); }

  // Opaque searches answered in parts, and their readers.
  void deliver_parts();
  void note_part(table::item& exchange, int id);
  bool is_kept_back(const table::item& exchange);
  void look_at_readers();
  void hold_for_readers(bool on);
  void resume_reading();
  void send_held_away();
  void send_away(held_call held);
  duration unanswered(const table::item& exchange) const;
  std::size_t most_result_bytes() const noexcept { return static_cast<std::size_t>(all_.limits.max_result_bytes); }
  /// Of the memory that the answer to it may take.
  std::size_t most_bytes_of(const call& order) const noexcept {
    const bool bounded = order.most_answer_bytes != 0 && order.parts == 0;
    return bounded ? std::min<std::size_t>(order.most_answer_bytes, most_result_bytes()) : most_result_bytes();
  }

  // Deadlines, failures, the end.
  void check_deadlines();
  void expire(int id);
  void expire_held();
  void redispatch_postponed(bool all);
  void check_suspicion();
  void check_unresponsiveness();
  bool shows_unresponsiveness(const table::item& exchange) const noexcept;
  void leave_unresponsive();
  void have_server_probed();
  bool note_unanswered(const table::item& exchange);
  table::item take_back(int id);
  bool maybe_sent(const table::item& exchange) const noexcept { return exchange.begin < wire_.handed_over(); }
  void settle(held_call& held, failure_ptr why);
  void settle(table::item& exchange, failure_ptr why);
  void redispatch(held_call held, failure_ptr cause);
  void send_elsewhere(held_call held, failure_ptr cause);
  bool may_go_elsewhere(const call& order) const;
  void redispatch_held(const failure_ptr& cause);
  void redispatch_or_fail(table::item exchange, const failure_ptr& cause);
  void count(lease_id lease) noexcept;
  void report_success(const call& order, duration latency);
  void report_failure(const call& order, failure_class kind, failure_ptr cause);
  void report_death(const failure_ptr& cause);
  bool was_sent_in_vain(const table::item& exchange) const noexcept {
    return exchange.owner.why == purpose::call && maybe_sent(exchange);
  }
  void send_report(outcome_report report);
  void tell_owner(connection_event::kind kind, failure_ptr cause = nullptr);
  void end(failure_ptr cause, bool harmless = false);
  void close_when_empty();
  failure_ptr connection_failure(errc code, std::string message) const;
  /// `progress`: how far it came with what, "before the search was sent"; `cause`: of its end.
  failure_ptr lease_broke(const std::string& progress, const failure& cause) const;
  /// One of the sentences of messages/error.hpp, of a request here.
  failure_ptr of_server(failure said) const;
  /// A line for developers.
  void log(const char* text, const failure_ptr& cause = nullptr);
  template <class Action>
  void act(Action action) {
    actions_.emplace_back(std::in_place_type<Action>, std::move(action));
  }
  /// tick() is to come then, at the latest.
  void wake_by(time_point when) noexcept { wake_ = std::min(wake_, when); }

  connection_dependencies dependencies_;
  const settings& all_;
  time_point now_{};
  std::vector<connection_action::any> actions_;
  time_point wake_ = time_point::max();

  phase phase_ = phase::setting_up;
  connection_setup setup_;
  ldap_wire& wire_;
  table open_;
  std::deque<held_call> held_;
  std::vector<postponed_call> postponed_;
  outcome_batch outcomes_;

  bool completed_some_ = false;

  std::vector<int> with_parts_;  // searches of which a part came and was not passed on
  bool parts_open_ = false;      // of a search that runs, parts were sent
  bool reader_behind_ = false;   // as the pool knows it

  lease_id lease_ = 0;
  stream_ptr stream_;              // the lease's, while it is open
  bool identity_changed_ = false;  // the lease's holder bound as someone else
  bool binds_first_ = false;       // nothing else is sent for the lease's holder
  bool bind_goes_on_ = false;      // a SASL bind waits for its next step
  bool tainted_ = false;           // the lease's holder may have left state that a bind does not take away
  bool exclusive_ = false;         // a bind is under way: nothing else may be sent (RFC 4511, 4.2.1)
  bool was_ready_ = false;
  time_point open_since_{};                 // when it became ready first
  failure_ptr disconnection_notice_;        // the server announced that it will close (RFC 4511, 4.4.1)
  bool broke_protocol_ = false;             // the peer did, which ended it
  bool death_reported_ = false;             // to the breaker: requests ended with it
  time_point gone_at_ = time_point::max();  // … and is taken for gone if it does not

  time_point last_heard_{};
  std::size_t heard_in_ = 0;        // of the bytes that wait for the rest of their message
  std::size_t notified_bytes_ = 0;  // of notifications since the last answer
  bool suspected_ = false;
  std::optional<time_point> liveness_asked_since_;  // the root DSE, in a silence
  bool unresponsive_ = false;                       // left, because nothing is answered on it …
  time_point kept_until_{};                         // … and yet open: an answer now would show that it was not
  std::uint64_t completed_ = 0;
  failure_ptr end_cause_;
};

}  // namespace understudy::internal
