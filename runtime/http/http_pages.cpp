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

#include <algorithm>

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

/// `chain`: it is one's own certificate, not authorities. Keys, and their passwords, are of no interest.
void read_end(std::vector<certificate_end>& all, std::string key, const std::string& path, bool chain) {
  if (path.empty()) return;
  const auto named = chain ? config::certificate_paths{path, {}, {}, {}} : config::certificate_paths{{}, {}, path, {}};
  const auto read = config::read_certificates(config::settings_naming(named), [] { return std::nullopt; });
  certificate_end found{std::move(key), path, std::nullopt, {}};
  for (const auto& each : chain ? read.chain : read.trusted)
    if (const auto end = config::end_of(*each); end && (!found.end || *end < *found.end)) found.end = end;
  if (!read.problems.empty())
    found.problem = read.problems.front().what;
  else if (!found.end)
    found.problem = "no certificate in it says when it ends";
  all.push_back(std::move(found));
}

auto days_between(wall_time from, wall_time to) {
  return std::chrono::duration_cast<std::chrono::hours>(to - from).count() / 24;
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
    const auto name = server_name(server);
    read_end(found, name + " client_cert_path", server.client_cert_path, true);
    read_end(found, name + " ca_cert_path", server.ca_cert_path, false);
  }
  read_end(found, "node.cert_path", all.node.cert_path, true);
  read_end(found, "node.ca_cert_path", all.node.ca_cert_path, false);
  for (const auto& listener : all.node.listeners)
    read_end(found, "node " + listener.address + ".ca_cert_path", listener.ca_cert_path, false);
  for (const auto& door : all.front_door.listeners) {
    read_end(found, "front_door " + door.address + ".cert_path", door.cert_path, true);
    read_end(found, "front_door " + door.address + ".client_ca_cert_path", door.client_ca_cert_path, false);
  }
  read_end(found, "http.cert_path", all.http.cert_path, true);
  read_end(found, "http.ca_cert_path", all.http.ca_cert_path, false);
  return found;
}

http_pages::http_pages(environment_ptr env, const settings& all)
    : env_(std::move(env)), node_(all.node.name), started_(env_->clock->wall_now()) {
  configure(all);
}

void http_pages::configure(const settings& all) {
  auto next = std::make_shared<const settings>(all);
  auto read = certificate_ends(*next);
  const std::lock_guard lock{mutex_};
  all_ = std::move(next);
  read_at_ = env_->clock->now();
  take(std::move(read));
}

/// With `mutex_`. Of a file that cannot be read now the end is kept: listeners go on with what they have read.
void http_pages::take(std::vector<certificate_end> read) {
  for (auto& each : read) {
    const auto before = std::find_if(certificates_.begin(), certificates_.end(), [&](const certificate_end& known) {
      return known.key == each.key && known.path == each.path;
    });
    const bool known = before != certificates_.end();
    if (known && !each.end) each.end = before->end;
    const bool was_wrong = known && !before->problem.empty();
    if (!each.problem.empty() && !was_wrong)
      env_->log->write(log_level::warning, "http", "a certificate that the settings name cannot be read",
                       {{"use", each.key}, {"problem", each.problem}});
    else if (each.problem.empty() && was_wrong)
      env_->log->write(log_level::info, "http", "a certificate can be read again", {{"use", each.key}});
  }
  certificates_ = std::move(read);
}

/// Files may be replaced: a worker reads them again now and then, when somebody looks.
std::vector<certificate_end> http_pages::certificates() {
  const std::lock_guard lock{mutex_};
  const auto now = env_->clock->now();
  if (!reading_ && now - read_at_ >= certificates_read_every) {
    read_at_ = now;
    reading_ = env_->workers->run([self = shared_from_this(), all = all_] {
      auto read = certificate_ends(*all);
      const std::lock_guard changing{self->mutex_};
      self->reading_ = false;
      if (all == self->all_) self->take(std::move(read));
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
  for (const auto& each : certificates()) ends.push_back({each.key, each.end, each.problem.empty()});
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
  json["node"] = node_;
  json["now"] = utc(now);
  json["started_at"] = utc(started_);
  json["ready"] = readiness_of(state, draining_).ready;
  json["draining"] = draining_.load();
  json["orders"] = orders;
  auto ends = nlohmann::json::array();
  for (const auto& each : certificates())
    ends.push_back({{"key", each.key},
                    {"path", each.path},
                    {"end", each.end ? nlohmann::json(utc(*each.end)) : nlohmann::json(nullptr)},
                    {"days_left", each.end ? nlohmann::json(days_between(now, *each.end)) : nlohmann::json(nullptr)},
                    {"problem", each.problem.empty() ? nlohmann::json(nullptr) : nlohmann::json(each.problem)}});
  json["certificates"] = std::move(ends);
  http_response made;
  made.content_type = "application/json";
  made.body = json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  return made;
}

}  // namespace understudy::internal
