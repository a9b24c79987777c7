// Bytes to messages, decisions to requests, answers to bytes.
#include "understudy/actors/front_door/client_actor.hpp"

#include "understudy/actors/client_socket/client_socket.hpp"
#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/actors/metrics/operation_tap.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/printable.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>

namespace understudy::internal {
namespace {

// With more of its answers waiting to be taken, a client's next request is not read.
constexpr std::size_t high_water = 256 * 1024;
// Read ahead while requests have to wait: enough for a bind or a search, and the end is seen.
constexpr std::size_t read_ahead = 16 * 1024;
constexpr seconds handshake_patience{10}, goodbye_patience{2}, write_patience{60};
constexpr seconds claim_patience{10};
// A connection that was used a moment ago is likely to be used again. Where there is one alone for all users it goes on
// to who waits for it, of whom nothing is known yet, only later.
constexpr seconds least_idle{1}, sole_least_idle{10};
// Of an answer that comes all at once: that is no search's, and larger ones are nothing that a directory says.
constexpr std::uint32_t most_answer_bytes = 4 * 1024 * 1024;
// More actions at a time than these are unusual: their memory is not kept.
constexpr std::size_t most_kept_actions = 32;

class client_impl {
 public:
  static constexpr const char* name = "understudy.client";

  client_impl(client_actor::pointer self, client_dependencies with, std::shared_ptr<client_connection> connection);
  ~client_impl();
  client_actor::behavior_type make_behavior();

 private:
  struct request_under_way {
    cancel_token_ptr token;
    bool leased = false;
    time_point since{};
    request_permits::own_permit permit;
  };
  /// Bytes of a part: who sent it is told when the client has taken them.
  struct owed_credit {
    std::uint64_t position = 0;
    connection_actor to;
    std::int32_t id = 0;
    std::uint64_t bytes = 0;
  };

  // Events.
  void on_io(std::uint64_t id, std::uint32_t events);
  void on_tick(std::uint64_t timer);
  void on_part(std::uint64_t number, relayed_part& part);

  bool take_messages();
  bool has_partial() const;
  void note_partial();
  void carry_out();
  void carry_out_actions();
  void operator()(session_action::reply& a);
  void operator()(session_action::forward& a);
  void operator()(const session_action::cancel& a);
  void operator()(const session_action::check_claim& a);
  void operator()(const session_action::acquire& a);
  void operator()(const session_action::evict&);
  void operator()(const session_action::release&);
  void operator()(const session_action::start_tls&);
  void operator()(session_action::close& a);
  friend struct session_action_visitor;

  void settle(std::uint64_t number, const result_ptr& got, const failure_ptr& why);
  void refuse(std::uint64_t number, const failure& why);
  void note_ended(time_point at, std::uint64_t number = 0, std::string_view server = {}, const failure* why = nullptr);
  void give_back(const lease_grant& grant);
  void flush();
  void write();
  void pay_credits();
  void secure();
  void shake_hands();
  void finish_turn();
  void note_holding();
  bool admits(holding kind);
  void note_record();
  void log_end(std::string_view why) const;
  void arm();
  void let_go(std::string_view why);
  void end(std::string_view why);
  time_point now() const { return with_.env->clock->now(); }

