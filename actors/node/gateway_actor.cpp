// Frames to messages and back.
#include "understudy/actors/node/gateway_actor.hpp"

#include "understudy/actors/connection/request_check.hpp"
#include "understudy/actors/metrics/operation_tap.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/node/answer_flow.hpp"
#include "understudy/actors/node/compression.hpp"
#include "understudy/actors/node/relayed_stream.hpp"
#include "understudy/actors/node/snapshot_fields.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/messages/ldap_protocol.hpp"
#include "understudy/messages/printable.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <algorithm>
#include <deque>

namespace understudy::internal {
namespace {

/// Bytes of a part of a stream: a few hundred entries at a time.
constexpr std::size_t part_bytes = 128 * 1024;
/// The message id in answers; the client counts for itself.
constexpr std::int32_t any_message_id = 1;
/// What lay in the mailbox of a router that ended is asked again so often, with pauses: until its successor is there.
constexpr int most_bounces = 5;
constexpr milliseconds bounce_pause{20};
/// What waits for room is looked at so often beside the answers that make some: a connection that gives an answer up
/// later than its client tells nobody.
constexpr milliseconds room_pause{50};
/// Bytes of what a client calls the holder of a lease, which pools keep and tell people.
constexpr std::size_t longest_holder = 200;

answer_frame done(bool flag = true) {
  answer_frame f;
  f.flag = flag;
  return f;
}

answer_frame with_body(std::string body) {
  answer_frame f;
  f.kind = answer_kind::text;
  f.body = std::move(body);
  return f;
}

failure_ptr not_offered(request_kind kind) {
  return make_failure(errc::invalid_request, stage::queue,
                      "This node does not take the order \"" + std::string{to_string(kind)} + "\" from a client.");
}

/// Of those who may have no other lease now: `code`, at once or after their time.
failure_ptr has_all_leases(errc code, std::uint32_t most) {
  return make_failure(code, stage::queue,
                      "This client, with all links of its certificate's name, has as many leases of the node as one "
                      "may have or ask for at a time (" +
                          std::to_string(most) +
                          "; three quarters of the pool's connections). Return them sooner, or raise "
                          "pool.max_connections of the node.");
}

failure_ptr answers_are_not_taken(errc code) {
  return make_failure(code, stage::operation,
                      "This client does not take the answers that it asked for: as many as the node keeps wait for it, "
                      "and there was no room for this one. Ask for less at a time, or read entry by entry with "
                      "stream().");
}

server_set servers_of(std::uint64_t bits) {
  server_set all;
  for (server_id id = 0; id < 64; ++id)
    if ((bits >> id & 1) != 0) all.insert(id);
  return all;
}

/// The operation of a frame, as a local caller would ask it.
request_ptr request_of(request_frame& f) {
  switch (f.kind) {
    case request_kind::bind:
      return make_request(bind_request{std::move(f.name), f.password}, std::move(f.controls), std::move(f.wish));
    case request_kind::password_modify:
      return make_request(password_modify_request{std::move(f.value), f.password, f.new_password},
                          std::move(f.controls), std::move(f.wish));
    case request_kind::extended:
      if (f.name == extension::who_am_i && !f.value) return make_request(whoami_request{}, std::move(f.controls));
      return make_request(extended_request{std::move(f.name), std::move(f.value), f.flag}, std::move(f.controls));
    default:
      return make_request(opaque_request{std::move(f.protocol_op), std::move(f.encoded_controls), any_message_id}, {},
                          std::move(f.wish));
  }
}

/// What a router and the manager above it take alike.
using routing_actor = caf::typed_actor<caf::replies_to<perform_atom, call>::with<result_ptr>,
                                       caf::replies_to<lease_atom, lease_request>::with<lease_grant>,
                                       caf::reacts_to<cancel_atom, cancel_token_ptr>>;

/// An answer, made smaller: megabytes take milliseconds, which the gateway's thread does not have.
using compressing_actor = caf::typed_actor<caf::replies_to<std::string>::with<std::string>>;

compressing_actor::behavior_type compressing(compressing_actor::pointer self, std::shared_ptr<compressor> with) {
  install_default_handlers(*self);
  return {[with = std::move(with)](std::string& frame) { return with->compress_answer(std::move(frame)); }};
}

class gateway_impl {
 public:
  static constexpr const char* name = "understudy.gateway";

  gateway_impl(gateway_actor::pointer self, gateway_dependencies from);
  ~gateway_impl();
  gateway_actor::behavior_type make_behavior();

