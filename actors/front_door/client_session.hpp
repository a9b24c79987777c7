// The server's side of one client's LDAP session (RFC 4511, 4) as a state machine: messages, answers and time go in,
// what to do comes out. No actors, no sockets, no clock of its own.
#pragma once
#include "understudy/actors/front_door/actions.hpp"
#include "understudy/actors/front_door/bind_limiter.hpp"
#include "understudy/actors/front_door/client_registry.hpp"
#include "understudy/actors/front_door/client_rules.hpp"
#include "understudy/actors/front_door/proxied_authorization.hpp"
#include "understudy/actors/front_door/relay_policy.hpp"
#include "understudy/messages/error.hpp"
#include "understudy/messages/event.hpp"

#include <map>
#include <utility>

namespace understudy::internal {

/// How the client came in.
struct client_origin {
  std::string address;      ///< without the port: what refused binds are counted by
  bool encrypted = false;   ///< TLS from the first byte
  bool local = false;       ///< from this machine: nobody listens on the way
  bool offers_tls = false;  ///< StartTLS
  /// DN that SASL EXTERNAL stands for: the certificate's subject, or the process at a Unix socket. Empty: nothing.
  std::string external = {};
};

/// An operation that the client asked for, as it ended.
struct ended_operation {
  std::uint8_t tag = 0;                                   ///< of its protocolOp
  client_standing identity = client_standing::anonymous;  ///< as whom it was served; of a bind: from now on
  int code = 0;                                           ///< that the client was told, or abandoned_code
};

/// As whom a client is served: shared connections are the service's and carry nobody's but the service's own client,
/// and reads that the listener allows to all; who binds as anybody else is served by a connection of his own, on which
/// the directory itself has accepted his bind. With identity proxy that connection is returned when it has, and each of
/// his operations says on a shared one for whom it is (proxied authorization, critical). Each event may leave actions
/// behind, to be taken with take_actions() and carried out in order; next_event() says when tick() is due.
class client_session {
 public:
  /// `offer`: null: each bind of a client that is to be served by proxy asks the directory whether it can.
  client_session(client_origin origin, client_rules_ptr rules, std::shared_ptr<bind_limiter> limiter, time_point now,
                 std::shared_ptr<proxied_authorization_offer> offer = nullptr);

  /// What one message of the client may be long.
  std::size_t longest_message() const noexcept;
  /// False: what the client sends has to wait, also what has arrived already.
  bool takes_messages() const noexcept;
  /// One whole message.
  void on_message(std::string_view pdu, time_point now);
  /// What the client sends is no LDAP.
  void on_garbage(const char* why);
  /// Bytes came; `partial`: of a message that is not complete.
  void on_bytes(bool partial, time_point now);
  /// The client has gone.
  void on_end();

  void judged(session_number number, service_claim claim, time_point now);
  /// False: it is not wanted any more, and has to be returned.
  bool acquired(session_number number, time_point now);
  void not_acquired(session_number number, const failure& why, time_point now);
  ///@{
  /// `server`: who has, or may have, carried it out; nothing: not known.
  void answered(session_number number, const result& answer, time_point now, std::optional<server_id> server = {});
  void failed(session_number number, const failure& why, time_point now, std::optional<server_id> server = {});
  ///@}
  /// `unread`: bytes that the client has not taken, with these. False: nobody wants it.
  bool part(session_number number, std::string messages, std::size_t unread, time_point now);
  /// `external`: as in client_origin, by what the client has shown within TLS; empty: nothing, it is as it was.
  void secured(time_point now, std::string external = {});
  /// Another client needs the connection that this one does not use: it has to go, since no password was kept. Nothing
  /// happens while it is in use.
  void evict();

  /// Nothing new is taken; what runs is finished, then the client is told and sent away.
  void drain(time_point now);
  /// Other rules from now on.
  void configure(client_rules_ptr rules, time_point now);
  void tick(time_point now);
  time_point next_event() const;

  std::vector<session_action::any> take_actions() { return std::exchange(actions_, {}); }
  bool has_actions() const noexcept { return !actions_.empty(); }

  bool closed() const noexcept { return phase_ == phase::closed; }
  std::size_t pending() const noexcept { return open_.size(); }
  std::uint64_t operations() const noexcept { return operations_; }
  /// As whom it is served.
  client_standing standing() const noexcept;
  bool holds_connection() const noexcept { return lease_ == lease_state::held; }
  /// Operations that have ended since the last time.
  std::vector<ended_operation> take_ended() { return std::exchange(ended_, {}); }
  /// Since when it holds a connection of its own and asks nothing; nothing: it does not.
  std::optional<time_point> parked_since() const noexcept;

