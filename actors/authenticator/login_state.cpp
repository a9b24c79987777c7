// Decides what a login sends next: see login_state.hpp.
#include "understudy/actors/authenticator/login_state.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/actors/authenticator/referrals.hpp"
#include "understudy/messages/dn_match.hpp"

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
                         std::vector<std::string> attributes, std::optional<std::string> known_dn)
    : how_(how),
      user_(std::move(user)),
      password_(std::move(password)),
      attributes_(without_attributes(std::move(attributes))),
      search_(how, user_, attributes_),
      login_(parse_login_name(user_)),
      known_dn_(how->dn_templates.empty() ? std::move(known_dn) : std::nullopt) {}

login_state::step login_state::begin() {
  if (!login_) return refused_unsent(login_outcome::no_such_user, "no user has an empty name, or one of such a length");
  if (password_.size() == 0) return refused_unsent(login_outcome::bad_credentials, "an empty password proves nothing");
  if (known_dn_) {
    names_.push_back(*known_dn_);
    result_.user.dn = *known_dn_;
    return bind_next();
  }
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
  return searching_ ? pass_on(search_.answered(reply)) : bind_answered(reply);
}

login_state::step login_state::pass_on(user_search::step found) {
  if (auto* request = std::get_if<request_ptr>(&found)) return std::move(*request);
  searching_ = false;
  auto& user = std::get<lookup_result>(found);
  if (user) found_dn_ = std::optional{user.user.dn};
  if (user.outcome == login_outcome::no_such_user || user.outcome == login_outcome::ambiguous)
    found_dn_ = std::optional<std::string>{};
  if (again_) return look_again(std::move(user));
  if (!user) {
    static_cast<user_answer&>(result_) = std::move(user);
    return std::move(result_);
  }
  add_referrals(user, result_);
  found_at_ = search_.server();
  names_.push_back(user.user.dn);
  result_.user = std::move(user.user);
  return bind_next();
}

login_state::step login_state::look_again(lookup_result user) {
  // A server that only refers to who has the entry says nothing of its password.
  const bool has_it = how_->referrals != referral_policy::chase || search_.server() == result_.server;
  if (user && has_it && comparable_dn(user.user.dn) == comparable_dn(result_.dn)) {
    add_referrals(user, result_);
    add_referrals(bind_met_, result_);
    return std::move(result_);  // it is that entry's password that was refused
  }
  if (user) {
    add_referrals(user, result_);
    found_at_ = search_.server();
    names_.push_back(user.user.dn);
    result_.user = std::move(user.user);
    return bind_next();
  }
  const bool was_elsewhere = !found_at_.empty() && user.outcome == login_outcome::no_such_user;
  const auto asked = search_.server();
  add_referrals(result_, user);
  add_referrals(bind_met_, user);
  static_cast<user_answer&>(result_) = std::move(user);
  if (was_elsewhere) {
    result_.outcome = login_outcome::unavailable;
    result_.retryable = true;
    result_.detail = "the entry was found at " + found_at_ + ", which does not take the bind; " + asked +
                     ", which takes it, does not have that entry (yet)";
  } else if (result_.outcome == login_outcome::no_such_user || result_.outcome == login_outcome::ambiguous) {
    no_entry();
  }
  return std::move(result_);
}

void login_state::no_entry() {
  result_.dn.clear();
  result_.user = {};
}

login_state::step login_state::bind_next() {
  result_.dn = names_[tried_++];
  return make_request(bind_request{result_.dn, password_}, {password_policy_request()}, {found_at_, false});
}

login_state::step login_state::bind_answered(const reply_to_request& reply) {
  result_.password = read_password_policy(reply.found ? reply.found->controls : reply.failed->controls);
  user_answer met;
  note_referrals(reply, how_->referrals, met);
  if (reply.found) {
    user_answer accepted;
    add_referrals(result_, accepted);
    add_referrals(met, accepted);
    static_cast<user_answer&>(result_) = std::move(accepted);
    result_.outcome = classify_accepted_bind(result_.password);
    result_.server = reply.found->server;
    return std::move(result_);
  }
  classify_refused_bind(reply.failed, result_.password, result_);
  result_.server = reply.failed->server;
  const bool referred = how_->referrals == referral_policy::chase && reply.failed->ldap_code == result_code::referral;
  const auto ends = [&]() -> step {
    add_referrals(met, result_);
    if (result_.outcome == login_outcome::no_such_user) no_entry();
    return std::move(result_);
  };
  if (!may_be_another_name(result_.outcome) && !referred) return ends();
  if (tried_ < names_.size()) {
    add_referrals(met, result_);
    return bind_next();
  }
  // A global catalog takes no binds: there it is always another server's word.
  const bool by_another =
      !how_->global_catalog && !found_at_.empty() && !result_.server.empty() && result_.server != found_at_;
  if (again_ || !(by_another || known_dn_)) return ends();
  again_ = searching_ = true;
  bind_met_ = std::move(met);
  search_ = user_search(how_, user_, attributes_, result_.server);
  return pass_on(search_.begin());
}

login_state::step login_state::refused_unsent(login_outcome outcome, std::string detail) {
  result_.outcome = outcome;
  result_.detail = std::move(detail);
  return std::move(result_);
}

}  // namespace understudy::internal
