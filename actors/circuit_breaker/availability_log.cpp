// What the log says of the servers' availability.
#include "understudy/actors/circuit_breaker/availability_log.hpp"

#include "understudy/config/text.hpp"
#include "understudy/messages/error.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

/// A failure that opens the breaker within this time is part of the line about that.
constexpr seconds verdict_time{1};
constexpr seconds pause_between_lines{60};

template <class Servers>
bool contains(const Servers& servers, server_id id) {
  return std::any_of(servers.begin(), servers.end(), [&](const auto& known) { return known.first == id; });
}

}  // namespace

bool availability_log::note_liveness(server_id server) { return !std::exchange(known_[server].answered, true); }

void availability_log::note_failure(server_id server, const failure_ptr& cause, time_point now) {
  auto& k = known_[server];
  if (k.down || k.state != breaker_state::closed) return;
  if (k.failures++ == 0) k.tell_at = std::max(now + verdict_time, k.quiet_until);
  k.last_failure = cause;
  wake_by(k.tell_at);
}

void availability_log::update(const std::vector<server_availability>& servers, bool automatic, const moment& at) {
  next_ = time_point::max();
  forget_others(servers);
  for (const auto& s : servers) {
    auto& k = known_[s.id];
    tell_state(s, k);
    tell_failures(s, k, at.now);
  }
  tell_serving(servers);
  std::optional<int> level;
  for (const auto& s : servers)
    if (contains(serving_, s.id)) level = std::min(level.value_or(s.priority), s.priority);
  for (const auto& s : servers) tell_returned(s, known_[s.id], level, automatic, at);
}

void availability_log::forget_others(const std::vector<server_availability>& servers) {
  std::erase_if(known_, [&](const auto& k) {
    return std::none_of(servers.begin(), servers.end(), [&](const auto& s) { return s.id == k.first; });
  });
}

void availability_log::tell_state(const server_availability& s, known_server& k) {
  if (k.answered && !std::exchange(k.connected, true)) say(log_level::info, "connected to " + s.name);
  const auto before = std::exchange(k.state, s.state);
  if (before == s.state) return;
  log_port::fields more;
  if (s.state == breaker_state::open && s.cause) more.emplace_back("cause", describe(*s.cause));
  if (s.state != breaker_state::closed && s.retry_after)
    more.emplace_back(s.state == breaker_state::suspended ? "for" : "next_try_in", config::format_span(*s.retry_after));
  switch (s.state) {
    case breaker_state::open:
      k.failures = 0;
      if (std::exchange(k.down, true)) return say(log_level::debug, s.name + " is still down", std::move(more));
      return say(log_level::warning, s.name + (k.answered ? " is lost" : " cannot be used"), std::move(more));
    case breaker_state::half_open:
      return say(log_level::debug, s.name + " is tried again");
    case breaker_state::suspended:
      return say(log_level::info, s.name + " is suspended by command", std::move(more));
    case breaker_state::closed:
      if (before == breaker_state::suspended && !k.down) say(log_level::info, s.name + " is no longer suspended");
  }
}

void availability_log::tell_failures(const server_availability& s, known_server& k, time_point now) {
  if (k.failures == 0) return;
  if (now < k.tell_at) return wake_by(k.tell_at);
  say(log_level::warning, s.name + " fails now and then and stays in use",
      {{"failures", std::to_string(std::exchange(k.failures, 0))}, {"latest", describe(*k.last_failure)}});
  k.quiet_until = now + pause_between_lines;
}

void availability_log::tell_serving(const std::vector<server_availability>& servers) {
  auto before = std::exchange(serving_, {});
  // Where nobody has answered yet, requests wait for a first connection: that is not serving.
  for (const auto& s : servers)
    if (s.serving && s.state == breaker_state::closed && known_[s.id].answered) serving_.emplace_back(s.id, s.name);
  for (const auto& one : before)
    if (!contains(left_, one.first)) left_.push_back(one);
  std::erase_if(left_, [&](const auto& gone) { return contains(serving_, gone.first); });
  if (serving_.empty()) {
    // Requests go to one that has not answered yet: what comes of that is told when it is known.
    const bool tried = std::any_of(servers.begin(), servers.end(), [](const server_availability& s) {
      return s.serving && s.state == breaker_state::closed;
    });
    if (!tried && !std::exchange(left_, {}).empty())
      say(log_level::warning, "no server is left that serves; requests are refused until one answers again");
    return;
  }
  const auto left = std::exchange(left_, {});
  for (const auto& [id, name] : serving_) {
    if (contains(before, id)) continue;
    auto& k = known_[id];
    k.down = false;
    log_port::fields more;
    if (!left.empty()) more.emplace_back("instead_of", joined(left, ", ", &std::pair<server_id, std::string>::second));
    say(log_level::info, name + (std::exchange(k.served, true) ? " serves again" : " serves"), std::move(more));
  }
}

/// It was down, answers, and takes no requests for now: why, and until when.
void availability_log::tell_returned(const server_availability& s, known_server& k, std::optional<int> level,
                                     bool automatic, const moment& at) {
  if (s.state != breaker_state::closed) return;
  const bool held = automatic && at.now < s.held_until;
  if (held) wake_by(s.held_until);
  if (!k.down || contains(serving_, s.id)) return;
  k.down = false;
  if (level && s.priority > *level) return say(log_level::info, s.name + " answers again and stands by");
  if (!automatic && level && s.priority < *level)
    return say(log_level::info, s.name + " answers again; requests stay where they are (auto_failback is off)");
  if (!held) return say(log_level::info, s.name + " answers again");
  const auto left = std::chrono::ceil<seconds>(s.held_until - at.now);
  say(log_level::info, s.name + " answers again; it is held back until " + utc(at.wall + left),
      {{"hold_down", config::format_span(left)}});
}

std::vector<availability_log::line> availability_log::take_lines() { return std::exchange(lines_, {}); }

void availability_log::say(log_level level, std::string text, log_port::fields more) {
  lines_.push_back({level, std::move(text), std::move(more)});
}

void availability_log::wake_by(time_point t) { next_ = std::min(next_, t); }

}  // namespace understudy::internal
