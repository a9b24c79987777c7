// Health, metrics, state and console as responses: see http_pages.hpp.
#include "understudy/runtime/http/http_pages.hpp"

#include "understudy/actors/metrics/registry.hpp"
#include "understudy/config/certificates.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/time_units.hpp"
#include "understudy/runtime/client/readiness.hpp"
#include "understudy/runtime/metrics_text.hpp"
#include "understudy/runtime/state_json.hpp"

#include <nlohmann/json.hpp>

namespace understudy::internal {
namespace {

constexpr seconds certificates_read_every{60};

/// Texts of errors name the service's identity and repeat what the directory says; addresses tell who uses it and what
/// it is connected to.
void withhold(std::string& text) {
  if (!text.empty()) text = "withheld: the token shows it";
}
runtime_snapshot without_details(runtime_snapshot state) {
  for (auto& server : state.servers) {
    withhold(server.last_error);
    withhold(server.pool.last_error);
    withhold(server.last_check.error);
    withhold(server.last_connect_check.error);
  }
  for (auto& peer : state.peers) {
    withhold(peer.last_error);
    withhold(peer.link);
  }
  for (auto& client : state.clients) withhold(client.address);
  for (auto& client : state.node_clients) withhold(client.address);
  return state;
}

void note_end(std::vector<certificate_end>& all, std::string_view key, const std::string& path,
              const std::vector<std::shared_ptr<x509_st>>& certificates) {
  std::optional<wall_time> first;
  for (const auto& each : certificates)
    if (const auto end = config::end_of(*each); end && (!first || *end < *first)) first = end;
  if (first) all.push_back({std::string{key}, path, *first});
}

void read_ends(std::vector<certificate_end>& all, const std::string& section, const config::certificate_paths& paths) {
  if (paths.certificate_path.empty() && paths.ca_path.empty()) return;
  // The key, and its password, are of no interest.
  const auto read = config::read_certificates(config::settings_naming({paths.certificate_path, {}, paths.ca_path, {}}),
                                              [] { return std::nullopt; });
  note_end(all, section + ".cert_path", paths.certificate_path, read.chain);
  note_end(all, section + ".ca_cert_path", paths.ca_path, read.trusted);
}

/// {"step_ms", "age_ms": since the newest step was over, "steps": [{"total", "p50_ms", "p99_ms"}]}, the oldest first.
nlohmann::json history_json(const metrics_registry& metrics, time_point now) {
  auto steps = nlohmann::json::array();
  for (const auto& step : metrics.history(now)) {
    const bool any = step.total > 0;
    steps.push_back({{"total", step.total},
                     {"p50_ms", any ? nlohmann::json(in_milliseconds(step.p50)) : nlohmann::json(nullptr)},
                     {"p99_ms", any ? nlohmann::json(in_milliseconds(step.p99)) : nlohmann::json(nullptr)}});
  }
  return {{"step_ms", milliseconds{step_length}.count()},
          {"age_ms", in_milliseconds(now.time_since_epoch() % step_length)},
          {"steps", std::move(steps)}};
}

}  // namespace

std::vector<certificate_end> certificate_ends(const settings& all) {
  std::vector<certificate_end> found;
  for (const auto& server : all.servers) {
    if (server.client_cert_path.empty() && server.ca_cert_path.empty()) continue;
    auto named = server;
    named.client_key_path.clear();
    const auto read = config::read_certificates(named, [] { return std::nullopt; });
    const auto name = server_name(server);
    note_end(found, name + " client_cert_path", server.client_cert_path, read.chain);
    note_end(found, name + " ca_cert_path", server.ca_cert_path, read.trusted);
  }
  read_ends(found, "node", {all.node.cert_path, all.node.key_path, all.node.ca_cert_path, {}});
  for (const auto& door : all.front_door.listeners)
    read_ends(found, "front_door " + door.address, {door.cert_path, door.key_path, {}, {}});
  read_ends(found, "http", {all.http.cert_path, all.http.key_path, all.http.ca_cert_path, {}});
  return found;
}

http_pages::http_pages(environment_ptr env, const settings& all)
    : env_(std::move(env)),
      all_(all),
      started_(env_->clock->wall_now()),
      certificates_(certificate_ends(all_)),
      read_at_(env_->clock->now()) {}

/// Files may be replaced: a worker reads them again now and then, when somebody looks.
std::vector<certificate_end> http_pages::certificates() {
  const std::lock_guard lock{mutex_};
  const auto now = env_->clock->now();
  if (!reading_ && now - read_at_ >= certificates_read_every) {
    read_at_ = now;
    reading_ = env_->workers->run([self = shared_from_this()] {
      auto ends = certificate_ends(self->all_);
      const std::lock_guard changing{self->mutex_};
      self->certificates_ = std::move(ends);
      self->reading_ = false;
    });
  }
  return certificates_;
}

http_response http_pages::render(const page_wish& wish, const runtime_snapshot* state, const failure_ptr& why,
                                 bool orders) {
  if (state && !wish.details && (wish.page == http_page::ready || wish.page == http_page::status)) {
    auto all_may_see = wish;
    all_may_see.details = true;
    const auto shown = without_details(*state);
    return render(all_may_see, &shown, why, orders);
  }
  switch (wish.page) {
    case http_page::live:
      return plain_response(200, "ok");
    case http_page::console:
      return console_file(wish.path);
    case http_page::ready:
      return ready(wish, state, why);
    case http_page::metrics:
    case http_page::status:
      break;
  }
  if (!state) return plain_response(503, "the state cannot be had: " + printable(why->message));
  if (wish.page == http_page::status) return status(*state, orders);
  http_response made;
  made.content_type = metrics_content_type;
  std::vector<certificate_validity> ends;
  for (const auto& each : certificates()) ends.push_back({each.key, each.end});
  made.body = metrics_text(*state, ends);
  return made;
}

http_response http_pages::ready(const page_wish& wish, const runtime_snapshot* state, const failure_ptr& why) const {
  if (!state) return plain_response(503, "not ready: " + printable(why->message));
  const auto found = readiness_of(*state, draining_);
  std::string text = found.ready ? "ready" : "not ready: " + found.why_not;
  if (wish.verbose) {
    text += '\n';
    for (const auto& server : state->servers) text += readiness_line(server, *state) + '\n';
    if (state->credentials_refused) text += "[-] the directory refuses the service's own bind\n";
    text.pop_back();
  }
  return plain_response(found.ready ? 200 : 503, text);
}

http_response http_pages::status(const runtime_snapshot& state, bool orders) {
  auto json = to_json(state);
  const auto now = env_->clock->wall_now();
  json["operations"]["history"] = history_json(*env_->metrics, env_->clock->now());
  json["version"] = UNDERSTUDY_VERSION;
  json["node"] = all_.node.name;
  json["now"] = utc(now);
  json["started_at"] = utc(started_);
  json["ready"] = readiness_of(state, draining_).ready;
  json["draining"] = draining_.load();
  json["orders"] = orders;
  auto ends = nlohmann::json::array();
  for (const auto& each : certificates())
    ends.push_back({{"key", each.key},
                    {"path", each.path},
                    {"end", utc(each.end)},
                    {"days_left", std::chrono::duration_cast<std::chrono::hours>(each.end - now).count() / 24}});
  json["certificates"] = std::move(ends);
  http_response made;
  made.content_type = "application/json";
  made.body = json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  return made;
}

}  // namespace understudy::internal
