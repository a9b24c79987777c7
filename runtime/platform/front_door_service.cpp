// Listeners, their rules, and the clients that they let in: see front_door_service.hpp.
#include "understudy/runtime/platform/front_door_service.hpp"

#include "understudy/actors/front_door/client_actor.hpp"
#include "understudy/actors/front_door/client_registry.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/node_rules.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/runtime/platform/certificate_watch.hpp"
#include "understudy/runtime/platform/client_table.hpp"
#include "understudy/runtime/platform/listener.hpp"
#include "understudy/runtime/platform/peer_credentials.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <algorithm>

namespace understudy::internal {
namespace {

// Whose handshake is not complete: strangers take nobody's place.
constexpr std::size_t handshakes = 256;

admission_limits limits_of(const client_listener_settings& listener) {
  return shared_places(static_cast<std::size_t>(listener.max_clients), handshakes);
}

/// They have been checked.
std::vector<ip_network> networks_of(const std::vector<std::string>& texts) {
  std::vector<ip_network> networks;
  std::string problem;
  for (const auto& each : texts) {
    const auto network = ip_network::parse(each, problem);
    if (!network) throw listener_error("\"" + each + "\": " + problem);
    networks.push_back(*network);
  }
  return networks;
}

server_certificates certificates_of(const client_listener_settings& listener) {
  server_certificates files{{listener.cert_path, listener.key_path, listener.client_ca_cert_path, {}}};
  files.needs_client_certificate = false;
  return files;
}

/// What clients may hold of the connections to the server that has the fewest. One is everybody's; one more stays free
/// of users who have been accepted, so that the next one can be looked at without anybody's having to go for him.
void share_connections(const settings& all, client_rules& rules) {
  int fewest = all.pool.max_connections;
  for (const auto& each : all.servers) fewest = std::min(fewest, pool_for(all, each).max_connections);
  const auto at_least = [](int least, int share) { return static_cast<std::size_t>(std::max(least, share)); };
  rules.most_users = at_least(0, fewest - 2);
  rules.most_cursors = at_least(1, fewest / 2);
  rules.most_negotiations = at_least(1, (fewest - 1) / 4);
}

bool nobody_binds(const settings& all) {
  return std::none_of(all.servers.begin(), all.servers.end(), [](const connection_info& each) { return binds(each); });
}

client_rules_ptr rules_of(const settings& all, const client_listener_settings& listener) {
  auto rules = std::make_shared<client_rules>();
  rules->identity = listener.identity;
  for (const auto& base : listener.bases) rules->bases.push_back(comparable_dn(base));
  rules->allow_anonymous = listener.allow_anonymous;
  rules->allow_plaintext = listener.allow_plaintext;
  rules->log_clients = listener.log_clients;
  rules->anonymous_service = nobody_binds(all);
  rules->max_pending = static_cast<std::size_t>(listener.max_pending);
  rules->idle_timeout = listener.idle_timeout;
  rules->paging_hold = listener.paging_hold;
  rules->operation_timeout = all.limits.operation_timeout;
  rules->write_coherence = listener.write_coherence;
  share_connections(all, *rules);
  rules->max_pdu_bytes = static_cast<std::size_t>(all.limits.max_pdu_bytes);
  rules->max_unread_bytes = static_cast<std::size_t>(all.limits.max_result_bytes);
  return rules;
}

}  // namespace

namespace {
/// Somebody who is in, and by which door.
struct guest {
  client_actor client;
  const void* by = nullptr;
};
}  // namespace

/// Outlives the service while somebody is on the way out.
class front_door_service::guests : public client_table<guest> {
 public:
  /// `by`: who came in there; null: everybody.
  template <class... Ts>
  void tell(const door* by, const Ts&... content) {
    visit([&](const guest& each) {
      if (by == nullptr || each.by == by) caf::anon_send(each.client, content...);
    });
  }
};

/// A place where clients come in.
struct front_door_service::door {
  client_listener_settings as;  ///< as it counts now
  std::string address;
  bool encrypted = false;                        ///< from the first byte; never changes
  std::shared_ptr<certificate_watch> start_tls;  ///< what it is offered with, if it is
  std::shared_ptr<listener_record> record;
  std::unique_ptr<listener> at;

  client_rules_ptr rules() const {
    const std::lock_guard lock{mutex};
    return current;
  }

