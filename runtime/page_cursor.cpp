// The cookie of a paged search: see page_cursor.hpp.
#include "understudy/runtime/page_cursor.hpp"

#include "understudy/messages/result.hpp"
#include "understudy/runtime/failures.hpp"

namespace understudy {

failure_ptr page_cursor::note(const std::vector<control>& answer) {
  const auto* found = find_control(answer, paged_results_oid);
  if (found == nullptr) {
    end();
    return nullptr;
  }
  auto value = decode_paged_results(found->value.value_or(""));
  if (!value) {
    end();
    return make_failure(errc::connection_failed, stage::operation,
                        "the server's paged results control (RFC 2696) cannot be decoded: there may be more pages, but "
                        "they cannot be asked for");
  }
  estimate_ = value->size;
  cookie_ = std::move(value->cookie);
  finished_ = cookie_.empty();
  return nullptr;
}

void page_cursor::end() noexcept {
  finished_ = true;
  cookie_.clear();
}

std::optional<control> page_cursor::farewell() const {
  if (cookie_.empty()) return std::nullopt;
  return paged_results_control({0, cookie_}, critical_);
}

}  // namespace understudy
