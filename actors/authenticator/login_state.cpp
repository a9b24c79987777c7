// Decides what a login sends next: see login_state.hpp.
#include "understudy/actors/authenticator/login_state.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

std::vector<std::string> without_attributes(std::vector<std::string> attributes) {
  if (attributes.empty()) attributes.emplace_back("1.1");
  return attributes;
}

/// Another template may name the user's entry.
bool may_be_another_name(login_outcome outcome) noexcept {
  return outcome == login_outcome::bad_credentials || outcome == login_outcome::no_such_user;
}

}  // namespace

login_state::login_state(authenticator_settings_ptr how, std::string user, secret password,
                         std::vector<std::string> attributes)
    : how_(how),
      password_(std::move(password)),
      search_(std::move(how), user, without_attributes(std::move(attributes))),
      login_(parse_login_name(user)) {}

login_state::step login_state::begin() {
  if (!login_) return refused_unsent(login_outcome::no_such_user, "no user has an empty name, or one of such a length");
  if (password_.size() == 0) return refused_unsent(login_outcome::bad_credentials, "an empty password proves nothing");
  if (how_->dn_templates.empty()) {
    searching_ = true;
    return pass_on(search_.begin());
  }
  for (const auto& text : how_->dn_templates) {
    auto name = fill_bind_name(text, *login_);
    if (name && std::find(names_.begin(), names_.end(), *name) == names_.end()) names_.push_back(std::move(*name));
  }
  if (names_.empty())
    return refused_unsent(login_outcome::no_such_user, "no template of authenticator.dn_templates is for such a name");
  return bind_next();
}

login_state::step login_state::answered(const reply_to_request& reply) {
  return searching_ ? pass_on(search_.answered(reply)) : judge(reply);
}

login_state::step login_state::pass_on(user_search::step found) {
  if (auto* request = std::get_if<request_ptr>(&found)) return std::move(*request);
  searching_ = false;
  auto& user = std::get<lookup_result>(found);
  if (!user) {
    static_cast<user_answer&>(result_) = std::move(user);
    return std::move(result_);
  }
  names_.push_back(user.user.dn);
  result_.user = std::move(user.user);
  return bind_next();
}

login_state::step login_state::bind_next() {
  result_.dn = names_[tried_++];
  return make_request(bind_request{result_.dn, password_}, {password_policy_request()});
}

login_state::step login_state::judge(const reply_to_request& reply) {
  result_.password = read_password_policy(reply.found ? reply.found->controls : reply.failed->controls);
  if (reply.found) {
    static_cast<user_answer&>(result_) = {};
    result_.outcome = judge_accepted_bind(result_.password);
    result_.server = reply.found->server;
    return std::move(result_);
  }
  judge_refused_bind(reply.failed, result_.password, result_);
  result_.server = reply.failed->server;
  if (may_be_another_name(result_.outcome) && tried_ < names_.size()) return bind_next();
  return std::move(result_);
}

login_state::step login_state::refused_unsent(login_outcome outcome, std::string detail) {
  result_.outcome = outcome;
  result_.detail = std::move(detail);
  return std::move(result_);
}

}  // namespace understudy::internal
