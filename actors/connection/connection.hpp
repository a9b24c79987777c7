// The life of one connection behind its actor: what the messages mean.
#pragma once
#include "understudy/actors/connection/connect_attempt.hpp"
#include "understudy/actors/connection/in_flight.hpp"
#include "understudy/actors/connection/outcome_batch.hpp"
#include "understudy/actors/connection/retry_budget.hpp"
#include "understudy/actors/connection/session.hpp"
#include "understudy/actors/connection/stream_flow.hpp"
#include "understudy/actors/connection/tls.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/actors/ports/random.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>

namespace understudy::internal {

class connection;

/// What the connections of one runtime share.
struct shared_by_connections {
  std::shared_ptr<tls_contexts> certificates = std::make_shared<tls_contexts>();
  retry_budget retries;
};

/// A read that every directory answers, whoever asks.
const request_ptr& root_dse_read();
/// busy or unavailable: the server lives and serves nobody.
bool is_overload(int result_code) noexcept;

struct connection_state {
  static inline const char* name = "understudy.connection";
  explicit connection_state(connection_actor::pointer) {}
  std::unique_ptr<connection> it;
};

/// All members run inside the actor.
class connection {
 public:
  using self_pointer = connection_actor::stateful_pointer<connection_state>;
  using result_promise = caf::typed_response_promise<result_ptr>;
  using probe_promise = caf::typed_response_promise<probe_report>;

  connection(self_pointer self, connection_spec spec, std::shared_ptr<shared_by_connections> shared);
  /// Settles what is open: no promise is ever dropped.
  ~connection();
  connection_actor::behavior_type make_behavior();

 private:
  enum class phase : std::uint8_t { connecting, securing, binding, ready, draining, closed };
  enum class purpose : std::uint8_t { call, start_tls, bind, first_answer, check };

  /// A streaming search, whether its request is held or under way.
  struct open_stream {
    std::uint64_t number = 0;  ///< the consumer's own
    caf::strong_actor_ptr consumer;
    stream_flow flow;
    result_ptr answer = std::make_shared<result>();  ///< what is gathered for the next batch, and the end
    std::vector<std::uint32_t> entry_credits{};      ///< of the next batch, as there
    std::uint32_t reference_credits = 0;
    std::optional<duration> first_heard{};  ///< from request to first answer
  };
  using stream_ptr = std::shared_ptr<open_stream>;

  /// Whom an operation is for.
  struct ticket {
    purpose why = purpose::call;
    lease_id lease = 0;
    call order;
    result_promise promise;
    probe_promise report;
    stream_ptr stream{};
  };
  using table = in_flight<ticket>;

  /// A call that has to wait here for its turn; none of it is encoded.
  struct held_call {
    call order;
    lease_id lease = 0;
    time_point since{};
    result_promise promise;
    stream_ptr stream{};
  };

  /// A call that a busy server refused, on its way elsewhere after a pause.
  struct postponed_call {
    held_call one;
    failure_ptr cause;
    time_point due{};
  };

  /// A socket on its way to one of the addresses.
  struct dialled_socket {
    std::size_t number = 0;  ///< the attempt's
    int fd = -1;
    poller_port::io_id io = 0;
  };

  // connection.cpp: handlers, and the end of each turn
  template <class Body>
  void turn(Body body);
  void contain();
  void finish_turn();
  void flush_or_gather();
  void watch_socket();
  void forget_socket();
  void on_tick(std::uint64_t timer);
  void on_lease(lease_id id);
  void on_reset(lease_id id);
  void on_drain();
  void on_close();
  void on_removed();
  void on_check(time_point deadline, probe_promise promise);
  void finish_check(table::item done, failure_ptr why);
  connection_snapshot snapshot() const;

  // Setting up: from the name look-up to ready.
  void start();
  void on_resolved(std::uint64_t number, resolution found);
  void dial();
  void on_dialled(std::uint64_t io);
  void hang_up(std::optional<std::size_t> number = {});
  void address_failed(failure why);
  void reached_peer();
  void request_start_tls();
  void start_tls_answered(const result& answer);
  void shake_hands();
  void authenticate();
  void ask_for_credential();
  void ask_for_life_meanwhile();
  void on_credential(const credential& given, poller_port::io_id socket);
  void bind_as(const credential& given);
  void send_bind(const encoded_request& at, const std::string& bind_dn);
  void bind_over(bool answered);
  void bind_answered(const result& answer);
  void pass_verdict(credential_verdict::kind what, failure_ptr cause);
  void pass_verdict(std::uint64_t version, credential_verdict::kind what, failure_ptr cause);
  void ask_for_life();
  void life_answered(const result& answer);
  void become_ready();
  void check_setup_deadline();
  failure setup_failure(errc code, stage where, std::string message) const;
  bool is_setting_up() const noexcept { return phase_ < phase::ready; }

  // Requests out, answers in.
  void accept(call order, lease_id lease, result_promise promise, stream_ptr stream = nullptr);
  void admit(held_call& one);
  failure_ptr refusal(const held_call& one) const;
  bool must_wait(const held_call& one) const;
  void dispatch(held_call& one);
  void release_held();
  void add_exchange(const encoded_request& at, request_ptr what, time_point deadline, ticket&& whose);
  void on_io(std::uint64_t id, std::uint32_t events);
  void on_flush();
  void react(const transport_action& action);
  bool is_worth_hearing() const;
  void read_answers();
  void take_answers();
  bool notified(const pdu_frame& frame);
  void too_large(int id, bool more);
  void came_late(const pdu_frame& frame, std::size_t bytes);
  void completed(int id);
  void complete_call(table::item& done);
  void report_answer(const table::item& done);
  void judge_answer(table::item& done);
  bool postpone(table::item& done, const failure_ptr& why);
  void start_draining(const char* why);

