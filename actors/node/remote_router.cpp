// Questions out, answers in, over whichever link there is.
#include "understudy/actors/node/remote_router.hpp"

#include "understudy/actors/node/compression.hpp"
#include "understudy/actors/node/remote_connection.hpp"
#include "understudy/actors/node/remote_operation.hpp"
#include "understudy/actors/node/request_ledger.hpp"
#include "understudy/actors/node/snapshot_fields.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/backoff.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/messages/time_units.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy::internal {
namespace {

/// The node answers at the deadline, and can say more: its answer has so much time to arrive.
constexpr milliseconds answer_grace{50};
/// A node that was reached and does not say on what terms is left for the others after this, in the first round.
constexpr seconds hello_patience{1};
///@{
/// After a round in which no node speaks with us, before another one.
constexpr seconds refused_pause{1}, longest_refused_pause{10};
///@}
/// After what was sent came to nothing on a link: it is lost, as a rule, which will be told.
constexpr seconds doubtful_link_pause{1};
/// Nodes that are all being drained are not tried in a circle.
constexpr seconds leave_pause{1};
/// Nodes that are being drained, where something is under way; the first of more is given up.
constexpr std::size_t most_left_links = 8;
/// What is known already is not said again within this, whatever it says of itself.
constexpr seconds same_trouble_told_every{60};
/// Between two pings, however soon the node says that it takes back the leases of who is silent.
constexpr seconds shortest_ping_pause{1};
/// Leases whose link was lost, which their holders have not returned yet.
constexpr std::size_t most_lost_leases = 1024;
/// Bytes of an answer that came compressed, whatever the node says that it sends: a link carries no more.
constexpr std::size_t longest_answer = 4 * 1024 * 1024;

/// With what it is due to, which may be null.
failure_ptr due_to(const failure_ptr& cause, failure f) {
  if (cause) {
    f.cause = cause->message;
    f.cause_code = cause->code;
  }
  return make_failure(std::move(f));
}

failure_ptr node_failure(errc code, std::string message, const std::string& node) {
  return make_failure(code, stage::operation, std::move(message), node);
}

failure_ptr of_node(failure said, const std::string& node) {
  said.server = node;
  return make_failure(std::move(said));
}

std::uint64_t bits_of(const server_set& tried) {
  std::uint64_t bits = 0;
  for (server_id id = 0; id < 64; ++id)
    if (tried.contains(id)) bits |= std::uint64_t{1} << id;
  return bits;
}

decoded<bool> flag_of(const answer_frame& answer) { return {answer.flag, nullptr}; }

class remote_router_impl {
 public:
  static constexpr const char* name = "understudy.remote_router";

  remote_router_impl(remote_router_actor::pointer self, settings_ptr all, environment_ptr env,
                     node_connecting connecting);
  ~remote_router_impl();
  remote_router_actor::behavior_type make_behavior();

 private:
  /// Also of a failure; with the link that it came by, 0 of what comes from here.
  using told = std::function<void(answer_frame, std::uint64_t session)>;
  struct pending_request {
    node_request what;
    told done;
  };
  /// A link to a node, from the moment that it came about.
  struct link {
    std::uint64_t way = 0;
    std::shared_ptr<void> kept;  ///< by which a node that is left is still reached
    node_gateway_actor gateway;
    std::string node;
    time_point by{};                  ///< when it is too late to agree
    std::optional<node_terms> terms;  ///< once agreed
    time_point next_ping = time_point::max();
  };
  using links = std::map<std::uint64_t, link>;
  struct held_lease {
    std::uint64_t session = 0;
    lease_id node_lease = 0;
    connection_actor connection;
    caf::actor_addr holder;
    bool lost = false;
  };

  template <class T>
  caf::result<T> answer_later(node_request asked, std::function<decoded<T>(answer_frame)> form);
  void ask(node_request asked, told done);
  void send_waiting();
  void send(std::uint64_t number);
  void came(std::uint64_t number, std::uint64_t session, std::string bytes);
  void not_carried_out(std::uint64_t number, std::uint64_t session, const failure_ptr& why, bool sent);
  void settle(std::uint64_t number, answer_frame answer, std::uint64_t session = 0);
  void fail(std::uint64_t number, failure_ptr why);
  void tell_fate(std::uint64_t number, request_ledger::verdict fate, const failure_ptr& cause, const std::string& node);

