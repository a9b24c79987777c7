// Where the reading of a long attribute is: which range comes next, and whether one does.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/result.hpp"

namespace understudy::internal {

/// True when an attribute description has a range option.
bool has_range(std::string_view description);

/// Active Directory's incremental retrieval of values ("member;range=0-1499"), from the client's side. What a server
/// says of its ranges is held against what it sends. No I/O.
class range_cursor {
 public:
  /// Each round brings a value at least; who sends that few wants to keep us busy.
  static constexpr int most_rounds = 100'000;

  range_cursor(std::string attribute, std::size_t most_bytes)
      : attribute_(std::move(attribute)), most_bytes_(most_bytes) {}

  /// What to ask for: the attribute, and later the rest of it from where it stands.
  std::string next() const;
  /// The answer to that, a search of the entry alone; its values are taken. A failure when it cannot be right.
  failure_ptr note(result& answer);
  bool finished() const noexcept { return finished_; }
  /// From the beginning: the last answer came from another server, which counts on its own.
  void restart();
  /// How many values were gathered.
  std::size_t size() const noexcept { return values_.size(); }
  /// What was gathered.
  std::vector<std::string> take() { return std::move(values_); }

 private:
  failure_ptr keep(std::vector<std::string>&& more);

  std::string attribute_;
  std::size_t most_bytes_, bytes_ = 0;
  int rounds_ = 0;
  bool finished_ = false;
  std::vector<std::string> values_;
};

}  // namespace understudy::internal
