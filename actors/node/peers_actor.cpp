// Exchanges, once a second and when something is needed.
#include "understudy/actors/node/peers_actor.hpp"

#include "understudy/actors/ports/actor_shell.hpp"
#include "understudy/actors/ports/actor_timer.hpp"
#include "understudy/actors/ports/repeat_limiter.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy::internal {
namespace {

constexpr seconds pace{1};
/// Between two exchanges with the same peer, however much is needed.
constexpr milliseconds shortest_pace{100};
/// For an answer; the link has a clock of its own.
constexpr seconds answer_time{5};
/// Between two lines on the same peer.
constexpr seconds same_warning_told_every{60};
/// Numbers of links that were dialled begin here: those that were accepted have numbers of their own.
constexpr std::uint64_t dialled_links = std::uint64_t{1} << 63U;

class peers_impl {
 public:
  static constexpr const char* name = "understudy.peers";

  peers_impl(peers_actor::pointer self, peers_dependencies from)
      : self_(self),
        from_(std::move(from)),
        env_(from_.env),
        cluster_(*from_.cluster),
        guard_(*self_, env_, "peers", [this] { restart(); }),
        timer_(env_->poller, self_->address()) {}

  peers_actor::behavior_type make_behavior() {
    begin();
    return {
        [this](exchange_atom, const std::string& peer, std::uint64_t link, const std::string& bytes) {
          return guard_.answer<std::string>([&] { return answer(peer, link, bytes); });
        },
        [this](removed_atom, std::uint64_t link) { guard_.run([&] { accepted_link_ended(link); }); },
        [this](event_atom, const std::string& peer, const node_event& event) {
          guard_.run([&] { on_event(peer, event); });
        },
        [this](exchange_atom) { guard_.run([&] { ask_where_needed(); }); },
        [this](tick_atom, std::uint64_t timer) {
          if (timer_.fired(timer)) guard_.run([&] { tick(); });
        },
    };
  }

 private:
  /// The link to a peer that this node dials.
  struct way {
    std::shared_ptr<void> keeps;  ///< the link, as long as this is there
    std::uint64_t number = 0;     ///< of this way: what an earlier one tells does not count
    node_gateway_actor gateway;
    std::uint64_t link = 0;
    bool asked = false;  ///< not answered yet
    bool soon = false;   ///< it waits for what we say next, or we need something of it
    time_point asked_at = time_point::min();
    bool warned = false, away = false;  ///< the log has a line on that it refuses, or cannot be reached
  };

  void begin() {
    const auto self = self_->address();
    // Of an earlier one of us, or of what it knew before an exception, no link is left.
    cluster_.with([&](peers_state& s) {
      s.lost_all("what speaks with it began again on this node", now(), env_->clock->wall_now());
    });
    cluster_.set_on_shortage([self] {
      if (const auto it = caf::actor_cast<peers_actor>(self)) caf::anon_send(it, exchange_atom_v);
    });
    for (auto& [peer, connecting] : from_.dials) {
      auto& made = ways_[peer];
      made.number = ++last_way_;
      made.keeps = connecting(
          [self, peer = peer, way = made.number](node_event event) {
            event.way = way;
            if (const auto it = caf::actor_cast<peers_actor>(self)) caf::anon_send(it, event_atom_v, peer, event);
          },
          {});
    }
    next_round_ = now() + pace;
    timer_.arm(next_round_);
  }

  void restart() {
    ways_.clear();
    accepted_.clear();
    begin();
  }

  // ---- those that dial this node ----

  caf::result<std::string> answer(const std::string& shown, std::uint64_t link, const std::string& bytes) {
    const auto peer = ascii_lower(shown);
    if (!cluster_.with([&](peers_state& s) { return s.is_peer(peer); }))
      return to_error(make_failure(errc::invalid_request, stage::queue,
                                   "\"" + printable(shown) +
                                       "\" is not among the peers of this node; a node is known by the name in its "
                                       "certificate, which has to be one of node.peers."));
    auto told = decode_exchange(bytes);
    if (told.error) return to_error(std::move(told.error));
    accepted_[link] = peer;
    std::string counterpart;
    const auto todo = cluster_.with([&](peers_state& s) {
      s.linked(peer, link, now(), env_->clock->wall_now(), "it has dialled this node");
      auto made = s.hear(peer, *told.value, now());
      counterpart = encode(s.tell(peer, now()));
      return made;
    });
    carry_out(todo);
    note_heard();
    return counterpart;
  }

