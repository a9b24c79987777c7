// The operations of a directory, for callers that know nothing of actors: blocking, as futures, or with callbacks.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/result.hpp"

#include <functional>
#include <future>

namespace understudy::internal {
class runtime_client;
class cancel_watch;
}  // namespace understudy::internal

namespace understudy {

/// What came of one request: the directory's result, or why there is none. Exactly one of both.
class outcome {
 public:
  /// Of a request that the directory carried out; `value` is not null.
  outcome(result_ptr value) : value_(std::move(value)) {}
  /// Of one that failed; `error` is not null.
  outcome(failure_ptr error) : error_(std::move(error)) {}

  /// True when there is a result.
  explicit operator bool() const noexcept { return value_ != nullptr; }
  /// The result; throws the matching ldap_exception when there is none.
  result& value() const;
  /// value().
  result* operator->() const { return &value(); }
  /// value().
  result& operator*() const { return value(); }
  /// The failure, or null.
  const failure_ptr& error() const noexcept { return error_; }
  /// errc::none when there is a result.
  errc code() const noexcept { return error_ ? error_->code : errc::none; }

 private:
  result_ptr value_;
  failure_ptr error_;
};

/// How one call is to be treated.
struct call_options {
  /// Covers everything: queueing, connecting, the operation, retries. Zero: `limits.operation_timeout`.
  duration timeout{};
  /// Cancels the request when its cancel() is called; see cancel_source.
  class cancel_source* cancel = nullptr;
  /// Request controls (RFC 4511, 4.1.11), added to those that the request has of its own. What comes back is in the
  /// result's (or the failure's) `controls`; docs/controls.md has an example.
  std::vector<control> controls{};
};

/// Lets a caller give up a request from another thread. Reusable for one request at a time.
class cancel_source {
 public:
  cancel_source();
  ~cancel_source();
  cancel_source(const cancel_source&) = delete;
  cancel_source& operator=(const cancel_source&) = delete;
  /// The request ends as `cancelled` (or with the outcome it already has). Thread-safe.
  void cancel();

 private:
  friend class internal::runtime_client;
  friend class internal::cancel_watch;
  struct state;
  std::shared_ptr<state> state_;
};

/// Runs a piece of work of ours on the caller's terms (a thread pool, an event loop). Called on a thread of the
/// runtime, as a completion is; must not block. When it throws, the work is done there and then.
using executor = std::function<void(std::function<void()>)>;
/// Told exactly once.
using completion = std::function<void(outcome)>;

/// Where operations can be sent: a manager, a pool or a lease. The plain calls throw (runtime/exceptions.hpp), the try_
/// ones return the failure, the async_ ones return at once. Thread-safe.
class directory {
 public:
  virtual ~directory() = default;

  /// The one blocking call that all others come down to.
  virtual outcome perform(request_ptr request, const call_options& options = {}) = 0;
  /// The one non-blocking call. `done` runs on `where`; without one, on a thread of the runtime, and must be quick:
  /// what would wait is refused there (`invalid_request`). Neither runs inside this or any other call, also when the
  /// request is refused: a lock that the caller holds may be taken there. Only where no thread of ours is (before
  /// connect(), after disconnect(), in a forked child, on what was moved from) they run on the calling thread, before
  /// start() returns, and a request started in such a completion is told after it has returned. Throws pool_exhausted
  /// (`queue_full`), and never calls `done`, when 262 144 refused requests wait to be told.
  virtual void start(request_ptr request, completion done, const call_options& options = {}, executor where = {}) = 0;

  ///@{
  /// Waits for the outcome and returns it: the result, or why there is none. Does not throw.
  outcome try_search(search_request request, const call_options& options = {});
  outcome try_compare(compare_request request, const call_options& options = {});
  outcome try_add(add_request request, const call_options& options = {});
  outcome try_modify(modify_request request, const call_options& options = {});
  outcome try_remove(delete_request request, const call_options& options = {});
  outcome try_modify_dn(modify_dn_request request, const call_options& options = {});
  outcome try_bind(bind_request request, const call_options& options = {});
  outcome try_whoami(const call_options& options = {});
  outcome try_password_modify(password_modify_request request, const call_options& options = {});
  outcome try_extended(extended_request request, const call_options& options = {});
  ///@}

  /// Waits for the result; throws the matching ldap_exception when there is none.
  result search(search_request request, const call_options& options = {});
  /// Subtree search below `base`.
  std::vector<entry> search(std::string base, std::string filter, std::vector<std::string> attributes = {},
                            const call_options& options = {});
  ///@{
  /// Waits until it is done; throws the matching ldap_exception when it was not. A compare: true when the entry has the
  /// value.
  bool compare(compare_request request, const call_options& options = {});
  void add(add_request request, const call_options& options = {});
  void modify(modify_request request, const call_options& options = {});
  void remove(delete_request request, const call_options& options = {});
  void modify_dn(modify_dn_request request, const call_options& options = {});
  ///@}
  /// A user's credentials: returns when they are right, throws authentication_failed when they are not.
  void bind(bind_request request, const call_options& options = {});
  /// The authorization identity, "dn:…", "u:…" or "" for anonymous.
  std::string whoami(const call_options& options = {});
  /// The generated password, if the server made one.
  std::optional<std::string> password_modify(password_modify_request request, const call_options& options = {});
  /// Waits for the result; throws the matching ldap_exception when there is none.
  result extended(extended_request request, const call_options& options = {});

  ///@{
  /// Returns at once; the future gets the outcome, exactly one, and never an exception.
  std::future<outcome> async(request_ptr request, const call_options& options = {});
  std::future<outcome> async_search(search_request request, const call_options& options = {});
  std::future<outcome> async_compare(compare_request request, const call_options& options = {});
  std::future<outcome> async_add(add_request request, const call_options& options = {});
  std::future<outcome> async_modify(modify_request request, const call_options& options = {});
  std::future<outcome> async_remove(delete_request request, const call_options& options = {});
  std::future<outcome> async_modify_dn(modify_dn_request request, const call_options& options = {});
  std::future<outcome> async_bind(bind_request request, const call_options& options = {});
  std::future<outcome> async_password_modify(password_modify_request request, const call_options& options = {});
  std::future<outcome> async_extended(extended_request request, const call_options& options = {});
  std::future<outcome> async_whoami(const call_options& options = {});
  ///@}

  ///@{
  /// The same with a completion, as start() has it.
  void async_search(search_request request, completion done, const call_options& options = {}, executor where = {});
  void async_compare(compare_request request, completion done, const call_options& options = {}, executor where = {});
  void async_add(add_request request, completion done, const call_options& options = {}, executor where = {});
  void async_modify(modify_request request, completion done, const call_options& options = {}, executor where = {});
  void async_remove(delete_request request, completion done, const call_options& options = {}, executor where = {});
  void async_modify_dn(modify_dn_request request, completion done, const call_options& options = {},
                       executor where = {});
  void async_bind(bind_request request, completion done, const call_options& options = {}, executor where = {});
  void async_password_modify(password_modify_request request, completion done, const call_options& options = {},
                             executor where = {});
  void async_extended(extended_request request, completion done, const call_options& options = {}, executor where = {});
  void async_whoami(completion done, const call_options& options = {}, executor where = {});
  ///@}
};

}  // namespace understudy
