// A connection as a state machine: what happened goes in, what to do comes out. No actors, no sockets, no clock of its
// own; the bytes are behind ldap_wire.hpp.
#pragma once
#include "understudy/actors/connection/actions.hpp"
#include "understudy/actors/connection/connect_attempt.hpp"
#include "understudy/actors/connection/in_flight.hpp"
#include "understudy/actors/connection/ldap_wire.hpp"
#include "understudy/actors/connection/outcome_batch.hpp"
#include "understudy/actors/connection/retry_budget.hpp"
#include "understudy/actors/connection/stream_flow.hpp"
#include "understudy/actors/ports/connection_load.hpp"
#include "understudy/actors/ports/random.hpp"
#include "understudy/actors/ports/server_pace.hpp"
#include "understudy/actors/ports/unanswered_requests.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/settings.hpp"

#include <deque>
#include <functional>

namespace understudy::internal {

/// What a connection knows and needs of the world, injected; what is referred to outlives it.
struct connection_dependencies {
  connection_id id = 0;
  connection_kind kind = connection_kind::pooled;
  bool has_breaker = true;  ///< a probe has none
  server_id server_number = 0;
  const std::string& server_name;
  const connection_info& server;
  const settings& all;
  std::shared_ptr<connection_load> load;
  std::shared_ptr<server_pace> pace;
  std::shared_ptr<unanswered_requests> unanswered;
  std::shared_ptr<retry_budget> retries;
  std::function<bool(const any_operation&)> may_repeat;  ///< also what may have been sent
  std::function<wall_time()> wall_now;                   ///< for people
  random_source random;
  /// Another address may be dialled beside those that say nothing; true: once. False: in place of one of them.
  std::function<bool()> may_dial_beside = [] { return true; };
};

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

  /// What time it is, until the next turn.
  void begin_turn(time_point now) noexcept { now_ = now; }
  void finish_turn();
  void tick();

  // Setting up: from the name look-up to ready.

  void start();
  void on_resolved(resolution found);
  /// The address of that number took the connection, on that socket (a number, never 0): ldap_wire::open() may follow.
  void reached(std::size_t number, std::uint64_t socket);
  void dial_failed(std::size_t number, errc code, std::string message);
  /// What was waited for to begin TLS may be there.
  void on_certificates() { begin_tls(); }
  /// `socket`: the one that it was asked for; another one asks again.
  void on_credential(const credential& given, std::uint64_t socket);
  void no_credential(failure why, std::uint64_t socket);
  void nobody_knows_credentials();

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
  bool waits_for_certificates() const noexcept { return waits_for_certificates_; }
  /// A credential that was asked for has to be judged, however late it comes.
  bool waits_for_credential() const noexcept { return credentials_asked_ != 0; }
  /// All but what the socket knows.
  connection_snapshot snapshot() const;

 private:
  enum class phase : std::uint8_t { connecting, securing, binding, ready, draining, closed };
  enum class purpose : std::uint8_t { call, start_tls, bind, first_answer, check };

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
  void dial();
  void close_wire(bool polite);
  void address_failed(failure why);
  void reached_peer();
  void request_start_tls();
  void start_tls_answered(const result& answer);
  void begin_tls();
  void authenticate();
  void ask_for_credential();
  void check_liveness_meanwhile();
  void bind_as(const credential& given);
  void send_bind(const encoded_request& at, const std::string& bind_dn);
  void bind_over(bool answered);
  void bind_answered(const result& answer);
  void pass_verdict(credential_verdict::kind kind, failure_ptr cause);
  void pass_verdict(std::uint64_t version, credential_verdict::kind kind, failure_ptr cause);
  void check_liveness();
  void liveness_answered(const result& answer);
  void become_ready();
  void check_setup_deadline();
  failure setup_failure(errc code, stage where, std::string message) const;
  bool is_setting_up() const noexcept { return phase_ < phase::ready; }

  // Requests out, answers in.
  void admit(held_call& held);
  failure_ptr refusal(const held_call& held) const;
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
  void judge_answer(table::item& done);
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
  bool is_judged(const table::item& exchange) const noexcept;
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
  void lose(table::item exchange, const failure_ptr& cause);
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
  const server_endpoint endpoint_;
  time_point now_{};
  std::vector<connection_action::any> actions_;
  time_point wake_ = time_point::max();

  phase phase_ = phase::connecting;
  connect_attempt attempt_;
  std::uint64_t socket_ = 0;  // the one that it is on
  ldap_wire& wire_;
  table open_;
  std::deque<held_call> held_;
  std::vector<postponed_call> postponed_;
  outcome_batch outcomes_;

  bool completed_some_ = false;

  std::vector<int> with_parts_;  // searches of which a part came in this turn
  bool parts_open_ = false;      // of a search that runs, parts were sent
  bool reader_behind_ = false;   // as the pool knows it

  lease_id lease_ = 0;
  stream_ptr stream_;              // the lease's, while it is open
  bool identity_changed_ = false;  // the lease's holder bound as someone else
  bool tainted_ = false;           // the lease's holder may have left state that a bind does not take away
  bool exclusive_ = false;         // a bind is under way: nothing else may be sent (RFC 4511, 4.2.1)
  std::optional<std::uint64_t> credential_version_;  // to be judged
  bool waits_for_certificates_ = false;              // while a worker reads them
  std::uint64_t secret_number_ = 0;                  // which one of the service's it binds with
  std::string auth_method_ = "anonymous";
  bool bind_under_way_ = false;                       // of the service
  int credentials_asked_ = 0;                         // and not answered yet
  time_point check_liveness_at_ = time_point::max();  // should they still be waited for
  bool asked_in_vain_ = false;                        // it closed at that; it is not asked again
  std::string bound_as_;                              // whom the last bind of the service named
  std::optional<password_warning> warning_;           // what its answer said
  bool was_ready_ = false;
  time_point open_since_{};                 // when it became ready first
  failure_ptr disconnection_notice_;        // the server announced that it will close (RFC 4511, 4.4.1)
  bool broke_protocol_ = false;             // the peer did, which ended it
  bool death_reported_ = false;             // to the breaker: requests ended with it
  time_point gone_at_ = time_point::max();  // … and is taken for gone if it does not
  time_point setup_deadline_;

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
