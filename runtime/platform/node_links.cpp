// The table of links, and the clock that ends them: see node_links.hpp.
#include "understudy/runtime/platform/node_links.hpp"

#include "understudy/messages/printable.hpp"
#include "understudy/runtime/platform/event_source.hpp"
#include "understudy/runtime/platform/repeated_lines.hpp"

#include <caf/actor_system.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <set>
#include <system_error>
#include <thread>

namespace understudy::internal {
namespace {

// A link is late by so much of its limit at the most.
constexpr int looks_within_a_limit = 8;
// Of links that are to end when they have been answered.
constexpr milliseconds look_at_leaving{50};

/// The name that its node id is bound to, and that the log has.
std::string name_of(const client_certificate& shown) {
  if (!shown.names.empty()) return printable(shown.names.front());
  return printable(shown.subject);
}

}  // namespace

/// Outlives the node_links as long as CAF has one of its links.
class node_links::table : public std::enable_shared_from_this<table> {
 public:
  table(caf::actor_system& system, environment_ptr env, node_links_options options)
      : system_(system),
        env_(std::move(env)),
        options_(std::move(options)),
        rules_(node_rules(system, options_.longest_text)),
        own_node_(node_bytes(system, system.node())) {}

  void start() {
    const std::lock_guard lock{mutex_};
    nodes_ = std::make_shared<basp_nodes>(own_node_, [alive = weak_from_this()](std::uint64_t link) {
      if (const auto self = alive.lock()) self->cut(link, "its peer has come again with another link");
    });
    event_handlers handlers;
    handlers.on_tick = [alive = weak_from_this()] {
      if (const auto self = alive.lock()) self->look_at_clock();
    };
    events_.start(system_, env_->poller, std::move(handlers));
  }

  std::string listen(node_listener_options options, caf::strong_actor_ptr gateway) {
    check(options);
    listener_options at;
    at.address = std::move(options.address);
    at.tls = std::move(options.tls);
    at.handshake_timeout = options.handshake_timeout;
    at.limits = options.limits;
    open_listener made;
    made.permission = std::make_shared<std::atomic<node_permission>>(options.permission);
    made.links_of_name = std::make_shared<std::atomic<std::size_t>>(options.links_of_name);
    at.make_room = [alive = weak_from_this(), permission = made.permission](admission_verdict missing,
                                                                            const std::string& host) {
      const auto self = alive.lock();
      return self && self->end_a_stranger(permission, missing == admission_verdict::too_many ? std::string{} : host);
    };
    made.at = std::make_unique<listener>(
        system_, env_, std::move(at),
        [alive = weak_from_this(), permission = made.permission, of_name = made.links_of_name,
         gateway = std::move(gateway), strangers = options.limits.handshakes](accepted_client client) {
          if (const auto self = alive.lock()) self->accept(std::move(client), permission, gateway, strangers, *of_name);
        });
    auto address = made.at->address();
    const std::lock_guard lock{mutex_};
    if (closing_) throw listener_error("cannot listen for nodes at " + address + ": this node is stopping");
    listeners_.push_back(std::move(made));
    return address;
  }

  void stop_listening() {
    std::vector<open_listener> ended;  // without the lock: somebody may be about to come in
    const std::lock_guard lock{mutex_};
    ended.swap(listeners_);
  }

  void stop_listening(const std::string& address) {
    open_listener ended;  // without the lock, too
    const std::lock_guard lock{mutex_};
    const auto found = find_listener(address);
    if (found == listeners_.end()) return;
    ended = std::move(*found);
    listeners_.erase(found);
  }

  void dismiss(const std::string& address) {
    std::shared_ptr<std::atomic<node_permission>> gone;
    {
      const std::lock_guard lock{mutex_};
      if (const auto found = find_listener(address); found != listeners_.end()) gone = found->permission;
    }
    stop_listening(address);
    if (!gone) return;
    const std::lock_guard lock{mutex_};
    leave(gone, [](const node_link&) {
      return std::pair{link_standing::leaves, std::string{"the listener that it came by is gone"}};
    });
  }

