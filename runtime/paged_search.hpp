// A search in pages (RFC 2696): each page is a request of its own, and the server remembers in between.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/result.hpp"

namespace understudy::internal {
class runtime_client;
class lease_handle;
}  // namespace understudy::internal

namespace understudy {

/// How to page a search.
struct paged_options {
  /// Entries of a page, at least 1; the server may send fewer.
  std::int32_t page_size = 500;
  /// Of each page; the first page's covers taking a connection too. Zero: `limits.operation_timeout`.
  duration timeout{};
  /// True: a server that does not know paging refuses the search (unavailableCriticalExtension). False: it may answer
  /// with everything in one page, which `limits.max_result_bytes` bounds.
  bool critical = true;
  /// Further request controls, sent with each page.
  std::vector<control> controls{};
};

/// The pages of one search. All run on one connection: the server's cookie is good there only. When something fails,
/// the search is over; it is never begun anew elsewhere. A size limit met (sizeLimitExceeded) is an `ldap_error` with
/// the entries of that page in reason().partial.
///
/// Movable, not thread-safe. The destructor of one that was not read to its end tells the server to forget it, as RFC
/// 2696, section 3, has it, without waiting, and returns the lease, if that was its own.
class paged_search {
 public:
  /// Goes on where the other one was.
  paged_search(paged_search&&) noexcept;
  /// Gives up what was here.
  paged_search& operator=(paged_search&&) noexcept;
  ~paged_search();

  /// The next page, maybe empty; nothing after the last one. Throws an ldap_exception when the search failed, and again
  /// at every later call.
  /// `timeout`: of this page, in place of paged_options::timeout; zero: as there.
  std::optional<std::vector<entry>> next_page(duration timeout = {});
  /// The same without throwing: nothing after the last page, and when the search failed; error() tells which.
  std::optional<std::vector<entry>> try_next_page(duration timeout = {});
  /// Why it ended before its end, or null.
  failure_ptr error() const;
  /// True when the last page was read or the search failed.
  bool ended() const noexcept;

  /// What came with the page that was read last: result code, response controls, references; its entries are gone.
  /// Before the first page: nothing of that, and `success`.
  const result& last() const noexcept;
  /// The server's estimate of all entries; 0: it has none.
  std::int32_t estimate() const noexcept;

  /// Gives it up: it ends as `cancelled`, and the server is told. Nothing after the end.
  void cancel();

 private:
  friend class lease;
  friend class connection_manager;
  struct state;
  explicit paged_search(failure_ptr why);
  /// `first`: the time that the first page has.
  paged_search(internal::lease_handle on, search_request request, const paged_options& options, duration first);
  /// On a lease of its own, and another one when that breaks before anything was read.
  static paged_search on_own_lease(internal::runtime_client& client, search_request request,
                                   const paged_options& options);
  std::unique_ptr<state> state_;
};

}  // namespace understudy
