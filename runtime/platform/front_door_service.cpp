// Listeners, their rules, and the clients that they let in: see front_door_service.hpp.
#include "understudy/runtime/platform/front_door_service.hpp"

#include "understudy/actors/front_door/client_actor.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/node_rules.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/platform/listener.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <condition_variable>
#include <set>

namespace understudy::internal {
namespace {

constexpr seconds patience_at_the_end{2};
// One address has a tenth of a listener's places, and so many where there are fewer.
constexpr std::size_t least_by_address = 100;
// Whose handshake is not complete: strangers take nobody's place.
constexpr std::size_t handshakes = 256;
constexpr seconds files_looked_at_every{1};
// As listeners do it: what could not be read is tried again after this, although nobody has written it.
constexpr seconds failed_files_read_every{60};

admission_limits limits_of(const client_listener_settings& listener) {
  const auto most = static_cast<std::size_t>(listener.max_clients);
  return {most, std::min(most, std::max(least_by_address, most / 10)), handshakes};
}

server_certificates certificates_of(const client_listener_settings& listener) {
  return {{listener.cert_path, listener.key_path, {}, {}}};
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
  rules->anonymous_service = nobody_binds(all);
  rules->max_pending = static_cast<std::size_t>(listener.max_pending);
  rules->idle_timeout = listener.idle_timeout;
  rules->paging_hold = listener.paging_hold;
  rules->operation_timeout = all.limits.operation_timeout;
  rules->max_pdu_bytes = static_cast<std::size_t>(all.limits.max_pdu_bytes);
  rules->max_unread_bytes = static_cast<std::size_t>(all.limits.max_result_bytes);
  return rules;
}

/// "192.0.2.7:51312" without the port; "local, uid 1000, pid 4711" without the process.
std::string without_port(const std::string& address) {
  const bool local = address.rfind("local", 0) == 0;
  return address.substr(0, address.rfind(local ? ", pid" : ":"));
}

bool is_loopback(const std::string& address) {
  return address == "[::1]" || address == "::1" || address.rfind("127.", 0) == 0 ||
         address.rfind("[::ffff:127.", 0) == 0 || address.rfind("local", 0) == 0;
}

}  // namespace

/// Everybody who is in. Thread-safe: it outlives the service while somebody is on his way out.
class front_door_service::guests {
 public:
  std::uint64_t next_number() {
    const std::lock_guard lock{mutex_};
    return ++last_;
  }
  /// False: nobody comes in any more.
  bool enter(std::uint64_t number, client_actor client, const door* by) {
    const std::lock_guard lock{mutex_};
    if (closed_) return false;
    if (gone_early_.erase(number) > 0) return true;
    all_.emplace(number, guest{std::move(client), by});
    return true;
  }
  void leave(std::uint64_t number) {
    client_actor held;  // its end is nothing to be waited for with the lock
    const std::lock_guard lock{mutex_};
    const auto found = all_.find(number);
    if (found == all_.end()) {
      gone_early_.insert(number);
      return;
    }
    held = std::move(found->second.client);
    all_.erase(found);
    if (all_.empty()) changed_.notify_all();
  }
  std::size_t count() const {
    const std::lock_guard lock{mutex_};
    return all_.size();
  }
  template <class... Ts>
  void tell(const door* by, const Ts&... content) {
    const std::lock_guard lock{mutex_};
    for (const auto& [number, each] : all_)
      if (by == nullptr || each.by == by) caf::anon_send(each.client, content...);
  }
  void close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }
  bool wait(duration limit) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, limit, [this] { return all_.empty(); });
  }

 private:
  struct guest {
    client_actor client;
    const door* by = nullptr;
  };
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, guest> all_;
  std::uint64_t last_ = 0;
  std::set<std::uint64_t> gone_early_;
  bool closed_ = false;
};

/// A place where clients come in.
struct front_door_service::door : std::enable_shared_from_this<door> {
  client_listener_settings as;  ///< as it counts now
  std::string address;
  bool encrypted = false;  ///< from the first byte; never changes
  std::unique_ptr<listener> at;

  client_rules_ptr rules() const {
    const std::lock_guard lock{mutex};
    return current;
  }
  tls_server_context_ptr tls() const {
    const std::lock_guard lock{mutex};
    return start_tls;
  }

  /// For StartTLS, as listeners do it for TLS: files that changed are read by a worker, for who comes later.
  void look_at_files(const environment& env) {
    const std::lock_guard lock{mutex};
    const auto now = env.clock->now();
    if (!start_tls || reading || now - looked_at < files_looked_at_every) return;
    looked_at = now;
    auto found = states_of(files);
    if (found == states || (found == failed_states && now < failed_states_again_at)) return;
    reading = env.workers->run([self = shared_from_this(), of = files, found, log = env.log, clock = env.clock] {
      auto made = make_tls_server_context(of);
      const std::lock_guard changing{self->mutex};
      self->reading = false;
      if (of.certificate_path != self->files.certificate_path || of.key_path != self->files.key_path) return;
      if (made.error) {
        self->failed_states = found;
        self->failed_states_again_at = clock->now() + failed_files_read_every;
      } else {
        self->states = found;
        self->failed_states.clear();
        self->start_tls = std::move(made.context);
      }
      log->write(made.error ? log_level::warning : log_level::info, "front_door",
                 made.error ? "the changed certificate cannot be used, the earlier one stays"
                            : "the changed certificate is in use",
                 {{"address", self->address}, {"cause", made.error ? printable(made.error->message) : ""}});
    });
  }
  /// Null: StartTLS is not offered.
  void use(const server_certificates& from, tls_server_context_ptr context) {
    const std::lock_guard lock{mutex};
    files = from;
    states = states_of(from);
    failed_states.clear();
    start_tls = std::move(context);
  }