  void change_listener(const std::string& address, node_listener_options options, tls_server_context_ptr context) {
    std::shared_ptr<listener> at;
    std::shared_ptr<std::atomic<node_permission>> permission;
    {
      const std::lock_guard lock{mutex_};
      const auto found = find_listener(address);
      if (found == listeners_.end()) return;
      *found->permission = options.permission;
      *found->links_of_name = options.links_of_name;
      at = found->at;
      permission = found->permission;
    }
    // Without the lock: who comes in is taken with the listener's.
    at->set_limits(options.limits);
    if (!context || !options.tls) return;
    at->use_certificates(std::move(*options.tls), context);
    revalidate(permission, std::move(context), options.handshake_timeout);
  }

  void revalidate_dialled(tls_server_context_ptr context, duration dial_timeout) {
    revalidate(nullptr, std::move(context), dial_timeout);
  }

  bool wait_for_answers(duration limit) const {
    const auto until = std::chrono::steady_clock::now() + limit;
    std::set<std::uint64_t> owed;
    {
      const std::lock_guard lock{mutex_};
      for (const auto& [number, link] : links_) owed.insert(number);
    }
    // There is nothing to be woken by: links are read and written by CAF.
    for (;; std::this_thread::sleep_for(milliseconds{1})) {
      {
        const std::lock_guard lock{mutex_};
        std::erase_if(owed, [&](std::uint64_t number) {
          const auto link = links_.find(number);
          return link == links_.end() || link->second->has_ended() || link->second->unanswered() == 0;
        });
      }
      if (owed.empty()) return true;
      if (std::chrono::steady_clock::now() >= until) return false;
    }
  }

  std::optional<adopted_link> adopt(dialled_peer peer, const std::string& name, failure_ptr& why) {
    node_peer known;
    known.side = link_side::dialled;
    known.name = name;
    known.address = peer.address;
    return take({std::move(peer.socket), std::move(peer.stream), {}, {}, {}, std::move(peer.chain)}, std::move(known),
                name, 0, why);
  }

  std::optional<gateway_peer> find(const caf::node_id& node) const {
    const auto number = nodes_->link_of(node_bytes(system_, node));
    const std::lock_guard lock{mutex_};
    const auto found = links_.find(number);
    if (found == links_.end() || found->second->has_ended()) return std::nullopt;
    auto peer = found->second->peer();
    return gateway_peer{number, std::move(peer.name), peer.permission, found->second->standing()};
  }

  std::optional<std::uint64_t> answered(std::uint64_t number, bool tell) const {
    const std::lock_guard lock{mutex_};
    const auto found = links_.find(number);
    return found == links_.end() ? std::nullopt : std::optional{found->second->answered(tell)};
  }

  std::vector<node_peer> peers() const {
    std::vector<node_peer> all;
    const std::lock_guard lock{mutex_};
    for (const auto& [number, link] : links_)
      if (link->established() && !link->has_ended()) all.push_back(link->peer());
    return all;
  }

  void cut(std::uint64_t number, std::string_view why) {
    const std::lock_guard lock{mutex_};
    if (const auto found = links_.find(number); found != links_.end()) found->second->cut(why);
  }

  bool close(duration limit) {
    stop_listening();
    std::unique_lock lock{mutex_};
    closing_ = true;
    for (const auto& [number, link] : links_) link->close("this node is stopping");
    const bool ended = none_left_.wait_for(lock, limit, [&] { return links_.empty(); });
    events_.stop();
    return ended;
  }

 private:
  struct revalidation {
    std::shared_ptr<std::atomic<node_permission>> listener;  ///< null: of those that were dialled
    tls_server_context_ptr context;
    time_point at{};
  };
  struct open_listener {
    std::shared_ptr<listener> at;
    std::shared_ptr<std::atomic<node_permission>> permission;  ///< of who comes and came in there
    std::shared_ptr<std::atomic<std::size_t>> links_of_name;   ///< of each, at the most
  };

  std::vector<open_listener>::iterator find_listener(const std::string& address) {
    return std::find_if(listeners_.begin(), listeners_.end(),
                        [&](const open_listener& each) { return each.at->address() == address; });
  }

