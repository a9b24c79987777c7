// Reads and checks ranges: see range_cursor.hpp.
#include "understudy/messages/range_cursor.hpp"

#include "understudy/messages/number.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <limits>

namespace understudy::internal {
namespace {

/// "begin-end", or "begin-*" for the last.
struct value_range {
  std::size_t begin = 0;
  std::optional<std::size_t> end;
};

std::optional<value_range> range_of(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto begin = parse_number<std::size_t>(text.substr(0, dash));
  const auto rest = text.substr(dash + 1);
  if (!begin) return std::nullopt;
  if (rest == "*") return value_range{*begin, std::nullopt};
  const auto end = parse_number<std::size_t>(rest);
  if (!end || *end < *begin || *end == std::numeric_limits<std::size_t>::max()) return std::nullopt;
  return value_range{*begin, end};
}

/// An attribute description without its range option, and the text of that.
struct parted_name {
  std::string plain;
  std::optional<std::string> range;
};

parted_name part(std::string_view name) {
  constexpr std::string_view option = "range=";
  parted_name found;
  for (std::size_t begin = 0; begin <= name.size();) {
    const auto end = std::min(name.find(';', begin), name.size());
    const auto piece = name.substr(begin, end - begin);
    if (begin != 0 && same_name(piece.substr(0, option.size()), option))
      found.range = std::string{piece.substr(option.size())};
    else
      found.plain += (begin == 0 ? "" : ";") + std::string{piece};
    begin = end + 1;
  }
  return found;
}

}  // namespace

bool has_range(std::string_view description) { return part(description).range.has_value(); }

std::string range_cursor::next() const {
  return values_.empty() ? attribute_ : attribute_ + ";range=" + std::to_string(values_.size()) + "-*";
}

void range_cursor::restart() {
  values_.clear();
  bytes_ = 0;
  finished_ = false;
}

failure_ptr range_cursor::note(result& answer) {
  const auto wrong = [&](const std::string& problem) {
    return make_failure(errc::connection_failed, stage::operation,
                        "the server's ranges of " + attribute_ + " contradict each other: " + problem, answer.server);
  };
  if (++rounds_ > most_rounds) return wrong("they do not come to an end");
  if (answer.entries.size() > 1) return wrong("they came with several entries");
  if (answer.entries.empty())
    return make_failure(errc::connection_failed, stage::operation,
                        "the server found the entry and did not send it: its " + attribute_ + " cannot be read",
                        answer.server);
  attribute* plain = nullptr;
  attribute* ranged = nullptr;
  std::string text;
  for (auto& each : answer.entries.front().attributes) {
    auto name = part(each.name);
    if (!same_name(name.plain, attribute_)) continue;
    // With the range, Active Directory names the attribute itself too, without values.
    if (!name.range && each.values.empty()) continue;
    auto*& place = name.range ? ranged : plain;
    if (place != nullptr || (plain != nullptr) + (ranged != nullptr) != 0) return wrong("two came at once");
    place = &each;
    text = name.range.value_or("");
  }
  if (ranged == nullptr) {
    if (!values_.empty()) return wrong("the rest from " + std::to_string(values_.size()) + " on is missing");
    finished_ = true;
    return plain == nullptr ? nullptr : keep(std::move(plain->values));
  }
  const auto range = range_of(text);
  if (!range) return wrong("\"" + shortened(text) + "\" is none");
  if (range->begin != values_.size())
    return wrong("asked for those from " + std::to_string(values_.size()) + " on, it sent those from " +
                 std::to_string(range->begin) + " on");
  if (range->end && ranged->values.size() != *range->end - range->begin + 1)
    return wrong("\"" + shortened(text) + "\" came with " + std::to_string(ranged->values.size()) + " values");
  finished_ = !range->end;
  return keep(std::move(ranged->values));
}

failure_ptr range_cursor::keep(std::vector<std::string>&& more) {
  for (const auto& value : more) bytes_ += value.size() + footprint::text;
  if (bytes_ > most_bytes_)
    return make_failure(errc::result_too_large, stage::operation,
                        "the values of " + attribute_ + " take more memory than the " + std::to_string(most_bytes_) +
                            " bytes allowed (values_options::max_bytes)");
  values_.insert(values_.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return nullptr;
}

}  // namespace understudy::internal
