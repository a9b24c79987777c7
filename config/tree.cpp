// The list of problems, and what toml and JSON trees have in common.
#include "understudy/config/tree.hpp"

#include "understudy/config/text.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace understudy::internal::config {

namespace {

constexpr std::size_t most_kept = 20000;
constexpr std::size_t most_shown = 1000;

}  // namespace

std::string_view to_string(tree::kind kind) noexcept {
  switch (kind) {
    case tree::kind::null:
      return "null";
    case tree::kind::boolean:
      return "a boolean";
    case tree::kind::integer:
      return "an integer";
    case tree::kind::real:
      return "a number with a fraction";
    case tree::kind::huge:
      return "a number beyond 64 bits";
    case tree::kind::text:
      return "a string";
    case tree::kind::moment:
      return "a date or time";
    case tree::kind::list:
      return "an array";
    case tree::kind::table:
      return "a table";
  }
  return "unknown";
}

void problem_list::add(const place& at, std::string key, std::string problem) {
  if (entries_.size() >= most_kept) {
    ++left_out_;
    return;
  }
  entries_.push_back({at.order, {at.where, std::move(key), std::move(problem)}});
}

bool problem_list::crowded() const noexcept { return entries_.size() > most_shown; }

std::vector<config_problem> problem_list::sorted() const {
  std::vector<const entry*> order;
  for (const auto& each : entries_) order.push_back(&each);
  std::stable_sort(order.begin(), order.end(), [](const entry* a, const entry* b) { return a->order < b->order; });
  std::vector<config_problem> result;
  std::set<std::tuple<std::string_view, std::string_view, std::string_view>> seen;
  std::size_t more = left_out_;
  for (const entry* each : order) {
    const auto& problem = each->problem;
    if (!seen.emplace(problem.where, problem.key, problem.what).second) continue;
    if (result.size() < most_shown)
      result.push_back(problem);
    else
      ++more;
  }
  if (more != 0) result.push_back({"", "", "and " + std::to_string(more) + " more problems"});
  return result;
}

std::string shown_key(std::string_view key) {
  const bool plain = !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  });
  return plain ? std::string{key} : quote(key);
}

std::string pointer_to(const std::string& pointer, std::string_view token) {
  std::string result = pointer + '/';
  for (const char c : token.substr(0, 200))
    if (c == '~')
      result += "~0";
    else if (c == '/')
      result += "~1";
    else
      result += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return result;
}

}  // namespace understudy::internal::config