  caf::result<result_ptr> perform(const call& order);
  caf::result<lease_grant> acquire(const lease_request& wish);
  void granted(const answer_frame& came, std::uint64_t session, caf::typed_response_promise<lease_grant> asker,
               const cancel_token_ptr& token, const caf::actor_addr& holder);
  node_request about_lease(request_kind kind, const held_lease& lease) const;
  void claim(lease_id lease);
  caf::result<bool> release(lease_id lease);
  void return_lease(const held_lease& lease);
  void forget_holder(const caf::actor_addr& holder);
  void holder_ended(const caf::actor_addr& holder);
  void tell_node(const link& to, const request_frame& frame);
  void cancel(const cancel_token_ptr& token);

  void on_event(const node_event& event);
  void linked(const node_event& event);
  void lost(std::uint64_t session, const failure_ptr& cause);
  void nobody_there(failure_ptr why);
  void say_hello();
  void refused(const failure_ptr& why);
  void break_off(std::uint64_t number, std::uint64_t session, const failure_ptr& why);
  void agreed(const node_terms& terms);
  void leave_node();
  void drop_left_links();
  void connect(std::string avoid);
  void keep_alive(std::uint64_t session);
  void ping_nodes();
  bool holds_leases() const;
  bool holds_leases_of(std::uint64_t session) const;
  bool is_done_with(std::uint64_t session) const;
  link* current() { return session_ == 0 ? nullptr : &links_.at(session_); }
  std::string name_of(std::uint64_t session) const;
  void say_once(std::string_view text, const std::string& node, const failure& cause);

  void drained_if_done();
  void end();
  void tick(std::uint64_t timer);
  void arm();
  time_point now() const { return env_->clock->now(); }

  remote_router_actor::pointer self_;
  const settings_ptr all_;
  const environment_ptr env_;
  const node_connecting connecting_;
  std::shared_ptr<void> way_;
  std::uint64_t ways_ = 0;  ///< begun so far: what an earlier one tells is of a node that was left, or not heard

  request_ledger ledger_;
  std::map<std::uint64_t, pending_request> pending_;
  std::map<lease_id, held_lease> leases_;

  /// The one where new requests go, 0: none; and those of nodes that are being drained, where some are under way.
  links links_;
  std::uint64_t session_ = 0, last_session_ = 0;
  failure_ptr unreachable_, silent_;
  std::map<std::string, failure_ptr> refusals_;  ///< of this round, by node
  std::size_t most_nodes_ = 1;                   ///< that there are
  backoff pause_{refused_pause, longest_refused_pause};
  const random_source random_;
  std::map<std::string, std::pair<std::string, time_point>, std::less<>> told_;  ///< trouble, by node
  std::string avoid_;                                                            ///< at the next connect()
  time_point left_until_ = time_point::min();    ///< another one that is left is not left at once
  time_point hello_by_ = time_point::max();      ///< its answer is late then
  time_point reconnect_at_ = time_point::max();  ///< avoiding avoid_
  time_point hold_until_ = time_point::min();    ///< nothing is sent

  bool draining_ = false;
  std::optional<caf::typed_response_promise<bool>> drained_;
  time_point drain_until_ = time_point::max();