  void accepted_link_ended(std::uint64_t link) {
    const auto found = accepted_.extract(link);
    if (!found.empty()) lost(found.mapped(), link, "its link ended");
  }

  // ---- those that this node dials ----

  void on_event(const std::string& peer, const node_event& event) {
    const auto found = ways_.find(peer);
    if (found == ways_.end() || found->second.number != event.way) return;
    auto& w = found->second;
    const auto why = event.cause ? event.cause->message : std::string{};
    switch (event.what) {
      case node_event::kind::linked:
        w.gateway = event.gateway;
        w.link = dialled_links + ++last_link_;
        w.asked = w.away = false;
        cluster_.with([&](peers_state& s) {
          s.linked(peer, w.link, now(), env_->clock->wall_now(), "dialled " + printable(event.node));
        });
        return ask(peer, w);
      case node_event::kind::lost:
        w.gateway = nullptr;
        w.asked = false;
        return lost(peer, std::exchange(w.link, 0), why);
      case node_event::kind::unreachable:
        cluster_.with([&](peers_state& s) { s.unreachable(peer, why, env_->clock->wall_now()); });
        note_heard();
        if (!std::exchange(w.away, true))
          env_->log->write(log_level::warning, "node",
                           "another node of the cluster cannot be reached; it is tried again",
                           {{"node", peer}, {"why", shortened(why)}});
        return;
      case node_event::kind::silent:
        return;  // it is linked, or unreachable, soon
    }
  }

  /// Who has waited to bind until then may.
  void note_heard() {
    if (const auto listed = cluster_.with([this](peers_state& s) { return s.take_release(now()); }))
      cluster_.pass_on(*listed);
  }

  void lost(const std::string& peer, std::uint64_t link, const std::string& why) {
    cluster_.with([&](peers_state& s) { s.lost(peer, link, why, now(), env_->clock->wall_now()); });
  }

  void ask(const std::string& peer, way& w) {
    if (!w.gateway || w.asked) return;
    w.asked = true;
    w.soon = false;
    w.asked_at = now();
    request_frame f;
    f.kind = request_kind::exchange;
    f.number = ++last_number_;
    f.left = answer_time;
    f.value = cluster_.with([&](peers_state& s) { return encode(s.tell(peer, now())); });
    self_->request(w.gateway, caf::infinite, encode(f))
        .then([this, peer, link = w.link](const std::string& bytes) { guard_.run([&] { came(peer, link, bytes); }); },
              [this, peer, link = w.link](const caf::error& e) {
                guard_.run([&] { refused(peer, link, failure_of(e)); });
              });
  }

  void came(const std::string& peer, std::uint64_t link, const std::string& bytes) {
    const auto found = ways_.find(peer);
    if (found == ways_.end() || found->second.link != link) return;
    auto& w = found->second;
    auto read = decode_answer(bytes);
    if (read.error) return refused(peer, link, read.error);
    if (read.value->error) return refused(peer, link, read.value->error);
    auto told = decode_exchange(read.value->body);
    if (told.error) return refused(peer, link, told.error);
    w.asked = w.warned = false;
    const auto todo = cluster_.with([&](peers_state& s) {
      auto made = s.hear(peer, *told.value, now());
      made.answer_soon = made.answer_soon || s.in_need(peer, now());
      return made;
    });
    if (todo.answer_soon) ask_soon(w);
    carry_out(todo);
    note_heard();
  }

  void refused(const std::string& peer, std::uint64_t link, const failure_ptr& why) {
    const auto found = ways_.find(peer);
    if (found == ways_.end() || found->second.link != link) return;
    auto& w = found->second;
    w.asked = false;
    cluster_.with([&](peers_state& s) { s.unreachable(peer, why->message, env_->clock->wall_now()); });
    note_heard();
    if (!std::exchange(w.warned, true))
      env_->log->write(log_level::warning, "node", "another node of the cluster does not speak with this one",
                       {{"node", peer}, {"why", shortened(why->message)}});
  }

