// Failures as result codes, in words that are about the client.
#include "understudy/actors/front_door/honest_answer.hpp"

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
    case errc::invalid_lease:
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

/// What happened, as far as it concerns who asked: what this process is made of, and as whom the service binds, does
/// not.
const char* words_for(const failure& why, bool search) noexcept {
  switch (why.code) {
    case errc::pool_exhausted:
    case errc::pool_timeout:
    case errc::queue_full:
    case errc::local_resources:
      return "too much is under way; nothing was done, try again in a moment";
    case errc::operation_timeout:
      return search ? "the directory did not answer in time" : "the directory was not ready in time; nothing was done";
    case errc::connection_unhealthy:
    case errc::invalid_lease:
      return "the connection to the directory that served this has been lost";
    case errc::draining:
    case errc::stopped:
      return "this server is going down; connect again, to another one if there is one";
    case errc::result_too_large:
      return "the answer is larger than is passed on; ask for less, or in pages";
    case errc::invalid_request:
      return "the request is not one that can be passed on";
    case errc::outcome_unknown:
      return "the directory was lost before it answered; this may have been carried out, or not";
    case errc::cancelled:
      return "it was cancelled";
    case errc::ldap_error:
    case errc::authentication_failed:
      return "";  // the directory's own code says it
    case errc::internal:
    case errc::invalid_config:
      return "something is wrong in this server; its log says what";
    default:
      return "no server of the directory can be used now";
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
  const std::string_view words = words_for(why, search);
  if (answer.diagnostic.empty() && !words.empty()) answer.diagnostic = "understudy: " + std::string{words};
  if (begun && is_repeated(answer.code)) {
    answer.code = result_code::other;
    if (!own_word)
      answer.diagnostic = "understudy: the directory was lost in the middle of the answer; what came is not all";
    answer.referrals.clear();
  }
  return answer;
}

}  // namespace understudy::internal
