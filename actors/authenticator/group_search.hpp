// Finds the groups of a user, by one of several ways that directories have.
#pragma once
#include "understudy/actors/authenticator/rule_check.hpp"
#include "understudy/actors/authenticator/user_search.hpp"
#include "understudy/messages/range_cursor.hpp"

#include <set>

namespace understudy::internal {

/// Finds the user's entry first. Groups of groups are looked for level by level, several groups in a search; one that
/// was seen is not looked at again, so circles end. Either all groups are told, or that some are missing, or a failure
/// and no groups: never a part that looks like all. A list that comes in ranges (Active Directory) is read to its end,
/// or to `max_groups`. Where in_chain finds nothing it is asked whether the directory knows that rule: "none" of one
/// that passes over it would be a wrong answer.
class group_search final : public dialogue<group_result> {
 public:
  /// By that way; without one, by that of `how`.
  group_search(authenticator_settings_ptr how, std::string user, std::optional<group_strategy> by = {});

  step begin() override;
  step answered(const reply_to_request& reply) override;

  /// DNs that one search of a walk asks for.
  static constexpr std::size_t batch = 20;

 private:
  /// What the last answer is of.
  enum class phase : std::uint8_t { user, range, groups, rule };

  step pass_on(user_search::step found);
  step ask_for_groups();
  /// What the user's entry lists.
  step take_listed();
  /// The same, of one that comes in ranges.
  step take_range(result& part);
  step next_range();
  step groups_or_failure(const reply_to_request& reply);
  step ask_about_rule();
  step rule_answered(rule_check::step said);
  step failed(const failure_ptr& why);
  request_ptr ask(search_request request, std::string server) const;
  step search_for(std::string condition);
  /// The next search of a walk, or what was found.
  step walk_on();
  void take(const std::vector<entry>& entries);
  void add(std::string group);
  step done();

  authenticator_settings_ptr how_;
  group_strategy by_;
  user_search search_;
  phase phase_ = phase::user;
  entry user_;
  std::string server_;  ///< that has answered last; empty: not known
  std::optional<range_cursor> ranges_;
  std::string ranges_at_;  ///< the server that counts them
  bool restarted_ = false;
  rule_check rule_;
  std::set<std::string> seen_;      ///< comparable DNs, the user's too
  std::vector<std::string> level_;  ///< whose groups are still to be looked for
  std::vector<std::string> above_;  ///< the groups that were found for them
  int depth_ = 0;                   ///< levels that were begun
  group_result result_;
};

}  // namespace understudy::internal