 private:
  /// takes: messages; judging, acquiring, binding: a bind or an operation waits for what it needs; securing: StartTLS.
  enum class phase : std::uint8_t { takes, judging, acquiring, binding, securing, closed };
  enum class holder : std::uint8_t { nobody, service, user, proxied };
  enum class lease_state : std::uint8_t { none, asked, held };
  /// What a lease is for.
  enum class lease_purpose : std::uint8_t { user, paging };
  /// What the answer that a bind waits for will tell: whether proxied authorization is offered, whether the password is
  /// right, whether the directory takes the identity that was shown.
  enum class bind_step : std::uint8_t { offer, password, identity };

  struct operation {
    std::int32_t id = 0;  ///< the client's
    std::uint8_t tag = 0;
    bool leased = false, root_dse = false, paged = false, begun = false, write = false;
  };
  /// A bind, or a paged search, while a connection for it is looked for.
  struct waiting {
    std::int32_t id = 0;
    std::uint8_t tag = 0;
    request_ptr what;
    std::string name = {};      ///< of a bind, as comparable_dn() has it
    std::string proxy_id = {};  ///< of a bind that is to be served by proxy: as whom
    bool paged = false;
    bool again = false;  ///< the connection that it was to go to first had ended unnoticed
  };

  void take(const client_message& message, time_point now);
  void bind(const client_message& message, time_point now);
  void bind_simple(std::int32_t id, const bind_fields& fields, std::vector<control> controls, time_point now);
  void bind_plain(std::int32_t id, const bind_fields& fields, std::vector<control> controls, time_point now);
  void bind_external(std::int32_t id, const bind_fields& fields, time_point now);
  void ask_for_bind(bind_step step, request_ptr asked, bool leased, time_point now);
  void proceed_with_bind(time_point now);
  void bind_answered(const result& answer, time_point now);
  void bind_failed(const failure& why, time_point now);
  void bind_refused(int code, std::string diagnostic);
  void bind_ended(int code);
  void abandon(const client_message& message);
  void extended(const client_message& message, time_point now);
  void start_tls(const client_message& message);
  void cancel_operation(const client_message& message, const extended_fields& asked);
  void operate(const client_message& message, time_point now);
  relay_refusal refusal_of(const client_message& message) const;
  relay_refusal refusal_for_anybody(const client_message& message) const;
  bool is_own_connection() const noexcept;
  std::optional<server_id> preferred(bool write, time_point now) const;
  void note_write(const operation& done, std::optional<server_id> server, time_point now);
  void dispatch(const client_message& message, judged_controls controls, time_point now);
  void acquire(lease_purpose use, waiting message, time_point now);
  void forward(std::int32_t id, std::uint8_t tag, request_ptr asked, bool leased, bool root_dse, bool paged,
               time_point now);
  std::optional<operation> take_operation(session_number number);
  void note_page(const operation& done, const result* answer, time_point now);
  void drop_lease();
  void lease_lost();
  void abandon_all();
  void refuse(std::int32_t id, std::uint8_t tag, int code, std::string diagnostic);
  void reply(std::int32_t id, std::uint8_t tag, const ldap_answer& answer);
  void note_end(std::uint8_t tag, int code) { ended_.push_back({tag, standing(), code}); }
  void send_away(int code, const std::string& why);
  void close(std::string why);
  void close_when_drained();
  bool is_confidential() const noexcept;
  template <class Action>
  void act(Action action) {
    actions_.emplace_back(std::in_place_type<Action>, std::move(action));
  }

  client_origin origin_;
  client_rules_ptr rules_;
  const std::shared_ptr<bind_limiter> limiter_;
  const std::shared_ptr<proxied_authorization_offer> offer_;
  std::vector<session_action::any> actions_;
  std::vector<ended_operation> ended_;

  phase phase_ = phase::takes;
  holder who_ = holder::nobody;
  std::string proxy_id_;  ///< of who is served by proxy
  bind_step step_ = bind_step::password;
  lease_state lease_ = lease_state::none;
  lease_purpose use_ = lease_purpose::user;
  bool draining_ = false;
  std::optional<waiting> waiting_;
  session_number awaited_ = 0;  ///< what judged(), acquired() or the bind's answer is for
  std::map<session_number, operation> open_;
  std::map<std::int32_t, session_number> by_id_;
  session_number last_ = 0;
  std::uint64_t operations_ = 0;

  int open_pages_ = 0;  ///< paged searches that have not come to their end
  time_point page_until_ = time_point::max();
  std::optional<server_id> written_to_;  ///< the server that took the latest write
  time_point coherent_until_{};          ///< so long reads go there
  time_point evict_at_ = time_point::max();
  time_point heard_{};  ///< when the client said something, or was answered, last
  bool partial_ = false;
};

}  // namespace understudy::internal
