// The server's side of one client's LDAP session (RFC 4511, 4) as a state machine: messages, answers and time go in,
// what to do comes out. No actors, no sockets, no clock of its own.
#pragma once
#include "understudy/actors/front_door/actions.hpp"
#include "understudy/actors/front_door/bind_limiter.hpp"
#include "understudy/actors/front_door/client_registry.hpp"
#include "understudy/actors/front_door/client_rules.hpp"
#include "understudy/actors/front_door/proxied_authorization.hpp"
#include "understudy/actors/front_door/relay_policy.hpp"
#include "understudy/actors/front_door/small_table.hpp"
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
  std::uint64_t number = 0;  ///< of what was asked elsewhere for it, as in the actions; 0: it was answered here
  time_point since{};        ///< when it was asked; time_point{}: it was answered at once
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
  /// There is no room for the rest of the message that the client has begun.
  void on_no_room();
  /// Bytes came, be they of a whole message or not.
  void on_bytes(time_point now) noexcept;
  /// All that came was looked at: whether what is left is a message that is not complete. Its time begins when it is
  /// found to be one: until then it may have been us who did not read.
  void on_partial(bool partial, time_point now) noexcept;
  /// What came is not looked at, and no more is read, before the client has taken its answers or what it asked for has
  /// ended: silence is not its own. The time for a whole message that has begun goes on.
  void on_held_back() noexcept { silent_since_ = time_point::max(); }
  /// The client has gone. Of a password that it has just tried nobody is told any more whether it was refused: it
  /// counts as if it was.
  void on_end(time_point now);

  void claim_checked(session_number number, service_claim claim, time_point now);
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
  /// Another client needs the connection that this one holds and does not use. A user has to go with it, since no
  /// password was kept; who reads in pages is told with the next one. Nothing happens while it is in use.
  void evict();
  /// No more users hold connections than should.
  void room_made() noexcept { evict_at_ = time_point::max(); }

  /// Nothing new is taken; what runs is finished, then the client is told and sent away.
  void drain(time_point now);
  /// Other rules from now on.
  void configure(client_rules_ptr rules, time_point now);
  void tick(time_point now);
  time_point next_event() const;

  std::vector<session_action::any> take_actions() { return std::exchange(actions_, {}); }
  /// The same; `into` comes empty, and its memory is used for what follows.
  void take_actions(std::vector<session_action::any>& into) { actions_.swap(into); }
  bool has_actions() const noexcept { return !actions_.empty(); }

  bool closed() const noexcept { return phase_ == phase::closed; }
  std::size_t pending() const noexcept { return open_.size(); }
  std::uint64_t operations() const noexcept { return operations_; }
  /// As whom it is served.
  client_standing standing() const noexcept;
  bool holds_connection() const noexcept { return lease_ == lease_state::held; }
  bool has_ended() const noexcept { return !ended_.empty(); }
  /// The operations that have ended since the last time, one after the other.
  template <class Visitor>
  void each_ended(Visitor visit) {
    for (const auto& each : ended_) visit(each);
    ended_.clear();
  }
  /// What it holds a connection for, or has asked for one.
  holding holds() const noexcept;
  /// Since when it has asked nothing there; nothing: it holds none, or uses it.
  std::optional<time_point> idle_since() const noexcept;

 private:
  /// takes: messages; judging, acquiring, binding: a bind or an operation waits for what it needs; securing: StartTLS.
  enum class phase : std::uint8_t { takes, judging, acquiring, binding, securing, closed };
  enum class holder : std::uint8_t { nobody, service, user, proxied };
  enum class lease_state : std::uint8_t { none, asked, held };
  /// What the answer that a bind waits for will tell: whether proxied authorization is offered, whether the password is
  /// right, whether the directory takes the identity that was shown, how the SASL mechanism goes on.
  enum class bind_step : std::uint8_t { offer, password, identity, sasl };
  /// Why there is no connection any more on which a search could go on with its next page.
  enum class pages_end : std::uint8_t { none, overdue, given_up, lost };

  struct operation {
    std::int32_t id = 0;  ///< the client's
    std::uint8_t tag = 0;
    bool leased = false, root_dse = false, paged = false, begun = false, write = false;
    session_number number = 0;
    time_point since{};
    request_ptr proxied = {};  ///< of who is served by proxy: what was sent
  };
  /// A server refused an operation that names its client, and it is not known whether it can do that at all: it is
  /// asked.
  struct doubt {
    session_number operation = 0;
    server_id server = 0;
    std::string answer;  ///< that it gave
    int code = 0;
  };
  /// A bind, or a paged search, while a connection for it is looked for.
  struct waiting {
    std::int32_t id = 0;
    std::uint8_t tag = 0;
    request_ptr what;
    std::string name = {};       ///< of a bind, by what its refusals are counted; empty: not known
    std::string proxy_id = {};   ///< of a bind that is to be served by proxy: as whom
    std::string mechanism = {};  ///< of a SASL bind that the directory answers step by step
    bool paged = false;
    bool again = false;  ///< the connection that it was to go to first had ended unnoticed
  };

  void take(const client_message& message, time_point now);
  void bind(const client_message& message, time_point now);
  void bind_simple(std::int32_t id, const bind_fields& fields, std::vector<control> controls, time_point now);
  void bind_plain(std::int32_t id, const bind_fields& fields, std::vector<control> controls, time_point now);
  void bind_external(std::int32_t id, const bind_fields& fields, time_point now);
  void bind_stepwise(const client_message& message, const bind_fields& fields, const std::vector<control>& controls,
                     bool changed, time_point now);
  void ask_for_bind(bind_step step, request_ptr asked, bool leased, time_point now);
  void proceed_with_bind(time_point now);
  void bind_answered(const result& answer, time_point now, std::optional<server_id> server);
  void sasl_answered(const result& answer, time_point now);
  void bind_failed(const failure& why, time_point now);
  void count_refusal(int code, const std::string& name, time_point now);
  void bound_as_user(time_point now);
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
  void dispatch(const client_message& message, checked_controls controls, time_point now);
  void acquire(holding use, waiting message, time_point now);
  relay_refusal no_next_page() const;
  bool refused_for_proxy(session_number number, const result& answer, time_point now, std::optional<server_id> server);
  bool settle_doubt(session_number number, const result* root_dse, time_point now, std::optional<server_id> server);
  void forward(std::int32_t id, std::uint8_t tag, request_ptr asked, bool leased, bool root_dse, bool paged,
               time_point now);
  std::optional<operation> take_operation(session_number number);
  void note_page(const operation& done, const result* answer, time_point now);
  void drop_lease();
  void lease_lost();
  void abandon_all();
  void refuse(std::int32_t id, std::uint8_t tag, int code, std::string diagnostic);
  void refuse(const operation& op, int code, std::string diagnostic);
  void reply(std::int32_t id, std::uint8_t tag, const ldap_answer& answer);
  void reply(const operation& op, const ldap_answer& answer);
  void note_end(const operation& op, int code) { ended_.push_back({op.tag, standing(), code, op.number, op.since}); }
  void note_bind_end(int code) { ended_.push_back({request_tag::bind, standing(), code, awaited_, asked_at_}); }
  void send_away(int code, const std::string& why);
  void close(std::string why);
  void close_when_drained();
  time_point partial_until() const noexcept;
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
  holding use_ = holding::user;
  bool draining_ = false;
  std::optional<waiting> waiting_;
  session_number awaited_ = 0;  ///< what claim_checked(), acquired() or the bind's answer is for
  time_point bind_sent_at_{};   ///< when the last bind was given to the directory
  time_point asked_at_{};       ///< when the client asked for the bind, or for what waits for a connection
  std::string mechanism_;       ///< of a SASL bind that goes on with the client's next message
  std::string mechanism_name_;  ///< that it has said, as waiting::name
  int steps_ = 0;               ///< of it, so far
  server_set asked_for_offer_;  ///< in vain, for this bind
  std::map<session_number, doubt> doubts_;
  small_table<session_number, operation> open_;
  small_table<std::int32_t, session_number> by_id_;
  session_number last_ = 0;
  std::uint64_t operations_ = 0;

  int open_pages_ = 0;  ///< paged searches that have not come to their end
  time_point page_until_ = time_point::max();
  pages_end pages_end_ = pages_end::none;
  std::optional<server_id> written_to_;      ///< the server that took the latest write
  time_point coherent_until_{};              ///< so long reads go there
  time_point evict_at_ = time_point::max();  ///< when to ask for that again
  time_point leased_used_{};                 ///< the connection that it holds, last
  time_point heard_{};                       ///< when the client said something, or was answered, last
  ///@{
  /// Of a message that is not complete; time_point::max(): there is none.
  time_point begun_at_ = time_point::max();      ///< when it was found to be one
  time_point silent_since_ = time_point::max();  ///< when a byte of it came last, or more could be read again
  ///@}
};

}  // namespace understudy::internal
