// Reads entries by a DN or a filter, values that come in ranges included.
#pragma once
#include "understudy/actors/authenticator/user_search.hpp"
#include "understudy/messages/range_cursor.hpp"

#include <map>

namespace understudy::internal {

/// What begins with "(" is a filter, below `base`; anything else names an entry: a DN, or Active Directory's "<SID=…>"
/// and "<GUID=…>". Of attributes that come in ranges the rest is read too, within a bound.
class entry_fetch final : public dialogue<fetch_result> {
 public:
  /// `attributes`: as in a search_request.
  entry_fetch(authenticator_settings_ptr how, std::string dn_or_filter, std::vector<std::string> attributes);

  step begin() override;
  step answered(const reply_to_request& reply) override;

  /// Entries at most.
  static constexpr int most_entries = 10'000;
  /// Searches for the rest of values at most, and the memory that all values of one attribute may take.
  static constexpr int most_rounds = 1'000;
  static constexpr std::size_t most_bytes = 64U << 20U;

 private:
  step take(const reply_to_request& reply);
  step take_range(const reply_to_request& reply);
  /// The next attribute that has come in part, or all that was read.
  step next_attribute();
  /// The next search for the rest of it; null: it ends here.
  request_ptr next_range();
  step go_on();
  /// What was read of it takes the place of the part.
  void end_part();
  /// With the range Active Directory names the attribute itself too, without values: one of both stays.
  void drop_empty_names();
  step failed(const failure_ptr& why);

  authenticator_settings_ptr how_;
  std::string dn_or_filter_;
  std::vector<std::string> attributes_;
  bool first_ = true;
  std::string server_;
  std::size_t entry_ = 0, attribute_ = 0;  ///< where the search for parts is
  std::optional<range_cursor> ranges_;
  std::map<std::string, std::size_t> whole_;  ///< attributes of this entry that came in parts, in lower case, and where
  int rounds_ = 0;
  bool restarted_ = false;
  fetch_result result_;
};

}  // namespace understudy::internal
