// Every way in which a request can fail, what is told about it, and the class that decides what happens next.
#pragma once
#include "understudy/messages/request.hpp"
#include "understudy/messages/time.hpp"

namespace understudy {

struct result;

/// What went wrong, from a caller's point of view. Each is distinct in what to do about it.
enum class errc : std::uint8_t {
  none = 0,
  pool_exhausted,         ///< every connection is taken and the caller asked not to wait
  pool_timeout,           ///< no connection became free before the deadline
  queue_full,             ///< more waiters than `max_waiters` (or requests than `max_requests`); refused at once
  no_server,              ///< no server can take this request now
  breaker_open,           ///< the only servers that could take it are held open by their breakers
  connection_timeout,     ///< connecting (name look-up, TCP, TLS or bind) took too long
  connection_failed,      ///< refused, reset, closed, or not understood
  local_resources,        ///< this process or machine has no descriptor, port or memory left for a connection
  authentication_failed,  ///< a user's credentials were refused: those of a caller's own bind
  /// The service's own bind was refused, or there is no password for it: no user's fault, the configuration's.
  service_authentication_failed,
  ssl_error,             ///< TLS failed; the message has OpenSSL's own reason
  operation_timeout,     ///< the operation's deadline passed; it was abandoned
  outcome_unknown,       ///< a write or a bind was sent and its answer is lost: it may or may not have happened
  connection_unhealthy,  ///< a leased connection broke under its holder
  draining,              ///< the runtime (or the server) is being drained and takes nothing new
  cancelled,             ///< the caller cancelled
  ldap_error,            ///< the directory answered with an error; see ldap_code
  result_too_large,      ///< more than `max_result_bytes`; use paging or streaming
  invalid_request,       ///< malformed filter, DN with a NUL byte …: never sent
  invalid_config,        ///< the configuration cannot work
  invalid_lease,         ///< foreign, closed or doubly returned lease
  stopped,               ///< the runtime is not running
  internal,              ///< a defect of ours, contained
};
/// How many there are, `none` included.
inline constexpr std::size_t errc_count = static_cast<std::size_t>(errc::internal) + 1;

/// "operation_timeout" …: the stable name used in logs, JSON and exceptions.
std::string_view to_string(errc code) noexcept;

/// Where on the way a failure happened.
enum class stage : std::uint8_t { resolve, connect, secure, bind, operation, queue };
/// "resolve", "connect" …
std::string_view to_string(stage where) noexcept;

/// What a failure means for breaker, retry and credentials (docs/behaviour.md has the table).
enum class failure_class : std::uint8_t { transport, slow, overload, credential, policy, caller, local };
/// "transport", "slow" …
std::string_view to_string(failure_class c) noexcept;

/// How busy a pool was when something failed.
struct pool_counts {
  std::uint32_t size = 0;        ///< open sockets of every kind
  std::uint32_t idle = 0;        ///< ready connections with nothing in flight
  std::uint32_t in_use = 0;      ///< ready connections that are leased or have requests in flight
  std::uint32_t in_flight = 0;   ///< operations dispatched and not completed
  std::uint32_t waiters = 0;     ///< requests and leases waiting for a connection
  std::uint32_t connecting = 0;  ///< connections not ready yet
};

/// Everything a person needs to know of one failure.
struct failure {
  errc code = errc::none;          ///< what went wrong
  stage where = stage::operation;  ///< where on the way
  /// What happened, where, and what to do; a full sentence without secrets.
  std::string message;
  /// "host:port", or empty when no server was involved.
  std::string server;
  /// The directory's own result code when it answered one (code ldap_error, authentication_failed or
  /// service_authentication_failed), else 0.
  int ldap_code = 0;
  std::string matched_dn;              ///< the part of the DN that exists, when the directory said so
  std::string diagnostic;              ///< the directory's own words, all of them
  std::vector<std::string> referrals;  ///< URIs of a referral (result code 10); never chased
  std::vector<control> controls;       ///< response controls that came with it
  /// When it is worth to try again, if that is known.
  std::optional<milliseconds> retry_after;
  /// The last underlying cause and when it was seen.
  std::string cause;
  /// Its code; where several servers refuse, the one that all of their causes share, else none.
  errc cause_code = errc::none;
  std::optional<wall_time> cause_at;  ///< when `cause` was seen
  std::optional<pool_counts> pool;    ///< the pool's state at that moment, when it was a pool that failed it
  /// What a search had found before the directory ended it (sizeLimitExceeded …); null when there is nothing.
  std::shared_ptr<const result> partial{};
};
/// How failures are passed on: shared and immutable.
using failure_ptr = std::shared_ptr<const failure>;

/// The one way to make a failure that is shared. `message`: a full sentence for people, without secrets; `server`: its
/// "host:port", or empty.
failure_ptr make_failure(errc code, stage where, std::string message, std::string server = {});
/// The same, of one that says more.
failure_ptr make_failure(failure described);

namespace internal {
///@{
/// What is said in several places, in one sentence each. `consequence`: what it means where it arises, for people:
/// "the settings stay as they are"; may be empty. `subject`: who did not answer.
failure caller_cancelled(stage where, std::string_view consequence = {});
failure deadline_passed_unsent(stage where);
failure runtime_stopping(stage where, std::string_view consequence = "it takes nothing new");
failure runtime_ended(stage where);
failure no_answer_in_time(stage where, std::string_view subject = "runtime");
///@}

/// True for the result codes of a server that lives and serves nobody at the moment: busy, unavailable.
bool is_overload(int ldap_code) noexcept;
}  // namespace internal

/// The class of a failure seen at `where`: the one place that decides (docs/behaviour.md, "Failure classes").
/// `user_bind`: the bind was a caller's own, not the service's.
failure_class classify(stage where, errc code, int ldap_code, bool user_bind = false) noexcept;
/// The class of `f`.
inline failure_class classify(const failure& f, bool user_bind = false) noexcept {
  return classify(f.where, f.code, f.ldap_code, user_bind);
}

/// "operation_timeout: … [ldap1:389; pool size 5, …; last cause … at …]": one line for people.
/// What servers said in it is printable(), and cut after 500 bytes each.
std::string describe(const failure& f);
/// The same; this is how CAF prints an error of ours: to_string(caf::error).
std::string to_string(const failure_ptr& f);

}  // namespace understudy
