// Searches for groups: see group_search.hpp.
#include "understudy/actors/authenticator/group_search.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/actors/authenticator/referrals.hpp"
#include "understudy/messages/dn.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/filter.hpp"
#include "understudy/messages/text.hpp"

namespace understudy::internal {
namespace {

constexpr std::string_view listed_in = "memberOf";
constexpr std::string_view name_in_groups = "uid";  // RFC 2307
/// inappropriateMatching (RFC 4511, A.1).
constexpr int inappropriate_matching = 18;
/// Of a search by a matching rule that the directory does not know: some say so (389 Directory Server by the second).
bool may_lack_rule(const failure& why) noexcept {
  return why.ldap_code == inappropriate_matching || why.ldap_code == result_code::unavailable_critical_extension;
}

/// Of a list of groups: room for DNs of that length, each.
constexpr std::size_t roomy_dn = 4096;

bool reads_list(group_strategy by) noexcept {
  return by == group_strategy::automatic || by == group_strategy::member_of;
}

std::vector<std::string> attributes_for(group_strategy by) {
  std::vector<std::string> read;
  if (reads_list(by)) read.emplace_back(listed_in);
  if (by == group_strategy::automatic || by == group_strategy::member_uid) read.emplace_back(name_in_groups);
  if (read.empty()) read.emplace_back("1.1");
  return read;
}

/// Groups that list the user by name. The entry says which name that is: what was typed may be another attribute of
/// it, and somebody else's name.
std::vector<std::string> lists_by_name(const entry& user) {
  std::vector<std::string> conditions;
  const auto* const names = user.find(name_in_groups);
  if (names == nullptr) return conditions;
  for (const auto& name : names->values) conditions.push_back(filter::equal("memberUid", name));
  return conditions;
}

std::string lists(const std::string& dn) {
  return filter::any_of({filter::equal("member", dn), filter::equal("uniqueMember", dn)});
}

/// True of "memberOf" and "memberOf;range=0-1499": the directory gives long lists in parts.
bool is_list(const attribute& listed) {
  return same_name(std::string_view{listed.name}.substr(0, listed.name.find(';')), listed_in);
}

}  // namespace

group_search::group_search(authenticator_settings_ptr how, std::string user, std::optional<group_strategy> by)
    : how_(how), by_(by.value_or(how->groups)), search_(std::move(how), std::move(user), attributes_for(by_)) {}

group_search::step group_search::begin() { return pass_on(search_.begin()); }

request_ptr group_search::ask(search_request request, std::string server) const {
  return make_request(std::move(request), {}, {std::move(server), how_->global_catalog});
}

group_search::step group_search::pass_on(user_search::step found) {
  if (auto* request = std::get_if<request_ptr>(&found)) return std::move(*request);
  auto& user = std::get<lookup_result>(found);
  static_cast<user_answer&>(result_) = user;
  if (!user) return std::move(result_);
  user_ = std::move(user.user);
  server_ = search_.server();
  result_.dn = user_.dn;
  seen_.insert(comparable_dn(user_.dn));
  if (reads_list(by_)) return take_listed();
  return ask_for_groups();
}

group_search::step group_search::ask_for_groups() {
  phase_ = phase::groups;
  auto by_name = lists_by_name(user_);
  switch (by_) {
    case group_strategy::member_of:
      return done();
    case group_strategy::automatic:
      if (!result_.groups.empty()) return done();
      by_name.insert(by_name.begin(), lists(user_.dn));
      return search_for(filter::any_of(by_name));
    case group_strategy::member:
      return search_for(lists(user_.dn));
    case group_strategy::member_uid:
      return by_name.empty() ? done() : search_for(filter::any_of(by_name));
    case group_strategy::in_chain:
      return search_for("(member:" + std::string{in_chain_rule} + ":=" + filter::escape(user_.dn) + ")");
    case group_strategy::nested:
      break;
  }
  above_.push_back(user_.dn);
  return walk_on();
}

group_search::step group_search::take_listed() {
  bool in_ranges = false;
  for (const auto& listed : user_.attributes) {
    if (!is_list(listed)) continue;
    in_ranges = in_ranges || has_range(listed.name);
    if (!has_range(listed.name))
      for (const auto& group : listed.values) add(group);
  }
  if (!in_ranges) return ask_for_groups();
  ranges_.emplace(std::string{listed_in}, static_cast<std::size_t>(how_->max_groups) * roomy_dn);
  ranges_at_ = server_;
  result first;
  first.server = server_;
  first.entries.push_back(user_);
  return take_range(first);
}

group_search::step group_search::take_range(result& part) {
  if (part.server != ranges_at_) {
    // Another server counts on its own.
    if (restarted_)
      return failed(make_failure(errc::connection_failed, stage::operation,
                                 "another server answered each time while the groups of one entry were read",
                                 part.server));
    restarted_ = true;
    ranges_at_ = part.server;
    ranges_->restart();
    return next_range();
  }
  if (auto why = ranges_->note(part)) return failed(why);
  const bool enough = ranges_->size() > static_cast<std::size_t>(how_->max_groups);
  if (!ranges_->finished() && !enough) return next_range();
  if (!ranges_->finished()) result_.complete = false;
  for (auto& group : ranges_->take()) add(std::move(group));
  return ask_for_groups();
}

group_search::step group_search::next_range() {
  phase_ = phase::range;
  search_request request;
  request.base = user_.dn;
  request.scope = search_scope::base;
  request.attributes = {ranges_->next()};
  return ask(std::move(request), ranges_at_);
}

group_search::step group_search::search_for(std::string condition) {
  search_request request;
  request.base = how_->group_base.empty() ? how_->base : how_->group_base;
  if (request.base.empty()) {
    result_.outcome = login_outcome::unavailable;
    result_.detail = "nothing says where groups are: set authenticator.group_base";
    return std::move(result_);
  }
  request.filter = std::move(condition);
  request.attributes = {"1.1"};
  // One more than are taken, to know that there are more.
  request.size_limit = how_->max_groups + 1;
  return ask(std::move(request), {});
}

group_search::step group_search::answered(const reply_to_request& reply) {
  if (phase_ == phase::user) return pass_on(search_.answered(reply));
  if (phase_ == phase::rule) return rule_answered(rule_.answered(reply));
  note_referrals(reply, how_->referrals, result_);
  if (phase_ == phase::groups) return groups_or_failure(reply);
  return reply.found ? take_range(*reply.found) : failed(reply.failed);
}

group_search::step group_search::groups_or_failure(const reply_to_request& reply) {
  server_ = reply.found ? reply.found->server : reply.failed->server;
  const bool by_directory = reply.failed && reply.failed->code == errc::ldap_error;
  if (reply.found) {
    take(reply.found->entries);
  } else if (by_directory && reply.failed->ldap_code == result_code::size_limit_exceeded) {
    result_.complete = false;
    if (reply.failed->partial) take(reply.failed->partial->entries);
  } else if (by_ == group_strategy::in_chain && by_directory && may_lack_rule(*reply.failed)) {
    return rule_answered(rule_knowledge{});
  } else {
    return failed(reply.failed);
  }
  if (by_ == group_strategy::in_chain && result_.groups.empty()) return ask_about_rule();
  return by_ == group_strategy::nested ? walk_on() : done();
}

group_search::step group_search::ask_about_rule() {
  phase_ = phase::rule;
  rule_ = rule_check{server_};
  return rule_answered(rule_.begin());
}

group_search::step group_search::rule_answered(rule_check::step said) {
  if (auto* request = std::get_if<request_ptr>(&said)) return std::move(*request);
  const auto& rule = std::get<rule_knowledge>(said);
  if (rule.failed) return failed(rule.failed);
  if (rule.known) return done();
  result_.outcome = login_outcome::unavailable;
  result_.retryable = false;
  result_.detail = (server_.empty() ? std::string{"the directory"} : server_) + " does not know the rule " +
                   std::string{in_chain_rule} +
                   " that in_chain asks by; set authenticator.groups to nested, which any directory can answer";
  return std::move(result_);
}

group_search::step group_search::failed(const failure_ptr& why) {
  result_.groups.clear();
  describe_failure(why, result_);
  return std::move(result_);
}

void group_search::take(const std::vector<entry>& entries) {
  for (const auto& group : entries) add(group.dn);
}

void group_search::add(std::string group) {
  if (!seen_.insert(comparable_dn(group)).second) return;
  if (result_.groups.size() >= static_cast<std::size_t>(how_->max_groups)) {
    result_.complete = false;
    return;
  }
  if (by_ == group_strategy::nested) above_.push_back(group);
  auto name = dn::first_value(group);
  result_.groups.push_back({std::move(group), std::move(name)});
}

group_search::step group_search::walk_on() {
  if (level_.empty()) {
    if (above_.empty()) return done();
    // The first level is that of the user's own groups; the others are levels of groups within groups.
    if (depth_ > how_->group_depth) {
      result_.complete = false;
      return done();
    }
    ++depth_;
    level_.swap(above_);
  }
  std::vector<std::string> conditions;
  while (!level_.empty() && conditions.size() < batch) {
    conditions.push_back(lists(level_.back()));
    level_.pop_back();
  }
  return search_for(filter::any_of(conditions));
}

group_search::step group_search::done() { return std::move(result_); }

}  // namespace understudy::internal