  actor_timer timer_;
  handler_guard guard_;
};

remote_router_impl::remote_router_impl(remote_router_actor::pointer self, settings_ptr all, environment_ptr env,
                                       node_connecting connecting)
    : self_(self),
      all_(std::move(all)),
      env_(std::move(env)),
      connecting_(std::move(connecting)),
      random_(make_random(env_->seed ^ env_->next_number())),
      timer_(env_->poller, self_->address()),
      guard_(*self_, env_, "node") {
  connect({});
}

remote_router_impl::~remote_router_impl() {
  try {
    end();
  } catch (...) {
    // Nothing is left that could be told.
  }
}

remote_router_actor::behavior_type remote_router_impl::make_behavior() {
  self_->set_down_handler([this](const caf::down_msg& gone) { guard_.run([&] { holder_ended(gone.source); }); });
  const auto ask_flag = [this](request_kind kind, server_id id, std::uint32_t ttl) {
    return guard_.answer<bool>([&] {
      auto asked = make_node_request(kind, now() + order_timeout);
      asked.frame.target = id;
      asked.frame.span = seconds{ttl};
      return answer_later<bool>(std::move(asked), flag_of);
    });
  };
  return {
      [this](perform_atom, const call& order) { return guard_.answer<result_ptr>([&] { return perform(order); }); },
      [this](lease_atom, const lease_request& wish) {
        return guard_.answer<lease_grant>([&] { return acquire(wish); });
      },
      [this](cancel_atom, const cancel_token_ptr& token) { guard_.run([&] { cancel(token); }); },
      // What is known of servers the node knows.
      [](report_atom, const outcome_report&) {},
      [](probe_atom, const probe_report&) {},
      [](suspect_atom, server_id) {},
      [ask_flag](suspend_atom, server_id id, std::uint32_t ttl) { return ask_flag(request_kind::suspend, id, ttl); },
      [ask_flag](resume_atom, server_id id) { return ask_flag(request_kind::resume, id, 0); },
      [this](status_atom) {
        return guard_.answer<std::vector<server_snapshot>>([&] {
          return answer_later<std::vector<server_snapshot>>(
              make_node_request(request_kind::status, now() + order_timeout), [](const answer_frame& f) {
                auto read = decode_runtime_snapshot(f.body);
                decoded<std::vector<server_snapshot>> servers;
                servers.error = std::move(read.error);
                if (read.value) servers.value = std::move(read.value->servers);
                return servers;
              });
        });
      },
      [](servers_atom, const std::vector<routed_server>&) {},
      [](servers_atom, const failure_ptr&) {},
      [](discover_atom, const caf::actor_addr&) {},
      [](health_atom, const caf::actor_addr&) {},
      [this](drain_atom) { draining_ = true; },
      [this](tick_atom, std::uint64_t timer) { guard_.run([&] { tick(timer); }); },
      [this](perform_atom, node_request& asked) {
        return guard_.answer<answer_frame>([&] {
          return answer_later<answer_frame>(std::move(asked), [](answer_frame f) {
            return decoded<answer_frame>{std::move(f), nullptr};
          });
        });
      },
      [this](event_atom, const node_event& event) { guard_.run([&] { on_event(event); }); },
      [this](claim_atom, lease_id lease) { guard_.run([&] { claim(lease); }); },
      [this](release_atom, lease_id lease) { return guard_.answer<bool>([&] { return release(lease); }); },
      [this](drain_atom, time_point until) {
        return guard_.answer<bool>([&]() -> caf::result<bool> {
          draining_ = true;
          drain_until_ = until;
          drained_ = self_->make_response_promise<bool>();
          auto asker = *drained_;
          drained_if_done();
          arm();
          return asker;
        });
      },
  };
}

// ---- what the node is asked ----

/// `form` makes the caller's answer; a failure is an error.
template <class T>
caf::result<T> remote_router_impl::answer_later(node_request asked, std::function<decoded<T>(answer_frame)> form) {
  auto asker = self_->make_response_promise<T>();
  ask(std::move(asked), [asker, form = std::move(form)](answer_frame f, std::uint64_t) mutable {
    if (f.kind == answer_kind::failed)
      asker.deliver(to_error(std::move(f.error)));
    else
      deliver(asker, form(std::move(f)));
  });
  return asker;
}

void remote_router_impl::ask(node_request asked, told done) {
  const auto refuse = [&](failure_ptr why) { done(failed_answer(std::move(why)), 0); };
  if (asked.token && asked.token->cancelled()) return refuse(make_failure(caller_cancelled(stage::queue)));
  if (asked.deadline <= now()) return refuse(make_failure(deadline_passed_unsent(stage::queue)));
  if (draining_ && asked.session == 0) return refuse(make_failure(runtime_stopping(stage::queue)));
  if (asked.session != 0 && !links_.contains(asked.session))
    return refuse(of_node(link_of_lease_lost(), name_of(asked.session)));
  if (unreachable_ && asked.session == 0) return refuse(unreachable_);
  // Its number and the time left are not there yet: a few bytes.
  const auto bytes = asked.frame.protocol_op.size() + asked.frame.encoded_controls.size() + asked.frame.name.size() +
                     asked.frame.value.value_or("").size() + std::size_t{256};
  const auto number = ledger_.add({bytes, asked.deadline + answer_grace, asked.session, asked.repeatable});
  pending_[number] = {std::move(asked), std::move(done)};
  send_waiting();
  arm();
}

void remote_router_impl::send_waiting() {
  if (now() < hold_until_) return;
  for (const auto number : ledger_.take_sendable()) send(number);
}

void remote_router_impl::send(std::uint64_t number) {
  const auto session = ledger_.carried_by(number);
  const auto& over = links_.at(session);
  auto& asked = pending_.at(number).what;
  asked.frame.number = number;
  asked.frame.left = whole_milliseconds(asked.deadline - now());
  auto bytes = encode(asked.frame);
  if (bytes.size() > over.terms->longest_frame) {
    ledger_.remove(number);
    return fail(number, node_failure(errc::invalid_request,
                                     "The " + asked.about + " takes " + std::to_string(bytes.size()) +
                                         " bytes, and the node takes " + std::to_string(over.terms->longest_frame) +
                                         " at a time; it was not sent.",
                                     over.node));
  }
  self_->request(over.gateway, caf::infinite, std::move(bytes))
      .then([this, number, session](std::string& back) { guard_.run([&] { came(number, session, std::move(back)); }); },
            [this, number, session](const caf::error& e) {
              guard_.run([&] {
                const auto why = failure_of(e);
                not_carried_out(number, session, why, why->code == errc::connection_failed);
              });
            });
}

void remote_router_impl::came(std::uint64_t number, std::uint64_t session, std::string bytes) {
  // Late: it was given up, or is under way on another link.
  if (session == 0 || ledger_.carried_by(number) != session) return;
  auto read = decode_answer(bytes);
  if (read.value && read.value->kind == answer_kind::compressed) {
    const auto& over = links_.at(session);
    read = over.terms->compression
               ? decompress_answer(*read.value, longest_answer)
               : decoded<answer_frame>{{},
                                       node_failure(errc::connection_failed,
                                                    "The node compressed an answer, which was not agreed.", over.node)};
    if (read.error) return break_off(number, session, of_node(*read.error, over.node));
  }
  const auto& asked = pending_.at(number).what;
  // It was carried out, or it was not.
  if (read.error && !asked.repeatable) read.error = unknown_after(asked.about, *read.error, name_of(session));
  auto got = read.error ? failed_answer(std::move(read.error)) : std::move(*read.value);
  if (got.kind == answer_kind::failed && got.error->code == errc::draining && asked.session == 0) {
    // Nothing was done: another node may take it.
    if (session == session_) leave_node();
    return not_carried_out(number, session, got.error, false);
  }
  ledger_.remove(number);
  settle(number, std::move(got), session);
}

/// `sent`: the node may have carried it out after all.
void remote_router_impl::not_carried_out(std::uint64_t number, std::uint64_t session, const failure_ptr& why,
                                         bool sent) {
  if (session == 0 || ledger_.carried_by(number) != session) return;
  if (why->code == errc::invalid_request) {
    ledger_.remove(number);
    return fail(number, why);
  }
  if (session == session_) hold_until_ = now() + doubtful_link_pause;
  tell_fate(number, ledger_.failed(number, sent), why, name_of(session));
  send_waiting();
  arm();
}

void remote_router_impl::tell_fate(std::uint64_t number, request_ledger::verdict fate, const failure_ptr& cause,
                                   const std::string& node) {
  const auto& asked = pending_.at(number).what;
  failure_ptr why;
  switch (fate) {
    case request_ledger::verdict::again:
      return;
    case request_ledger::verdict::unknown:
      why = node_failure(errc::outcome_unknown,
                         "The link to the node " + node + " was lost after the " + asked.about +
                             " was sent to it: it may or may not have been carried out. Look before it is repeated.",
                         node);
      break;
    case request_ledger::verdict::broken:
      if (asked.session == 0) return fail(number, cause);
      why = of_node(link_of_lease_lost(), node);
      break;
  }
  fail(number, due_to(cause, *why));
}

void remote_router_impl::fail(std::uint64_t number, failure_ptr why) { settle(number, failed_answer(std::move(why))); }

void remote_router_impl::settle(std::uint64_t number, answer_frame answer, std::uint64_t session) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;
  auto done = std::move(found->second.done);
  pending_.erase(found);
  done(std::move(answer), session);
  send_waiting();
  drained_if_done();
}

