// Failures as result codes.
#include "understudy/actors/front_door/honest_answer.hpp"

#include "understudy/messages/printable.hpp"

namespace understudy::internal {
namespace {

int code_of(const failure& why, bool search) noexcept {
  switch (why.code) {
    case errc::ldap_error:
    case errc::authentication_failed:
      return why.ldap_code != 0 ? why.ldap_code : result_code::other;
    case errc::pool_exhausted:
    case errc::pool_timeout:
    case errc::queue_full:
    case errc::local_resources:
      return result_code::busy;
    case errc::operation_timeout:
      return search ? result_code::time_limit_exceeded : result_code::busy;
    case errc::no_server:
    case errc::breaker_open:
    case errc::connection_timeout:
    case errc::connection_failed:
    case errc::connection_unhealthy:
    case errc::service_authentication_failed:
    case errc::ssl_error:
    case errc::draining:
    case errc::stopped:
      return result_code::unavailable;
    case errc::result_too_large:
      return admin_limit_exceeded;
    case errc::invalid_request:
      return result_code::protocol_error;
    case errc::cancelled:
      return result_code::cancelled;
    default:
      return result_code::other;
  }
}

bool is_repeated(int code) noexcept { return code == result_code::busy || code == result_code::unavailable; }

}  // namespace

ldap_answer honest_answer(const failure& why, bool search, bool begun) {
  ldap_answer answer;
  answer.code = code_of(why, search);
  const bool own_word = why.code == errc::ldap_error || why.code == errc::authentication_failed;
  if (own_word) {
    answer.matched_dn = why.matched_dn;
    answer.diagnostic = why.diagnostic;
    answer.referrals = why.referrals;
    answer.controls = why.controls;
  }
  // As whom the service binds is not for its clients to know.
  if (why.code == errc::service_authentication_failed) answer.diagnostic = "understudy: no server can be used now";
  if (answer.diagnostic.empty()) answer.diagnostic = "understudy: " + shortened(printable(why.message));
  if (begun && is_repeated(answer.code)) {
    answer.code = result_code::other;
    answer.referrals.clear();
  }
  return answer;
}

}  // namespace understudy::internal
