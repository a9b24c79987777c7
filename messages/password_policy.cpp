// Decodes the controls: see password_policy.hpp.
#include "understudy/messages/password_policy.hpp"

#include "understudy/messages/ber.hpp"
#include "understudy/messages/enum_name.hpp"
#include "understudy/messages/number.hpp"
#include "understudy/messages/text.hpp"

#include <array>
#include <limits>

namespace understudy {
namespace {

// PasswordPolicyResponseValue ::= SEQUENCE {
//   warning [0] CHOICE { timeBeforeExpiration [0] INTEGER, graceAuthNsRemaining [1] INTEGER } OPTIONAL,
//   error   [1] ENUMERATED OPTIONAL }
constexpr std::uint8_t warning_tag = 0xa0, time_tag = 0x80, grace_tag = 0x81, error_tag = 0x81;

constexpr std::array<std::string_view, 9> error_names{
    "passwordExpired",       "accountLocked",         "changeAfterReset",
    "passwordModNotAllowed", "mustSupplyOldPassword", "insufficientPasswordQuality",
    "passwordTooShort",      "passwordTooYoung",      "passwordInHistory"};

constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();

void read_warning(std::string_view content, password_policy& into) {
  ber_cursor choice{content};
  if (choice.peek() == time_tag) {
    const auto left = choice.integer(time_tag);
    if (left && *left >= 0 && *left <= most) into.expires_in = seconds{*left};
  } else if (const auto left = choice.integer(grace_tag); left && *left >= 0 && *left <= most) {
    into.grace_logins = static_cast<int>(*left);
  }
}

void read_response(std::string_view value, password_policy& into) {
  ber_cursor whole{value};
  const auto content = whole.element(ber_tag::sequence);
  if (!content || !whole.finished()) return;
  ber_cursor parts{*content};
  if (parts.peek() == warning_tag) {
    if (const auto warning = parts.element(warning_tag)) read_warning(*warning, into);
  }
  if (parts.peek() != error_tag) return;
  const auto error = parts.integer(error_tag);
  if (!error || *error < 0 || *error >= static_cast<std::int64_t>(error_names.size())) return;
  into.error = static_cast<password_policy_error>(*error);
  if (*into.error == password_policy_error::change_after_reset) into.must_change = true;
}

/// Seconds as digits.
void read_expiring(std::string_view value, password_policy& into) {
  const auto left = internal::parse_number<std::int64_t>(value);
  if (left && *left >= 0 && *left <= most) into.expires_in = seconds{*left};
}

std::string span_text(seconds left) {
  const auto n = [](std::int64_t count, const char* unit) {
    return std::to_string(count) + " " + unit + (count == 1 ? "" : "s");
  };
  constexpr std::int64_t minute = 60, hour = 60 * minute, day = 24 * hour;
  if (left.count() >= 2 * day) return n(left.count() / day, "day");
  if (left.count() >= 2 * hour) return n(left.count() / hour, "hour");
  if (left.count() >= 2 * minute) return n(left.count() / minute, "minute");
  return n(left.count(), "second");
}

}  // namespace

std::string_view to_string(password_policy_error e) noexcept { return internal::enum_name(e, error_names); }

password_policy read_password_policy(const std::vector<control>& controls) {
  password_policy found;
  for (const auto& c : controls) {
    if (c.oid == password_expired_oid) found.must_change = true;
    if (c.oid == password_expiring_oid) read_expiring(c.value.value_or(""), found);
    if (c.oid == password_policy_oid) read_response(c.value.value_or(""), found);
  }
  // 389 Directory Server says "expired" of a grace login too, after which everything is allowed.
  if (found.grace_logins && !found.error) found.must_change = false;
  return found;
}

std::string describe(const password_policy& policy) {
  std::string text;
  const auto add = [&text](const std::string& part) { internal::append_item(text, "; ", part); };
  if (policy.must_change) add("the password must be changed before anything else is allowed");
  if (policy.expires_in) add("the password expires in " + span_text(*policy.expires_in));
  if (policy.grace_logins)
    add("the password has expired; " + std::to_string(*policy.grace_logins) +
        (*policy.grace_logins == 1 ? " more login is left" : " more logins are left"));
  const bool said = policy.error == password_policy_error::change_after_reset && policy.must_change;
  if (policy.error && !said) add(std::string{to_string(*policy.error)});
  return text;
}

control password_policy_request() { return {std::string{password_policy_oid}, false, std::nullopt}; }

}  // namespace understudy