/// Nobody waits for the answer, and nothing hangs on it.
void remote_router_impl::tell_node(const link& to, const request_frame& frame) {
  self_->request(to.gateway, caf::infinite, encode(frame)).then([](const std::string&) {}, [](const caf::error&) {});
}

void remote_router_impl::cancel(const cancel_token_ptr& token) {
  for (const auto& [number, asked] : pending_) {
    if (asked.what.token != token) continue;
    const auto carrier = links_.find(ledger_.carried_by(number));
    if (carrier == links_.end()) {
      ledger_.remove(number);
      return fail(number, make_failure(caller_cancelled(stage::queue, "nothing was sent")));
    }
    // Its own answer tells what became of it.
    request_frame order;
    order.kind = request_kind::cancel;
    order.target = number;
    return tell_node(carrier->second, order);
  }
}

// ---- operations ----

caf::result<result_ptr> remote_router_impl::perform(const call& order) {
  if (order.parts != 0) return to_error(make_failure(parts_do_not_cross()));
  auto made = remote_request_of(*order.what);
  if (made.error) return to_error(std::move(made.error));
  auto asker = self_->make_response_promise<result_ptr>();
  node_request asked{std::move(made.frame),   order.deadline, order.token, env_->may_repeat(order.what->op), 0,
                     describe(order.what->op)};
  const auto most = static_cast<std::size_t>(all_->limits.max_result_bytes);
  const bool repeatable = asked.repeatable;
  ask(std::move(asked), [asker, what = order.what, most, repeatable](answer_frame f, std::uint64_t) mutable {
    auto got = outcome_of(*what, std::move(f), most, repeatable);
    if (got.error)
      asker.deliver(to_error(std::move(got.error)));
    else
      asker.deliver(std::move(got.answer));
  });
  return asker;
}