  mutable std::mutex mutex;  ///< of what follows
  client_rules_ptr current;
  tls_server_context_ptr start_tls;  ///< null: it is not offered
  server_certificates files;         ///< that it was made of
  std::string states;                ///< that are in use
  std::string failed_states;         ///< that could not be read last, and are read again …
  time_point failed_states_again_at{}, looked_at{};
  bool reading = false;
};

class front_door_service::change {
 public:
  struct update {
    door_ptr at;
    client_listener_settings as;
    client_rules_ptr rules;
    tls_server_context_ptr context;  ///< null: there is no TLS
  };
  std::vector<door_ptr> opened;
  std::vector<update> updates;
};

front_door_service::front_door_service(caf::actor_system& system, dependencies with, const settings& all)
    : system_(system),
      with_(std::move(with)),
      limiter_(std::make_shared<bind_limiter>()),
      guests_(std::make_shared<guests>()) {
  apply(prepare(all));
}

front_door_service::~front_door_service() { close(duration::zero()); }

front_door_service::door_ptr front_door_service::open(const settings& all, const client_listener_settings& from) {
  auto made = std::make_shared<door>();
  made->as = from;
  made->encrypted = from.use_ssl;
  made->current = rules_of(all, from);
  listener_options options;
  options.address = from.address;
  options.limits = limits_of(from);
  if (from.use_ssl) {
    options.tls = certificates_of(from);
  } else if (!from.cert_path.empty()) {
    auto read = make_tls_server_context(certificates_of(from));
    if (read.error) throw listener_error("cannot listen at " + from.address + ": " + read.error->message);
    made->use(certificates_of(from), std::move(read.context));
  }
  const auto let_in = [this_door = std::weak_ptr{made}, in = guests_, with = with_, limiter = limiter_,
                       &system = system_](accepted_client client) {
    const auto here = this_door.lock();
    if (!here) return;
    auto connection = std::make_shared<client_connection>();
    connection->fd = client.socket.get();
    connection->stream = std::move(client.stream);
    connection->address = client.address;
    connection->origin.address = without_port(client.address);
    connection->origin.encrypted = here->encrypted;
    connection->origin.local = is_loopback(connection->origin.address);
    client_dependencies needs;
    needs.env = with.env;
    needs.router = with.router;
    needs.manager = with.manager;
    needs.rules = here->rules();
    needs.limiter = limiter;
    here->look_at_files(*with.env);
    if (const auto context = here->tls()) {
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
    if (!in->enter(number, made_client, here.get())) caf::anon_send(made_client, close_atom_v);
  };
  made->at = std::make_unique<listener>(system_, with_.env, std::move(options), let_in);
  made->address = made->at->address();
  return made;
}

std::shared_ptr<front_door_service::change> front_door_service::prepare(const settings& next) {
  auto made = std::make_shared<change>();
  const std::lock_guard lock{mutex_};
  if (draining_) throw listener_error("nobody can come in any more: this process is stopping");
  auto before = doors_;
  for (const auto& from : next.front_door.listeners) {
    const auto at = [&](config::listening_places relation) {
      return std::find_if(before.begin(), before.end(), [&](const door_ptr& each) {
        return config::compare_listening_places(each->as.address, from.address) == relation;
      });
    };
    const auto same = at(config::listening_places::same);
    if (same == before.end()) {
      if (const auto in_the_way = at(config::listening_places::overlap); in_the_way != before.end())
        throw listener_error("cannot listen at " + from.address + " while this process listens at " +
                             (*in_the_way)->address + ", which has an address of it: that takes a restart");
      made->opened.push_back(open(next, from));
      continue;
    }
    change::update update{*same, from, nullptr, nullptr};
    // Who is in came in by the other one: that takes a restart.
    update.as.use_ssl = (*same)->as.use_ssl;
    update.rules = rules_of(next, update.as);
    if (!from.cert_path.empty()) {
      auto read = make_tls_server_context(certificates_of(from));
      if (read.error) throw listener_error("cannot listen at " + from.address + ": " + read.error->message);
      update.context = std::move(read.context);
    } else if (update.as.use_ssl) {
      throw listener_error("cannot go on listening at " + from.address + ": its certificate is gone");
    }
    made->updates.push_back(std::move(update));
    before.erase(same);
  }
  return made;
}

void front_door_service::apply(const std::shared_ptr<change>& prepared) {
  std::vector<door_ptr> next, gone;
  for (auto& each : prepared->updates) {
    each.at->at->set_limits(limits_of(each.as));
    if (each.as.use_ssl && each.context) each.at->at->use_certificates(certificates_of(each.as), each.context);
    {
      const std::lock_guard lock{each.at->mutex};
      each.at->current = each.rules;
      each.at->as = each.as;
    }
    if (!each.as.use_ssl) each.at->use(certificates_of(each.as), each.context);
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
