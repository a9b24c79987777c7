// The connection actor: messages and the socket in, actions out.
#include "understudy/actors/connection/connection_actor.hpp"
#include "understudy/actors/connection/connection_state.hpp"
#include "understudy/actors/connection/promise_table.hpp"
#include "understudy/actors/connection/session.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/actors/connection/tls_client.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/fast_delivery.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <unistd.h>
#include <algorithm>

namespace understudy::internal {

/// What the connections of one runtime share.
struct shared_by_connections {
  std::shared_ptr<tls_client_contexts> certificates = std::make_shared<tls_client_contexts>();
  std::shared_ptr<retry_budget> retries = std::make_shared<retry_budget>();
};

namespace {

// Encoded requests that are worth a system call before the rest is encoded.
constexpr std::size_t worth_sending = 4 * 1024;

// So few further requests are encoded sooner than a system call is made for the first.
constexpr std::size_t few_more = 3;

// More actions at a time than these are unusual: their memory is not kept.
constexpr std::size_t most_kept_actions = 256;

constexpr const char* contained = "A defect in a connection was contained; please report it with the log.";

// The bind lockout guard answers within `timeout` or 5 s, whichever is longer; its answer is waited for beyond that,
// because a credential that was given must be judged even when it comes too late to be used.
constexpr seconds credential_grace{10};

/// A turn that failed before its body began has taken nothing over: CAF would drop the promise in silence.
template <class Promise>
void settle_unaccepted(Promise& promise) {
  if (!promise.pending()) return;
  promise.deliver(to_error(make_failure(errc::internal, stage::operation, contained)));
}

/// Translates messages to events of connection_state and its actions to messages; owns the promises, the socket and
/// the timer. All members run inside the actor.
class connection_impl final : private ldap_wire {
 public:
  static constexpr const char* name = "understudy.connection";

  connection_impl(connection_actor::pointer self, connection_spec spec, std::shared_ptr<shared_by_connections> shared);
  /// Settles what is open: no promise is ever dropped.
  ~connection_impl() override;
  connection_actor::behavior_type make_behavior();

 private:
  using result_promise = caf::typed_response_promise<result_ptr>;
  using probe_promise = caf::typed_response_promise<probe_report>;

  /// A socket on its way to one of the addresses.
  struct dialled_socket {
    std::size_t number = 0;  ///< the attempt's
    int fd = -1;
    poller_port::io_id io = 0;
  };

  // Turns.
  template <class Body>
  void turn(Body body);
  void contain();
  caf::delegated<result_ptr> accept(call& order, lease_id lease, const std::optional<stream_terms>& terms = {});
  void finish_turn();
  void carry_out();
  void flush_or_gather();
  void watch_socket();
  void quit_if_done();
  connection_snapshot snapshot();
  connection_dependencies dependencies();

  // Sockets.
  void on_io(std::uint64_t id, std::uint32_t events);
  void on_dialled(std::uint64_t io);
  void hang_up(std::optional<std::size_t> number = {});
  bool may_dial_beside();
  void give_back_permits(std::size_t keep);

  // Actions.
  void operator()(const connection_action::resolve& a);
  void operator()(const connection_action::dial& a);
  void operator()(const connection_action::hang_up& a) { hang_up(a.number); }
  void operator()(const connection_action::shake_hands& a);
  void operator()(const connection_action::ask_for_credential& a);
  void operator()(connection_action::report_verdict& a);
  void operator()(const connection_action::established& a);
  void operator()(connection_action::deliver& a);
  void operator()(const connection_action::refuse& a);
  void operator()(connection_action::redispatch& a);
  void operator()(connection_action::checked& a);
  void operator()(const connection_action::watch_consumer& a);
  void operator()(const connection_action::unwatch_consumer&);
  void operator()(connection_action::batch& a);
  void operator()(connection_action::part& a);
  void operator()(connection_action::report& a);
  void operator()(const connection_action::suspect&);
  void operator()(connection_action::tell_owner& a);
  void operator()(const connection_action::tell_load&);
  void operator()(const connection_action::read_on&);
  void operator()(const connection_action::count_protocol_error&);
  void operator()(const connection_action::note& a);
  template <class Handle, class... Ts>
  void tell(const caf::actor_addr& to, Ts&&... content) {
    if (auto actor = caf::actor_cast<Handle>(to)) caf::anon_send(actor, std::forward<Ts>(content)...);
  }

