// Names of kinds and severities of events.
#include "understudy/messages/runtime_event.hpp"

namespace understudy {

std::string_view to_string(event_kind k) noexcept {
  switch (k) {
    case event_kind::server:
      return "server";
    case event_kind::credential:
      return "credential";
    case event_kind::leak:
      return "leak";
    case event_kind::pool:
      return "pool";
    case event_kind::alert:
      return "alert";
    case event_kind::settings:
      return "settings";
    case event_kind::node:
      return "node";
    case event_kind::other:
      break;
  }
  return "other";
}

std::string_view to_string(event_severity s) noexcept {
  switch (s) {
    case event_severity::error:
      return "error";
    case event_severity::warning:
      return "warning";
    case event_severity::info:
      break;
  }
  return "info";
}

}  // namespace understudy
