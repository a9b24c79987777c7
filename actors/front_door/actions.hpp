// What the session of a client decides to do: plain values that its actor carries out in order.
#pragma once
#include "understudy/actors/front_door/held_connections.hpp"
#include "understudy/messages/call.hpp"
#include "understudy/messages/time.hpp"

#include <variant>

namespace understudy::internal {

/// A session's number for something that it has asked for; never 0, ascending.
using session_number = std::uint64_t;

}  // namespace understudy::internal

namespace understudy::internal::session_action {

/// For the client.
struct reply {
  std::string bytes;
};
/// An operation for the directory: client_session::answered() or failed() tells what became of it, part() what comes of
/// it before.
struct forward {
  session_number number = 0;
  request_ptr what;
  time_point deadline{};
  bool leased = false;  ///< on the connection that acquire brought; else on any
  bool parts = false;   ///< as it comes
  std::optional<server_id> preferred = {};
  server_set avoided = {};  ///< not there while there is another
};
/// It is not wanted any more; nothing is told of it from now on.
struct cancel {
  session_number number = 0;
};
/// Are these the service's own? client_session::claim_checked() answers.
struct check_claim {
  session_number number = 0;
  std::string bind_dn;
  secret password;
};
/// A connection of the client's own: client_session::acquired() or not_acquired() answers.
struct acquire {
  session_number number = 0;
  holding what = holding::user;
  time_point deadline{};
  bool for_bind = false;  ///< one that is anonymous until it binds; else one that is the service's
  std::optional<server_id> preferred = {};
};
/// There may be one user more than there should be: one who asks nothing may have to go. client_session::room_made()
/// tells when that is done; until then this comes again and again.
struct evict {};
/// The connection that was asked for last is returned, or not wanted any more.
struct release {};
/// Begin TLS when the replies so far have left: client_session::secured() tells when it is there.
struct start_tls {};
/// Close when the replies so far have left, or cannot.
struct close {
  std::string why;  ///< for people
};

using any = std::variant<reply, forward, cancel, check_claim, acquire, evict, release, start_tls, close>;

}  // namespace understudy::internal::session_action