  // The bytes.
  failure_ptr open() override { return ldap_.open(); }
  tls_start secure() override;
  void close(bool polite) override;
  bool is_open() const override { return bytes_.is_open(); }
  encoded_request encode(const request& order) override { return ldap_.encode(order); }
  encoded_request encode_bind(const std::string& dn, const secret& password) override {
    return ldap_.encode_bind(dn, password);
  }
  encoded_request encode_external_bind() override { return ldap_.encode_external_bind(); }
  encoded_request encode_start_tls() override { return ldap_.encode_start_tls(); }
  void abandon(int id) override { ldap_.abandon(id); }
  void discard(std::uint64_t begin, std::size_t size) override { bytes_.discard(begin, size); }
  std::uint32_t ids_left() const override { return ldap_.ids_left(); }
  std::uint64_t handed_over() const override { return bytes_.handed_over(); }
  std::size_t bytes_out() const override { return bytes_.bytes_out(); }
  std::size_t bytes_in() const override { return bytes_.bytes_in(); }
  pdu_frame peek() const override { return bytes_.peek(); }
  std::string_view front(std::size_t size) const override { return bytes_.front(size); }
  void skip(std::size_t size) override { bytes_.skip(size); }
  decoded_pdu decode(const pdu_frame& frame, const any_operation& op, result& into, memory_allowance& room) override {
    return ldap_.decode(frame, op, into, room);
  }
  bool decode_notification(const pdu_frame& frame, result& into) override {
    return ldap_.decode_notification(frame, into);
  }
  void hold_reading(bool on) override { bytes_.hold_reading(on); }
  bool reading_held() const override { return bytes_.reading_held(); }

  connection_actor::pointer self_;
  connection_spec spec_;
  std::shared_ptr<shared_by_connections> shared_;
  const server_context& context_;
  const environment& env_;
  time_point now_;
  transport bytes_;
  session ldap_;
  connection_state state_;
  actor_timer timer_;

  promise_table<result_promise> replies_;
  promise_table<probe_promise> checks_;
  std::vector<connection_action::any> actions_;  // being carried out …
  std::size_t next_action_ = 0;                  // … from here on
  caf::strong_actor_ptr consumer_;               // of the stream that is open

