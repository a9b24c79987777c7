// Who is asked where a referral leads: servers of the directory itself, or other directories that the program has.
#pragma once
#include "understudy/actors/authenticator/referral_chase.hpp"
#include "understudy/actors/authenticator/user_search.hpp"
#include "understudy/runtime/directory.hpp"

namespace understudy::internal {

/// Only servers that somebody named: those of `referral_servers`, which the directory itself has, and those that the
/// program has a directory for. Immutable.
class referral_targets : public std::enable_shared_from_this<referral_targets> {
 public:
  using other_directory = std::function<directory*(const std::string& server)>;

  /// `elsewhere` may be empty.
  referral_targets(authenticator_settings_ptr how, other_directory elsewhere)
      : how_(std::move(how)), elsewhere_(std::move(elsewhere)) {}

  /// How far referrals are followed.
  chase_limits limits() const;
  /// Who takes requests to that server; null: the directory itself.
  directory* of(const std::string& server) const noexcept;

 private:
  std::optional<std::string> known(const std::string& server) const;
  /// The name by which the directory itself has it; null: it does not.
  const std::string* configured(const std::string& server) const noexcept;

  authenticator_settings_ptr how_;
  other_directory elsewhere_;
};

/// What came of a request to the directory that stands for `server`. It may have several, and which one has answered is
/// its own matter.
reply_to_request named_after(const std::string& server, reply_to_request reply);

}  // namespace understudy::internal
