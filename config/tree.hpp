// A parsed configuration, whichever syntax it was written in, with the place of everything in it.
#pragma once
#include "understudy/config/problem.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::internal::config {

/// Where something stands, and its rank among all places of the same text.
struct place {
  std::string where;  ///< see config_problem::where
  std::uint64_t order = 0;
};

/// A value, a list of values or a table of keys.
struct tree {
  enum class kind : std::uint8_t { null, boolean, integer, real, huge, text, moment, list, table };
  kind what = kind::null;
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;  ///< of a huge number: as it was written
  std::string key;   ///< its name in the table that it stands in
  place at;
  std::vector<tree> children;
};
/// "a string", "an array" …
std::string_view to_string(tree::kind kind) noexcept;

/// Collects problems; gives them back in the order of their places, each once.
class problem_list {
 public:
  void add(const place& at, std::string key, std::string problem);
  bool empty() const noexcept { return entries_.empty(); }
  /// True when there are more than anybody will be shown: no need to look for advice.
  bool crowded() const noexcept;
  /// At most 1000, then one that says how many more there are.
  std::vector<config_problem> sorted() const;

 private:
  struct entry {
    std::uint64_t order;
    config_problem problem;
  };
  std::vector<entry> entries_;
  std::size_t left_out_ = 0;
};

/// Nothing is read that is nested deeper than this; no setting is nested deeper than 5.
inline constexpr std::size_t max_depth = 16;
/// Longest configuration that is read, in bytes.
inline constexpr std::size_t max_config_bytes = 1024 * 1024;

/// A key as it is shown to people: bare when it is a plain name, else quoted.
std::string shown_key(std::string_view key);

/// `pointer` with one more reference token (RFC 6901).
std::string pointer_to(const std::string& pointer, std::string_view token);

}  // namespace understudy::internal::config
