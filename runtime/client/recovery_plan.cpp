// How often and when a caller tries again: see recovery_plan.hpp.
#include "understudy/runtime/client/recovery_plan.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

bool is_lost(const failure& why) { return why.code == errc::connection_failed || why.code == errc::connection_timeout; }

bool is_refused_for_now(const failure& why) {
  return why.code == errc::breaker_open || classify(why) == failure_class::overload;
}

/// Of a connect: trying again does not help until somebody changes something.
bool is_final(errc code) {
  return code == errc::service_authentication_failed || code == errc::stopped || code == errc::draining ||
         code == errc::invalid_request;
}

std::string in_seconds(duration span) {
  const auto tenths = std::chrono::round<milliseconds>(span).count() / 100;
  return std::to_string(tenths / 10) + (tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10)) + " s";
}

}  // namespace

connect_plan::connect_plan(const recovery_settings& how)
    : left_(how.auto_reconnect ? std::max(1, how.reconnect_attempts) - 1 : 0), pause_(how.reconnect_delay) {}

std::optional<duration> connect_plan::next(const failure& why, duration time_left) {
  if (left_ <= 0 || is_final(why.code) || pause_ >= time_left) return std::nullopt;
  --left_;
  return pause_;
}

recovery_plan::recovery_plan(const recovery_settings& how)
    : reconnect_{how.auto_reconnect ? how.reconnect_attempts : 0, how.reconnect_delay, "recovery.reconnect_attempts"},
      recover_{how.auto_recovery ? how.recovery_attempts : 0, how.recovery_delay, "recovery.recovery_attempts"} {}

std::optional<duration> recovery_plan::next(const failure& why, duration time_left) {
  const bool lost = is_lost(why);
  if (!lost && !is_refused_for_now(why)) return std::nullopt;
  if (chosen_ == kind::undecided) chosen_ = lost ? kind::reconnect : kind::recover;
  if (tried_ >= chosen().attempts || chosen().pause >= time_left) return std::nullopt;
  ++tried_;
  return chosen().pause;
}

failure_ptr recovery_plan::last_word(const failure_ptr& why, duration span) const {
  if (tried_ == 0) return why;
  auto told = std::make_shared<failure>(*why);
  told->message += " (tried " + std::to_string(tried_) + (tried_ == 1 ? " more time" : " more times") + " within " +
                   in_seconds(span) + "; " + std::string{chosen().option} + " = " + std::to_string(chosen().attempts) +
                   ")";
  return told;
}

}  // namespace understudy::internal
