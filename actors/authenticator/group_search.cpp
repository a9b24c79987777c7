// Searches for groups: see group_search.hpp.
#include "understudy/actors/authenticator/group_search.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/messages/dn.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/filter.hpp"
#include "understudy/messages/text.hpp"

namespace understudy::internal {
namespace {

constexpr std::string_view listed_in = "memberOf";
constexpr std::string_view name_in_groups = "uid";  // RFC 2307
constexpr std::string_view in_chain = "member:1.2.840.113556.1.4.1941:";

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

/// True of "memberOf;range=0-1499": the directory gives long lists in parts.
bool is_part_of_list(const attribute& listed) {
  return same_name(std::string_view{listed.name}.substr(0, listed_in.size() + 1), std::string{listed_in} + ';');
}

}  // namespace

group_search::group_search(authenticator_settings_ptr how, std::string user, std::optional<group_strategy> by)
    : how_(how), by_(by.value_or(how->groups)), search_(std::move(how), std::move(user), attributes_for(by_)) {}

group_search::step group_search::begin() { return pass_on(search_.begin()); }

group_search::step group_search::pass_on(user_search::step found) {
  if (auto* request = std::get_if<request_ptr>(&found)) return std::move(*request);
  searching_ = false;
  auto& user = std::get<lookup_result>(found);
  static_cast<user_answer&>(result_) = user;
  if (!user) return std::move(result_);
  user_ = std::move(user.user);
  result_.dn = user_.dn;
  seen_.insert(comparable_dn(user_.dn));
  return ask_for_groups();
}

group_search::step group_search::ask_for_groups() {
  if (reads_list(by_)) take_listed();
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
      return search_for("(" + std::string{in_chain} + "=" + filter::escape(user_.dn) + ")");
    case group_strategy::nested:
      break;
  }
  above_.push_back(user_.dn);
  return walk_on();
}

void group_search::take_listed() {
  for (const auto& listed : user_.attributes) {
    if (is_part_of_list(listed)) result_.complete = false;
    if (!is_part_of_list(listed) && !same_name(listed.name, listed_in)) continue;
    for (const auto& group : listed.values) add(group);
  }
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
  return make_request(std::move(request));
}

group_search::step group_search::answered(const reply_to_request& reply) {
  if (searching_) return pass_on(search_.answered(reply));
  if (reply.found) {
    take(reply.found->entries);
  } else if (reply.failed->code == errc::ldap_error && reply.failed->ldap_code == result_code::size_limit_exceeded) {
    result_.complete = false;
    if (reply.failed->partial) take(reply.failed->partial->entries);
  } else {
    result_.groups.clear();
    describe_failure(reply.failed, result_);
    return std::move(result_);
  }
  return by_ == group_strategy::nested ? walk_on() : done();
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
