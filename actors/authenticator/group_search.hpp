// Finds the groups of a user, by one of several ways that directories have.
#pragma once
#include "understudy/actors/authenticator/user_search.hpp"

#include <set>

namespace understudy::internal {

/// Finds the user's entry first. Groups of groups are looked for level by level, several groups in a search; one that
/// was seen is not looked at again, so circles end. Either all groups are told, or that some are missing, or a failure
/// and no groups: never a part that looks like all.
class group_search final : public dialogue<group_result> {
 public:
  /// By that way; without one, by that of `how`.
  group_search(authenticator_settings_ptr how, std::string user, std::optional<group_strategy> by = {});

  step begin() override;
  step answered(const reply_to_request& reply) override;

  /// DNs that one search of a walk asks for.
  static constexpr std::size_t batch = 20;

 private:
  step pass_on(user_search::step found);
  step ask_for_groups();
  /// What the user's entry lists.
  void take_listed();
  step search_for(std::string condition);
  /// The next search of a walk, or what was found.
  step walk_on();
  void take(const std::vector<entry>& entries);
  void add(std::string group);
  step done();

  authenticator_settings_ptr how_;
  group_strategy by_;
  user_search search_;
  bool searching_ = true;
  entry user_;
  std::set<std::string> seen_;      ///< comparable DNs, the user's too
  std::vector<std::string> level_;  ///< whose groups are still to be looked for
  std::vector<std::string> above_;  ///< the groups that were found for them
  int depth_ = 0;                   ///< levels that were begun
  group_result result_;
};

}  // namespace understudy::internal
