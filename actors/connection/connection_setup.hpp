// Setting a connection up as a state machine: what happened goes in, what to do comes out. From the name look-up to a
// server that has answered, and the service's bind whenever it is needed again.
#pragma once
#include "understudy/actors/connection/actions.hpp"
#include "understudy/actors/connection/connect_attempt.hpp"
#include "understudy/actors/connection/connection_dependencies.hpp"
#include "understudy/actors/connection/ldap_wire.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/messages/password_policy.hpp"

#include <utility>

namespace understudy::internal::setup_action {

/// A request of its own was encoded: connection_setup::answered() gets the answer, and no other comes before it.
struct ask {
  encoded_request at;
  request_ptr request;
  time_point deadline{};
};
/// What was asked will not be answered: that socket was given up.
struct forget_asked {};
/// Requests can be sent.
struct ready {};
/// It came to nothing; null: without a failure.
struct failed {
  failure_ptr why;
};

/// Those of the connection are for its actor.
using any =
    std::variant<connection_action::resolve, connection_action::dial, connection_action::hang_up,
                 connection_action::shake_hands, connection_action::ask_for_credential,
                 connection_action::report_verdict, connection_action::established, ask, forget_asked, ready, failed>;

}  // namespace understudy::internal::setup_action

namespace understudy::internal {

/// A read that every directory answers, whoever asks.
const request_ptr& root_dse_read();

/// Addresses, TLS, StartTLS, the bind of the service, and for a connection that needs none of that an answer all the
/// same, since a peer that takes connections need not be a directory that lives. Each event may leave actions behind,
/// to be taken with take_actions() and carried out in order; next_event() says when tick() is due.
class connection_setup {
 public:
  /// What is referred to outlives it.
  connection_setup(const connection_dependencies& dependencies, ldap_wire& bytes, time_point now);

  /// What time it is, until the next turn.
  void begin_turn(time_point now) noexcept { now_ = now; }
  /// Notes for the pool what is waited for; not needed any more once it was ready.
  void finish_turn() const;
  void tick();

  void start();
  void on_resolved(resolution found);
  /// The address of that number took the connection, on that socket (a number, never 0).
  void reached(std::size_t number, std::uint64_t socket);
  void dial_failed(std::size_t number, errc code, std::string message);
  /// That socket is connected.
  void on_connected();
  /// What was waited for to begin TLS may be there.
  void begin_tls();
  /// The TLS handshake is complete and its checks passed.
  void on_secured() { authenticate(); }
  /// `socket`: the one that it was asked for; another one asks again.
  void on_credential(const credential& given, std::uint64_t socket);
  void no_credential(failure why, std::uint64_t socket);
  void nobody_knows_credentials();
  /// To setup_action::ask.
  void answered(const result& answer);
  /// The address that is set up did not work; perhaps another one does.
  void address_failed(failure why);

  /// It was ready, and is to be the service's again: a user was bound on it.
  void bind_again();
  /// The connection ends, because of `cause`: closes what is open; `polite`: what is encoded, and an unbind, are sent
  /// before.
  void end(bool polite, const failure_ptr& cause);

  std::vector<setup_action::any> take_actions() { return std::exchange(actions_, {}); }
  time_point next_event() const noexcept { return wake_; }
  /// The socket that it is on; 0: none.
  std::uint64_t socket() const noexcept { return socket_; }
  bool waits_for_certificates() const noexcept { return waits_for_certificates_; }
  /// A credential that was asked for has to be judged, however late it comes.
  bool waits_for_credential() const noexcept { return credentials_asked_ != 0; }
  bool is_encrypted() const noexcept { return endpoint_.encrypted(); }
  /// Which of the service's secrets it is bound with.
  std::uint64_t secret_number() const noexcept { return secret_number_; }
  /// What the server's answer to the last bind said of the password.
  const std::optional<password_warning>& warning() const noexcept { return warning_; }
  const std::string& auth_method() const noexcept { return auth_method_; }
  const connect_attempt& attempt() const noexcept { return attempt_; }
  /// "connecting", "securing", "binding" …
  const char* state_name() const noexcept;
  /// A failure of that server.
  failure server_failure(errc code, stage where, std::string message) const;

 private:
  enum class step : std::uint8_t { connecting, securing, binding, done, ended };
  enum class pending_answer : std::uint8_t { none, start_tls, bind, first_answer };

  void dial();
  void close_wire(bool polite);
  void request_start_tls();
  void start_tls_answered(const result& answer);
  void authenticate();
  void ask_for_credential();
  void check_liveness_meanwhile();
  void bind_as(const credential& given);
  void send_bind(const encoded_request& at, const std::string& bind_dn);
  void bind_over(bool was_answered);
  void bind_answered(const result& answer);
  void pass_verdict(credential_verdict::kind kind, failure_ptr cause);
  void pass_verdict(std::uint64_t version, credential_verdict::kind kind, failure_ptr cause);
  void check_liveness();
  void liveness_answered(const result& answer);
  void become_ready();
  void ask_for_life(time_point deadline);
  void ask(pending_answer asked, const encoded_request& at, request_ptr request, time_point deadline);
  void fail(failure_ptr why) { act(setup_action::failed{std::move(why)}); }
  void give_up(errc code, stage where, std::string message);
  template <class Action>
  void act(Action action) {
    actions_.emplace_back(std::in_place_type<Action>, std::move(action));
  }
  /// tick() is to come then, at the latest.
  void wake_by(time_point when) noexcept { wake_ = std::min(wake_, when); }

  const connection_dependencies& dependencies_;
  ldap_wire& wire_;
  const server_endpoint endpoint_;
  time_point now_{};
  std::vector<setup_action::any> actions_;
  time_point wake_ = time_point::max();

  step step_ = step::connecting;
  pending_answer asked_ = pending_answer::none;
  connect_attempt attempt_;
  time_point deadline_;       // of the bind
  std::uint64_t socket_ = 0;  // the one that it is on
  bool was_ready_ = false;
  bool waits_for_certificates_ = false;              // while a worker reads them
  std::optional<std::uint64_t> credential_version_;  // to be judged
  std::uint64_t secret_number_ = 0;                  // which one of the service's it binds with
  std::string auth_method_ = "anonymous";
  bool bind_under_way_ = false;                       // of the service
  int credentials_asked_ = 0;                         // and not answered yet
  time_point check_liveness_at_ = time_point::max();  // should they still be waited for
  bool asked_in_vain_ = false;                        // it closed at that; it is not asked again
  std::string bound_as_;                              // whom the last bind of the service named
  std::optional<password_warning> warning_;           // what its answer said
};

}  // namespace understudy::internal
