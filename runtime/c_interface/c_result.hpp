// What a call of the C interface came to, with everything that its functions tell of it.
#pragma once
#include "understudy/messages/login.hpp"
#include "understudy/runtime/directory.hpp"
#include "understudy/runtime/results.hpp"
#include "understudy/understudy.h"

/// Made before the request is sent, so that an outcome always has a place. Those who fill it may throw std::bad_alloc.
struct understudy_result {
  understudy_status status = UNDERSTUDY_INTERNAL_ERROR;
  std::string message;
  const char* public_message = "";
  std::string dn, server;
  std::vector<understudy::user_group> groups;
  std::vector<understudy::entry> entries;
  understudy::password_policy password;
  understudy::secret generated;  ///< a password that the directory has made
  std::optional<understudy::milliseconds> retry_after;
  int ldap_code = 0;
  bool retryable = false, cached = false, complete = true;

  understudy_result() noexcept;

  ///@{
  /// What came of it.
  void fill(understudy::login_result&& login);
  void fill(understudy::lookup_result&& found);
  void fill(understudy::group_result&& found);
  void fill(understudy::password_change_result&& changed);
  void fill(understudy::outcome&& searched);
  void fill(const understudy::connection_result& connected);
  ///@}
  /// It failed.
  void fail(const understudy::failure_ptr& why);
  /// It was not begun.
  void refuse(understudy_status as, std::string why);
  /// There was no memory for the rest. Drops what is there.
  void out_of_memory() noexcept;

 private:
  void answer(understudy::user_answer&& of_user);
};

namespace understudy::internal {

/// The status that stands for `code`.
understudy_status status_of(errc code) noexcept;
/// The status that stands for `outcome`.
understudy_status status_of(login_outcome outcome) noexcept;

}  // namespace understudy::internal