  void ask_soon(way& w) {
    w.soon = true;
    timer_.arm_by(w.asked_at + shortest_pace);
  }

  /// Whoever may lend what is missing; everybody, when the directory has refused a secret.
  void ask_where_needed() {
    const bool news = cluster_.with([](peers_state& s) { return s.take_news(); });
    for (auto& [peer, w] : ways_)
      if (w.gateway && (news || cluster_.with([&, &of = peer](peers_state& s) { return s.in_need(of, now()); })))
        ask_soon(w);
  }

  // ---- time ----

  void tick() {
    const auto at = now();
    if (at >= next_round_) {
      next_round_ = at + pace;
      begin_round();
    }
    auto next = next_round_;
    for (auto& [peer, w] : ways_) {
      if (!w.soon || !w.gateway || w.asked) continue;
      if (at >= w.asked_at + shortest_pace)
        ask(peer, w);
      else
        next = std::min(next, w.asked_at + shortest_pace);
    }
    timer_.arm(next);
  }

  /// With what the breaker says now.
  void begin_round() {
    note_heard();
    carry_out(cluster_.with([&](peers_state& s) { return s.tick(now(), env_->clock->wall_now()); }));
    const auto router = caf::actor_cast<circuit_breaker_actor>(from_.router);
    if (!router) {
      find_router();
      return ask_all();
    }
    self_->request(router, pace, status_atom_v)
        .then(
            [this](const std::vector<server_snapshot>& servers) {
              guard_.run([&] {
                cluster_.with([&](peers_state& s) { s.set_health(servers, now()); });
                ask_all();
              });
            },
            [this](const caf::error&) {
              guard_.run([&] {
                find_router();
                ask_all();
              });
            });
  }

  /// It may have been replaced; what is known of servers stays as it is until then.
  void find_router() {
    const auto manager = caf::actor_cast<connection_manager_actor>(from_.manager);
    if (!manager) return;
    self_->request(manager, pace, router_atom_v)
        .then([this](const circuit_breaker_actor& found) { from_.router = caf::actor_cast<caf::actor_addr>(found); },
              [](const caf::error&) {});
  }

  void ask_all() {
    for (auto& [peer, w] : ways_) ask(peer, w);
  }

  /// A peer can make a reason for one as often as it tells something.
  void warn(const peers_warning& of) {
    const auto untold = warnings_.try_emplace(of.peer, same_warning_told_every).first->second.pass(now());
    if (!untold) return;
    log_port::fields more;
    if (*untold != 0) more.emplace_back("times", std::to_string(*untold + 1));
    env_->log->write(log_level::warning, "node", of.text, more);
  }

  void carry_out(const peers_actions& todo) {
    for (const auto& each : todo.warnings) warn(each);
    const auto router = caf::actor_cast<circuit_breaker_actor>(from_.router);
    for (const auto& each : todo.suspects) {
      env_->log->write(log_level::info, "node", "another node sees a server down that serves here; it is probed",
                       {{"server", each.server}, {"node", each.peer}});
      if (router) self_->send(router, suspect_atom_v, each.id);
    }
    // The first list says that all were heard.
    if (todo.refused_elsewhere && cluster_.with([](const peers_state& s) { return s.is_released(); }))
      cluster_.pass_on(*todo.refused_elsewhere);
  }

  time_point now() const { return env_->clock->now(); }

  peers_actor::pointer self_;
  peers_dependencies from_;
  environment_ptr env_;
  node_cluster& cluster_;
  handler_guard guard_;
  actor_timer timer_;
  std::map<std::string, way> ways_;
  std::map<std::uint64_t, std::string> accepted_;
  std::map<std::string, repeat_limiter> warnings_;  ///< by peer, of which there are as many as are configured
  std::uint64_t last_link_ = 0, last_number_ = 0, last_way_ = 0;
  time_point next_round_{};
};

}  // namespace

peers_actor spawn_peers(caf::actor_system& system, peers_dependencies from) {
  auto poller = from.env->poller;
  return spawn_shell_on_poller<peers_actor, peers_impl>(system, std::move(poller), std::move(from));
}

}  // namespace understudy::internal
