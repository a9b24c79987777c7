// Dials, waits, and tells: see node_connector.hpp.
#include "understudy/runtime/platform/node_connector.hpp"

#include "understudy/config/text.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/platform/addresses.hpp"
#include "understudy/runtime/platform/dial_order.hpp"
#include "understudy/runtime/platform/event_source.hpp"

#include <algorithm>

namespace understudy::internal {

/// Everything that happens to it happens on the poller's thread; the mutex is for whoever ends it elsewhere.
class node_connector::dialling : public std::enable_shared_from_this<dialling> {
 public:
  dialling(caf::actor_system& system, environment_ptr env, node_links& links, node_connector_options options,
           node_connector_handlers handlers)
      : system_(system),
        env_(std::move(env)),
        links_(links),
        options_(std::move(options)),
        handlers_(std::move(handlers)),
        order_(options_.nodes.size(), options_.first_pause, options_.longest_pause,
               make_random(env_->seed ^ env_->next_number())),
        dialler_(std::make_unique<dialler>(system, env_)) {}

  void start() {
    const std::lock_guard lock{mutex_};
    event_handlers handlers;
    handlers.on_tick = [alive = weak_from_this()] {
      if (const auto self = alive.lock()) self->run([](dialling& d) { d.on_tick(); });
    };
    events_.start(system_, env_->poller, std::move(handlers));
    events_.arm(order_.due_at());
  }

  void stop() {
    std::unique_ptr<dialler> ended;  // without the lock: it may be about to tell
    const std::lock_guard lock{mutex_};
    ended = std::move(dialler_);
    events_.stop();
    for (const auto& each : attempts_)
      if (each.link) each.link->close("this side has no more use for it");
    attempts_.clear();
    if (link_) link_->close("this side has no more use for it");
    link_.reset();
    gateway_ = nullptr;
  }

 private:
  using telling = std::function<void()>;

  /// Runs `body`, unless this has ended; then, without the lock, what is to be told.
  template <class Body>
  void run(Body body) {
    std::vector<telling> told;
    {
      const std::lock_guard lock{mutex_};
      if (!dialler_) return;
      body(*this);
      told.swap(told_);
    }
    for (const auto& tell : told) tell();
  }

  template <class Body>
  void post(Body body) {
    env_->poller->post([alive = weak_from_this(), body = std::move(body)] {
      if (const auto self = alive.lock()) self->run(body);
    });
  }

  /// A node that is dialled, until there is a link to it.
  struct attempt {
    std::uint64_t number = 0;
    std::size_t node = 0;
    dialler::dial_id dial = 0;
    node_link_ptr link;           ///< once it is reached
    time_point deadline{};        ///< of all of it
    time_point next_begins_at{};  ///< unless it has answered; time_point::max(): that has begun
  };
  using attempts = std::vector<attempt>;

  void on_tick() {
    events_.gone_off();
    const auto now = env_->clock->now();
    if (!link_ && attempts_.empty() && now >= order_.due_at()) begin();
    // What is cut here is told by its end.
    for (const auto& each : attempts_)
      if (each.link && now >= each.deadline)
        each.link->cut("its handshake as a node took too long: not complete " +
                       config::format_span(options_.dial_timeout) + " after it was dialled");
    if (!attempts_.empty() && now >= attempts_.back().next_begins_at) go_on_beside();
    set_timer();
  }

  void set_timer() {
    auto due = link_ || !attempts_.empty() ? time_point::max() : order_.due_at();
    for (const auto& each : attempts_)
      if (each.link && !each.link->has_ended()) due = std::min(due, each.deadline);
    if (!attempts_.empty()) due = std::min(due, attempts_.back().next_begins_at);
    events_.arm(due);
  }

  /// Dials the node whose turn it is.
  void begin() {
    const auto& node = options_.nodes[order_.node()];
    const auto now = env_->clock->now();
    attempt made;
    made.number = ++last_attempt_;
    made.node = order_.node();
    made.deadline = now + options_.dial_timeout;
    made.next_begins_at = order_.is_last() ? time_point::max() : now + options_.patience;
    dial_options to;
    to.host = node.host;
    to.port = node.port;
    to.tls = options_.tls;
    if (options_.tls_now) to.tls = options_.tls_now();
    to.timeout = options_.dial_timeout;
    made.dial = dialler_->dial(std::move(to), [alive = weak_from_this(), number = made.number](dial_result result) {
      if (const auto self = alive.lock())
        self->run([&](dialling& d) {
          const auto at = d.find([&](const attempt& a) { return a.number == number; });
          if (at == d.attempts_.end()) return;
          result.peer ? d.reached(at, std::move(*result.peer)) : d.failed(at, result.error);
        });
    });
    attempts_.push_back(std::move(made));
  }

  template <class Which>
  attempts::iterator find(Which which) {
    return std::find_if(attempts_.begin(), attempts_.end(), which);
  }

