// Choosing a rule.
#include "support/stub_script.hpp"

namespace understudy::test {

stub_script::rule_id stub_script::add(request_predicate fits, responder answer, int times) {
  std::lock_guard lock(guard_);
  rules_.push_front({++last_id_, std::move(fits), std::move(answer), times});
  return last_id_;
}

void stub_script::remove(rule_id id) {
  std::lock_guard lock(guard_);
  rules_.remove_if([id](const rule& r) { return r.id == id; });
}

void stub_script::clear() {
  std::lock_guard lock(guard_);
  rules_.clear();
}

responder stub_script::choose(const directory_request& request) {
  std::lock_guard lock(guard_);
  for (auto r = rules_.begin(); r != rules_.end(); ++r) {
    if (!r->fits(request)) continue;
    responder answer = r->answer;
    if (r->left != forever && --r->left <= 0) rules_.erase(r);
    return answer;
  }
  return {};
}

}  // namespace understudy::test