  mutable std::mutex mutex;  ///< of what follows
  client_rules_ptr current;
};

class front_door_service::change {
 public:
  struct update {
    door_ptr at;
    client_listener_settings as;
    client_rules_ptr rules;
    tls_server_context_ptr context;  ///< null: there is no TLS
    std::vector<ip_network> allow_from, proxies;
  };
  std::vector<door_ptr> opened;
  std::vector<update> updates;
};

front_door_service::front_door_service(caf::actor_system& system, dependencies with, const settings& all)
    : system_(system),
      with_(std::move(with)),
      limiter_(std::make_shared<bind_limiter>()),
      offer_(std::make_shared<proxied_authorization_offer>()),
      holdings_(std::make_shared<client_holdings>()),
      partial_(std::make_shared<partial_messages>()),
      guests_(std::make_shared<guests>()) {
  apply(prepare(all));
}

front_door_service::~front_door_service() { close(duration::zero()); }

front_door_service::door_ptr front_door_service::open(const settings& all, const client_listener_settings& from) {
  auto made = std::make_shared<door>();
  made->as = from;
  made->encrypted = from.use_ssl;
  made->current = rules_of(all, from);
  made->start_tls = std::make_shared<certificate_watch>(with_.env, from.address);
  made->record = with_.registry->open(from.address);
  listener_options options;
  options.address = from.address;
  options.access = socket_access::everybody;
  options.limits = limits_of(from);
  options.allow_from = networks_of(from.allow_from);
  options.proxies = networks_of(from.proxy_protocol_from);
  options.on_refused = [record = made->record] { record->turned_away(); };
  if (from.use_ssl)
    options.tls = certificates_of(from);
  else if (!from.cert_path.empty())
    if (const auto why = made->start_tls->load(certificates_of(from)))
      throw listener_error("cannot listen at " + from.address + ": " + why->message);
  const auto let_in = [this_door = std::weak_ptr{made}, in = guests_, with = with_, limiter = limiter_, offer = offer_,
                       holdings = holdings_, partial = partial_, &system = system_](accepted_client client) {
    const auto here = this_door.lock();
    if (!here) return;
    auto connection = std::make_shared<client_connection>();
    connection->fd = client.socket.get();
    connection->stream = std::move(client.stream);
    connection->address = client.address;
    connection->record = with.registry->enter(here->record, client.address);
    connection->origin.address = client.host;
    connection->origin.encrypted = here->encrypted;
    connection->origin.local = client.local;
    client_dependencies needs;
    needs.env = with.env;
    needs.router = with.router;
    needs.manager = with.manager;
    needs.rules = here->rules();
    needs.limiter = limiter;
    needs.offer = offer;
    needs.holdings = holdings;
    needs.partial = partial;
    needs.permits = with.permits;
    connection->origin.external =
        client.certificate.subject.empty() ? peer_identity(client.socket.get()) : client.certificate.subject;
    here->start_tls->look();
    if (const auto context = here->start_tls->context()) {
      connection->origin.offers_tls = true;
      needs.secure = [context](int fd) { return std::make_unique<tls_server_stream>(context, fd); };
    }
    struct belongings {
      admission::place place;
      descriptor socket;  // closed first
    };
    connection->kept = std::make_shared<belongings>(belongings{std::move(client.place), std::move(client.socket)});
    const auto number = in->next_number();
    needs.on_end = [in, number] { in->leave(number); };
    auto made_client = spawn_client(system, std::move(needs), std::move(connection));
    if (!in->enter(number, guest{made_client, here.get()})) caf::anon_send(made_client, close_atom_v);
  };
  made->at = std::make_unique<listener>(system_, with_.env, std::move(options), let_in);
  made->address = made->at->address();
  made->record->set_address(made->address);
  return made;
}

std::shared_ptr<front_door_service::change> front_door_service::prepare(const settings& next) {
  auto made = std::make_shared<change>();
  const std::lock_guard lock{mutex_};
  if (draining_) throw listener_error("nobody can come in any more: this process is stopping");
  require_offer(next);
  auto before = doors_;
  for (const auto& from : next.front_door.listeners) {
    const auto same = take_listener_at(before, from.address, "this process", [](const door_ptr& each) {
      return std::pair{each->as.address, each->address};
    });
    if (!same) {
      made->opened.push_back(open(next, from));
      continue;
    }
    change::update update{
        *same, from, nullptr, nullptr, networks_of(from.allow_from), networks_of(from.proxy_protocol_from)};
    // Who is in came in by the other one: that takes a restart.
    update.as.use_ssl = (*same)->as.use_ssl;
    update.rules = rules_of(next, update.as);
    if (!from.cert_path.empty())
      update.context = read_certificates_for(from.address, certificates_of(from));
    else if (update.as.use_ssl)
      throw listener_error("cannot go on listening at " + from.address + ": its certificate is gone");
    made->updates.push_back(std::move(update));
  }
  return made;
}

void front_door_service::apply(const std::shared_ptr<change>& prepared) {
  std::vector<door_ptr> next, gone;
  for (auto& each : prepared->updates) {
    each.at->at->set_limits(limits_of(each.as));
    each.at->at->set_networks(std::move(each.allow_from), std::move(each.proxies));
    if (each.as.use_ssl && each.context) each.at->at->use_certificates(certificates_of(each.as), each.context);
    {
      const std::lock_guard lock{each.at->mutex};
      each.at->current = each.rules;
      each.at->as = each.as;
    }
    if (!each.as.use_ssl) each.at->start_tls->use(certificates_of(each.as), each.context);
    guests_->tell(each.at.get(), reload_atom_v, each.rules);
    next.push_back(each.at);
  }
  for (auto& each : prepared->opened) {
    say("listens for LDAP clients", *each);
    next.push_back(std::move(each));
  }
  prepared->opened.clear();
  {
    const std::lock_guard lock{mutex_};
    for (auto& each : doors_)
      if (std::find(next.begin(), next.end(), each) == next.end()) gone.push_back(std::move(each));
    doors_ = std::move(next);
  }
  for (const auto& each : gone) {
    each->at = nullptr;
    say("does not listen for LDAP clients any more; who is in stays", *each);
  }
}

std::vector<std::string> front_door_service::needs_restart(const settings& next) const {
  const std::lock_guard lock{mutex_};
  for (const auto& at : doors_)
    for (const auto& each : next.front_door.listeners)
      if (config::compare_listening_places(each.address, at->as.address) == config::listening_places::same &&
          each.use_ssl != at->as.use_ssl)
        return {"front_door.listeners.use_ssl"};
  return {};
}

std::vector<std::string> front_door_service::addresses() const {
  std::vector<std::string> all;
  const std::lock_guard lock{mutex_};
  for (const auto& each : doors_) all.push_back(each->address);
  return all;
}

std::size_t front_door_service::clients() const { return guests_->count(); }

/// Nobody is let in who would be served by proxy when it is known that the directory cannot. When that is not known,
/// each client's bind finds out.
void front_door_service::require_offer(const settings& next) const {
  const auto& all = next.front_door.listeners;
  const auto by_proxy = std::find_if(all.begin(), all.end(), [](const client_listener_settings& each) {
    return each.identity == client_identity::proxy;
  });
  if (by_proxy == all.end() || !with_.offers_proxied_authorization) return;
  const auto offered = with_.offers_proxied_authorization();
  if (offered) {
    offer_->note({}, *offered, with_.env->clock->now());
    if (*offered) return;
    throw listener_error("cannot listen at " + by_proxy->address +
                         " with identity = \"proxy\": the directory's root DSE does not list proxied authorization (" +
                         std::string{proxied_authorization_oid} + "); use identity = \"session\"");
  }
  if (with_.env->log)
    with_.env->log->write(log_level::warning, "front_door",
                          "the directory could not be asked whether it offers proxied authorization; until it can, "
                          "clients' binds are refused",
                          {{"address", by_proxy->address}});
}

void front_door_service::say(std::string_view text, const door& at) const {
  if (!with_.env->log) return;
  with_.env->log->write(log_level::info, "front_door", text,
                        {{"address", at.address},
                         {"encryption", at.as.use_ssl             ? "TLS"
                                        : at.as.cert_path.empty() ? "none"
                                                                  : "StartTLS"}});
}

void front_door_service::drain() {
  std::vector<door_ptr> all;
  {
    const std::lock_guard lock{mutex_};
    draining_ = true;
    all = doors_;
  }
  for (const auto& each : all) each->at = nullptr;
  guests_->close();
  guests_->tell(nullptr, drain_atom_v);
}

bool front_door_service::close(duration limit) {
  drain();
  const bool gone = guests_->wait(limit);
  if (!gone) guests_->tell(nullptr, close_atom_v);
  return guests_->wait(patience_at_the_end) && gone;
}

}  // namespace understudy::internal
