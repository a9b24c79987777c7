// The cookie of a paged search: see page_cursor.hpp.
#include "understudy/runtime/client/page_cursor.hpp"

#include "understudy/messages/result.hpp"
#include "understudy/runtime/client/failures.hpp"

namespace understudy::internal {

namespace {

/// A search that ends in the middle, and must not look as if it had come to its end.
failure_ptr broken(const std::string& why) {
  return make_failure(errc::connection_failed, stage::operation,
                      "the server's paged results control (RFC 2696) " + why +
                          ": there may be more pages, but they cannot be asked for");
}

}  // namespace

failure_ptr page_cursor::note(const std::vector<control>& answer, bool empty_page) {
  std::optional<paged_results> value;
  for (const auto& one : answer) {
    if (one.oid != paged_results_oid) continue;
    auto read = decode_paged_results(one.value.value_or(""));
    if (!read) return fail("cannot be decoded");
    // Said twice: the one that knows of more is right, and two of these contradict each other.
    if (value && !value->cookie.empty()) {
      if (!read->cookie.empty() && read->cookie != value->cookie) return fail("came twice, with different cookies");
      continue;
    }
    value = std::move(read);
  }
  if (!value && !cookie_.empty()) return fail("is missing from a page that was asked for with a cookie");
  if (!value) {
    end();
    return nullptr;
  }
  estimate_ = value->size;
  cookie_ = std::move(value->cookie);
  finished_ = cookie_.empty();
  empty_pages_ = empty_page ? empty_pages_ + 1 : 0;
  if (!finished_ && empty_pages_ >= most_empty_pages)
    return fail("promises more after " + std::to_string(empty_pages_) + " pages without an entry");
  return nullptr;
}

failure_ptr page_cursor::fail(const std::string& why) {
  end();
  return broken(why);
}

void page_cursor::end() noexcept {
  finished_ = true;
  cookie_.clear();
}

std::optional<control> page_cursor::abandon_control() const {
  if (cookie_.empty()) return std::nullopt;
  return paged_results_control({0, cookie_}, critical_);
}

}  // namespace understudy::internal