 private:
  using key = gateway_state::request_key;
  using link_id = gateway_state::link_id;
  using promise = caf::typed_response_promise<std::string>;

  /// A request that is under way.
  struct open_request {
    promise asker;
    cancel_token_ptr token;
    lease_id lease = 0;  ///< that it runs on
    time_point deadline{};
    int bounces = 0;             ///< how often it came back unread from a router that had ended
    bool may_wait = false;       ///< its answer; it may also be asked for again
    call order = {};             ///< of an operation
    bool for_room = false;       ///< that waits until there is room for its answer
    std::string for_lease = {};  ///< that waits until this owner of links may have another one; empty: it does not
    ///@{
    /// Of an operation, for who watches.
    std::string_view operation = {};
    time_point since{};
    ///@}
  };
  struct open_stream {
    std::uint64_t number = 0;  ///< ours
    relayed_stream parts{part_bytes};
    cancel_token_ptr token;
    std::int32_t id = 0;      ///< the connection's
    std::optional<key> asks;  ///< who waits for the next part
  };
  /// A lease that a peer holds.
  struct held_connection {
    connection_actor connection;
    std::unique_ptr<open_stream> stream;
  };

  caf::result<std::string> take(std::string& bytes);
  answer_frame answer_at_once(const gateway_peer& peer, const request_frame& frame);
  node_terms agree(const gateway_peer& peer, bool reads_compressed);
  void begin(const key& k, request_frame& frame);
  void perform(const key& k, request_frame& frame);
  void carry_out(const key& k);
  void fail(const key& k, failure_ptr why);
  void wait_for_room(const key& k);
  void begin_waiting(link_id link);
  std::shared_ptr<answer_meter> meter_of(link_id link);
  void acquire(const key& k, const request_frame& frame);
  void ask_for_lease(const key& k, lease_request wish);
  void let_acquire(const std::string& owner);
  void stop_waiting(const key& k, const open_request& waiting);
  std::uint32_t most_leases() const {
    return from_.most_leases ? from_.most_leases->load() : state_.limits().most_leases;
  }
  void release(const key& k, lease_id lease);
  void begin_stream(const key& k, request_frame& frame);
  void next_part(const key& k, lease_id lease);
  void on_part(std::uint64_t number, relayed_part& part);
  void pass_on(held_connection& held);
  void end_stream(held_connection& held);
  void cancel(const key& k);
  void cancel_stream(lease_id lease);
  void give_up(const open_request& given_up);
  void show(const open_request& ended, const result* got, const failure* why) const;
  void end(gateway_state::endings ended, const failure& why);
  void give_back(const gateway_state::held_lease& lease);
  void tick(std::uint64_t timer);

  /// Asks an actor of this node; what it answers goes to `form`, which makes the answer of it.
  template <class T, class Handle, class Form, class... Ts>
  void ask(const key& k, const Handle& whom, Form form, Ts&&... content) {
    self_->request(whom, caf::infinite, std::forward<Ts>(content)...)
        .then([this, k, form](T& value) { guard_.run([&] { answer(k, form(value)); }); },
              [this, k](caf::error& e) { guard_.run([&] { fail(k, failure_of(e)); }); });
  }
  /// Asks the router, also when that is another one by now; its answer goes to `took`.
  template <class Took, class Atom, class Content>
  void ask_router(const key& k, Took took, Atom atom, Content content) {
    self_->request(routing_, caf::infinite, atom, content)
        .then([this, took](decltype(result_of(atom))& value) { guard_.run([&] { took(value); }); },
              [this, k, took, atom, content](const caf::error& e) {
                guard_.run([&] {
                  if (may_ask_again(k, e))
                    bounced_.emplace(now() + bounce_pause, [=, this] { ask_router(k, took, atom, content); });
                  else
                    fail(k, failure_of(e));
                });
              });
  }
  static result_ptr result_of(perform_atom) { return {}; }
  static lease_grant result_of(lease_atom) { return {}; }
  bool may_ask_again(const key& k, const caf::error& why);
  void answer(const key& k, answer_frame frame);
  void deliver(const key& k, std::string bytes);
  void pass_to_client(const key& k, std::string bytes);
  std::string at_once(link_id link, answer_frame frame);
  void let_waiting_go(link_id link);
  std::string bounded(answer_frame frame) const;
  open_request* find(const key& k) {
    const auto found = open_.find(k);
    return found == open_.end() ? nullptr : &found->second;
  }
  time_point now() const { return env_->clock->now(); }
  bool waits_for_room() const {
    return std::any_of(rooms_.begin(), rooms_.end(), [](const auto& each) { return !each.second.waiting.empty(); });
  }
  peers_actor cluster() const { return from_.cluster ? from_.cluster() : peers_actor{}; }

