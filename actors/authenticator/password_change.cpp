// Decides what a change of a password sends next: see password_change.hpp.
#include "understudy/actors/authenticator/password_change.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/messages/name.hpp"

namespace understudy::internal {

namespace {

constexpr std::string_view active_directory_attribute = "unicodePwd";

void append_utf16(std::string& out, std::uint32_t unit) {
  out += static_cast<char>(unit & 0xff);
  out += static_cast<char>(unit >> 8);
}

/// Of a well-formed UTF-8 sequence.
std::uint32_t code_point(std::string_view sequence) noexcept {
  const auto first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first;
  std::uint32_t point = first & (0x7fU >> sequence.size());
  for (const char c : sequence.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  return point;
}

modification of_password(modification::kind op, const secret& password) {
  return {op, {std::string{active_directory_attribute}, {unicode_password(password.reveal()).value_or("")}}};
}

}  // namespace

std::optional<std::string> unicode_password(std::string_view password) {
  std::string made{"\"\0", 2};
  while (!password.empty()) {
    const auto length = utf8_sequence(password);
    if (length == 0) return std::nullopt;
    const auto point = code_point(password.substr(0, length));
    if (point >= 0x10000) {
      append_utf16(made, 0xd800 + ((point - 0x10000) >> 10));
      append_utf16(made, 0xdc00 + ((point - 0x10000) & 0x3ff));
    } else {
      append_utf16(made, point);
    }
    password.remove_prefix(length);
  }
  append_utf16(made, '"');
  return made;
}

password_change::password_change(authenticator_settings_ptr how, std::string user, secret old_password,
                                 secret new_password, password_method by)
    : old_(std::move(old_password)),
      new_(std::move(new_password)),
      by_(by),
      search_(std::move(how), std::move(user), {"1.1"}) {}

password_change::step password_change::begin() {
  if (auto refused = refused_unsent()) return std::move(*refused);
  return pass_on(search_.begin());
}

std::optional<password_change_result> password_change::refused_unsent() const {
  password_change_result refused;
  refused.outcome = login_outcome::password_refused;
  if (!old_.empty() && old_.size() == 0) {
    refused.outcome = login_outcome::bad_credentials;
    refused.detail = "an empty password proves nothing";
  } else if (!new_.empty() && new_.size() == 0) {
    refused.detail = "an empty password is none";
  } else if (by_ == password_method::unicode_pwd && new_.empty()) {
    refused.detail = "Active Directory makes no passwords: give a new one";
  } else if (by_ == password_method::unicode_pwd &&
             (!unicode_password(old_.reveal()) || !unicode_password(new_.reveal()))) {
    refused.detail = "Active Directory takes passwords that are text (UTF-8) alone";
  } else {
    return std::nullopt;
  }
  return refused;
}

password_change::step password_change::pass_on(user_search::step found) {
  if (auto* request = std::get_if<request_ptr>(&found)) return std::move(*request);
  searching_ = false;
  auto& user = std::get<lookup_result>(found);
  static_cast<user_answer&>(result_) = user;
  if (!user) return std::move(result_);
  result_.dn = user.user.dn;
  if (by_ == password_method::unicode_pwd) return make_request(active_directory_change());
  return make_request(password_modify_request{result_.dn, old_, new_}, {password_policy_request()});
}

modify_request password_change::active_directory_change() const {
  using kind = modification::kind;
  if (old_.empty()) return {result_.dn, {of_password(kind::replace, new_)}};
  return {result_.dn, {of_password(kind::remove, old_), of_password(kind::add, new_)}};
}

password_change::step password_change::answered(const reply_to_request& reply) {
  if (searching_) return pass_on(search_.answered(reply));
  result_.policy = read_password_policy(reply.found ? reply.found->controls : reply.failed->controls);
  if (!reply.found) {
    judge_refused_change(reply.failed, result_.policy, result_);
    return std::move(result_);
  }
  if (reply.found->response_value) result_.generated = secret{std::move(*reply.found->response_value)};
  return std::move(result_);
}

}  // namespace understudy::internal
