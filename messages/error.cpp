// Names of failures, the table that classifies them, and their one line for people.
#include "understudy/messages/error.hpp"

#include "understudy/messages/enum_name.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/result.hpp"
#include "understudy/messages/text.hpp"

#include <array>
#include <ctime>

namespace understudy {

using namespace internal;
namespace {

constexpr std::array<std::string_view, errc_count> code_names{"none",
                                                              "pool_exhausted",
                                                              "pool_timeout",
                                                              "queue_full",
                                                              "no_server",
                                                              "breaker_open",
                                                              "connection_timeout",
                                                              "connection_failed",
                                                              "local_resources",
                                                              "authentication_failed",
                                                              "service_authentication_failed",
                                                              "ssl_error",
                                                              "operation_timeout",
                                                              "outcome_unknown",
                                                              "connection_unhealthy",
                                                              "draining",
                                                              "cancelled",
                                                              "ldap_error",
                                                              "result_too_large",
                                                              "invalid_request",
                                                              "invalid_config",
                                                              "invalid_lease",
                                                              "stopped",
                                                              "internal"};

constexpr std::ptrdiff_t most_referrals = 3;

// The service's own bind: 49 is about the credential, 8, 48 and 53 are about what this server allows.
failure_class classify_service_bind(errc code, int ldap_code) noexcept {
  switch (ldap_code) {
    case 0:
      return code == errc::service_authentication_failed ? failure_class::credential : failure_class::transport;
    case result_code::invalid_credentials:
      return failure_class::credential;
    case result_code::busy:
    case result_code::unavailable:
      return failure_class::overload;
    default:
      return failure_class::policy;
  }
}

std::string counts(const pool_counts& p) {
  return "pool size " + std::to_string(p.size) + ", idle " + std::to_string(p.idle) + ", in use " +
         std::to_string(p.in_use) + ", in flight " + std::to_string(p.in_flight) + ", waiters " +
         std::to_string(p.waiters);
}

}  // namespace

std::string utc(wall_time t) {
  const auto seconds_since = std::chrono::system_clock::to_time_t(t);
  std::tm parts{};
  gmtime_r(&seconds_since, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string_view to_string(errc code) noexcept { return enum_name(code, code_names); }

std::string_view to_string(stage where) noexcept {
  constexpr std::array<std::string_view, 6> names{"resolve", "connect", "secure", "bind", "operation", "queue"};
  return enum_name(where, names);
}

std::string_view to_string(failure_class c) noexcept {
  constexpr std::array<std::string_view, 7> names{"transport", "slow",   "overload", "credential",
                                                  "policy",    "caller", "local"};
  return enum_name(c, names);
}

failure_ptr make_failure(errc code, stage where, std::string message, std::string server) {
  failure made;
  made.code = code;
  made.where = where;
  made.message = std::move(message);
  made.server = std::move(server);
  return make_failure(std::move(made));
}

namespace internal {
namespace {

failure say(errc code, stage where, std::string_view happened, std::string_view consequence = {}) {
  failure said;
  said.code = code;
  said.where = where;
  said.message = happened;
  if (!consequence.empty()) said.message.append("; ").append(consequence);
  said.message += '.';
  return said;
}

}  // namespace

bool is_overload(int ldap_code) noexcept {
  return ldap_code == result_code::busy || ldap_code == result_code::unavailable;
}

failure caller_cancelled(stage where, std::string_view consequence) {
  return say(errc::cancelled, where, "The caller cancelled", consequence);
}

failure deadline_passed_unsent(stage where) {
  return say(errc::operation_timeout, where, "The deadline passed before the request was sent");
}

failure runtime_stopping(stage where, std::string_view consequence) {
  return say(errc::draining, where, "The runtime is being stopped", consequence);
}

failure runtime_ended(stage where) { return say(errc::stopped, where, "The runtime was stopped before it answered"); }

failure no_answer_in_time(stage where, std::string_view subject) {
  return say(errc::operation_timeout, where, "The " + std::string{subject} + " did not answer in time");
}

}  // namespace internal

failure_ptr make_failure(failure described) { return std::make_shared<const failure>(std::move(described)); }

failure_class classify(stage where, errc code, int ldap_code, bool user_bind) noexcept {
  switch (code) {
    case errc::connection_timeout:
      // Time spent waiting for something of ours is never charged to a server.
      return where == stage::queue ? failure_class::local : failure_class::transport;
    case errc::connection_failed:
    case errc::ssl_error:
    case errc::connection_unhealthy:
      return failure_class::transport;
    case errc::outcome_unknown:
      return failure_class::transport;
    case errc::local_resources:
      return failure_class::local;
    case errc::operation_timeout:
      return where == stage::operation ? failure_class::slow : failure_class::caller;
    case errc::service_authentication_failed:
      return classify_service_bind(code, ldap_code);
    case errc::authentication_failed:
    case errc::ldap_error:
      if (where == stage::bind && !user_bind) return classify_service_bind(code, ldap_code);
      return internal::is_overload(ldap_code) ? failure_class::overload : failure_class::caller;
    default:
      return failure_class::caller;
  }
}

std::string describe(const failure& f) {
  std::string text{to_string(f.code)};
  if (!f.message.empty()) text += ": " + f.message;
  std::string more;
  const auto add = [&more](const std::string& part) { append_item(more, "; ", part); };
  if (!f.server.empty()) add("server " + f.server);
  if (f.ldap_code != 0) add("result " + result_code_name(f.ldap_code) + " (" + std::to_string(f.ldap_code) + ")");
  if (!f.diagnostic.empty()) add("diagnostic \"" + shortened(f.diagnostic) + "\"");
  if (!f.matched_dn.empty()) add("matched DN \"" + shortened(f.matched_dn) + "\"");
  for (const auto& uri : f.referrals) {
    if (&uri - f.referrals.data() == most_referrals) {
      add("more referrals");
      break;
    }
    add("referral to " + shortened(uri));
  }
  if (f.pool) add(counts(*f.pool));
  if (f.retry_after) add("retry after " + std::to_string(f.retry_after->count()) + " ms");
  if (!f.cause.empty()) add("last cause: " + f.cause + (f.cause_at ? " at " + utc(*f.cause_at) : ""));
  if (!more.empty()) text += " [" + more + "]";
  return printable(text);
}

std::string to_string(const failure_ptr& f) { return f ? describe(*f) : std::string{to_string(errc::none)}; }

}  // namespace understudy
