// A connection of one's own for a while: returned by itself when the lease goes out of scope.
#pragma once
#include "understudy/runtime/directory.hpp"
#include "understudy/runtime/paged_search.hpp"
#include "understudy/runtime/search_stream.hpp"

namespace understudy::internal {
class runtime_client;
class lease_handle;
}  // namespace understudy::internal

namespace understudy {

/// An exclusive connection. Movable, not copyable; the destructor returns it. Operations go to that connection alone
/// and are never redispatched: when it breaks they fail with `connection_unhealthy`, and the holder asks for another.
class lease final : public directory {
 public:
  /// One that holds nothing.
  lease() noexcept;
  /// The other one holds nothing afterwards.
  lease(lease&&) noexcept;
  /// Returns what was held here.
  lease& operator=(lease&&) noexcept;
  /// release().
  ~lease() override;

  /// False after release() or a move.
  explicit operator bool() const noexcept;
  /// The server it is connected to, "host:port"; empty when it holds nothing.
  const std::string& server() const;
  /// Its number, as in the log; 0 when it holds nothing.
  std::uint64_t id() const noexcept;
  /// Gives the connection back; false when it was given back already (or taken back).
  bool release();

  outcome perform(request_ptr request, const call_options& options = {}) override;
  void start(request_ptr request, completion done, const call_options& options = {}, executor where = {}) override;

  /// A search read entry by entry on this connection. Until it is read to its end or cancelled, every other operation
  /// here is refused with `invalid_request`. The lease's end is the stream's (`invalid_lease`).
  search_stream stream(search_request request, const stream_options& options = {});
  /// A search in pages on this connection. Other operations may run between its pages, but no other paged search: many
  /// servers keep the state of one only.
  paged_search paged(search_request request, const paged_options& options = {});

 private:
  friend class internal::runtime_client;
  friend class internal::lease_handle;
  struct state;
  explicit lease(std::shared_ptr<state> s) noexcept;
  std::shared_ptr<state> state_;
};
/// Its name in the documented API.
using connection_context = lease;

/// How to ask for a lease.
struct lease_options {
  duration timeout{};  ///< zero: the pool's `timeout`
  bool wait = true;    ///< false: throw pool_exhausted at once when none is free
  std::string holder;  ///< named in the leak report; empty: the thread's number
};

}  // namespace understudy
