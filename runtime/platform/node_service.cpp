// The listeners of the settings, and what becomes of them: see node_service.hpp.
#include "understudy/runtime/platform/node_service.hpp"

#include "understudy/config/node_rules.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/platform/certificate_watch.hpp"
#include "understudy/runtime/platform/node_connecting.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>

namespace understudy::internal {
namespace {

// After a node was away others are to speak with it soon: what they share waits for that, and its first bind too.
constexpr seconds longest_pause{1};
// Whose handshake is not complete: strangers take nobody's place.
constexpr std::size_t handshakes = 64;
// Links of one name: as of one address, with fewer where fewer are to come in.
constexpr std::size_t least_links_of_name = 16;

std::optional<server_certificates> certificates_of(const node_settings& node, const node_listener_settings& listener) {
  if (listener.insecure_loopback) return std::nullopt;
  return server_certificates{{node.cert_path, node.key_path, config::authorities_of(node, listener),
                              config::revocation_lists_of(node, listener)},
                             tls_version::v1_3};
}

/// The gateway, which is told of the end of each link and of answers that left, is made after them.
std::shared_ptr<node_links> make_links(caf::actor_system& system, const environment_ptr& env,
                                       const std::shared_ptr<caf::actor_addr>& told) {
  node_links_options options;
  options.on_end = [told](const node_peer& peer, const std::string&) {
    if (const auto gateway = caf::actor_cast<gateway_actor>(*told)) caf::anon_send(gateway, removed_atom_v, peer.link);
  };
  options.on_answered = [told](std::uint64_t link) {
    if (const auto gateway = caf::actor_cast<gateway_actor>(*told)) caf::anon_send(gateway, credit_atom_v, link);
  };
  return std::make_shared<node_links>(system, env, std::move(options));
}

dialling_certificates shown_by(const node_settings& node) {
  return {{node.cert_path, node.key_path, node.ca_cert_path, node.crl_path}};
}

node_listener_options options_of(const node_settings& node, const node_listener_settings& listener) {
  node_listener_options options;
  options.address = listener.address;
  options.permission = listener.permission;
  options.tls = certificates_of(node, listener);
  options.limits = shared_places(static_cast<std::size_t>(listener.max_peers), handshakes);
  options.links_of_name = std::max(least_links_of_name, options.limits.connections / 10);
  return options;
}

}  // namespace

failure_ptr cannot_listen(const std::string& why) { return make_failure(errc::local_resources, stage::connect, why); }

std::uint32_t leases_of_a_client(const settings& all) {
  std::uint64_t connections = 0;
  auto best = std::numeric_limits<int>::max();
  for (const auto& server : all.servers) best = std::min(best, server.priority);
  for (const auto& server : all.servers)
    if (server.priority == best) connections += static_cast<std::uint64_t>(pool_for(all, server).max_connections);
  if (connections == 0) connections = static_cast<std::uint64_t>(all.pool.max_connections);
  const auto left_to_others = connections / 4;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(connections - left_to_others, 1, UINT32_MAX));
}

std::string name_of_node(const node_settings& node) {
  if (!node.name.empty()) return node.name;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unnamed";
  return printable(name.data());
}

struct node_service::shown_certificates {
  explicit shown_certificates(const node_settings& node) { take(node); }

  dialling_certificates now() const {
    const std::lock_guard lock{mutex};
    return files;
  }
  void take(const node_settings& node) {
    const std::lock_guard lock{mutex};
    files = shown_by(node);
  }

 private:
  mutable std::mutex mutex;
  dialling_certificates files;
};

node_service::change::~change() {
  for (const auto& each : opened_) links_.stop_listening(each);
}

node_service::node_service(caf::actor_system& system, dependencies with, const node_settings& node)
    : env_(with.env), links_(make_links(system, env_, told_)), shown_(std::make_shared<shown_certificates>(node)) {
  if (with.clients) with.clients->watch(links_);
  if (with.cluster) speak_with_peers(system, with, node);
  gateway_dependencies needs;
  needs.env = with.env;
  needs.node = name_of_node(node);
  needs.router = std::move(with.router);
  needs.manager = std::move(with.manager);
  needs.peers = links_;
  if (peers_) needs.cluster = [peers = peers_] { return peers->current(); };
  needs.reload = std::move(with.reload);
  needs.drain = std::move(with.drain);
  needs.compresses = with.compresses;
  needs.most_leases = most_leases_ = std::make_shared<std::atomic<std::uint32_t>>(with.most_leases);
  gateway_ = spawn_gateway(system, std::move(needs));
  // Before the first link comes.
  *told_ = caf::actor_cast<caf::actor_addr>(gateway_);
  caf::actor_cast<caf::strong_actor_ptr>(gateway_)->get()->attach_functor(
      [failed = failed_, log = env_->log](const caf::error& why) {
        if (!(why == caf::make_error(errc::internal))) return;
        *failed = true;
        if (log)
          log->write(log_level::error, "node",
                     "the gateway has ended by a defect; clients and other nodes are not served any more");
      });
  try {
    apply(prepare(node));
  } catch (...) {
    close(duration::zero());
    throw;
  }
}

node_service::~node_service() { close(duration::zero()); }