// ---- leases ----

caf::result<lease_grant> remote_router_impl::acquire(const lease_request& wish) {
  const auto holder = caf::actor_cast<caf::actor_addr>(self_->current_sender());
  auto asker = self_->make_response_promise<lease_grant>();
  node_request asked;
  asked.frame.kind = request_kind::acquire;
  asked.frame.name = wish.holder;
  asked.frame.flag = wish.wait;
  asked.frame.anew = wish.anew;
  asked.frame.target = bits_of(wish.tried) & INT64_MAX;
  asked.deadline = wish.deadline;
  asked.token = wish.token;
  asked.about = "lease";
  ask(std::move(asked), [this, asker, token = wish.token, holder](answer_frame f, std::uint64_t session) mutable {
    if (f.kind == answer_kind::failed)
      asker.deliver(to_error(std::move(f.error)));
    else if (f.kind != answer_kind::granted)
      asker.deliver(to_error(unexpected_answer(name_of(session))));
    else
      granted(f, session, std::move(asker), token, holder);
  });
  return asker;
}

void remote_router_impl::granted(const answer_frame& came, std::uint64_t session,
                                 caf::typed_response_promise<lease_grant> asker, const cancel_token_ptr& token,
                                 const caf::actor_addr& holder) {
  held_lease made{session, came.grant.lease, {}, holder};
  if (token && token->cancelled()) {
    return_lease(made);
    asker.deliver(to_error(make_failure(caller_cancelled(stage::queue))));
    return;
  }
  lease_grant grant;
  grant.id = env_->next_number();
  grant.connection_number = came.grant.connection;
  grant.server = came.grant.server;
  grant.server_name = came.grant.server_name;
  grant.connection = spawn_remote_connection(
      self_->system(), {env_, self_->address(), grant.id, made.node_lease, session, grant.server_name,
                        static_cast<std::size_t>(all_->limits.max_result_bytes)});
  made.connection = grant.connection;
  // Once a holder: CAF keeps a note of each time.
  const bool known =
      std::any_of(leases_.begin(), leases_.end(), [&](const auto& l) { return l.second.holder == holder; });
  if (const auto alive = caf::actor_cast<caf::strong_actor_ptr>(holder); alive && !known) self_->monitor(alive);
  leases_.emplace(grant.id, std::move(made));
  asker.deliver(std::move(grant));
  keep_alive(session);
}

node_request remote_router_impl::about_lease(request_kind kind, const held_lease& lease) const {
  node_request asked;
  asked.frame.kind = kind;
  asked.frame.lease = lease.node_lease;
  asked.session = lease.session;
  asked.deadline = now() + small_timeout;
  return asked;
}

/// It takes no credit: a lease that is not claimed in time is taken back.
void remote_router_impl::claim(lease_id lease) {
  const auto found = leases_.find(lease);
  if (found == leases_.end() || found->second.lost) return;
  tell_node(links_.at(found->second.session), about_lease(request_kind::claim, found->second).frame);
}

caf::result<bool> remote_router_impl::release(lease_id lease) {
  const auto found = leases_.find(lease);
  if (found == leases_.end())
    return to_error(make_failure(errc::invalid_lease, stage::queue, "This lease is not held (any more)."));
  auto ended = std::move(found->second);
  leases_.erase(found);
  forget_holder(ended.holder);
  self_->send(ended.connection, removed_atom_v);
  drained_if_done();
  // Its node took it back with the link.
  if (ended.lost) return true;
  return answer_later<bool>(about_lease(request_kind::release, ended), flag_of);
}