  /// By certificates that are another one's from now on: now, and when handshakes that know the earlier ones are over.
  void revalidate(const std::shared_ptr<std::atomic<node_permission>>& by, tls_server_context_ptr context,
                  duration handshake_timeout) {
    const std::lock_guard lock{mutex_};
    distrust(by, *context);
    std::erase_if(revalidations_, [&](const revalidation& due) { return due.listener == by; });
    revalidations_.push_back({by, std::move(context), env_->clock->now() + handshake_timeout});
  }

  /// Those who came by that listener, or were dialled, when `verdict_on` says so and why. Under the lock.
  template <class Verdict>
  void leave(const std::shared_ptr<std::atomic<node_permission>>& by, Verdict verdict_on) {
    const auto now = env_->clock->now();
    for (const auto& [number, link] : links_) {
      if (!link->came_by(by)) continue;
      auto [standing, why] = verdict_on(*link);
      link->leave(standing, std::move(why), now);
      link->look_at_clock(now);
    }
    set_timer();
  }

  /// Those who came by that listener, or were dialled, and would not be trusted any more. Under the lock.
  void distrust(const std::shared_ptr<std::atomic<node_permission>>& by, const tls_server_context& context) {
    const auto role = by ? peer_role::client : peer_role::server;
    leave(by, [&](const node_link& link) {
      auto why = why_not_trusted(context, link.shown(), role);
      if (why.empty()) return std::pair{link_standing::stays, std::move(why)};
      return std::pair{link_standing::distrusted, "its certificate is not trusted any more: " + why};
    });
  }

  void check(const node_listener_options& options) const {
    const auto refuse = [&](const std::string& why) {
      throw listener_error("cannot listen for nodes at " + printable(options.address) + ": " + why);
    };
    std::string problem;
    const auto place = parse_listening_place(options.address, problem);
    if (!options.tls && !(place && config::on_this_machine(*place)))
      refuse("without certificates, in plain text, only 127.0.0.1 and [::1] are allowed");
    if (options.tls && options.tls->ca_path.empty())
      refuse("it needs the authority of its peers' certificates: anybody would come in");
  }

  static bool is_stranger(const node_link& link, const std::shared_ptr<std::atomic<node_permission>>& by) {
    return link.came_by(by) && !link.established() && !link.has_ended();
  }

  /// Who came in there and has not said yet which node it is keeps its place from nobody: the one that came first is
  /// ended, of that host unless it is empty. Whose handshake lies unread has said it: such a one goes after the others.
  bool end_a_stranger(const std::shared_ptr<std::atomic<node_permission>>& by, const std::string& host) {
    const std::lock_guard lock{mutex_};
    node_link* chosen = nullptr;
    for (const auto& [number, link] : links_) {
      if (!is_stranger(*link, by) || (!host.empty() && link->host() != host)) continue;
      const bool is_mute = !link->has_unread();
      if (is_mute || chosen == nullptr) chosen = link.get();
      if (is_mute) break;
    }
    if (chosen == nullptr) return false;
    chosen->cut("its handshake as a node was not complete when another peer came, and there is no place left");
    return true;
  }

  std::size_t strangers(const std::shared_ptr<std::atomic<node_permission>>& by) const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(
        std::count_if(links_.begin(), links_.end(), [&](const auto& each) { return is_stranger(*each.second, by); }));
  }

