// What happens to a dial until it is told: see dialler.hpp.
#include "understudy/runtime/platform/dialler.hpp"

#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/actors/connection/connect_attempt.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/actors/connection/tls_client.hpp"
#include "understudy/config/text.hpp"
#include "understudy/runtime/platform/event_source.hpp"

#include <algorithm>
#include <map>
#include <mutex>

namespace understudy::internal {
namespace {

// An address that was reached and then says nothing is left for the others after this, while there are any.
constexpr duration longest_patience = seconds{3};

std::shared_ptr<const connection_info> as_server(const dial_options& to) {
  auto info = std::make_shared<connection_info>(to.tls ? config::settings_naming(*to.tls) : connection_info{});
  info->host = to.host;
  info->port = to.port;
  if (!to.tls) return info;
  info->use_ssl = true;
  info->tls_min_version = to.tls->oldest_protocol;
  return info;
}

server_endpoint endpoint_for(const dial_options& to) {
  server_endpoint peer;
  peer.host = to.tls && !to.tls->peer_name.empty() ? to.tls->peer_name : to.host;
  peer.port = to.port;
  peer.use_ssl = to.tls.has_value();
  return peer;
}

}  // namespace

dialled_peer::dialled_peer() = default;
dialled_peer::dialled_peer(dialled_peer&& other) noexcept = default;
dialled_peer& dialled_peer::operator=(dialled_peer&& other) noexcept = default;
dialled_peer::~dialled_peer() = default;

/// All dials. What happens to them happens on the poller's thread; the mutex is for whoever begins or cancels one
/// elsewhere.
class dialler::state : public std::enable_shared_from_this<state> {
 public:
  explicit state(environment_ptr env) : env_(std::move(env)) {}

  void start(caf::actor_system& system) {
    const std::lock_guard guard{mutex_};
    const auto alive = weak_from_this();
    event_handlers handlers;
    handlers.on_tick = [alive] {
      if (const auto self = alive.lock()) self->on_tick();
    };
    handlers.on_ready = [alive](poller_port::io_id io, std::uint32_t) {
      if (const auto self = alive.lock()) self->on_ready(io);
    };
    handlers.on_resolved = [alive](dial_id which, resolution found) {
      if (const auto self = alive.lock()) self->on_resolved(which, std::move(found));
    };
    events_.start(system, env_->poller, std::move(handlers));
  }

  void stop() noexcept {
    dials ended;
    const std::lock_guard guard{mutex_};
    for (auto& [which, one] : all_) hang_up(one);
    all_.swap(ended);
    events_.stop();
  }

  dial_id begin(dial_options to, dial_handler told) {
    dial_id which = 0;
    {
      const std::lock_guard guard{mutex_};
      which = ++last_;
      all_.emplace(which, dialled_server(std::move(to), std::move(told), env_->clock->now()));
    }
    later(which, [](state& self, entry at) { self.read_certificates(at); });
    return which;
  }

  void cancel(dial_id which) {
    dials::node_type ended;  // what its handler holds goes when no lock is held
    const std::lock_guard guard{mutex_};
    const auto at = all_.find(which);
    if (at == all_.end()) return;
    hang_up(at->second);
    ended = all_.extract(at);
  }

  std::size_t size() const {
    const std::lock_guard guard{mutex_};
    return all_.size();
  }

 private:
  /// A socket on its way to one of the addresses.
  struct dialled_address {
    std::size_t number = 0;  ///< of the address
    descriptor socket;
    poller_port::io_id io = 0;
  };
  /// One dial.
  struct dialled_server {
    dialled_server(dial_options options, dial_handler handler, time_point now)
        : to(std::move(options)),
          told(std::move(handler)),
          info(as_server(to)),
          attempt(config::server_name(*info), now, as_limit(to.timeout),
                  std::min<duration>(longest_patience, as_limit(to.timeout) / 2)) {}

    dial_options to;
    dial_handler told;
    std::shared_ptr<const connection_info> info;
    connect_attempt attempt;
    tls_client_context_ptr context;
    std::vector<dialled_address> dialled;
    dialled_address reached;  ///< io 0: none yet
    std::unique_ptr<byte_stream> stream;
  };
  using dials = std::map<dial_id, dialled_server>;
  using entry = dials::iterator;
  using dial_step = std::function<void(state& self, entry at)>;

  /// Runs `body` for a dial that is still there, and whatever tells its handler afterwards, when no lock is held: it
  /// may dial again, or be about to end this. Nothing is thrown at the poller.
  void guarded(dial_id which, const dial_step& body) noexcept {
    std::vector<std::function<void()>> telling;
    {
      const std::lock_guard guard{mutex_};
      const auto at = all_.find(which);
      if (!events_.is_running() || at == all_.end()) return;
      try {
        body(*this, at);
      } catch (const std::exception& e) {
        // The system has nothing left to give.
        if (const auto left = all_.find(which); left != all_.end())
          fail(left, make_failure(errc::local_resources, stage::connect, e.what()));
      }
      set_timer();
      telling.swap(telling_);
    }
    for (const auto& tell : telling) tell();
  }