/// Nobody waits for the answer.
void remote_router_impl::return_lease(const held_lease& lease) {
  if (lease.connection) self_->send(lease.connection, removed_atom_v);
  if (lease.lost || !links_.contains(lease.session)) return;
  ask(about_lease(request_kind::release, lease), [](const answer_frame&, std::uint64_t) {});
}

void remote_router_impl::forget_holder(const caf::actor_addr& holder) {
  for (const auto& [id, lease] : leases_)
    if (lease.holder == holder) return;
  if (holder) self_->demonitor(holder);
}

/// As pools do: what an actor held returns with its end.
void remote_router_impl::holder_ended(const caf::actor_addr& holder) {
  for (auto at = leases_.begin(); at != leases_.end();) {
    if (at->second.holder != holder) {
      ++at;
      continue;
    }
    const auto ended = std::move(at->second);
    at = leases_.erase(at);
    return_lease(ended);
  }
  drained_if_done();
}

// ---- the link ----

void remote_router_impl::connect(std::string avoid) {
  way_.reset();
  silent_ = nullptr;
  const auto way = ++ways_;
  // Whoever tells may outlive us.
  const auto tell = [to = self_->address(), way](node_event event) {
    event.way = way;
    if (const auto alive = caf::actor_cast<remote_router_actor>(to))
      caf::anon_send(alive, event_atom_v, std::move(event));
  };
  way_ = connecting_(tell, std::move(avoid));
}

void remote_router_impl::on_event(const node_event& event) {
  if (event.way != ways_) {
    // A node that was left is not looked for again.
    const auto left =
        std::find_if(links_.begin(), links_.end(), [&](const auto& each) { return each.second.way == event.way; });
    if (left != links_.end()) lost(left->first, event.cause);
    return;
  }
  switch (event.what) {
    case node_event::kind::linked:
      return linked(event);
    case node_event::kind::lost:
      if (session_ != 0) lost(session_, event.cause);
      return;
    case node_event::kind::silent:
      silent_ = event.cause;
      return;
    case node_event::kind::unreachable: {
      failure why;
      why.code = errc::connection_failed;
      why.where = stage::connect;
      why.message = "No node can be reached: " + (event.cause ? event.cause->message : std::string{"nobody says why"});
      if (event.cause)
        why.cause_code = event.cause->cause_code == errc::none ? event.cause->code : event.cause->cause_code;
      return nobody_there(make_failure(std::move(why)));
    }
  }
}

void remote_router_impl::nobody_there(failure_ptr why) {
  unreachable_ = std::move(why);
  say_once("no node serves; looking for one goes on", {}, *unreachable_);
  for (const auto number : ledger_.give_up_waiting()) fail(number, unreachable_);
}

void remote_router_impl::linked(const node_event& event) {
  if (session_ != 0) lost(session_, nullptr);
  session_ = ++last_session_;
  most_nodes_ = event.nodes;
  auto& made = links_[session_];
  made.way = event.way;
  made.gateway = event.gateway;
  made.node = event.node;
  made.by = event.by;
  say_hello();
}

void remote_router_impl::say_hello() {
  // One deadline with the dial. In the first round the others are not kept waiting.
  hello_by_ = current()->by;
  if (most_nodes_ > 1 && !unreachable_) hello_by_ = std::min(hello_by_, now() + hello_patience);
  request_frame hello;
  hello.kind = request_kind::hello;
  hello.left = whole_milliseconds(hello_by_ - now());
  hello.flag = all_->pool.enable_compression;
  arm();
  self_->request(current()->gateway, caf::infinite, encode(hello))
      .then(
          [this, session = session_](const std::string& back) {
            guard_.run([&] {
              if (session != session_) return;
              auto read = decode_answer(back);
              if (read.value && read.value->kind == answer_kind::failed) read.error = read.value->error;
              if (read.error) return refused(read.error);
              const auto terms = decode_terms(read.value->body);
              if (terms.error) return refused(terms.error);
              agreed(*terms.value);
            });
          },
          // The link tells what comes next.
          [](const caf::error&) {});
}

