// What a caller is told when no server can take a request.
#include "understudy/actors/circuit_breaker/refusal.hpp"

#include "understudy/messages/text.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

std::string reason(const refused_server& s) {
  if (s.unsuitable) return "is read_only and takes no writes";
  std::string text;
  switch (s.state) {
    case breaker_state::suspended:
      text = "is suspended by hand";
      break;
    case breaker_state::half_open:
      text = "is being tried again";
      break;
    case breaker_state::closed:
      text = "cannot be connected to";
      break;
    case breaker_state::open:
      text = "is held open by its breaker";
  }
  if (s.cause.what && s.state != breaker_state::suspended) {
    text += " since it failed at " + utc(s.cause.at) + " (" + std::string{to_string(s.cause.what->code)} + ": " +
            std::string{without_full_stop(s.cause.what->message)} + ")";
  }
  if (s.retry_after) {
    const auto time = std::to_string(s.retry_after->count()) + " ms";
    switch (s.state) {
      case breaker_state::suspended:
        text += ", to be resumed in " + time;
        break;
      case breaker_state::half_open:
        text += ", as soon as it answers a probe";
        break;
      default:
        // Nothing else serves, or nobody would be refused: the first probe that is answered ends the wait.
        text += ", probed meanwhile and tried in " + time + " at the latest";
    }
  }
  return text;
}

const refused_server* latest(const std::vector<refused_server>& servers) {
  const refused_server* found = nullptr;
  for (const auto& s : servers)
    if (s.cause.what && !s.unsuitable && (found == nullptr || s.cause.at >= found->cause.at)) found = &s;
  return found;
}

/// The one code that every server's cause has, else none.
errc common_cause(const std::vector<refused_server>& servers) {
  errc common = errc::none;
  for (const auto& s : servers) {
    if (!s.cause.what || s.unsuitable || s.state == breaker_state::suspended) continue;
    if (common != errc::none && common != s.cause.what->code) return errc::none;
    common = s.cause.what->code;
  }
  return common;
}

std::string advice(const std::vector<refused_server>& servers, errc code) {
  if (servers.empty()) return "No server is configured.";
  if (code == errc::breaker_open) return "No server can take the request now: ";
  const bool all_unsuitable = std::all_of(servers.begin(), servers.end(), [](const auto& s) { return s.unsuitable; });
  return all_unsuitable ? "No server takes writes (configure one whose role is not read_only): "
                        : "No server can take the request until one is resumed: ";
}

}  // namespace

failure refusal(const std::vector<refused_server>& servers, const failure_ptr& last) {
  failure f;
  f.where = stage::queue;
  const bool held = std::any_of(servers.begin(), servers.end(), [](const refused_server& s) {
    return !s.unsuitable && s.state != breaker_state::suspended;
  });
  f.code = held ? errc::breaker_open : errc::no_server;
  f.message = advice(servers, f.code);
  for (std::size_t i = 0; i < servers.size(); ++i) {
    f.message += (i == 0 ? "" : "; ") + servers[i].name + " " + reason(servers[i]);
    if (servers[i].retry_after && !servers[i].unsuitable)
      f.retry_after = f.retry_after ? std::min(*f.retry_after, *servers[i].retry_after) : *servers[i].retry_after;
  }
  if (const auto* s = latest(servers)) {
    f.cause = s->name + ": " + s->cause.what->message;
    f.cause_at = s->cause.at;
    f.cause_code = common_cause(servers);
  } else if (last) {
    f.cause = last->message;
    f.cause_code = last->code;
  }
  return f;
}

}  // namespace understudy::internal
