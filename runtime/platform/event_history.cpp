// Lines of the log as events, and the ring that keeps them.
#include "understudy/runtime/platform/event_history.hpp"

#include "understudy/messages/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

namespace understudy::internal {
namespace {

/// What a part of the runtime speaks of.
struct component_kind {
  std::string_view component;
  event_kind kind;
};
constexpr component_kind kinds[] = {{"breaker", event_kind::server},  {"credentials", event_kind::credential},
                                    {"pool", event_kind::pool},       {"leak", event_kind::leak},
                                    {"connection", event_kind::pool}, {"monitoring", event_kind::alert},
                                    {"config", event_kind::settings}, {"node", event_kind::node},
                                    {"front_door", event_kind::node}, {"listener", event_kind::node}};

event_kind kind_of(std::string_view component) noexcept {
  const auto* const found = std::find_if(std::begin(kinds), std::end(kinds),
                                         [&](const component_kind& each) { return each.component == component; });
  return found == std::end(kinds) ? event_kind::other : found->kind;
}

event_severity severity_of(log_level level) noexcept {
  return level == log_level::error     ? event_severity::error
         : level == log_level::warning ? event_severity::warning
                                       : event_severity::info;
}

/// Nobody has to be unable to guess it.
std::string fresh_id() {
  std::random_device source;
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%08x%08x", source(), source());
  return text.data();
}

}  // namespace

event_history::event_history() : id_(fresh_id()) {}

runtime_event event_history::note(log_level level, std::string_view component, std::string_view text,
                                  const log_port::fields& more, wall_time at) {
  runtime_event made;
  made.at = at;
  made.kind = kind_of(component);
  made.severity = severity_of(level);
  made.text = printable(text);
  for (const auto& [key, value] : more)
    if (key != "bind_dn") made.details.emplace_back(std::string{key}, printable(value));
  const std::lock_guard lock{mutex_};
  made.number = ++last_;
  kept_.push_back(made);
  if (kept_.size() > most) kept_.pop_front();
  return made;
}

std::vector<runtime_event> event_history::since(std::uint64_t after) const {
  const std::lock_guard lock{mutex_};
  const auto from = std::find_if(kept_.begin(), kept_.end(), [&](const runtime_event& e) { return e.number > after; });
  return {from, kept_.end()};
}

std::uint64_t event_history::latest() const {
  const std::lock_guard lock{mutex_};
  return last_;
}

}  // namespace understudy::internal