/// Of two nodes the one with the smaller name dials: two links at a time would end each other.
void node_service::speak_with_peers(caf::actor_system& system, const dependencies& with, const node_settings& node) {
  peers_dependencies needs;
  needs.env = env_;
  needs.cluster = with.cluster;
  needs.router = caf::actor_cast<caf::actor_addr>(with.router);
  needs.manager = caf::actor_cast<caf::actor_addr>(with.manager);
  const auto self = with.cluster->with([](peers_state& state) { return state.options().self; });
  for (const auto& peer : peers_of(node)) {
    if (peer.name < self) continue;
    node_connector_options to;
    to.nodes = {{peer.host, peer.port}};
    to.tls = shown_->now();
    to.tls_now = [shown = shown_] { return shown->now(); };
    to.longest_pause = longest_pause;
    dials_ = true;
    needs.dials.emplace(peer.name, keeping(links_, connecting_over(system, env_, *links_, std::move(to))));
  }
  peers_ = std::make_shared<peers_supervisor>(system, std::move(needs), [failed = failed_] { *failed = true; });
}

void node_service::end_peers() {
  if (peers_ && !peers_->end(patience_at_the_end) && env_->log)
    env_->log->write(log_level::error, "node", "what speaks with the other nodes does not end");
}

node_service::place node_service::opened(const node_settings& node, const node_listener_settings& listener) {
  place at;
  at.as = listener;
  at.encrypted = !listener.insecure_loopback;
  at.address = links_->listen(options_of(node, listener), caf::actor_cast<caf::strong_actor_ptr>(gateway_));
  return at;
}

std::unique_ptr<node_service::change> node_service::prepare(const node_settings& next) {
  if (!gateway_) throw listener_error("nobody can come in any more: this node is stopping");
  auto made = std::make_unique<change>(*links_, next);
  auto before = places();
  for (const auto& listener : next.listeners) {
    const auto same = take_listener_at(before, listener.address, "this node", [](const place& each) {
      return std::pair{each.as.address, each.address};
    });
    if (!same) {
      made->places_.push_back(opened(next, listener));
      made->opened_.push_back(made->places_.back().address);
      continue;
    }
    auto stays = *same;
    stays.as = listener;
    // Who is in has been let in by the other rule: that takes a restart.
    stays.as.insecure_loopback = same->as.insecure_loopback;
    change::update update{stays.address, options_of(next, stays.as), nullptr};
    // Also files of the same names: what is in them may be another.
    if (update.options.tls) update.context = read_certificates_for(stays.address, *update.options.tls);
    made->updates_.push_back(std::move(update));
    made->places_.push_back(std::move(stays));
  }
  // Without certificates nobody is dialled any more; that there were peers takes a restart.
  if (dials_ && !next.cert_path.empty() && !next.ca_cert_path.empty()) {
    auto read = make_tls_server_context({shown_by(next), tls_version::v1_3});
    if (read.error) throw listener_error("cannot dial other nodes: " + read.error->message);
    made->dialled_ = std::move(read.context);
  }
  return made;
}

void node_service::apply(std::unique_ptr<change> prepared) {
  for (auto& each : prepared->updates_)
    links_->change_listener(each.address, std::move(each.options), std::move(each.context));
  const auto before = places();
  const auto is_in = [](const std::vector<place>& all, const place& item) {
    return std::any_of(all.begin(), all.end(), [&](const place& each) { return each.address == item.address; });
  };
  for (const auto& gone : before) {
    if (is_in(prepared->places_, gone)) continue;
    links_->dismiss(gone.address);
    say(log_level::info, "does not listen for nodes any more; who is in finishes and goes", gone);
  }
  for (const auto& now : prepared->places_)
    if (!is_in(before, now)) say(log_level::info, "listens for nodes", now);
  prepared->opened_.clear();
  shown_->take(prepared->next_);
  if (prepared->dialled_)
    links_->revalidate_dialled(std::move(prepared->dialled_), node_connector_options{}.dial_timeout);
  const std::lock_guard lock{mutex_};
  places_ = std::move(prepared->places_);
}

std::vector<std::string> node_service::needs_restart(const node_settings& next) const {
  for (const auto& at : places())
    for (const auto& listener : next.listeners)
      for (const auto& address : {at.as.address, at.address})
        if (config::compare_listening_places(listener.address, address) == config::listening_places::same &&
            listener.insecure_loopback != at.as.insecure_loopback)
          return {"node.listeners.insecure_loopback"};
  return {};
}

std::vector<node_service::place> node_service::places() const {
  const std::lock_guard lock{mutex_};
  return places_;
}

void node_service::say(log_level level, std::string_view text, const place& at) const {
  if (!env_->log) return;
  env_->log->write(level, "node", text,
                   {{"address", at.address},
                    {"permission", std::string{to_string(at.as.permission)}},
                    {"encryption", at.encrypted ? "TLS 1.3" : "none"}});
}

void node_service::set_most_leases(std::uint32_t most) noexcept { *most_leases_ = most; }

void node_service::drain() {
  links_->stop_listening();
  if (gateway_) caf::anon_send(gateway_, drain_atom_v);
}

bool node_service::close(duration limit) {
  links_->stop_listening();
  const bool answered = links_->wait_for_answers(limit);
  end_peers();
  const bool ended = links_->close(patience_at_the_end);
  if (gateway_) caf::anon_send_exit(gateway_, caf::exit_reason::user_shutdown);
  gateway_ = nullptr;
  return answered && ended;
}

}  // namespace understudy::internal