  // A streaming search and its consumer.
  stream_ptr make_stream(std::uint64_t number, std::uint32_t credits) const;
  failure_ptr stream_refusal(const held_call& one) const;
  void open(stream_ptr stream);
  bool may_take(table::item& one, const pdu_frame& frame);
  void took(table::item& one, const pdu_frame& frame);
  void deliver_batch();
  void on_credit(lease_id lease, std::uint64_t number, std::uint32_t more);
  void consumer_ended(const caf::actor_addr& who);
  void close(const stream_ptr& stream);
  bool waits_for_consumer() const noexcept { return stream_ && stream_->flow.waiting(); }
  duration unanswered(const table::item& one) const;
  std::size_t most_result_bytes() const noexcept { return static_cast<std::size_t>(all_.limits.max_result_bytes); }

  // Deadlines, failures, the end.
  void check_deadlines();
  void expire(int id);
  void expire_held();
  void redispatch_postponed(bool all);
  void check_suspicion();
  void have_server_probed();
  bool note_unanswered(const table::item& one);
  void cancel(const cancel_token_ptr& token);
  table::item take_back(int id);
  bool maybe_sent(const table::item& one) const noexcept { return one.begin < bytes_.handed_over(); }
  void settle(held_call& one, failure_ptr why);
  void settle(table::item& one, failure_ptr why);
  void redispatch(held_call one, failure_ptr cause);
  void send_elsewhere(held_call one, failure_ptr cause);
  bool may_go_elsewhere(const call& order) const;
  void redispatch_held(const failure_ptr& cause);
  void lose(table::item one, const failure_ptr& cause);
  void count(lease_id lease) noexcept;
  void report_success(const call& order, duration latency);
  void report_failure(const call& order, failure_class what, failure_ptr cause);
  void report_death(const failure_ptr& cause);
  bool was_sent_in_vain(const table::item& one) const noexcept {
    return one.ticket.why == purpose::call && maybe_sent(one);
  }
  void send_report(outcome_report report);
  void tell_owner(connection_event::kind what, failure_ptr cause = nullptr);
  void end(failure_ptr cause, bool harmless = false);
  void close_when_empty();
  void quit_if_done();
  failure_ptr connection_failure(errc code, std::string message) const;
  void log(log_level level, std::string_view text, const failure_ptr& cause = nullptr) const;

  self_pointer self_;
  connection_spec spec_;
  std::shared_ptr<shared_by_connections> shared_;
  const server_context& context_;
  const environment& env_;
  const settings& all_;
  const server_endpoint endpoint_;
  time_point now_{};

  phase phase_ = phase::connecting;
  connect_attempt attempt_;
  std::vector<dialled_socket> dialled_;
  transport bytes_;
  session ldap_;
  table open_;
  std::deque<held_call> held_;
  std::vector<postponed_call> postponed_;
  outcome_batch outcomes_;
  random_source random_;

  poller_port::io_id io_ = 0;
  std::uint32_t armed_ = 0;
  bool flush_queued_ = false;
  bool completed_some_ = false;

  lease_id lease_ = 0;
  stream_ptr stream_;              // the lease's, while it is open
  bool identity_changed_ = false;  // the lease's holder bound as someone else
  bool tainted_ = false;           // the lease's holder may have left state that a bind does not take away
  bool exclusive_ = false;         // a bind is under way: nothing else may be sent (RFC 4511, 4.2.1)
  std::optional<std::uint64_t> credential_version_;  // to be judged
  bool waits_for_certificates_ = false;              // while a worker reads them
  std::uint64_t secret_number_ = 0;                  // which one of the service's it binds with
  std::string auth_method_ = "anonymous";
  bool bind_under_way_ = false;                     // of the service
  int credentials_asked_ = 0;                       // and not answered yet
  time_point ask_for_life_at_ = time_point::max();  // should they still be waited for
  std::string bound_as_;                            // whom the last bind of the service named
  std::optional<password_warning> warning_;         // what its answer said
  bool was_ready_ = false;
  time_point open_since_{};                 // when it became ready first
  failure_ptr goodbye_;                     // the server announced that it will close (RFC 4511, 4.4.1)
  bool death_reported_ = false;             // to the breaker: requests ended with it
  time_point gone_at_ = time_point::max();  // … and is taken for gone if it does not
  bool removed_ = false;
  time_point setup_deadline_;
  actor_timer timer_;

  time_point last_heard_{};
  std::size_t heard_in_ = 0;        // of the bytes that wait for the rest of their message
  std::size_t notified_bytes_ = 0;  // of notifications since the last answer
  bool suspected_ = false;
  std::uint64_t completed_ = 0;
  failure_ptr end_cause_;
};

/// Every handler runs in one of these: the time is read once, nothing is thrown at CAF, and what the body left to do
/// (re-arm, flush, tell the pool) is done together at its end.
template <class Body>
void connection::turn(Body body) {
  try {
    now_ = env_.clock->now();
    body();
    finish_turn();
  } catch (...) {
    contain();
  }
}

}  // namespace understudy::internal
