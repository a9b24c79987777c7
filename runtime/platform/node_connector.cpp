// Dials, waits, and tells: see node_connector.hpp.
#include "understudy/runtime/platform/node_connector.hpp"

#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/platform/dial_order.hpp"
#include "understudy/runtime/platform/event_actor.hpp"

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
    actor_ = make_event_actor(system_, std::move(handlers));
    timer_.emplace(env_->poller, caf::actor_cast<caf::actor_addr>(actor_));
    timer_->arm(order_.due_at());
  }

  void stop() {
    std::unique_ptr<dialler> ended;  // without the lock: it may be about to tell
    const std::lock_guard lock{mutex_};
    ended = std::move(dialler_);
    timer_.reset();
    actor_ = nullptr;
    if (link_) link_->cut("this side has no more use for it");
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

  void on_tick() {
    timer_->disarm();  // it has gone off
    if (env_->clock->now() < order_.due_at()) return timer_->arm(order_.due_at());
    dial();
  }

  void dial() {
    const auto& node = options_.nodes[order_.node()];
    dial_options to;
    to.host = node.host;
    to.port = node.port;
    to.tls = options_.tls;
    if (options_.tls_now) to.tls = options_.tls_now();
    to.timeout = options_.dial_timeout;
    dialler_->dial(std::move(to), [alive = weak_from_this()](dial_result result) {
      if (const auto self = alive.lock())
        self->run([&](dialling& d) { result.peer ? d.reached(std::move(*result.peer)) : d.failed(result.error); });
    });
  }

  void reached(dialled_peer peer) {
    const auto& node = options_.nodes[order_.node()];
    if (!options_.tls && !is_loopback(peer.address))
      return failed(make_failure(errc::invalid_config, stage::connect,
                                 "without certificates, in plain text, only nodes of this machine are spoken to",
                                 peer.address));
    failure_ptr why;
    auto adopted = links_.adopt(
        std::move(peer), options_.tls && !options_.tls->peer_name.empty() ? options_.tls->peer_name : node.host, why);
    if (!adopted) return failed(why);
    link_ = adopted->link;
    // They tell of this link, if it is still there.
    const auto number = link_->number();
    remote_gateway_hooks hooks;
    hooks.on_linked = [alive = weak_from_this(), number](node_gateway_actor gateway) {
      if (const auto self = alive.lock()) self->post([number, gateway](dialling& d) { d.linked(number, gateway); });
    };
    hooks.on_ended = [alive = weak_from_this(), number](failure_ptr ended) {
      if (const auto self = alive.lock()) self->post([number, ended](dialling& d) { d.ended(number, ended); });
    };
    spawn_remote_gateway(system_, env_, std::move(*adopted), std::move(hooks));
  }

  void linked(std::uint64_t number, node_gateway_actor gateway) {
    if (!link_ || link_->number() != number) return;
    order_.linked(env_->clock->now());
    gateway_ = std::move(gateway);
    causes_.clear();
    if (handlers_.on_linked)
      told_.push_back([on = handlers_.on_linked, to = gateway_, peer = link_->peer()] { on(to, peer); });
  }

  void ended(std::uint64_t number, failure_ptr why) {
    if (!link_ || link_->number() != number) return;
    link_.reset();
    if (!std::exchange(gateway_, nullptr)) return failed(std::move(why));
    order_.lost(env_->clock->now());
    if (handlers_.on_lost) told_.push_back([on = handlers_.on_lost, why] { on(why); });
    timer_->arm(order_.due_at());
  }

  void failed(failure_ptr why) {
    causes_.push_back(std::move(why));
    if (order_.failed(env_->clock->now())) {
      auto all = std::exchange(causes_, {});
      if (handlers_.on_unreachable)
        told_.push_back([on = handlers_.on_unreachable, verdict = verdict_of(all)] { on(verdict); });
    }
    timer_->arm(order_.due_at());
  }

  /// Of a round.
  static failure_ptr verdict_of(const std::vector<failure_ptr>& causes) {
    if (causes.size() == 1) return causes.front();
    failure all;
    all.code = causes.front()->code;
    all.where = stage::connect;
    all.message = joined(causes, "; ", [](const failure_ptr& f) { return f->message; });
    for (const auto& each : causes)
      if (each->code != all.code) all.code = errc::connection_failed;
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
  caf::strong_actor_ptr actor_;
  std::optional<actor_timer> timer_;
  node_link_ptr link_;          ///< or what may become one
  node_gateway_actor gateway_;  ///< set: it is one
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