  void later(dial_id which, dial_step body) {
    env_->poller->post([alive = weak_from_this(), which, body = std::move(body)] {
      if (const auto self = alive.lock()) self->guarded(which, body);
    });
  }

  // ---- the steps of a dial, in their order; each with the lock held ----

  /// First: nobody is connected to who could not be judged then.
  void read_certificates(entry at) {
    auto& one = at->second;
    if (one.to.tls && !one.context) {
      const auto read = certificates_->get(one.info, env_->clock->now(), *env_->workers,
                                           [alive = weak_from_this(), which = at->first] {
                                             if (const auto self = alive.lock())
                                               self->later(which, [](state& b, entry e) { b.read_certificates(e); });
                                           });
      if (!read) return;
      if (read->error) return fail(at, read->error);
      one.context = read->context;
    }
    const auto now = env_->clock->now();
    one.attempt.begin(stage::resolve, now);
    env_->resolver->resolve(one.to.host, one.to.port, one.attempt.deadline(), events_.address(), at->first);
  }

  void on_resolved(dial_id which, resolution found) {
    // Which thread this is, and what it holds, depends on the resolver.
    later(which, [found = std::move(found)](state& self, entry at) {
      auto& one = at->second;
      const auto now = self.env_->clock->now();
      if (one.attempt.step() != stage::resolve) return;
      if (found.error || found.addresses.empty()) {
        one.attempt.finish(false, now);
        one.attempt.failed(found.error
                               ? *found.error
                               : *make_failure(errc::connection_failed, stage::resolve, "the name has no address"));
        return self.fail(at, one.attempt.verdict());
      }
      one.attempt.set_addresses(found.addresses);
      one.attempt.begin(stage::connect, now);
      self.dial_next(at);
    });
  }

  void dial_next(entry at) {
    auto& one = at->second;
    const auto now = env_->clock->now();
    while (const auto order = one.attempt.next(now)) {
      if (order->in_place_of) hang_up(one, *order->in_place_of);
      const auto opened = open_socket(*order->to);
      if (opened.fd < 0) {
        one.attempt.dial_failed(order->number,
                                *make_failure(errc_of_errno(opened.error), stage::connect, errno_text(opened.error)));
        continue;
      }
      dialled_address made;
      made.number = order->number;
      made.socket = descriptor{opened.fd, "socket"};
      made.io = env_->poller->add(opened.fd, events_.address());
      env_->poller->arm(made.io, poller_port::writable);
      one.dialled.push_back(std::move(made));
    }
    if (!one.attempt.exhausted(now)) return;
    one.attempt.finish(false, now);
    fail(at, one.attempt.verdict());
  }

  void on_ready(poller_port::io_id io) {
    dial_id which = 0;
    {
      const std::lock_guard guard{mutex_};
      for (const auto& [number, one] : all_) {
        const bool its = one.reached.io == io || std::any_of(one.dialled.begin(), one.dialled.end(),
                                                             [&](const dialled_address& d) { return d.io == io; });
        if (its) which = number;
      }
    }
    guarded(which, [io](state& self, entry at) {
      if (at->second.reached.io == io) return self.shake(at);
      self.dial_ended(at, io);
    });
  }

  /// An address is reached, or it is not.
  void dial_ended(entry at, poller_port::io_id io) {
    auto& one = at->second;
    const auto found =
        std::find_if(one.dialled.begin(), one.dialled.end(), [&](const dialled_address& d) { return d.io == io; });
    if (found == one.dialled.end()) return;
    if (const int code = pending_error(found->socket.get()); code != 0) {
      const auto number = found->number;
      hang_up(one, number);
      one.attempt.dial_failed(number, *make_failure(errc_of_errno(code), stage::connect, errno_text(code)));
      return dial_next(at);
    }
    one.reached = std::move(*found);
    one.dialled.erase(found);
    hang_up_dialled(one);
    one.attempt.reached(one.reached.number);
    const int fd = one.reached.socket.get();
    if (!one.to.tls) {
      one.stream = make_plain_stream(fd);
      return succeed(at);
    }
    one.attempt.begin(stage::secure, env_->clock->now());
    one.stream = make_tls_client_stream(one.context, fd, endpoint_for(one.to));
    shake(at);
  }

