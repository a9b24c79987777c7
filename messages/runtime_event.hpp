// Something that happened in a runtime, and that an operator would want to know.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace understudy {

/// What an event is about.
enum class event_kind : std::uint8_t {
  server,      ///< a server is connected, lost, back, suspended; requests go elsewhere (breaker and failover)
  credential,  ///< the service's own password: refused, accepted again, not to be had
  leak,        ///< a lease is held for longer than pool.leak_threshold, or ended after that
  pool,        ///< connections: no more can be had, one does not respond, the last one is lost
  alert,       ///< a threshold is not kept (connection_manager::set_thresholds())
  settings,    ///< settings were changed, or something in them deserves a look
  node,        ///< other nodes, and clients of this one
  other,       ///< start, stop, what went wrong in between
};
/// "server", "credential" …
std::string_view to_string(event_kind k) noexcept;

/// How much an event matters.
enum class event_severity : std::uint8_t { error, warning, info };
/// "error", "warning", "info".
std::string_view to_string(event_severity s) noexcept;

/// It is told in the words of the log.
struct runtime_event {
  std::uint64_t number = 0;                                  ///< ascending, from 1 on
  wall_time at{};                                            ///< when it happened
  event_kind kind = event_kind::other;                       ///< what it is about
  event_severity severity = event_severity::info;            ///< how much it matters
  std::string text;                                          ///< one line
  std::vector<std::pair<std::string, std::string>> details;  ///< key and value: "cause", "server" …
};
/// Told of each.
using event_listener = std::function<void(const runtime_event& event)>;

}  // namespace understudy
