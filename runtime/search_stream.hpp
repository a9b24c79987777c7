// A search whose entries are read one by one while the server waits for the reader: a window of them is in memory,
// however many there are.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/result.hpp"

#include <iterator>

namespace understudy::internal {
class runtime_client;
class lease_handle;
}  // namespace understudy::internal

namespace understudy {

/// How to stream a search.
struct stream_options {
  /// Covers all of it, from taking a connection to the last entry that arrives, and so the reader's own time too. Zero:
  /// `limits.operation_timeout`.
  duration timeout{};
  /// Entries and references in memory at most, 1 to 65536. Small: the server waits more often; large: more memory.
  std::uint32_t window = 256;
  /// Request controls (RFC 4511, 4.1.11).
  std::vector<control> controls{};
};

/// The entries of one search, each exactly once and in the server's order. Runs on one connection, whose socket is not
/// read while the window is full. What breaks before anything was read is begun anew on another connection, unless
/// the lease is the caller's; what breaks in the middle ends with an error, never with fewer entries. Entries that
/// arrived before an error come before it: a size limit (sizeLimitExceeded, an `ldap_error`) gives the entries up to
/// it. `limits.max_result_bytes` bounds the memory of the window, of one entry, and of the references kept for
/// summary(), not the sum of the entries.
///
/// Movable. The destructor of one that was not read to its end abandons the search at the server (RFC 4511, 4.11) and,
/// if the lease was its own, returns it. cancel() may be called by any thread, all else by one at a time.
class search_stream {
 public:
  /// Goes on where the other one was.
  search_stream(search_stream&&) noexcept;
  /// Gives up what was here.
  search_stream& operator=(search_stream&&) noexcept;
  ~search_stream();

  /// The next entry, waiting for it; nothing at the end. Throws an ldap_exception when the search failed, and again at
  /// every later call.
  std::optional<entry> next();
  /// The same without throwing: nothing at the end, and when the search failed; error() tells which.
  std::optional<entry> try_next();
  /// Why it ended before its end; null while it runs, and after a search that was read to its end.
  failure_ptr error() const;

  /// After the last entry: result code, response controls, references with their places, who answered; no entries.
  /// Throws what went wrong, and `invalid_request` before the end.
  const result& summary() const;

  /// Gives it up: it ends as `cancelled`, entries in memory are dropped, next() returns at once. Nothing after the end.
  void cancel();

  /// Reads on as it is advanced; throws as next() does.
  class iterator {
   public:
    ///@{
    /// As std::iterator_traits wants it.
    using iterator_category = std::input_iterator_tag;
    using value_type = entry;
    using difference_type = std::ptrdiff_t;
    using pointer = entry*;
    using reference = entry&;
    ///@}

    iterator() = default;
    /// The entry, which may be moved from.
    reference operator*() { return *now_; }
    /// The entry.
    pointer operator->() { return &*now_; }
    /// Reads the next entry.
    iterator& operator++() {
      now_ = from_->next();
      return *this;
    }
    /// Reads the next entry.
    void operator++(int) { ++*this; }
    /// True when both are at the end, or neither is.
    friend bool operator==(const iterator& a, const iterator& b) { return a.now_.has_value() == b.now_.has_value(); }
    /// The opposite.
    friend bool operator!=(const iterator& a, const iterator& b) { return !(a == b); }

   private:
    friend class search_stream;
    explicit iterator(search_stream& from) : from_(&from), now_(from.next()) {}
    search_stream* from_ = nullptr;
    std::optional<entry> now_;
  };
  /// Reads the first entry; throws as next() does. Once only.
  iterator begin() { return iterator{*this}; }
  /// Where no entry is left.
  iterator end() { return {}; }

 private:
  friend class lease;
  friend class connection_manager;
  struct state;
  explicit search_stream(failure_ptr why);
  search_stream(const internal::lease_handle& on, search_request request, const stream_options& options);
  /// On a lease of its own, and another one when that breaks before anything was read.
  static search_stream on_own_lease(internal::runtime_client& client, search_request request,
                                    const stream_options& options);
  std::shared_ptr<state> state_;
};

}  // namespace understudy
