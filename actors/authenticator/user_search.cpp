// Searches for users: see user_search.hpp.
#include "understudy/actors/authenticator/user_search.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/actors/authenticator/referrals.hpp"
#include "understudy/messages/printable.hpp"

namespace understudy::internal {
namespace {

bool is_absent(const failure& why) noexcept {
  return why.code == errc::ldap_error &&
         (why.ldap_code == result_code::no_such_object || why.ldap_code == result_code::invalid_dn_syntax);
}

/// "<SID=S-1-5-21-…>" and "<GUID=…>" name an entry of Active Directory as a DN does.
bool names_an_entry(std::string_view text) noexcept { return is_dn_template(text) || text.substr(0, 1) == "<"; }

}  // namespace

user_search::user_search(authenticator_settings_ptr how, std::string user, std::vector<std::string> attributes,
                         std::string server)
    : how_(std::move(how)), login_(parse_login_name(user)), attributes_(std::move(attributes)) {
  wish_.global_catalog = server.empty() && how_->global_catalog;
  wish_.server = std::move(server);
}

user_search::step user_search::ask(search_request request) const { return make_request(std::move(request), {}, wish_); }

user_search::step user_search::begin() {
  if (!login_) return ended(login_outcome::no_such_user, "no user has an empty name, or one of such a length");
  if (how_->base.empty()) return next_template();
  auto filled = fill_filter(how_->filter, *login_);
  if (!filled) return ended(login_outcome::no_such_user, "the name has no domain, and the filter asks for one");
  search_request request;
  request.base = how_->base;
  request.filter = condition_ = std::move(*filled);
  request.attributes = attributes_;
  request.size_limit = 2;  // two are enough to know that there is no one entry
  return ask(std::move(request));
}

user_search::step user_search::next_template() {
  while (next_template_ < how_->dn_templates.size()) {
    const auto& text = how_->dn_templates[next_template_++];
    auto filled = names_an_entry(text) ? fill_bind_name(text, *login_) : std::nullopt;
    if (!filled) continue;
    search_request request;
    request.base = condition_ = std::move(*filled);
    request.scope = search_scope::base;
    request.attributes = attributes_;
    return ask(std::move(request));
  }
  if (condition_.empty())
    return ended(login_outcome::unavailable,
                 "nothing says where users are: set authenticator.base, or a template that is a DN");
  return ended(login_outcome::no_such_user, said("there is no entry "));
}

user_search::step user_search::answered(const reply_to_request& reply) {
  note_referrals(reply, how_->referrals, met_);
  server_ = reply.found ? reply.found->server : reply.failed->server;
  if (reply.found) return take(*reply.found);
  const auto& why = *reply.failed;
  if (how_->base.empty() && is_absent(why)) return next_template();
  if (why.code == errc::ldap_error && why.ldap_code == result_code::size_limit_exceeded)
    return ended(login_outcome::ambiguous, said("more than one entry matches "));
  lookup_result failed;
  add_referrals(met_, failed);
  describe_failure(reply.failed, failed);
  return failed;
}

user_search::step user_search::take(result& found) {
  if (found.entries.size() > 1) return ended(login_outcome::ambiguous, said("more than one entry matches "));
  if (found.entries.empty()) {
    if (how_->base.empty()) return next_template();
    return ended(login_outcome::no_such_user, said("no entry matches "));
  }
  // A bind without a name would be no login of anybody's (RFC 4513, 5.1).
  if (found.entries.front().dn.empty())
    return ended(login_outcome::no_such_user, said("the entry has no name to bind as: "));
  lookup_result there;
  there.outcome = login_outcome::ok;
  add_referrals(met_, there);
  there.user = std::move(found.entries.front());
  return there;
}

user_search::step user_search::ended(login_outcome outcome, std::string detail) const {
  lookup_result made;
  add_referrals(met_, made);
  made.outcome = outcome;
  made.detail = std::move(detail);
  return made;
}

std::string user_search::said(std::string_view of) const { return std::string{of} + shortened(printable(condition_)); }

}  // namespace understudy::internal