  std::vector<dialled_socket> dialled_;
  std::vector<socket_permit> beside_;  // for sockets beside the first
  poller_port::io_id io_ = 0;
  std::uint32_t armed_ = 0;
  bool flush_queued_ = false;
  bool removed_ = false;
};

connection_impl::connection_impl(connection_actor::pointer self, connection_spec spec,
                                 std::shared_ptr<shared_by_connections> shared)
    : self_(self),
      spec_(std::move(spec)),
      shared_(shared ? std::move(shared) : std::make_shared<shared_by_connections>()),
      context_(*spec_.context),
      env_(*context_.env),
      now_(env_.clock->now()),
      bytes_(static_cast<std::size_t>(context_.all->limits.max_pdu_bytes)),
      ldap_(bytes_),
      state_(dependencies(), *this, now_),
      timer_(env_.poller, self_->address()) {}

connection_impl::~connection_impl() {
  try {
    state_.give_up(errc::stopped, "The connection ended.", true);
    carry_out();
  } catch (...) {
    // Nothing is left that could be told.
    ldap_.close(false);
  }
}

connection_dependencies connection_impl::dependencies() {
  return {spec_.id,
          spec_.kind,
          static_cast<bool>(spec_.breaker),
          context_.id,
          context_.name,
          context_.server,
          *context_.all,
          spec_.load,
          context_.pace,
          context_.unanswered,
          shared_->retries,
          env_.may_repeat,
          [clock = env_.clock] { return clock->wall_now(); },
          make_random(env_.seed ^ spec_.id),
          [this] { return may_dial_beside(); }};
}

// ---- turns ----

connection_actor::behavior_type connection_impl::make_behavior() {
  // Whoever owns it says when it may go; when the owner has gone itself, nobody would.
  self_->set_down_handler([this](const caf::down_msg& gone) {
    if (gone.source != spec_.owner)
      return turn([&] {
        if (consumer_ && consumer_->address() == gone.source) state_.consumer_ended();
      });
    removed_ = true;
    turn([this] { state_.on_close(); });
  });
  // CAF looks at the actor behind an address without asking whether it is still there: an owner may end meanwhile.
  if (const auto owner = caf::actor_cast<caf::strong_actor_ptr>(spec_.owner)) {
    self_->monitor(owner);
  } else if (spec_.owner) {
    self_->send(self_, close_atom_v);
    self_->send(self_, removed_atom_v);
  }
  turn([this] { state_.start(); });
  return {
      [this](perform_atom, call& order) { return accept(order, 0); },
      [this](perform_atom, lease_id lease, call& order) { return accept(order, lease); },
      [this](stream_atom, lease_id lease, call& order, std::uint64_t number, std::uint32_t credits) {
        return accept(order, lease, stream_terms{number, credits, self_->current_sender() != nullptr});
      },
      [this](credit_atom, lease_id lease, std::uint64_t number, std::uint32_t more) {
        turn([&] { state_.on_credit(lease, number, more); });
      },
      [this](credit_atom, std::int32_t id, std::uint64_t bytes) { turn([&] { state_.passed_on(id, bytes); }); },
      [this](cancel_atom, const cancel_token_ptr& token) { turn([&] { state_.cancel(token); }); },
      [this](lease_atom, lease_id id) { turn([&] { state_.on_lease(id); }); },
      [this](reset_atom, lease_id id) { turn([&] { state_.on_reset(id); }); },
      [this](drain_atom) { turn([&] { state_.on_drain(); }); },
      [this](close_atom) { turn([&] { state_.on_close(); }); },
      [this](removed_atom) {
        // Before anything can fail: nobody says it twice.
        removed_ = true;
        turn([&] { state_.on_close(); });
      },
      [this](check_atom, time_point deadline) -> caf::delegated<probe_report> {
        auto promise = self_->make_response_promise<probe_report>();
        turn([&] { state_.on_check(deadline, checks_.add(std::move(promise))); });
        settle_unaccepted(promise);
        return {};
      },
      [this](status_atom) { return snapshot(); },
      [this](io_atom, std::uint64_t id, std::uint32_t events) { turn([&] { on_io(id, events); }); },
      [this](tick_atom, std::uint64_t timer) {
        turn([&] {
          if (timer_.fired(timer)) state_.tick();
        });
      },
      [this](flush_atom) {
        turn([&] {
          flush_queued_ = false;
          state_.on_transport(bytes_.flush());
        });
      },
      [this](resolved_atom, std::uint64_t number, resolution& found) {
        turn([&] {
          if (number == spec_.id) state_.on_resolved(std::move(found));
        });
      },
  };
}

caf::delegated<result_ptr> connection_impl::accept(call& order, lease_id lease,
                                                   const std::optional<stream_terms>& terms) {
  // Parts are sent to the sender, which the promise takes out of the message.
  if (!self_->current_sender()) order.parts = 0;
  auto promise = self_->make_response_promise<result_ptr>();
  turn([&] { state_.accept(std::move(order), lease, replies_.add(std::move(promise)), terms); });
  settle_unaccepted(promise);
  return {};
}

/// Every handler runs in one of these: the time is read once, nothing is thrown at CAF, and what the body left to do
/// (re-arm, flush, tell the pool) is done together at its end.
template <class Body>
void connection_impl::turn(Body body) {
  bool began = false;
  const auto play = [&] {
    began = true;
    body();
    finish_turn();
  };
  try {
    now_ = env_.clock->now();
    state_.begin_turn(now_);
    play();
  } catch (...) {
    contain();
  }
  if (began) return;
  // What came is not said twice: a credential has to be judged, somebody waits for an answer.
  try {
    play();
  } catch (...) {
    contain();
  }
}

/// Inside a catch block: a defect costs this connection and nobody's answer.
void connection_impl::contain() {
  try {
    state_.give_up(errc::internal, contained, false);
    finish_turn();
  } catch (...) {
    self_->quit(caf::make_error(errc::internal));
  }
}

void connection_impl::finish_turn() {
  carry_out();
  // While answers are on their way it is needed again at once.
  if (state_.in_flight_count() == 0) bytes_.release_empty_buffers();
  flush_or_gather();
  watch_socket();
  state_.finish_turn();
  carry_out();
  timer_.arm_by(state_.next_event());
  quit_if_done();
}

/// An action that fails is not done again, those behind it are.
void connection_impl::carry_out() {
  while (true) {
    while (next_action_ < actions_.size())
      std::visit([this](auto& action) { (*this)(action); }, actions_[next_action_++]);
    actions_.clear();
    next_action_ = 0;
    if (actions_.capacity() > most_kept_actions) std::vector<connection_action::any>{}.swap(actions_);
    if (!state_.has_actions()) return;
    state_.take_actions(actions_);
  }
}

/// A server with nothing to do is given the first of many requests at once and works while the others are encoded;
/// those leave together when the messages at hand are done, or as soon as they are many.
void connection_impl::flush_or_gather() {
  if (!bytes_.wants_flush()) return;
  const auto is_sole_or_first_of_many = [this] {
    if (state_.in_flight_count() != 1 || flush_queued_) return false;
    const auto more = self_->mailbox().size();
    return more == 0 || more > few_more;
  };
  if (bytes_.bytes_out() >= worth_sending || is_sole_or_first_of_many()) {
    state_.on_transport(bytes_.flush());
    carry_out();
  }
  if (flush_queued_ || !bytes_.wants_flush()) return;
  flush_queued_ = true;
  self_->send(self_, flush_atom_v);
}

void connection_impl::watch_socket() {
  const auto wanted = bytes_.interest();
  if (io_ == 0 || (wanted & ~armed_) == 0) return;
  armed_ = wanted;
  env_.poller->arm(io_, wanted);
}

/// A credential that was asked for is waited for, so that its verdict is not left out.
void connection_impl::quit_if_done() {
  if (!removed_ || !state_.is_closed() || state_.waits_for_credential()) return;
  // CAF forgets who watches an actor only when that ends: a pool outlives its connections by far.
  if (spec_.owner) self_->demonitor(spec_.owner);
  self_->quit();
}

connection_snapshot connection_impl::snapshot() {
  state_.begin_turn(env_.clock->now());
  auto s = state_.snapshot();
  s.encryption = bytes_.is_open() ? bytes_.encryption() : "none";
  return s;
}

// ---- sockets ----

void connection_impl::on_io(std::uint64_t id, std::uint32_t events) {
  if (id != io_ || io_ == 0) return on_dialled(id);
  armed_ = 0;
  if (state_.waits_for_certificates()) {
    state_.on_certificates();
    carry_out();
  }
  if (id == io_) state_.on_transport(bytes_.resume(events));
}

/// A dialled socket came to an end: its address is reached, or it is not.
void connection_impl::on_dialled(std::uint64_t io) {
  const auto at = std::find_if(dialled_.begin(), dialled_.end(), [&](const dialled_socket& d) { return d.io == io; });
  if (at == dialled_.end()) return;
  const auto number = at->number;
  if (const int code = pending_error(at->fd); code != 0) {
    hang_up(number);
    return state_.dial_failed(number, errc_of_errno(code), errno_text(code));
  }
  bytes_.open(at->fd);
  io_ = at->io;
  armed_ = 0;
  dialled_.erase(at);
  hang_up();
  state_.reached(number, io_);
  state_.on_transport(bytes_.resume(transport::writable));
}

void connection_impl::hang_up(std::optional<std::size_t> number) {
  const auto ends = [&](const dialled_socket& d) {
    if (number && d.number != *number) return false;
    env_.poller->remove(d.io);
    ::close(d.fd);
    return true;
  };
  dialled_.erase(std::remove_if(dialled_.begin(), dialled_.end(), ends), dialled_.end());
  give_back_permits(std::max<std::size_t>(dialled_.size(), 1) - 1);
}

/// The owner has a permit for one socket.
bool connection_impl::may_dial_beside() {
  if (!context_.permits) return true;
  auto another = take_permit(context_.permits);
  if (!another) return false;
  beside_.push_back(std::move(another));
  return true;
}

void connection_impl::give_back_permits(std::size_t keep) {
  if (beside_.size() > keep) beside_.resize(keep);
}

tls_start connection_impl::secure() {
  auto ready = [self = self_->address(), socket = io_] {
    if (auto it = caf::actor_cast<connection_actor>(self)) caf::anon_send(it, io_atom_v, socket, std::uint32_t{0});
  };
  const std::shared_ptr<const connection_info> server{spec_.context, &context_.server};
  auto tls = shared_->certificates->get(server, now_, *env_.workers, std::move(ready));
  if (!tls) return {true, nullptr};
  if (tls->error) return {false, tls->error};
  return {false,
          bytes_.secure(make_tls_client_stream(std::move(tls->context), bytes_.fd(), endpoint_of(context_.server)))};
}

void connection_impl::close(bool polite) {
  ldap_.close(polite);
  if (polite) bytes_.flush();
  hang_up();
  if (io_ != 0) env_.poller->remove(io_);
  io_ = 0;
  armed_ = 0;
  bytes_.close();
}

// ---- actions ----

void connection_impl::operator()(const connection_action::resolve& a) {
  const auto endpoint = endpoint_of(context_.server);
  if (!endpoint.local)
    return env_.resolver->resolve(endpoint.host, endpoint.port, a.deadline, self_->address(), spec_.id);
  resolution found;
  found.addresses.push_back(local_address(endpoint.host));
  state_.on_resolved(std::move(found));
}

void connection_impl::operator()(const connection_action::dial& a) {
  if (state_.is_closed()) return;
  const auto opened = a.to.bytes.empty() ? opened_socket{-1, ENAMETOOLONG} : open_socket(a.to);
  if (opened.fd < 0) return state_.dial_failed(a.number, errc_of_errno(opened.error), errno_text(opened.error));
  const auto io = env_.poller->add(opened.fd, self_->address());
  dialled_.push_back({a.number, opened.fd, io});
  env_.poller->arm(io, transport::writable);
}

void connection_impl::operator()(const connection_action::shake_hands& a) {
  if (a.socket == io_ && io_ != 0) state_.on_transport(bytes_.resume(transport::writable));
}

void connection_impl::operator()(const connection_action::ask_for_credential& a) {
  auto manager = caf::actor_cast<connection_manager_actor>(spec_.manager);
  if (!manager) return state_.nobody_knows_credentials();
  self_->request(manager, context_.server.timeout + credential_grace, credential_atom_v, context_.id)
      .then([this, socket = a.socket](const credential& given) { turn([&] { state_.on_credential(given, socket); }); },
            [this, socket = a.socket](caf::error& why) {
              turn([&] { state_.no_credential(*failure_of(why), socket); });
            });
}

void connection_impl::operator()(connection_action::report_verdict& a) {
  tell<connection_manager_actor>(spec_.manager, credential_atom_v, std::move(a.verdict));
}

void connection_impl::operator()(const connection_action::established& a) {
  if (env_.metrics) env_.metrics->connected(a.took);
}

void connection_impl::operator()(connection_action::deliver& a) {
  auto promise = replies_.take(a.to);
  fast_deliver(*self_, promise, std::move(a.answer));
}

void connection_impl::operator()(const connection_action::refuse& a) { replies_.take(a.to).deliver(to_error(a.why)); }

void connection_impl::operator()(connection_action::redispatch& a) {
  auto promise = replies_.take(a.to);
  const auto breaker = caf::actor_cast<circuit_breaker_actor>(spec_.breaker);
  if (!breaker) {
    promise.deliver(to_error(a.order.last));
    return;
  }
  if (env_.metrics) env_.metrics->redispatch();
  promise.delegate(breaker, perform_atom_v, std::move(a.order));
}

void connection_impl::operator()(connection_action::checked& a) { checks_.take(a.to).deliver(std::move(a.report)); }

void connection_impl::operator()(const connection_action::watch_consumer& a) {
  caf::response_promise& asked = replies_.at(a.of);
  consumer_ = asked.source();
  self_->monitor(consumer_->address());
}

void connection_impl::operator()(const connection_action::unwatch_consumer&) {
  // CAF forgets who watches an actor only when that ends, and a consumer may have many streams.
  if (const auto consumer = std::exchange(consumer_, nullptr)) self_->demonitor(consumer->address());
}

void connection_impl::operator()(connection_action::batch& a) {
  caf::anon_send(caf::actor_cast<stream_consumer_actor>(consumer_), batch_atom_v, a.number, std::move(a.entries));
}

void connection_impl::operator()(connection_action::part& a) {
  caf::response_promise& asked = replies_.at(a.of);
  self_->send(caf::actor_cast<relay_reader_actor>(asked.source()), batch_atom_v, a.number, std::move(a.what));
}

void connection_impl::operator()(connection_action::report& a) {
  tell<circuit_breaker_actor>(spec_.breaker, report_atom_v, std::move(a.outcomes));
}

void connection_impl::operator()(const connection_action::suspect&) {
  tell<circuit_breaker_actor>(spec_.breaker, suspect_atom_v, context_.id);
}

void connection_impl::operator()(connection_action::tell_owner& a) {
  // Its sockets are closed, and the owner may want another one at once.
  if (a.event.what == connection_event::kind::failed || a.event.what == connection_event::kind::closed) {
    spec_.permit = nullptr;
    give_back_permits(0);
  }
  if (spec_.kind == connection_kind::probe)
    tell<health_monitor_actor>(spec_.owner, event_atom_v, std::move(a.event));
  else
    tell<pool_actor>(spec_.owner, event_atom_v, std::move(a.event));
}

void connection_impl::operator()(const connection_action::tell_load&) {
  tell<pool_actor>(spec_.owner, load_atom_v, spec_.id);
}

void connection_impl::operator()(const connection_action::read_on&) {
  if (io_ != 0) self_->send(self_, io_atom_v, io_, transport::readable);
}

void connection_impl::operator()(const connection_action::count_protocol_error&) {
  if (env_.metrics) env_.metrics->protocol_error();
}

void connection_impl::operator()(const connection_action::note& a) {
  if (!env_.log || !env_.log->enabled(a.level)) return;
  log_port::fields more{{"server", context_.name}, {"connection", std::to_string(spec_.id)}};
  if (a.cause) more.emplace_back("cause", describe(*a.cause));
  env_.log->write(a.level, "connection", a.text, more);
}

}  // namespace

connection_actor spawn_connection(caf::actor_system& system, connection_spec spec,
                                  std::shared_ptr<shared_by_connections> shared) {
  auto poller = spec.context->env->poller;
  return spawn_shell_on_poller<connection_actor, connection_impl>(system, std::move(poller), std::move(spec),
                                                                  std::move(shared));
}

connection_factory make_connection_factory() {
  return [shared = std::make_shared<shared_by_connections>()](caf::actor_system& system, connection_spec spec) {
    return spawn_connection(system, std::move(spec), shared);
  };
}

}  // namespace understudy::internal