/// The node does not speak with us; others may. When each has refused in turn, whoever waits is told.
void remote_router_impl::refused(const failure_ptr& why) {
  const auto node = current()->node;
  say_once("the node does not speak with us", node, *why);
  links_.erase(session_);
  session_ = 0;
  way_.reset();
  hello_by_ = time_point::max();
  const bool again = refusals_.contains(node);
  refusals_[node] = why;
  if (!again && refusals_.size() < most_nodes_) return connect(node);
  failure all;
  all.code = errc::connection_failed;
  all.where = stage::connect;
  all.message = "No node speaks with us: " + joined(refusals_, "; ", [](const auto& each) {
                  return "node " + each.first + ": " + each.second->message;
                });
  all.cause = why->message;
  all.cause_code = why->code;
  refusals_.clear();
  avoid_ = node;
  reconnect_at_ = now() + std::max<duration>(pause_.fail(random_), refused_pause);
  nobody_there(make_failure(std::move(all)));
  arm();
}

/// What came in answer to that is nothing that a sound node sends. What else is under way fares as when a link is lost.
void remote_router_impl::break_off(std::uint64_t number, std::uint64_t session, const failure_ptr& why) {
  const auto node = name_of(session);
  env_->log->write(log_level::error, "node", "the node answers with what cannot be read; the link to it is ended",
                   {{"node", node}, {"cause", describe(*why)}});
  ledger_.remove(number);
  const bool repeatable = pending_.at(number).what.repeatable;
  if (session == session_) {
    way_.reset();
    avoid_ = node;
    reconnect_at_ = now() + refused_pause;
  }
  lost(session, why);
  if (repeatable)
    fail(number, why);
  else
    tell_fate(number, request_ledger::verdict::unknown, why, node);
  arm();
}

void remote_router_impl::agreed(const node_terms& terms) {
  current()->terms = terms;
  hello_by_ = time_point::max();
  unreachable_ = silent_ = nullptr;
  refusals_.clear();
  told_.clear();
  pause_.succeed();
  ++*env_->returns;
  hold_until_ = time_point::min();
  ledger_.linked(session_, terms.most_requests, terms.most_bytes);
  env_->log->write(log_level::info, "node", "linked to a node",
                   {{"node", terms.name}, {"permission", std::string{to_string(terms.permission)}}});
  keep_alive(session_);
  send_waiting();
}

void remote_router_impl::lost(std::uint64_t session, const failure_ptr& cause) {
  const auto found = links_.find(session);
  if (found == links_.end()) return;
  const auto ended = std::move(found->second);
  links_.erase(found);
  const auto why =
      cause ? cause
            : node_failure(errc::connection_failed, "the link to the node " + ended.node + " was lost", ended.node);
  if (session == session_) {
    session_ = 0;
    hello_by_ = time_point::max();
  }
  for (auto& [id, lease] : leases_) {
    if (lease.session != session || std::exchange(lease.lost, true)) continue;
    self_->send(lease.connection, close_atom_v);
  }
  while (leases_.size() > most_lost_leases && leases_.begin()->second.lost) {
    self_->send(leases_.begin()->second.connection, removed_atom_v);
    leases_.erase(leases_.begin());
  }
  for (const auto& fate : ledger_.lost(session)) tell_fate(fate.which, fate.what, why, ended.node);
  drained_if_done();
}

/// It takes nothing new: what is under way there goes on, and what its leases ask; all else goes to another node.
void remote_router_impl::leave_node() {
  auto& left = *current();
  ledger_.leave(session_);
  left.kept = std::exchange(way_, nullptr);
  session_ = 0;
  hold_until_ = time_point::min();
  env_->log->write(log_level::info, "node", "the node is being drained; another one is looked for",
                   {{"node", left.node}});
  avoid_ = left.node;
  ++ways_;  // what it tells from now on is of a node that was left
  if (links_.size() > most_left_links) lost(links_.begin()->first, nullptr);
  if (now() < left_until_)
    reconnect_at_ = now() + leave_pause;
  else
    connect(avoid_);
  left_until_ = now() + leave_pause;
  arm();
}

/// Where nothing is to be waited for any more.
void remote_router_impl::drop_left_links() {
  std::vector<std::uint64_t> over;
  for (const auto& [session, left] : links_)
    if (session != session_ && is_done_with(session)) over.push_back(session);
  for (const auto session : over) lost(session, nullptr);
}

/// While it holds leases, a client says that it is still there.
void remote_router_impl::keep_alive(std::uint64_t session) {
  auto& at = links_.at(session);
  if (!at.terms || !holds_leases_of(session)) {
    at.next_ping = time_point::max();
  } else if (at.next_ping == time_point::max()) {
    at.next_ping = now() + std::max<duration>(at.terms->silence / 3, shortest_ping_pause);
  }
  arm();
}