  gateway_actor::pointer self_;
  gateway_dependencies from_;
  environment_ptr env_;
  gateway_state state_;
  answer_flow flow_;
  /// The router; the manager, which knows its successor, once it has ended.
  routing_actor routing_;
  compressing_actor compressing_;                             ///< when answers are compressed
  std::set<std::uint64_t> compressed_to_;                     ///< links
  std::multimap<time_point, std::function<void()>> bounced_;  ///< what is asked again, and when
  std::map<key, open_request> open_;
  /// Of a link: what its answers take, and what waits for room, first come, first served.
  struct link_room {
    std::shared_ptr<answer_meter> meter;
    std::deque<key> waiting;
  };
  std::map<link_id, link_room> rooms_;
  const std::shared_ptr<answer_meter> room_of_all_;
  std::map<std::string, std::weak_ptr<answer_meter>> room_of_owner_;
  /// Who waits to ask for a lease, by the owner of its link, first come, first served.
  struct lease_wish {
    key asked;
    lease_request wish;
  };
  std::map<std::string, std::deque<lease_wish>> lease_wishes_;
  std::map<lease_id, held_connection> held_;
  std::map<std::uint64_t, lease_id> streams_;  ///< by our numbers
  std::uint64_t last_stream_ = 0;
  actor_timer timer_;
  handler_guard guard_;
};

gateway_impl::gateway_impl(gateway_actor::pointer self, gateway_dependencies from)
    : self_(self),
      from_(std::move(from)),
      env_(from_.env),
      state_(from_.limits),
      flow_(from_.limits),
      routing_(from_.router),
      room_of_all_(std::make_shared<answer_meter>(from_.limits.most_held_of_all)),
      timer_(env_->poller, self_->address()),
      guard_(*self_, env_, "gateway") {
  if (from_.compresses) compressing_ = self_->system().spawn(compressing, std::make_shared<compressor>());
}

/// CAF drops a promise in silence. Leases need nothing: their pools watch who holds them.
gateway_impl::~gateway_impl() {
  if (compressing_) caf::anon_send_exit(compressing_, caf::exit_reason::user_shutdown);
  try {
    for (auto& [k, one] : open_)
      one.asker.deliver(encode(failed_answer(make_failure(runtime_ended(stage::operation)))));
  } catch (...) {
    // Nothing is left that could be told.
  }
}

gateway_actor::behavior_type gateway_impl::make_behavior() {
  self_->set_down_handler([this](const caf::down_msg& gone) {
    if (gone.source == routing_.address()) routing_ = from_.manager;
  });
  self_->monitor(routing_);
  return {
      [this](std::string& bytes) { return guard_.answer<std::string>([&] { return take(bytes); }); },
      [this](batch_atom, std::uint64_t number, relayed_part& part) { guard_.run([&] { on_part(number, part); }); },
      [this](removed_atom, std::uint64_t link) {
        guard_.run([&] {
          failure why = caller_cancelled(stage::queue);
          why.message = "The link to the client was lost.";
          end(state_.lost(link), why);
          compressed_to_.erase(link);
          flow_.lost(link);
          rooms_.erase(link);
          std::erase_if(room_of_owner_, [](const auto& each) { return each.second.expired(); });
          if (const auto peers = cluster()) self_->send(peers, removed_atom_v, link);
        });
      },
      [this](credit_atom, std::uint64_t link) { guard_.run([&] { let_waiting_go(link); }); },
      [this](drain_atom) { state_.drain(); },
      [this](tick_atom, std::uint64_t timer) { guard_.run([&] { tick(timer); }); },
  };
}

// ---- requests ----

caf::result<std::string> gateway_impl::take(std::string& bytes) {
  const auto peer = from_.peers->find(self_->current_sender());
  if (!peer)
    return encode(
        failed_answer(make_failure(errc::invalid_request, stage::queue,
                                   "This request came by no link that the node knows; it is not looked at.")));
  const auto size = bytes.size();
  const auto refuse = [&](failure_ptr why) { return at_once(peer->link, failed_answer(std::move(why))); };
  if (size > state_.limits().longest_frame)
    return refuse(make_failure(errc::invalid_request, stage::queue,
                               "A request of " + std::to_string(size) + " bytes is longer than the node takes (" +
                                   std::to_string(state_.limits().longest_frame) + ")."));
  auto read = decode_request(bytes);
  if (read.error) return refuse(std::move(read.error));
  auto& frame = *read.value;
  if (!frame.password.empty() || !frame.new_password.empty()) wipe_frame(std::move(bytes));
  if (auto why = state_.admit(*peer, frame, size, now())) return refuse(std::move(why));
  if (!gateway_state::is_tracked(frame.kind)) return at_once(peer->link, answer_at_once(*peer, frame));
  if (frame.kind == request_kind::exchange) frame.name = peer->name;  // whatever it calls itself
  const key k{peer->link, frame.number};
  auto asker = self_->make_response_promise<std::string>();
  open_[k] = {asker, std::make_shared<cancel_token>(), frame.lease, now() + frame.left,
              0,     gateway_state::may_wait(frame)};
  timer_.arm_by(now() + frame.left + state_.limits().grace);
  begin(k, frame);
  return asker;
}

answer_frame gateway_impl::answer_at_once(const gateway_peer& peer, const request_frame& frame) {
  const auto begun = [](const std::function<failure_ptr()>& how, request_kind kind) {
    auto why = how ? how() : not_offered(kind);
    return why ? failed_answer(std::move(why)) : done();
  };
  switch (frame.kind) {
    case request_kind::hello:
      return with_body(encode(agree(peer, frame.flag)));
    case request_kind::claim:
      return done(state_.claim(peer.link, frame.lease));
    case request_kind::cancel:
      if (frame.lease != 0) cancel_stream(frame.lease);
      if (frame.target != 0) cancel({peer.link, frame.target});
      return done();
    case request_kind::drain:
      return begun(from_.drain, frame.kind);
    case request_kind::reload:
      return begun(from_.reload, frame.kind);
    case request_kind::tap:
      if (!env_->tap) return failed_answer(not_offered(frame.kind));
      return with_body(encode(frame.flag ? env_->tap->begin(now()) : env_->tap->since(frame.target, now())));
    default:
      return done();
  }
}

node_terms gateway_impl::agree(const gateway_peer& peer, bool reads_compressed) {
  auto terms = state_.terms_for(peer, from_.node);
  terms.compression = reads_compressed && from_.compresses;
  if (terms.compression) compressed_to_.insert(peer.link);
  return terms;
}

void gateway_impl::begin(const key& k, request_frame& frame) {
  const auto deadline = now() + frame.left;
  switch (frame.kind) {
    case request_kind::operation:
    case request_kind::bind:
    case request_kind::password_modify:
    case request_kind::extended:
      return perform(k, frame);
    case request_kind::acquire:
      return acquire(k, frame);
    case request_kind::release:
      return release(k, frame.lease);
    case request_kind::check:
      return ask<probe_report>(
          k, held_.at(frame.lease).connection, [](probe_report& r) { return with_body(encode(r)); }, check_atom_v,
          deadline);
    case request_kind::inspect:
      return ask<connection_snapshot>(
          k, held_.at(frame.lease).connection, [](connection_snapshot& s) { return with_body(encode(s)); },
          status_atom_v);
    case request_kind::begin_stream:
      return begin_stream(k, frame);
    case request_kind::next_part:
      return next_part(k, frame.lease);
    case request_kind::status:
      return ask<runtime_snapshot>(
          k, from_.manager, [](runtime_snapshot& s) { return with_body(encode(s)); }, status_atom_v);
    case request_kind::health: {
      const auto form = [](std::vector<probe_report>& all) { return with_body(encode(all)); };
      // What did not answer in time is in the reports: they have to be here before the deadline.
      const auto until = deadline - std::min<duration>(frame.left / 10, milliseconds{100});
      if (!frame.flag) return ask<std::vector<probe_report>>(k, from_.manager, form, health_atom_v, until);
      return ask<std::vector<probe_report>>(k, from_.manager, form, health_atom_v, static_cast<int>(frame.target),
                                            until);
    }
    case request_kind::exchange: {
      const auto peers = cluster();
      if (!peers || !frame.value) break;
      return ask<std::string>(
          k, peers, [](std::string& counterpart) { return with_body(std::move(counterpart)); }, exchange_atom_v,
          frame.name, k.link, std::move(*frame.value));
    }
    case request_kind::suspend:
      return ask<bool>(
          k, from_.manager, [](bool b) { return done(b); }, suspend_atom_v, static_cast<server_id>(frame.target),
          static_cast<std::uint32_t>(std::chrono::duration_cast<seconds>(frame.span).count()));
    case request_kind::resume:
      return ask<bool>(
          k, from_.manager, [](bool b) { return done(b); }, resume_atom_v, static_cast<server_id>(frame.target));
    default:
      break;
  }
  answer(k, failed_answer(not_offered(frame.kind)));
}

void gateway_impl::perform(const key& k, request_frame& frame) {
  auto& open = open_.at(k);
  auto& order = open.order;
  order.deadline = open.deadline;
  order.token = open.token;
  order.what = request_of(frame);
  // As it came; what is decoded takes more memory here than on the link, where answer() bounds it.
  if (frame.kind == request_kind::operation) order.most_answer_bytes = state_.limits().longest_frame;
  open.operation = operation_name(order.what->op);
  open.since = now();
  if (open.may_wait) {
    if (!rooms_[k.link].waiting.empty()) return wait_for_room(k);
    order.metered = std::make_shared<metered_answer>(meter_of(k.link));
  }
  carry_out(k);
}

void gateway_impl::carry_out(const key& k) {
  const auto& open = open_.at(k);
  auto order = open.order;
  const auto lease = open.lease;
  const bool whole = order.most_answer_bytes == 0;
  const auto form = [this, k, whole](result_ptr& got) {
    if (const auto* request = find(k)) show(*request, got.get(), nullptr);
    answer_frame f;
    f.kind = whole ? answer_kind::outcome : answer_kind::messages;
    f.server = got->server;
    if (whole)
      f.outcome = *got;
    else
      f.messages = got.use_count() == 1 ? std::move(const_cast<result&>(*got).messages) : got->messages;
    return f;
  };
  if (lease == 0)
    return ask_router(
        k, [this, k, form](result_ptr& got) { answer(k, form(got)); }, perform_atom_v, std::move(order));
  ask<result_ptr>(k, held_.at(lease).connection, form, perform_atom_v, lease, std::move(order));
}

/// What there was no room for is asked for once more, with room for the longest answer, when there is as much.
void gateway_impl::fail(const key& k, failure_ptr why) {
  const auto* const request = find(k);
  if (!request) return;
  const auto& metered = request->order.metered;
  if (!metered || !metered->refused() || request->token->cancelled()) return answer(k, failed_answer(std::move(why)));
  wait_for_room(k);
  begin_waiting(k.link);
}

std::shared_ptr<answer_meter> gateway_impl::meter_of(link_id link) {
  auto& meter = rooms_[link].meter;
  if (meter) return meter;
  const auto& limits = state_.limits();
  const auto owner = state_.owner_of(link);
  auto of_owner = room_of_owner_[owner].lock();
  if (!of_owner)
    room_of_owner_[owner] = of_owner = std::make_shared<answer_meter>(limits.most_held_of_owner, room_of_all_);
  meter = std::make_shared<answer_meter>(std::max<std::size_t>(limits.most_held, limits.longest_frame), of_owner);
  return meter;
}

void gateway_impl::wait_for_room(const key& k) {
  auto& request = open_.at(k);
  // The connection that gave it up has it as well, for a moment.
  if (const auto metered = std::exchange(request.order.metered, nullptr)) metered->shrink_to(0);
  request.for_room = true;
  rooms_[k.link].waiting.push_back(k);
  timer_.arm_by(now() + room_pause);
}

/// Those that waited, as far as there is room for the longest answer each may have.
void gateway_impl::begin_waiting(link_id link) {
  const auto room = rooms_.find(link);
  if (room == rooms_.end()) return;
  auto& waiting = room->second.waiting;
  while (!waiting.empty()) {
    const auto k = waiting.front();
    auto* const request = find(k);
    if (!request || !request->for_room) {  // it ended; its number may be another's
      waiting.pop_front();
      continue;
    }
    const auto longest = request->order.most_answer_bytes;
    const auto meter = meter_of(link);
    if (!meter->take(longest)) return;
    waiting.pop_front();
    request->order.metered = std::make_shared<metered_answer>(meter, longest);
    request->for_room = false;
    if (request->lease != 0 && !held_.contains(request->lease))
      answer(k, failed_answer(make_failure(errc::invalid_lease, stage::queue,
                                           "The lease was returned while its search waited for room.")));
    else
      carry_out(k);
  }
}

/// CAF bounces what lies in the mailbox of an actor that ends, and nothing else: no server has seen it.
bool gateway_impl::may_ask_again(const key& k, const caf::error& why) {
  auto* const request = find(k);
  if (why != caf::sec::request_receiver_down || !request || request->token->cancelled()) return false;
  if (request->bounces >= most_bounces || now() + bounce_pause >= request->deadline) return false;
  ++request->bounces;
  timer_.arm_by(now() + bounce_pause);
  return true;
}

void gateway_impl::cancel(const key& k) {
  auto* const one = find(k);
  if (!one) return;
  give_up(*one);
  if (!one->for_room && one->for_lease.empty()) return;
  // Nobody else has it.
  stop_waiting(k, *one);
  auto why = make_failure(caller_cancelled(stage::queue));
  show(*one, nullptr, why.get());
  pass_to_client(k, encode(failed_answer(std::move(why))));
}

/// Its answer, `cancelled`, comes the usual way.
void gateway_impl::give_up(const open_request& given_up) {
  given_up.token->cancel();
  const auto held = held_.find(given_up.lease);
  if (given_up.lease == 0)
    self_->send(routing_, cancel_atom_v, given_up.token);
  else if (held != held_.end())
    self_->send(held->second.connection, cancel_atom_v, given_up.token);
}

void gateway_impl::answer(const key& k, answer_frame frame) {
  const auto* const request = find(k);
  if (!request) return;
  if (frame.kind == answer_kind::failed) show(*request, nullptr, frame.error.get());
  auto bytes = bounded(std::move(frame));
  if (bytes.size() < least_compressed || !compressed_to_.contains(k.link)) return deliver(k, std::move(bytes));
  self_->request(compressing_, caf::infinite, std::move(bytes))
      .then([this, k](std::string& smaller) { guard_.run([&] { deliver(k, std::move(smaller)); }); },
            [this, k](const caf::error& e) { guard_.run([&] { deliver(k, encode(failed_answer(failure_of(e)))); }); });
}

/// Unless it was answered otherwise meanwhile.
void gateway_impl::deliver(const key& k, std::string bytes) {
  auto* const request = find(k);
  if (!request) return;
  auto& metered = request->order.metered;
  if (metered) metered->shrink_to(bytes.size());
  if (!request->may_wait || !flow_.has_to_wait(k.link, bytes.size(), from_.peers->answered(k.link, false)))
    return pass_to_client(k, std::move(bytes));
  if (!metered) {
    metered = std::make_shared<metered_answer>(meter_of(k.link));
    if (!metered->take(bytes.size()))
      return pass_to_client(k, encode(failed_answer(answers_are_not_taken(errc::queue_full))));
  }
  // It is under way as long as that, and ends at its deadline like any other.
  flow_.keep(k, std::move(bytes));
  let_waiting_go(k.link);
  begin_waiting(k.link);
}

void gateway_impl::pass_to_client(const key& k, std::string bytes) {
  const auto found = open_.find(k);
  if (found == open_.end()) return;
  auto ended = std::move(found->second);
  open_.erase(found);
  const auto owner = lease_wishes_.empty() ? std::string{} : state_.owner_of(k.link);
  state_.answered(k);
  let_acquire(owner);
  flow_.sent(k.link, bytes.size());
  ended.asker.deliver(std::move(bytes));
  if (!ended.order.metered) return;
  // Who is being told of its result has it as well.
  ended.order.metered->shrink_to(0);
  begin_waiting(k.link);
}

std::string gateway_impl::at_once(link_id link, answer_frame frame) {
  auto bytes = bounded(std::move(frame));
  flow_.sent(link, bytes.size());
  return bytes;
}

/// As far as that client has taken what went before; the rest when it has taken more.
void gateway_impl::let_waiting_go(link_id link) {
  if (flow_.waiting_bytes(link) == 0) return;
  const auto answered = from_.peers->answered(link, true);
  while (auto next = flow_.next(link, answered)) pass_to_client(next->key, std::move(next->bytes));
}

/// To who counts, and who watches.
void gateway_impl::show(const open_request& ended, const result* got, const failure* why) const {
  if (ended.operation.empty()) return;
  const auto at = now();
  if (env_->metrics) env_->metrics->finished(why, at - ended.since, at);
  if (!env_->tap || !env_->tap->is_watched(at)) return;
  env_->tap->note(sample_of(ended.operation, got, why), at - ended.since, *env_->clock);
}

std::string gateway_impl::bounded(answer_frame frame) const {
  auto bytes = encode(frame);
  if (bytes.size() <= state_.limits().longest_frame) return bytes;
  return encode(failed_answer(
      make_failure(errc::result_too_large, stage::operation,
                   "The answer takes " + std::to_string(bytes.size()) + " bytes, and a link between nodes carries " +
                       std::to_string(state_.limits().longest_frame) +
                       " at a time; read it entry by entry with stream(), or in pages with paged().",
                   frame.server)));
}

// ---- leases ----

void gateway_impl::acquire(const key& k, const request_frame& frame) {
  lease_request wish;
  wish.deadline = now() + frame.left;
  wish.token = open_.at(k).token;
  wish.holder = shortened(frame.name, longest_holder);
  wish.wait = frame.flag;
  wish.anew = frame.anew;
  wish.tried = servers_of(frame.target);
  const auto owner = state_.owner_of(k.link);
  const auto waiting = lease_wishes_.find(owner);
  if (waiting == lease_wishes_.end() && state_.begin_acquire(k, most_leases()))
    return ask_for_lease(k, std::move(wish));
  if (!wish.wait) return answer(k, failed_answer(has_all_leases(errc::queue_full, most_leases())));
  open_.at(k).for_lease = owner;
  lease_wishes_[owner].push_back({k, std::move(wish)});
  let_acquire(owner);
}

/// What is ended must not be found any more: its number may be another's.
void gateway_impl::stop_waiting(const key& k, const open_request& waiting) {
  if (waiting.for_room) std::erase(rooms_[k.link].waiting, k);
  const auto wishes = lease_wishes_.find(waiting.for_lease);
  if (wishes == lease_wishes_.end()) return;
  std::erase_if(wishes->second, [&](const lease_wish& each) { return each.asked == k; });
  if (wishes->second.empty()) lease_wishes_.erase(wishes);
}

/// Those that waited, as far as that owner may have leases.
void gateway_impl::let_acquire(const std::string& owner) {
  const auto found = lease_wishes_.find(owner);
  if (found == lease_wishes_.end()) return;
  auto& waiting = found->second;
  while (!waiting.empty()) {
    auto& next = waiting.front();
    if (!state_.begin_acquire(next.asked, most_leases())) return;
    open_.at(next.asked).for_lease.clear();
    ask_for_lease(next.asked, std::move(next.wish));
    waiting.pop_front();
  }
  lease_wishes_.erase(found);
}

void gateway_impl::ask_for_lease(const key& k, lease_request wish) {
  const auto took = [this, k](lease_grant& grant) {
    if (!state_.granted(k, {grant.id, grant.server}, now())) return give_back({grant.id, grant.server});
    // The node holds it, and answers for its holder.
    self_->send(from_.manager, claim_atom_v, grant.server, grant.id);
    timer_.arm_by(now() + std::min(state_.limits().claim_time, state_.limits().silence));
    answer_frame f;
    f.kind = answer_kind::granted;
    f.server = grant.server_name;
    f.grant = {grant.id, grant.connection_number, grant.server, grant.server_name};
    held_[grant.id].connection = std::move(grant.connection);
    answer(k, std::move(f));
  };
  ask_router(k, took, lease_atom_v, std::move(wish));
}

void gateway_impl::release(const key& k, lease_id lease) {
  const auto owner = state_.owner_of(k.link);
  const auto ended = state_.release(k.link, lease);
  let_acquire(owner);
  cancel_stream(lease);
  held_.erase(lease);
  ask<bool>(
      k, from_.manager, [](bool b) { return done(b); }, release_atom_v, ended->server, ended->id);
}

void gateway_impl::give_back(const gateway_state::held_lease& lease) {
  cancel_stream(lease.id);
  held_.erase(lease.id);
  caf::anon_send(from_.manager, release_atom_v, lease.server, lease.id);
}

void gateway_impl::end(gateway_state::endings ended, const failure& why) {
  for (const auto& k : ended.requests) {
    auto* one = find(k);
    if (one == nullptr) continue;
    show(*one, nullptr, &why);
    give_up(*one);
    auto asker = std::move(one->asker);
    const bool not_taken = flow_.forget(k) || one->for_room, no_lease = !one->for_lease.empty();
    stop_waiting(k, *one);
    open_.erase(k);
    const bool late = why.code == errc::operation_timeout;
    asker.deliver(at_once(k.link, failed_answer(late && not_taken  ? answers_are_not_taken(why.code)
                                                : late && no_lease ? has_all_leases(errc::pool_timeout, most_leases())
                                                                   : make_failure(failure{why}))));
  }
  for (const auto& lease : ended.leases) give_back(lease);
  std::vector<std::string> owners;
  for (const auto& each : lease_wishes_) owners.push_back(each.first);
  for (const auto& each : owners) let_acquire(each);
}

void gateway_impl::tick(std::uint64_t timer) {
  if (!timer_.fired(timer)) return;
  end(state_.expire(now()), no_answer_in_time(stage::operation, "node"));
  while (!bounced_.empty() && bounced_.begin()->first <= now()) {
    const auto again = std::move(bounced_.begin()->second);
    bounced_.erase(bounced_.begin());
    again();
  }
  for (auto& [link, room] : rooms_) begin_waiting(link);
  timer_.arm(std::min({state_.next_event(), bounced_.empty() ? time_point::max() : bounced_.begin()->first,
                       waits_for_room() ? now() + room_pause : time_point::max()}));
}

// ---- streams ----

void gateway_impl::begin_stream(const key& k, request_frame& frame) {
  const auto lease = frame.lease;
  auto& held = held_.at(lease);
  if (held.stream) return answer(k, failed_answer(make_failure(stream_is_open())));
  held.stream = std::make_unique<open_stream>();
  auto& stream = *held.stream;
  stream.number = ++last_stream_;
  stream.token = open_.at(k).token;
  stream.asks = k;
  streams_[stream.number] = lease;
  call order;
  order.deadline = now() + frame.left;
  order.token = stream.token;
  order.parts = stream.number;
  order.what = request_of(frame);
  const auto ended = [this, number = stream.number](const result_ptr& last, failure_ptr why) {
    guard_.run([&] {
      const auto found = streams_.find(number);
      if (found == streams_.end()) return;
      auto& on = held_.at(found->second);
      if (last)
        on.stream->parts.end(*last);
      else
        on.stream->parts.fail(std::move(why));
      pass_on(on);
    });
  };
  self_->request(held.connection, caf::infinite, perform_atom_v, lease, std::move(order))
      .then([ended](const result_ptr& last) { ended(last, nullptr); },
            [ended](const caf::error& e) { ended(nullptr, failure_of(e)); });
}

void gateway_impl::next_part(const key& k, lease_id lease) {
  auto& held = held_.at(lease);
  if (!held.stream || held.stream->asks)
    return answer(k, failed_answer(make_failure(errc::invalid_request, stage::queue,
                                                held.stream ? "Its next part was asked for already."
                                                            : "No streaming search is open on this lease.")));
  held.stream->asks = k;
  pass_on(held);
}

void gateway_impl::on_part(std::uint64_t number, relayed_part& part) {
  const auto found = streams_.find(number);
  if (found == streams_.end()) return;
  auto& held = held_.at(found->second);
  held.stream->id = part.id;
  held.stream->parts.add(part.messages);
  pass_on(held);
}

/// What is there goes to who waits for it, and the connection may send as much again.
void gateway_impl::pass_on(held_connection& held) {
  auto& stream = *held.stream;
  if (!stream.asks) return;
  if (!find(*stream.asks)) {
    // It was told that its time is over.
    stream.asks.reset();
    return;
  }
  auto next = stream.parts.take();
  if (!next) return;
  const auto asks = *std::exchange(stream.asks, std::nullopt);
  if (next->credit != 0) self_->send(held.connection, credit_atom_v, stream.id, next->credit);
  answer_frame f;
  f.kind = next->error ? answer_kind::failed : answer_kind::part;
  f.error = std::move(next->error);
  f.flag = next->more;
  f.server = std::move(next->server);
  f.messages = std::move(next->messages);
  if (!f.flag || f.error) end_stream(held);
  answer(asks, std::move(f));
}

void gateway_impl::end_stream(held_connection& held) {
  streams_.erase(held.stream->number);
  held.stream = nullptr;
}

void gateway_impl::cancel_stream(lease_id lease) {
  const auto held = held_.find(lease);
  if (held == held_.end() || !held->second.stream) return;
  auto& stream = *held->second.stream;
  stream.token->cancel();
  self_->send(held->second.connection, cancel_atom_v, stream.token);
  const auto asks = std::exchange(stream.asks, std::nullopt);
  end_stream(held->second);
  if (asks) answer(*asks, failed_answer(make_failure(caller_cancelled(stage::operation))));
}

}  // namespace

gateway_actor spawn_gateway(caf::actor_system& system, gateway_dependencies from) {
  auto poller = from.env->poller;
  return spawn_shell_on_poller<gateway_actor, gateway_impl>(system, std::move(poller), std::move(from));
}

}  // namespace understudy::internal