  /// Whose turn it was says nothing: the next one's comes.
  void go_on_beside() {
    auto& silent = attempts_.back();
    silent.next_begins_at = time_point::max();
    const auto& node = options_.nodes[silent.node];
    auto why = make_failure(errc::connection_timeout, stage::connect,
                            "the node " + to_string(node) + " has not answered so far");
    if (handlers_.on_silent) told_.push_back([on = handlers_.on_silent, why] { on(why); });
    order_.failed(env_->clock->now());
    begin();
  }

  void reached(attempts::iterator at, dialled_peer peer) {
    const auto& node = options_.nodes[at->node];
    if (!options_.tls && !is_loopback(peer.address))
      return failed(at, make_failure(errc::invalid_config, stage::connect,
                                     "without certificates, in plain text, only nodes of this machine are spoken to",
                                     peer.address));
    failure_ptr why;
    auto adopted = links_.adopt(
        std::move(peer), options_.tls && !options_.tls->peer_name.empty() ? options_.tls->peer_name : node.host, why);
    if (!adopted) return failed(at, why);
    at->link = adopted->link;
    // They tell of this link, if it is still there.
    const auto number = at->link->number();
    remote_gateway_hooks hooks;
    hooks.on_linked = [alive = weak_from_this(), number](node_gateway_actor gateway) {
      if (const auto self = alive.lock()) self->post([number, gateway](dialling& d) { d.linked(number, gateway); });
    };
    hooks.on_ended = [alive = weak_from_this(), number](failure_ptr ended) {
      if (const auto self = alive.lock()) self->post([number, ended](dialling& d) { d.ended(number, ended); });
    };
    spawn_remote_gateway(system_, env_, std::move(*adopted), std::move(hooks));
    set_timer();
  }

  void linked(std::uint64_t number, node_gateway_actor gateway) {
    const auto at = find([&](const attempt& a) { return a.link && a.link->number() == number; });
    if (at == attempts_.end()) return;
    link_ = at->link;
    const auto by = at->deadline;
    attempts_.erase(at);
    for (const auto& slower : std::exchange(attempts_, {})) {
      dialler_->cancel(slower.dial);
      if (slower.link) slower.link->close("another node answered first");
    }
    order_.linked(env_->clock->now());
    gateway_ = std::move(gateway);
    causes_.clear();
    if (handlers_.on_linked)
      told_.push_back([on = handlers_.on_linked, to = gateway_, peer = link_->peer(), by] { on(to, peer, by); });
    set_timer();
  }

  void ended(std::uint64_t number, failure_ptr why) {
    const auto at = find([&](const attempt& a) { return a.link && a.link->number() == number; });
    if (at != attempts_.end()) return failed(at, std::move(why));
    if (!link_ || link_->number() != number) return;
    link_.reset();
    gateway_ = nullptr;
    order_.lost(env_->clock->now());
    if (handlers_.on_lost) told_.push_back([on = handlers_.on_lost, why] { on(why); });
    set_timer();
  }

  void failed(attempts::iterator at, failure_ptr why) {
    const bool newest = std::next(at) == attempts_.end();
    const bool next_is_due = newest && at->next_begins_at != time_point::max();
    attempts_.erase(at);
    causes_.push_back(std::move(why));
    if (next_is_due) {
      order_.failed(env_->clock->now());
      begin();
    } else if (attempts_.empty() && order_.failed(env_->clock->now())) {
      auto all = std::exchange(causes_, {});
      if (handlers_.on_unreachable)
        told_.push_back([on = handlers_.on_unreachable, verdict = verdict_of(all)] { on(verdict); });
    }
    set_timer();
  }

  /// Of a round.
  static failure_ptr verdict_of(const std::vector<failure_ptr>& causes) {
    if (causes.size() == 1) return causes.front();
    failure all;
    all.code = causes.front()->code;
    all.where = stage::connect;
    all.message = joined(causes, "; ", [](const failure_ptr& f) { return f->message; });
    for (const auto& each : causes) {
      if (each->code != all.code) all.code = errc::connection_failed;
      if (all.cause_code == errc::none) all.cause_code = each->cause_code;
    }
    return make_failure(std::move(all));
  }

  caf::actor_system& system_;
  const environment_ptr env_;
  node_links& links_;
  const node_connector_options options_;
  const node_connector_handlers handlers_;
  std::mutex mutex_;  // of everything below
  dial_order order_;
  std::unique_ptr<dialler> dialler_;  ///< null: it has ended
  event_source events_;
  attempts attempts_;  ///< in the order of their beginning; none while there is a link
  std::uint64_t last_attempt_ = 0;
  node_link_ptr link_;
  node_gateway_actor gateway_;
  std::vector<failure_ptr> causes_;
  std::vector<telling> told_;  ///< once the lock is given back
};

node_connector::node_connector(caf::actor_system& system, environment_ptr env, node_links& links,
                               node_connector_options options, node_connector_handlers handlers)
    : dialling_(std::make_shared<dialling>(system, std::move(env), links, std::move(options), std::move(handlers))) {
  dialling_->start();
}

node_connector::~node_connector() { dialling_->stop(); }

}  // namespace understudy::internal