void remote_router_impl::ping_nodes() {
  for (auto& [session, at] : links_) {
    if (now() < at.next_ping) continue;
    at.next_ping = time_point::max();
    tell_node(at, {});  // a ping
    keep_alive(session);
  }
}

std::string remote_router_impl::name_of(std::uint64_t session) const {
  const auto found = links_.find(session);
  return found == links_.end() ? std::string{} : found->second.node;
}

/// Once for each node and each cause; more often when causes change, but not as often as they do.
void remote_router_impl::say_once(std::string_view text, const std::string& node, const failure& cause) {
  const auto before = told_.find(node);
  auto now_said = describe(cause);
  if (before != told_.end() &&
      (before->second.first == now_said || now() - before->second.second < same_trouble_told_every))
    return;
  log_port::fields more{{"cause", now_said}};
  if (!node.empty()) more.emplace(more.begin(), "node", node);
  told_[node] = {std::move(now_said), now()};
  env_->log->write(log_level::error, "node", text, more);
}

void remote_router_impl::tick(std::uint64_t timer) {
  if (!timer_.fired(timer)) return;
  for (const auto& [number, session] : ledger_.expire(now())) {
    const auto& asked = pending_.at(number).what;
    if (session == 0) {
      auto why = deadline_passed_unsent(stage::queue);
      const bool is_silent = session_ == 0 && silent_;
      if (is_silent) why.message = std::string{without_full_stop(why.message)} + ": " + silent_->message + '.';
      fail(number, is_silent ? due_to(silent_, std::move(why)) : make_failure(std::move(why)));
      continue;
    }
    const auto code = asked.repeatable ? errc::operation_timeout : errc::outcome_unknown;
    const auto node = name_of(session);
    fail(number, node_failure(code, "The node " + node + " gave no answer to the " + asked.about + " in time.", node));
  }
  ping_nodes();
  if (now() >= hold_until_) {
    hold_until_ = time_point::min();
    send_waiting();
  }
  if (now() >= hello_by_) refused(make_failure(no_answer_in_time(stage::connect, "node")));
  if (now() >= reconnect_at_) {
    reconnect_at_ = time_point::max();
    connect(avoid_);
  }
  drop_left_links();
  if (now() >= drain_until_) end();
  arm();
}

bool remote_router_impl::holds_leases() const {
  return std::any_of(leases_.begin(), leases_.end(), [](const auto& l) { return !l.second.lost; });
}

bool remote_router_impl::holds_leases_of(std::uint64_t session) const {
  return std::any_of(leases_.begin(), leases_.end(),
                     [&](const auto& l) { return !l.second.lost && l.second.session == session; });
}

bool remote_router_impl::is_done_with(std::uint64_t session) const {
  return ledger_.is_idle(session) && !holds_leases_of(session);
}

void remote_router_impl::arm() {
  auto due = std::min({ledger_.next_event(), hello_by_, reconnect_at_, drain_until_,
                       hold_until_ == time_point::min() ? time_point::max() : hold_until_});
  for (const auto& [session, at] : links_)
    due = std::min(due, session != session_ && is_done_with(session) ? now() : at.next_ping);
  timer_.arm(due);
}

// ---- the end ----

void remote_router_impl::drained_if_done() {
  if (links_.size() > 1 || session_ == 0) arm();
  if (drained_ && pending_.empty() && !holds_leases()) end();
}

void remote_router_impl::end() {
  draining_ = true;
  bool clean = true;
  for (const auto& [id, lease] : std::exchange(leases_, {})) {
    clean = clean && lease.lost;
    caf::anon_send(lease.connection, removed_atom_v);
  }
  for (auto& [number, asked] : std::exchange(pending_, {})) {
    clean = false;
    ledger_.remove(number);
    asked.done(failed_answer(make_failure(runtime_ended(stage::operation))), 0);
  }
  session_ = 0;
  links_.clear();
  drain_until_ = hello_by_ = reconnect_at_ = time_point::max();
  way_.reset();
  if (!drained_) return;
  auto asker = std::move(*drained_);
  drained_.reset();
  asker.deliver(clean);
  self_->quit();
}

}  // namespace

remote_router_actor spawn_remote_router(caf::actor_system& system, settings_ptr all, environment_ptr env,
                                        node_connecting connecting) {
  return spawn_shell<remote_router_actor, remote_router_impl>(system, std::move(all), std::move(env),
                                                              std::move(connecting));
}

}  // namespace understudy::internal