  void shake(entry at) {
    auto& one = at->second;
    const auto made = one.stream->handshake();
    switch (made.what) {
      case byte_stream_result::kind::want_read:
        return env_->poller->arm(one.reached.io, poller_port::readable);
      case byte_stream_result::kind::want_write:
        return env_->poller->arm(one.reached.io, poller_port::writable);
      case byte_stream_result::kind::done:
        return succeed(at);
      default:
        return address_failed(
            at,
            made.error ? *made.error : *make_failure(errc::ssl_error, stage::secure, "the peer closed the connection"));
    }
  }

  /// This address did not work; perhaps another one does.
  void address_failed(entry at, failure why) {
    auto& one = at->second;
    const auto now = env_->clock->now();
    one.attempt.finish(false, now);
    one.attempt.failed(why);
    hang_up(one);
    if (one.attempt.exhausted(now)) return fail(at, one.attempt.verdict());
    one.attempt.begin(stage::connect, now);
    dial_next(at);
  }

  void on_tick() {
    std::vector<dial_id> due;
    {
      const std::lock_guard guard{mutex_};
      if (!events_.is_running()) return;
      events_.gone_off();
      const auto now = env_->clock->now();
      for (const auto& [which, one] : all_)
        if (one.attempt.due_at() <= now) due.push_back(which);
      set_timer();
    }
    for (const auto which : due) guarded(which, [](state& self, entry at) { self.time_passed(at); });
  }

  void time_passed(entry at) {
    auto& one = at->second;
    const auto now = env_->clock->now();
    if (now < one.attempt.due_at()) return;
    const bool over = now >= one.attempt.deadline();
    const auto step = one.attempt.step();
    const auto silent = *make_failure(errc::connection_timeout, step,
                                      over ? "no answer within " + config::format_span(one.to.timeout) : "no answer");
    if (!over && one.reached.io == 0) return dial_next(at);
    if (!over) return address_failed(at, silent);
    for (const auto number : one.attempt.dialled()) one.attempt.dial_failed(number, silent);
    if (one.reached.io != 0 || step == stage::resolve) one.attempt.failed(silent);
    one.attempt.finish(false, now);
    fail(at, one.attempt.verdict());
  }

  void succeed(entry at) {
    auto& one = at->second;
    env_->poller->remove(one.reached.io);
    dial_result result;
    result.peer.emplace();
    result.peer->socket = std::move(one.reached.socket);
    result.peer->chain = one.stream->peer_chain();
    result.peer->stream = std::move(one.stream);
    result.peer->address = one.attempt.address();
    settle(at, std::move(result));
  }

  void fail(entry at, failure_ptr why) {
    hang_up(at->second);
    dial_result result;
    result.error = std::move(why);
    settle(at, std::move(result));
  }

  void settle(entry at, dial_result result) {
    auto told = std::move(at->second.told);
    all_.erase(at);
    telling_.push_back(
        [told = std::move(told), kept = std::make_shared<dial_result>(std::move(result))] { told(std::move(*kept)); });
  }

  // ---- sockets and time ----

  void hang_up(dialled_server& server, std::size_t number) noexcept {
    const auto found = std::find_if(server.dialled.begin(), server.dialled.end(),
                                    [&](const dialled_address& d) { return d.number == number; });
    if (found == server.dialled.end()) return;
    env_->poller->remove(found->io);
    server.dialled.erase(found);
  }

  void hang_up_dialled(dialled_server& server) noexcept {
    for (const auto& each : server.dialled) env_->poller->remove(each.io);
    server.dialled.clear();
  }

  void hang_up(dialled_server& server) noexcept {
    hang_up_dialled(server);
    if (server.reached.io == 0) return;
    env_->poller->remove(server.reached.io);
    if (server.stream) server.stream->shut_down();
    server.stream.reset();
    server.reached = {};
  }

  void set_timer() {
    auto due = time_point::max();
    for (const auto& [which, one] : all_) due = std::min(due, one.attempt.due_at());
    events_.arm(due);
  }

  const environment_ptr env_;
  const std::shared_ptr<tls_client_contexts> certificates_ = std::make_shared<tls_client_contexts>(tls_keys::of_node);
  mutable std::mutex mutex_;  // of everything below
  event_source events_;
  dials all_;
  dial_id last_ = 0;
  std::vector<std::function<void()>> telling_;  ///< once the lock is given back
};

dialler::dialler(caf::actor_system& system, environment_ptr env) : state_(std::make_shared<state>(std::move(env))) {
  state_->start(system);
}

dialler::~dialler() { state_->stop(); }

dialler::dial_id dialler::dial(dial_options to, dial_handler told) {
  return state_->begin(std::move(to), std::move(told));
}

void dialler::cancel(dial_id which) { state_->cancel(which); }

std::size_t dialler::dialling() const { return state_->size(); }

}  // namespace understudy::internal