  client_actor::pointer self_;
  client_dependencies with_;
  std::shared_ptr<client_connection> connection_;
  client_session session_;
  std::vector<session_action::any> spare_actions_;  ///< empty: memory for the next
  client_socket socket_;
  handler_guard guard_;
  actor_timer timer_;
  bool ended_ = false;
  bool tls_asked_ = false, shaking_ = false, shake_writes_ = false;
  std::optional<std::string> closing_;
  time_point give_up_at_ = time_point::max();  ///< a handshake, a goodbye
  time_point write_until_ = time_point::max();
  std::uint64_t appended_ = 0;
  std::size_t partial_ = 0;  ///< bytes that have been counted in `partial`
  small_table<std::uint64_t, request_under_way> open_;
  std::deque<owed_credit> owed_;
  std::optional<lease_grant> lease_;
  cancel_token_ptr acquiring_;
  std::uint64_t number_ = 0;              ///< of this client, for `holdings`
  holding holds_ = holding::none;         ///< as it was noted there
  std::optional<time_point> idle_since_;  ///< the same
};

/// Lets std::visit reach the actor's private handlers.
struct session_action_visitor {
  client_impl& client;
  template <class Action>
  void operator()(Action& a) const {
    client(a);
  }
};

client_impl::client_impl(client_actor::pointer self, client_dependencies with,
                         std::shared_ptr<client_connection> connection)
    : self_(self),
      with_(std::move(with)),
      connection_(std::move(connection)),
      session_(connection_->origin, with_.rules, with_.limiter, with_.env->clock->now(), with_.offer),
      socket_(with_.env->poller, connection_->fd, std::move(connection_->stream), self_->address()),
      guard_(*self_, with_.env, "front_door", [this] { end("a defect of ours"); }),
      timer_(with_.env->poller, self_->address()),
      number_(with_.env->next_number()) {
  finish_turn();
}

client_impl::~client_impl() {
  try {
    let_go("it was ended");
  } catch (...) {
    // Its descriptor goes all the same; pools watch who holds their leases.
  }
}

client_actor::behavior_type client_impl::make_behavior() {
  return {
      [this](batch_atom, std::uint64_t number, relayed_part& part) { guard_.run([&] { on_part(number, part); }); },
      [this](io_atom, std::uint64_t id, std::uint32_t events) { guard_.run([&] { on_io(id, events); }); },
      [this](tick_atom, std::uint64_t timer) { guard_.run([&] { on_tick(timer); }); },
      [this](flush_atom) { guard_.run([this] { flush(); }); },
      [this](reload_atom, const client_rules_ptr& rules) {
        guard_.run([&] {
          with_.rules = rules;
          session_.configure(rules, now());
          carry_out();
        });
      },
      [this](cleanup_atom) {
        guard_.run([this] {
          session_.evict();
          carry_out();
        });
      },
      [this](drain_atom) {
        guard_.run([this] {
          session_.drain(now());
          carry_out();
        });
      },
      [this](close_atom) { guard_.run([this] { end("the front door closes"); }); },
  };
}

// ---- the socket ----

void client_impl::on_io(std::uint64_t id, std::uint32_t events) {
  const auto chance = socket_.on_io(id, events);
  if (chance.none || ended_) return;
  if (shaking_) return shake_hands();
  if (chance.writes) {
    write();
    if (ended_) return;
  }
  if (chance.reads && !closing_ && !tls_asked_) {
    const auto most = session_.takes_messages() ? session_.longest_message() + 1 : read_ahead;
    const auto before = socket_.received().size();
    if (socket_.read(most) == client_socket::ending::closed) {
      session_.on_end(now());
      carry_out();
      return end("the client closed the connection");
    }
    // Nothing else is a sign of life: a timer of ours is none.
    if (socket_.received().size() > before) session_.on_bytes(now());
  }
  carry_out();
}

/// Counts what waits for the rest of its message, and a long one that is whole and waits for its turn; of small ones
/// there are no more than the poller brings in one turn. Where there is no room for it, it goes, and its client too.
void client_impl::note_partial() {
  if (!with_.partial) return;
  const auto bytes = socket_.received();
  auto counted = partial_messages::counted(bytes.size());
  if (counted != 0) {
    const auto first = frame_pdu(bytes, session_.longest_message());
    const bool small = first.state == pdu_frame::status::complete && first.size <= partial_messages::free_bytes;
    if (small || first.state == pdu_frame::status::malformed) counted = 0;
  }
  const auto most = partial_messages::limits_for(with_.rules->max_pdu_bytes);
  if (with_.partial->change(connection_->origin.address, partial_, counted, most)) {
    partial_ = counted;
    return;
  }
  session_.on_no_room();
  socket_.consume(bytes.size(), true);
  note_partial();
}

/// True when what came and was not taken begins with a message that is not complete.
bool client_impl::has_partial() const {
  const auto bytes = socket_.received();
  return !bytes.empty() && frame_pdu(bytes, session_.longest_message()).state == pdu_frame::status::partial;
}

/// As many as may be taken now; false: none.
bool client_impl::take_messages() {
  std::optional<bool> partial;
  bool some = false;
  while (!closing_ && !tls_asked_ && session_.takes_messages() && socket_.unsent() <= high_water) {
    const auto bytes = socket_.received();
    if (bytes.empty()) break;
    const auto frame = frame_pdu(bytes, session_.longest_message());
    if (frame.state == pdu_frame::status::malformed) {
      session_.on_garbage(frame.why);
      break;
    }
    partial = frame.state == pdu_frame::status::partial;
    if (*partial) break;
    some = true;
    session_.on_message(bytes.substr(0, frame.size), now());
    socket_.consume(frame.size, frame.op != opaque_request::search);
    carry_out_actions();
  }
  if (partial)
    session_.on_partial(*partial, now());
  else if (has_partial())
    session_.on_held_back();
  else
    session_.on_partial(false, now());  // what is here is whole: it waits for us
  return some;
}

/// What was decided, and then what has been waiting for that.
void client_impl::carry_out() {
  do {
    carry_out_actions();
  } while (!ended_ && !socket_.received().empty() && take_messages());
  if (!ended_) note_partial();
  carry_out_actions();
  if (ended_) return;
  if (!shaking_ && socket_.needs_flush()) self_->send(self_, flush_atom_v);
  // One write for all that a turn of the poller brings; the rest is done then.
  if (!socket_.is_flush_due()) finish_turn();
}

void client_impl::carry_out_actions() {
  while (session_.has_actions()) {
    auto actions = std::exchange(spare_actions_, {});
    session_.take_actions(actions);
    for (auto& action : actions) std::visit(session_action_visitor{*this}, action);
    actions.clear();
    if (actions.capacity() <= most_kept_actions) spare_actions_ = std::move(actions);
  }
}

void client_impl::finish_turn() {
  if (ended_) return;
  note_holding();
  note_record();
  arm();
}

void client_impl::note_holding() {
  if (!with_.holdings) return;
  const auto what = session_.holds();
  const auto since = session_.idle_since();
  if (what != holds_) {
    if (auto* const before = with_.holdings->of(holds_)) before->leave(number_);
    idle_since_.reset();
    // Its lease is what it holds; the actor may have ended when somebody wants it.
    if (auto* const now_there = with_.holdings->of(what))
      now_there->enter(number_, lease_ ? lease_->server : 0, connection_->origin.address, [client = self_->address()] {
        if (const auto handle = caf::actor_cast<client_actor>(client)) caf::anon_send(handle, cleanup_atom_v);
      });
    holds_ = what;
  }
  if (since == std::exchange(idle_since_, since)) return;
  if (auto* const there = with_.holdings->of(holds_)) there->set_idle(number_, since);
}

/// False: there are too many of these, and none of them is idle.
bool client_impl::admits(holding kind) {
  auto* const all = with_.holdings ? with_.holdings->of(kind) : nullptr;
  if (all == nullptr || kind == holding::user || all->contains(number_)) return true;
  const auto most = kind == holding::pages ? with_.rules->most_cursors : with_.rules->most_negotiations;
  return all->count() < most || all->give_up_one({}, least_idle, now());
}

/// What others may know of this client.
void client_impl::note_record() {
  if (session_.has_ended()) note_ended(now());
  auto* const record = connection_->record.get();
  if (record == nullptr) return;
  record->identity = session_.standing();
  record->pending = static_cast<std::uint32_t>(session_.pending());
  record->parked = session_.holds_connection();
  record->operations = session_.operations();
}

/// To who counts, and who watches: each operation of the client once, as he was told. `number` is what has just been
/// answered by `server`, or failed.
void client_impl::note_ended(time_point at, std::uint64_t number, std::string_view server, const failure* why) {
  auto* const record = connection_->record.get();
  auto* const tap = with_.env->tap && with_.env->tap->is_watched(at) ? with_.env->tap.get() : nullptr;
  session_.each_ended([&](const ended_operation& each) {
    if (record != nullptr) record->listener->ended(each.tag, each.identity, each.code);
    if (tap == nullptr) return;
    operation_sample sample;
    sample.operation = operation_of(each.tag);
    sample.code = each.code;
    if (each.code == abandoned_code) {
      sample.code = 0;
      sample.error = to_string(errc::cancelled);
    } else if (number != 0 && each.number == number) {
      sample.server = server;
      // Where it is no more than the directory's own code, that says it.
      if (why != nullptr && why->ldap_code != each.code) sample.error = to_string(why->code);
    }
    tap->note(std::move(sample), each.since == time_point{} ? duration::zero() : at - each.since, *with_.env->clock);
  });
}

void client_impl::log_end(std::string_view why) const {
  const auto level = with_.rules->log_clients ? log_level::info : log_level::debug;
  if (!with_.env->log->enabled(level)) return;
  log_port::fields more{{"client", connection_->address}};
  if (const auto* record = connection_->record.get(); record != nullptr) {
    more.emplace_back("listener", record->listener->address());
    more.emplace_back("age", config::format_span(std::chrono::duration_cast<milliseconds>(now() - record->since)));
  }
  more.emplace_back("identity", to_string(session_.standing()));
  more.emplace_back("operations", std::to_string(session_.operations()));
  more.emplace_back("cause", printable(why));
  with_.env->log->write(level, "front_door", "a client has gone", more);
}

void client_impl::flush() {
  const bool writes = socket_.begin_flush() && !shaking_;
  if (ended_) return;
  // Before the client can know of it.
  note_holding();
  note_record();
  if (writes) write();
  if (ended_) return;
  // There may be room again for the answers to what waits here.
  carry_out();
}

void client_impl::write() {
  const auto before = socket_.written();
  const auto outcome = socket_.write();
  if (socket_.written() != before) write_until_ = time_point::max();
  pay_credits();
  if (outcome == client_socket::ending::closed) {
    session_.on_end(now());
    return end("the client closed the connection");
  }
  if (socket_.is_blocked()) {
    if (write_until_ == time_point::max()) write_until_ = now() + write_patience;
    return;
  }
  if (closing_) return end(*closing_);
  if (tls_asked_) secure();
}

void client_impl::pay_credits() {
  while (!owed_.empty() && owed_.front().position <= socket_.written()) {
    self_->send(owed_.front().to, credit_atom_v, owed_.front().id, owed_.front().bytes);
    owed_.pop_front();
  }
}

void client_impl::arm() {
  if (ended_) return;
  const bool takes = session_.takes_messages() && socket_.unsent() <= high_water;
  if (shaking_)
    socket_.arm_for(shake_writes_ ? poller_port::writable : poller_port::readable);
  else if (socket_.arm(!closing_ && !tls_asked_ &&
                       socket_.received().size() < (takes ? session_.longest_message() + 1 : read_ahead)))
    self_->send(self_, io_atom_v, socket_.id(), poller_port::readable);
  // Most are put off again and again: one that is due too early looks what there is to wait for.
  timer_.arm_by(std::min({session_.next_event(), give_up_at_, write_until_}));
}

void client_impl::on_tick(std::uint64_t timer) {
  if (!timer_.fired(timer) || ended_) return;
  if (now() >= give_up_at_) return end(shaking_ ? "the TLS handshake took too long" : "it took no goodbye");
  if (now() >= write_until_) return end("it does not take its answers");
  session_.tick(now());
  carry_out();
}

// ---- TLS ----

void client_impl::operator()(const session_action::start_tls&) {
  // What stands behind it came unprotected, from whomever (RFC 4513, 3.1.1).
  tls_asked_ = true;
}

void client_impl::secure() {
  tls_asked_ = false;
  if (!socket_.received().empty()) return end("bytes came behind StartTLS, before TLS");
  socket_.replace(with_.secure(connection_->fd));
  shaking_ = true;
  give_up_at_ = now() + handshake_patience;
  shake_hands();
}

void client_impl::shake_hands() {
  const auto step = socket_.stream().handshake();
  switch (step.what) {
    case byte_stream_result::kind::want_read:
    case byte_stream_result::kind::want_write:
      shake_writes_ = step.what == byte_stream_result::kind::want_write;
      return arm();
    case byte_stream_result::kind::done:
      break;
    default:
      return end(step.error ? step.error->message : "the client closed the connection");
  }
  shaking_ = false;
  give_up_at_ = time_point::max();
  session_.secured(now(), socket_.stream().peer_subject());
  carry_out();
}

// ---- what the session decides ----

void client_impl::operator()(session_action::reply& a) {
  appended_ += a.bytes.size();
  socket_.append(std::move(a.bytes));
}

void client_impl::operator()(session_action::forward& a) {
  auto permit = with_.permits ? with_.permits->take_own() : request_permits::own_permit{};
  if (with_.permits && !permit) {
    auto full = make_failure(errc::queue_full, stage::queue,
                             "more than " + std::to_string(with_.permits->most()) +
                                 " requests are under way (limits.max_requests); refused at once");
    if (with_.env->metrics) with_.env->metrics->finished(full.get(), duration::zero(), now());
    return refuse(a.number, *full);
  }
  const auto token = std::make_shared<cancel_token>();
  open_.emplace(a.number, {token, a.leased, now(), std::move(permit)});
  call order;
  order.what = std::move(a.what);
  order.deadline = a.deadline;
  order.token = token;
  order.parts = a.parts ? a.number : 0;
  order.preferred = a.preferred;
  order.tried = a.avoided;
  order.most_answer_bytes = most_answer_bytes;
  const auto done = [this, number = a.number](const result_ptr& got) {
    guard_.run([&] { settle(number, got, nullptr); });
  };
  const auto failed = [this, number = a.number](const caf::error& e) {
    guard_.run([&] { settle(number, nullptr, failure_of(e)); });
  };
  // What is for a connection of the client's own goes nowhere else.
  if (!a.leased) {
    self_->request(with_.router, caf::infinite, perform_atom_v, std::move(order)).then(done, failed);
  } else if (lease_) {
    // That it has ended may be all that is left of it.
    const auto lost = [this, number = a.number](const caf::error& e) {
      guard_.run([&] {
        auto why = failure_of(e);
        if (why->code == errc::stopped)
          why = make_failure(errc::connection_unhealthy, stage::operation, "the connection of this client has ended");
        settle(number, nullptr, why);
      });
    };
    self_->request(lease_->connection, caf::infinite, perform_atom_v, lease_->id, std::move(order)).then(done, lost);
  } else {
    open_.erase(a.number);
    refuse(a.number, *make_failure(errc::invalid_lease, stage::operation, "the connection has gone"));
  }
}

/// What could not be asked of anybody.
void client_impl::refuse(std::uint64_t number, const failure& why) {
  const auto at = now();
  session_.failed(number, why, at);
  note_ended(at, number, why.server, &why);
}

void client_impl::settle(std::uint64_t number, const result_ptr& got, const failure_ptr& why) {
  const auto found = open_.find(number);
  if (ended_ || found == open_.end()) return;
  const auto at = now();
  const auto took = at - found->second.since;
  if (with_.env->metrics) with_.env->metrics->finished(why.get(), took, at);
  // Where the router sent it last.
  const auto server = found->second.token->server();
  open_.erase(found);
  if (got)
    session_.answered(number, *got, at, server);
  else
    session_.failed(number, *why, at, server);
  note_ended(at, number, got ? got->server : why->server, why.get());
  carry_out();
}

void client_impl::on_part(std::uint64_t number, relayed_part& part) {
  if (ended_) return;
  const auto bytes = part.messages.size();
  if (session_.part(number, std::move(part.messages), socket_.unsent() + bytes, now())) {
    const auto from = caf::actor_cast<connection_actor>(self_->current_sender());
    // The reply that is about to be carried out ends with these bytes.
    owed_.push_back({appended_ + bytes, from, part.id, bytes});
  }
  carry_out();
}

void client_impl::operator()(const session_action::cancel& a) {
  const auto found = open_.find(a.number);
  if (found == open_.end()) return;
  const auto one = std::move(found->second);
  open_.erase(found);
  one.token->cancel();
  if (!one.leased)
    self_->send(with_.router, cancel_atom_v, one.token);
  else if (lease_)
    self_->send(lease_->connection, cancel_atom_v, one.token);
}

void client_impl::operator()(const session_action::check_claim& a) {
  const auto tell = [this, number = a.number](service_claim claim) {
    guard_.run([&] {
      if (ended_) return;
      session_.claim_checked(number, claim, now());
      carry_out();
    });
  };
  self_->request(with_.manager, claim_patience, credential_atom_v, a.bind_dn, a.password)
      .then([tell](service_claim claim) { tell(claim); }, [tell](const caf::error&) { tell(service_claim::unknown); });
}

void client_impl::operator()(const session_action::acquire& a) {
  if (!admits(a.what))
    return session_.not_acquired(a.number, *make_failure(errc::queue_full, stage::queue, "too many of these are open"),
                                 now());
  note_holding();
  lease_request wish;
  wish.deadline = a.deadline;
  wish.token = acquiring_ = std::make_shared<cancel_token>();
  wish.holder = "client " + connection_->address;
  wish.for_bind = a.for_bind;
  wish.preferred = a.preferred;
  self_->request(with_.router, caf::infinite, lease_atom_v, std::move(wish))
      .then(
          [this, number = a.number](lease_grant& grant) {
            guard_.run([&] {
              if (ended_ || !session_.acquired(number, now())) return give_back(grant);
              self_->send(with_.manager, claim_atom_v, grant.server, grant.id);
              lease_ = std::move(grant);
              acquiring_ = nullptr;
              carry_out();
            });
          },
          [this, number = a.number](const caf::error& e) {
            guard_.run([&] {
              if (ended_) return;
              acquiring_ = nullptr;
              const auto why = failure_of(e);
              const auto at = now();
              session_.not_acquired(number, *why, at);
              note_ended(at, number, why->server, why.get());
              carry_out();
            });
          });
}

void client_impl::operator()(const session_action::evict&) {
  if (!with_.holdings) return session_.room_made();
  auto& users = with_.holdings->users;
  if (acquiring_) {
    users.give_up_one(acquiring_->server(), sole_least_idle, now());
    return;
  }
  note_holding();
  const auto most = std::max<std::size_t>(1, with_.rules->most_users);
  while (lease_ && users.count(lease_->server) > most)
    if (!users.give_up_one(lease_->server, least_idle, now())) return;
  session_.room_made();
}

void client_impl::operator()(const session_action::release&) {
  if (lease_) give_back(*std::exchange(lease_, std::nullopt));
  if (const auto token = std::exchange(acquiring_, nullptr)) {
    token->cancel();
    self_->send(with_.router, cancel_atom_v, token);
  }
}

void client_impl::give_back(const lease_grant& grant) {
  caf::anon_send(with_.manager, release_atom_v, grant.server, grant.id);
}

void client_impl::operator()(session_action::close& a) {
  closing_ = std::move(a.why);
  give_up_at_ = now() + goodbye_patience;
  if (socket_.unsent() == 0 && !socket_.is_flush_due()) end(*closing_);
}

void client_impl::end(std::string_view why) {
  if (ended_) return;
  let_go(why);
  self_->quit();
}

void client_impl::let_go(std::string_view why) {
  if (ended_) return;
  if (with_.partial) with_.partial->change(connection_->origin.address, std::exchange(partial_, 0), 0, {});
  // Whatever is under way is cancelled, and the lease goes back.
  session_.on_end(now());
  for (auto& action : session_.take_actions())
    if (!std::holds_alternative<session_action::close>(action)) std::visit(session_action_visitor{*this}, action);
  ended_ = true;
  timer_.disarm();
  if (with_.holdings)
    if (auto* const held = with_.holdings->of(std::exchange(holds_, holding::none))) held->leave(number_);
  socket_.close();
  note_record();
  log_end(why);
  connection_->record = nullptr;
  connection_->kept = nullptr;
  if (with_.on_end) std::exchange(with_.on_end, {})();
}

}  // namespace

client_actor spawn_client(caf::actor_system& system, client_dependencies with,
                          std::shared_ptr<client_connection> connection) {
  auto poller = with.env->poller;
  return spawn_shell_on_poller<client_actor, client_impl>(system, std::move(poller), std::move(with),
                                                          std::move(connection));
}

}  // namespace understudy::internal