  std::size_t links_of(const std::string& name, const std::shared_ptr<std::atomic<node_permission>>& by) const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(std::count_if(links_.begin(), links_.end(), [&](const auto& each) {
      return each.second->came_by(by) && !each.second->has_ended() && each.second->peer().name == name;
    }));
  }

  void accept(accepted_client client, const std::shared_ptr<std::atomic<node_permission>>& permission,
              const caf::strong_actor_ptr& gateway, std::size_t most_strangers, std::size_t most_of_name) {
    // As of TLS handshakes: plain text has none, and who has shown a certificate may say nothing afterwards.
    if (strangers(permission) >= most_strangers) end_a_stranger(permission, {});
    node_peer known;
    known.name = name_of(client.certificate);
    const bool is_named = !known.name.empty();
    if (!is_named) known.name = "this machine";
    known.address = client.address;
    known.permission = *permission;
    if (is_named && links_of(known.name, permission) >= most_of_name)
      return tell_of_failure(known, "the certificate has " + std::to_string(most_of_name) +
                                        " links to this listener already, as many as one name may; raise max_peers if "
                                        "as many processes share it");
    // What a node may do goes by the listener: one that came in elsewhere is another peer, as far as its id goes.
    const auto owner = known.name + ' ' + std::string{to_string(known.permission)};
    failure_ptr why;  // the log has it
    auto taken = take({std::move(client.socket), std::move(client.stream), std::move(client.place), permission,
                       std::move(client.host), std::move(client.certificate.chain)},
                      std::move(known), owner, gateway->id(), why);
    if (taken) serve_link(system_, std::move(taken->scribe), gateway);
  }

  std::optional<adopted_link> take(node_link::connection over, node_peer known, const std::string& owner,
                                   std::uint64_t gateway, failure_ptr& why) {
    const auto alive = weak_from_this();
    const auto number = known.link = env_->next_number();
    known.since = env_->clock->wall_now();
    auto guard = std::make_unique<basp_guard>(rules_, nodes_, known.side, owner, gateway, number);
    node_link::handlers told;
    told.on_established = [alive, number] {
      if (const auto self = alive.lock()) self->established(number);
    };
    told.on_answered = [alive, number] {
      const auto self = alive.lock();
      if (self && self->options_.on_answered) self->options_.on_answered(number);
    };
    auto link = std::make_shared<node_link>(std::move(known), std::move(over), std::move(guard), env_->clock,
                                            options_.limits, std::move(told));
    {
      const std::lock_guard lock{mutex_};
      if (closing_) {
        why = make_failure(runtime_stopping(stage::connect));
        return std::nullopt;
      }
      links_.emplace(number, link);
      set_timer();
    }
    try {
      return adopted_link{link,
                          make_scribe(system_, link,
                                      [alive](const node_link_ptr& gone, caf::io::connection_handle handle) {
                                        if (const auto self = alive.lock()) self->ended(gone, handle);
                                      }),
                          rules_};
    } catch (const std::system_error& e) {
      why = make_failure(errc::local_resources, stage::connect, std::string{"no link can be made: "} + e.what());
      link->cut(why->message);
      ended(link, {});
      return std::nullopt;
    }
  }

  void established(std::uint64_t number) {
    const std::lock_guard lock{mutex_};
    const auto found = links_.find(number);
    if (found == links_.end()) return;
    const auto peer = found->second->peer();
    log_port::fields more{{"encryption", found->second->encryption()}};
    if (peer.side == link_side::accepted) more.emplace_back("permission", to_string(peer.permission));
    if (!is_worth_a_line(peer, "linked")) return;
    write(log_level::info, peer.side == link_side::accepted ? "a node has come in" : "linked to a node", peer,
          std::move(more));
  }

  void ended(const node_link_ptr& link, caf::io::connection_handle handle) {
    const auto peer = link->peer();
    const auto why = link->why();
    const bool was_up = link->established();
    bool closing = false;
    {
      const std::lock_guard lock{mutex_};
      links_.erase(link->number());
      closing = closing_;
    }
    if (!was_up) {
      tell_of_failure(peer, printable(why));
    } else {
      bool worth_it = false;
      {
        const std::lock_guard lock{mutex_};
        worth_it = is_worth_a_line(peer, why);
      }
      // Who went without a goodbye was killed, or cut off.
      if (worth_it)
        write(link->was_closed() ? log_level::info : log_level::warning, "the link to a node has ended", peer,
              {{"cause", printable(why)}});
    }
    // The link has the node's id for as long as it lives.
    if (was_up && !closing) forget_node(system_, link->node(), handle, link);
    if (options_.on_end) options_.on_end(peer, why);
    const std::lock_guard lock{mutex_};
    if (links_.empty()) none_left_.notify_all();
  }

  /// A node that is reached and does not speak with us is dialled again and again.
  bool is_worth_a_line(const node_peer& peer, const std::string& event) {
    return peer.side == link_side::accepted ||
           dialled_.pass(peer.address + ' ' + event, env_->clock->now()).has_value();
  }

  /// Anybody can come and say nothing, and a node that is away is dialled for ever: who dials tells of that.
  void tell_of_failure(const node_peer& peer, const std::string& why) {
    log_port::fields more{{"cause", why}};
    if (peer.side == link_side::accepted) {
      const std::lock_guard lock{mutex_};
      const auto untold = failures_.pass(why, env_->clock->now());
      if (!untold) return;
      if (*untold != 0) more.emplace_back("times", std::to_string(*untold + 1));
    }
    write(peer.side == link_side::accepted ? log_level::warning : log_level::debug,
          "a link to a node did not come about", peer, std::move(more));
  }

  void look_at_clock() {
    const std::lock_guard lock{mutex_};
    if (!events_.is_running()) return;
    events_.gone_off();
    const auto now = env_->clock->now();
    for (const auto& [number, link] : links_) link->look_at_clock(now);
    std::erase_if(revalidations_, [&](const revalidation& due) {
      if (now < due.at) return false;
      distrust(due.listener, *due.context);
      return true;
    });
    set_timer();
  }

  void set_timer() {
    if (!events_.is_running()) return;
    if (links_.empty()) return events_.arm_by(time_point::max());
    const bool leaving = std::any_of(links_.begin(), links_.end(),
                                     [](const auto& each) { return each.second->standing() != link_standing::stays; });
    const auto shortest = std::min(options_.limits.handshake, options_.limits.silence) / looks_within_a_limit;
    events_.arm_by(env_->clock->now() + (leaving ? std::min<duration>(shortest, look_at_leaving) : shortest));
  }

  void write(log_level level, std::string_view text, const node_peer& peer, log_port::fields more) const {
    more.emplace(more.begin(), "address", peer.address);
    more.emplace(more.begin(), "peer", peer.name);
    if (env_->log) env_->log->write(level, "node", text, more);
  }

  caf::actor_system& system_;
  const environment_ptr env_;
  const node_links_options options_;
  const std::shared_ptr<const basp_rules> rules_;
  const std::string own_node_;
  std::shared_ptr<basp_nodes> nodes_;  // since start()
  mutable std::mutex mutex_;           // of everything below
  std::condition_variable none_left_;
  event_source events_;
  std::vector<open_listener> listeners_;
  std::vector<revalidation> revalidations_;  ///< after a change of certificates
  std::map<std::uint64_t, node_link_ptr> links_;
  repeated_lines failures_, dialled_;
  bool closing_ = false;
};

