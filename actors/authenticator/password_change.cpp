// Decides what a change of a password sends next: see password_change.hpp.
#include "understudy/actors/authenticator/password_change.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/actors/authenticator/referrals.hpp"
#include "understudy/messages/name.hpp"

namespace understudy::internal {

namespace {

constexpr std::string_view active_directory_attribute = "unicodePwd";
constexpr std::string_view standard_attribute = "userPassword";  // RFC 4519, 2.41

void append_utf16(std::string& out, std::uint32_t unit) {
  out += static_cast<char>(unit & 0xff);
  out += static_cast<char>(unit >> 8);
}

bool is_text(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Nothing of a string shorter than that is left behind where it was moved from.
constexpr std::size_t on_the_heap = sizeof(std::string);

/// `value` is moved and nowhere copied: make_request() has it overwritten in the end.
modification of_password(modification::kind op, std::string_view attribute, std::string value) {
  modification made{op, {std::string{attribute}, {}}};
  made.target.values.push_back(std::move(value));
  return made;
}

modification of_unicode_password(modification::kind op, const secret& password) {
  return of_password(op, active_directory_attribute, unicode_password(password.reveal()).value_or(""));
}

modification of_user_password(const secret& password) {
  std::string value;
  value.reserve(on_the_heap + password.size());
  value.append(password.reveal());
  return of_password(modification::kind::replace, standard_attribute, std::move(value));
}

}  // namespace

std::optional<std::string> unicode_password(std::string_view password) {
  if (!is_text(password)) return std::nullopt;
  std::string made;
  // Two bytes for one, and the quotes: what grows leaves its bytes behind.
  made.reserve(on_the_heap + 4 + 2 * password.size());
  append_utf16(made, '"');
  while (!password.empty()) {
    const auto length = utf8_sequence(password);
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
    : how_(how),
      old_(std::move(old_password)),
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
  } else if (by_ != password_method::extended && new_.empty()) {
    refused.detail = "no directory makes passwords for a modify: give a new one";
  } else if (by_ == password_method::unicode_pwd && (!is_text(old_.reveal()) || !is_text(new_.reveal()))) {
    refused.detail = "Active Directory takes passwords that are text (UTF-8) alone";
  } else {
    return std::nullopt;
  }
  return refused;
}

password_change::step password_change::pass_on(user_search::step found) {
  if (auto* request = std::get_if<request_ptr>(&found)) return std::move(*request);
  auto& user = std::get<lookup_result>(found);
  static_cast<user_answer&>(result_) = user;
  if (!user) return std::move(result_);
  result_.dn = user.user.dn;
  if (by_ != password_method::user_password || old_.empty()) return ask_for_change();
  // Hashed values cannot be compared by a modify: the old password is proved by a bind.
  phase_ = phase::proof;
  return make_request(bind_request{result_.dn, old_}, {password_policy_request()}, at_server());
}

password_change::step password_change::proof_answered(const reply_to_request& reply) {
  result_.policy = read_password_policy(reply.found ? reply.found->controls : reply.failed->controls);
  if (reply.found) return ask_for_change();
  classify_refused_bind(reply.failed, result_.policy, result_);
  return std::move(result_);
}

password_change::step password_change::ask_for_change() {
  phase_ = phase::change;
  switch (by_) {
    case password_method::unicode_pwd:
      return make_request(active_directory_change(), {}, at_server());
    case password_method::user_password: {
      modify_request change{result_.dn, {}};
      change.changes.push_back(of_user_password(new_));
      return make_request(std::move(change), {password_policy_request()}, at_server());
    }
    case password_method::extended:
      break;
  }
  return make_request(password_modify_request{result_.dn, old_, new_}, {password_policy_request()}, at_server());
}

modify_request password_change::active_directory_change() const {
  using kind = modification::kind;
  modify_request change{result_.dn, {}};
  change.changes.reserve(2);
  if (!old_.empty()) change.changes.push_back(of_unicode_password(kind::remove, old_));
  change.changes.push_back(of_unicode_password(old_.empty() ? kind::replace : kind::add, new_));
  return change;
}

password_change::step password_change::answered(const reply_to_request& reply) {
  if (phase_ == phase::search) return pass_on(search_.answered(reply));
  note_referrals(reply, how_->referrals, result_);
  if (phase_ == phase::proof) return proof_answered(reply);
  result_.policy = read_password_policy(reply.found ? reply.found->controls : reply.failed->controls);
  if (!reply.found) {
    classify_refused_change(reply.failed, result_.policy, result_);
    return std::move(result_);
  }
  if (reply.found->response_value) result_.generated = secret{std::move(*reply.found->response_value)};
  return std::move(result_);
}

}  // namespace understudy::internal
