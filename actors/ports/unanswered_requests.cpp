// What one server leaves unanswered while it answers other things.
#include "understudy/actors/ports/unanswered_requests.hpp"

#include <type_traits>

namespace understudy {
namespace {

/// The entry that a request for data is about; null for what a server answers without its data.
const std::string* subject_of(const any_operation& op) noexcept {
  return std::visit(
      [](const auto& request) -> const std::string* {
        using kind = std::decay_t<decltype(request)>;
        if constexpr (std::is_same_v<kind, search_request>) {
          const bool root_dse = request.base.empty() && request.scope == search_scope::base;
          return root_dse ? nullptr : &request.base;
        } else if constexpr (std::is_same_v<kind, compare_request> || std::is_same_v<kind, add_request> ||
                             std::is_same_v<kind, modify_request> || std::is_same_v<kind, delete_request> ||
                             std::is_same_v<kind, modify_dn_request>) {
          return request.dn.empty() ? nullptr : &request.dn;
        } else {
          return nullptr;
        }
      },
      op);
}

/// Read-only, and one entry without attributes at the most. A read of the entry costs a server nothing, and is no
/// search when the base is the root: that one is searched below it.
request_ptr question_about(const any_operation& op, bool repeat) {
  search_request asked;
  const auto* search = std::get_if<search_request>(&op);
  if (search != nullptr && (repeat || search->base.empty())) asked = *search;
  if (!repeat) asked.filter = search_request{}.filter;
  if (search == nullptr || (!repeat && !search->base.empty())) {
    asked.base = *subject_of(op);
    asked.scope = search_scope::base;
  }
  asked.attributes = {"1.1"};
  asked.size_limit = 1;
  return make_request(std::move(asked));
}

}  // namespace

bool unanswered_requests::note(const any_operation& op, time_point since, time_point now, int most, duration apart) {
  if (subject_of(op) == nullptr || answered_at_.load(std::memory_order_relaxed) > since) return false;
  const std::lock_guard lock{guard_};
  if (rounds_ > 0 && now - round_at_ < apart) return false;
  ++rounds_;
  round_at_ = now;
  repeats_ = rounds_ >= most && std::holds_alternative<search_request>(op);
  question_ = question_about(op, repeats_);
  in_doubt_.store(true, std::memory_order_relaxed);
  return true;
}

void unanswered_requests::answered(const any_operation& op, time_point now) {
  if (subject_of(op) == nullptr) return;
  answered_at_.store(now, std::memory_order_relaxed);
  if (!in_doubt_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock{guard_};
  rounds_ = 0;
  question_ = nullptr;
  in_doubt_.store(false, std::memory_order_relaxed);
}

request_ptr unanswered_requests::question() const {
  if (!in_doubt_.load(std::memory_order_relaxed)) return nullptr;
  const std::lock_guard lock{guard_};
  return question_;
}

// That an entry can be read says less than an answer to a request: the rounds go on being counted.
void unanswered_requests::question_answered(const request_ptr& asked, time_point now) {
  {
    const std::lock_guard lock{guard_};
    if (asked != question_) return;
    if (!repeats_) {
      question_ = nullptr;
      return;
    }
  }
  answered(asked->op, now);
}

}  // namespace understudy
