// The listener of [http] and its clients: see http_service.hpp.
#include "understudy/runtime/http/http_service.hpp"

#include "understudy/actors/http/http_actor.hpp"
#include "understudy/config/http_rules.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/http/http_pages.hpp"
#include "understudy/runtime/platform/client_table.hpp"
#include "understudy/runtime/platform/listener.hpp"
#include "understudy/runtime/state_json.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <unistd.h>

#include <array>

namespace understudy::internal {
namespace {

constexpr seconds patience_for_token{10};
// Who is told to go has not gone yet when the next one comes.
constexpr std::size_t places = 2 * http_service::most_clients;
constexpr std::size_t handshakes = 64;

secret token_of(const http_settings& http) {
  const auto source = config::admin_token_of(http);
  if (source.given().empty()) return {};
  auto read = read_source(source, patience_for_token);
  auto wrong = read.ok() ? config::why_no_token(read.value) : read.problem;
  if (!wrong.empty()) throw listener_error("cannot take orders by HTTP: " + source.given().front() + ": " + wrong);
  return std::move(read.value);
}

std::string name_of_machine() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string{name.data()} : std::string{};
}

http_rules_ptr rules_of(const settings& all, const event_history& events) {
  auto rules = std::make_shared<http_rules>();
  rules->events_id = events.id();
  for (const auto& host : all.http.hosts) rules->hosts.push_back(ascii_lower(host));
  // Names of this machine's own: no stranger can give one of them to a page.
  for (const auto& own : {all.node.name, name_of_machine()})
    if (!own.empty()) rules->hosts.push_back(ascii_lower(own));
  rules->admin_token = token_of(all.http);
  rules->shows_details = config::is_local(all.http) || !all.http.ca_cert_path.empty();
  return rules;
}

listener_options listening(const http_settings& http) {
  listener_options options;
  options.address = http.listen;
  options.limits = {places, places, handshakes};
  if (!http.cert_path.empty())
    options.tls = server_certificates{{http.cert_path, http.key_path, http.ca_cert_path, {}}};
  return options;
}

/// Each as server-sent events are written.
std::string stream_of(const event_history& history, std::uint64_t& after, bool details) {
  // ?after= a number of an earlier process: it means nothing here.
  if (after > history.latest()) after = 0;
  std::string text;
  for (auto& event : history.since(after)) {
    if (!details) event.details.clear();
    after = event.number;
    text += "id: " + history.id() + '-' + std::to_string(event.number) + "\ndata: " + state_json(event) + "\n\n";
  }
  return text;
}

struct guest {
  http_actor client;
  std::shared_ptr<std::atomic<bool>> busy;
  bool told = false;  ///< to go
};

/// With too many: the oldest that is owed nothing goes; the oldest when all are owed something. Not who has just come,
/// and has had no time to ask: it may be who looks whether we live.
void send_away_one(client_table<guest>::clients& all) {
  guest* chosen = nullptr;
  std::size_t staying = 0;
  for (auto at = all.begin(); at != all.end(); ++at) {
    auto& each = at->second;
    if (each.told) continue;
    ++staying;
    if (std::next(at) == all.end()) continue;
    if (chosen == nullptr || (chosen->busy->load() && !each.busy->load())) chosen = &each;
  }
  if (staying <= http_service::most_clients || chosen == nullptr) return;
  chosen->told = true;
  caf::anon_send(chosen->client, close_atom_v);
}

}  // namespace

/// Outlives the service while somebody is on the way out.
class http_service::guests : public client_table<guest> {
 public:
  bool enter(std::uint64_t number, http_actor client, std::shared_ptr<std::atomic<bool>> busy) {
    return client_table::enter(number, guest{std::move(client), std::move(busy)}, send_away_one);
  }
  void end_all() {
    close();
    visit([](const guest& each) { caf::anon_send(each.client, close_atom_v); });
  }
};

http_service::http_service(caf::actor_system& system, dependencies with, const settings& all)
    : with_(std::move(with)),
      pages_(std::make_shared<http_pages>(with_.env, all)),
      guests_(std::make_shared<guests>()) {
  auto rules_of_all = rules_of(all, *with_.events);  // throws, with nothing begun
  state_ = spawn_http_state(system, with_.env, with_.manager);
  const auto let_in = [in = guests_, with = with_, pages = pages_, rules = std::move(rules_of_all), shared = state_,
                       refusals = std::make_shared<repeat_limiter>(seconds{60}), &system](accepted_client client) {
    auto connection = std::make_shared<http_connection>();
    connection->fd = client.socket.get();
    connection->stream = std::move(client.stream);
    connection->address = client.address;
    struct belongings {
      admission::place place;
      descriptor socket;  // closed first
    };
    connection->kept = std::make_shared<belongings>(belongings{std::move(client.place), std::move(client.socket)});
    http_dependencies needs;
    needs.env = with.env;
    needs.manager = with.manager;
    needs.state = shared;
    needs.rules = rules;
    needs.complete = with.complete;
    needs.render = [pages, rules](const page_wish& wish, const runtime_snapshot* state, const failure_ptr& why) {
      return pages->render(wish, state, why, !rules->admin_token.empty());
    };
    needs.events = [history = with.events](std::uint64_t& after, bool details) {
      return stream_of(*history, after, details);
    };
    needs.refusals = refusals;
    needs.reload = with.reload;
    needs.drain = with.drain;
    const auto number = in->next_number();
    needs.on_end = [in, number] { in->leave(number); };
    const auto busy = needs.busy;
    auto made = spawn_http_client(system, std::move(needs), std::move(connection));
    if (!in->enter(number, made, busy)) caf::anon_send(made, close_atom_v);
  };
  try {
    listener_ = std::make_unique<listener>(system, with_.env, listening(all.http), let_in);
  } catch (...) {
    caf::anon_send(state_, close_atom_v);
    throw;
  }
  address_ = listener_->address();
  with_.env->log->write(log_level::info, "http", "listens for HTTP",
                        {{"address", address_}, {"tls", all.http.cert_path.empty() ? "no" : "yes"}});
}

http_service::~http_service() { close(duration::zero()); }

const std::string& http_service::address() const { return address_; }
std::size_t http_service::clients() const { return guests_->count(); }
void http_service::configure(const settings& all) { pages_->configure(all); }
void http_service::drain() { pages_->drain(); }

bool http_service::close(duration limit) {
  listener_ = nullptr;
  guests_->end_all();
  caf::anon_send(state_, close_atom_v);
  return guests_->wait(limit);
}

}  // namespace understudy::internal