node_links::node_links(caf::actor_system& system, environment_ptr env, node_links_options options)
    : table_(std::make_shared<table>(system, std::move(env), std::move(options))) {
  table_->start();
}

node_links::~node_links() { table_->close(patience_at_the_end); }

std::string node_links::listen(node_listener_options options, caf::strong_actor_ptr gateway) {
  return table_->listen(std::move(options), std::move(gateway));
}

void node_links::stop_listening() { table_->stop_listening(); }
void node_links::stop_listening(const std::string& address) { table_->stop_listening(address); }
void node_links::dismiss(const std::string& address) { table_->dismiss(address); }
void node_links::change_listener(const std::string& address, node_listener_options options,
                                 tls_server_context_ptr context) {
  table_->change_listener(address, std::move(options), std::move(context));
}
void node_links::revalidate_dialled(tls_server_context_ptr context, duration dial_timeout) {
  table_->revalidate_dialled(std::move(context), dial_timeout);
}
bool node_links::wait_for_answers(duration limit) const { return table_->wait_for_answers(limit); }

std::optional<adopted_link> node_links::adopt(dialled_peer peer, const std::string& name, failure_ptr& why) {
  return table_->adopt(std::move(peer), name, why);
}

std::optional<gateway_peer> node_links::find(const caf::strong_actor_ptr& sender) const {
  return sender ? table_->find(sender->node()) : std::nullopt;
}
std::optional<std::uint64_t> node_links::answered(std::uint64_t link, bool tell) const {
  return table_->answered(link, tell);
}
std::vector<node_peer> node_links::peers() const { return table_->peers(); }
void node_links::cut(std::uint64_t link, std::string_view why) { table_->cut(link, why); }
bool node_links::close(duration limit) { return table_->close(limit); }

}  // namespace understudy::internal
