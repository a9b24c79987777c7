// Where a paged search is: which cookie comes next, and whether one does.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/paged_results.hpp"

namespace understudy::internal {

/// RFC 2696, section 3, from the client's side. No I/O.
class page_cursor {
 public:
  page_cursor(std::int32_t page_size, bool critical) noexcept : page_size_(page_size), critical_(critical) {}

  /// The control of the next page's request.
  control next() const { return paged_results_control({page_size_, cookie_}, critical_); }
  /// Servers that search for a limited time send some, but not for ever.
  static constexpr int most_empty_pages = 1000;

  /// The answer's controls: is there another page? A server that ignores the control answers the first one without it:
  /// that was all. `empty_page`: it brought nothing. `connection_failed` when the search is not at its end but cannot
  /// go on: the control cannot be decoded, contradicts itself, is missing later on, or promises more without end.
  failure_ptr note(const std::vector<control>& answer, bool empty_page = false);
  /// Nothing more is to be asked.
  void end() noexcept;
  bool finished() const noexcept { return finished_; }
  /// The control that tells the server to forget the search; nothing when it has nothing to forget.
  std::optional<control> abandon_control() const;
  /// The server's estimate of all entries; 0: none.
  std::int32_t estimate() const noexcept { return estimate_; }

 private:
  failure_ptr fail(const std::string& why);

  std::int32_t page_size_;
  bool critical_;
  int empty_pages_ = 0;  ///< in a row
  std::string cookie_;
  std::int32_t estimate_ = 0;
  bool finished_ = false;
};

}  // namespace understudy::internal
