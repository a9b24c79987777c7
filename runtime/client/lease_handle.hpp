// A lease in the hands of an operation, a stream or a paged search.
#pragma once
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/lease_state.hpp"

namespace understudy::internal {

struct fresh_lease;
class lease_handle;
/// Gives another lease for a search that ended on `failed` before anything of it was read, of a server that was not
/// tried yet if there is one; nothing when that would not help, or no time or patience is left.
using another_lease = std::function<std::optional<fresh_lease>(const lease_handle& failed, const failure& why)>;

/// Either the caller's lease, which it leaves alone, or one that it was given to return. Copies mean the same lease.
class lease_handle {
 public:
  explicit lease_handle(const lease& callers) : state_(callers.state_) {}
  explicit lease_handle(lease&& own) : state_(std::move(own.state_)), own_(true) {}

  outcome perform(request_ptr request, const call_options& options) const;
  void start(request_ptr request, completion done, const call_options& options, executor where) const;
  /// A streaming search; `done` only notes its end, on whatever thread.
  void stream(request_ptr request, completion done, const call_options& options,
              std::shared_ptr<stream_buffer> parts) const;
  /// Ends the lease if it is not the caller's, without waiting. May be repeated, on any thread.
  void give_back() const;
  /// Takes leases of `client`'s until `deadline`, a few at most: when the connection broke, or its server was busy and
  /// there is another one.
  static another_lease others(std::shared_ptr<runtime_client> client, time_point deadline);
  /// Null when there never was a lease.
  std::shared_ptr<runtime_client> client() const { return state_ ? state_->client : nullptr; }

 private:
  failure_ptr no_lease() const;

  std::shared_ptr<lease::state> state_;
  bool own_ = false;
};

/// A lease, and what is left of the time until the deadline.
struct fresh_lease {
  lease_handle on;
  duration rest{};
};

}  // namespace understudy::internal
