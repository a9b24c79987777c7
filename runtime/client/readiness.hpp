// Whether a request sent now would find a server, read off a snapshot: the one place that says so.
#pragma once
#include "understudy/messages/snapshot.hpp"

namespace understudy::internal {

/// True when requests are let through to it, and the last that was heard from it is that it answers: a connection of
/// `all`'s to it is ready, or was, and nothing has failed since. Half open it has to have answered again.
bool is_usable(const server_snapshot& server, const runtime_snapshot& all) noexcept;
/// True when one of the servers is that takes all kinds of requests.
bool is_usable(const runtime_snapshot& all) noexcept;
/// True when reads go to it now, and it has shown that it answers.
bool is_serving(const server_snapshot& server, const runtime_snapshot& all) noexcept;

/// The level that serves; nothing while none does.
std::optional<int> serving_priority(const runtime_snapshot& all) noexcept;

/// For load balancers, the service manager and people.
struct readiness {
  bool ready = false;       ///< is_usable(), and nothing is being drained
  bool all_failed = false;  ///< each server has failed since the start, or was taken out: nothing is just on its way
  std::string why_not;      ///< in a few words, without names; empty when ready
  std::string summary;      ///< one line: who serves, or why nobody does
};
/// What `all` says of it. `draining`: nothing new is taken.
readiness readiness_of(const runtime_snapshot& all, bool draining);
/// One line of text: whether `server` can be used, how it is, and why it cannot be used.
std::string readiness_line(const server_snapshot& server, const runtime_snapshot& all);

}  // namespace understudy::internal
