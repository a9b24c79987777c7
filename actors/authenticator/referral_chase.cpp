// Follows referrals: see referral_chase.hpp.
#include "understudy/actors/authenticator/referral_chase.hpp"

#include "understudy/actors/authenticator/ldap_url.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <limits>

namespace understudy::internal {
namespace {

const search_request* search_of(const request_ptr& order) { return std::get_if<search_request>(&order->op); }

bool refused_with(const failure& why, int ldap_code) noexcept {
  return why.code == errc::ldap_error && why.ldap_code == ldap_code;
}

/// The same for searches that have the same entries.
std::string place_of(const std::string& server, const search_request& search) {
  auto place = ascii_lower(server) + '\0' + comparable_dn(search.base) + '\0';
  place += static_cast<char>('0' + static_cast<int>(search.scope));
  return place + search.filter;
}

failure_ptr does_not_answer(const std::string& server) {
  return make_failure(errc::no_server, stage::operation,
                      server + ", which a referral leads to, does not take the request now", server);
}

}  // namespace

void referral_chase::begin(request_ptr order) {
  order_ = sent_ = std::move(order);
  whole_ = {};
  led_away_ = nullptr;
  answered_ = false;
  asks_.clear();
  leads_.clear();
  asked_.clear();
  asks_for_.clear();
  circle_ = false;
  found_.clear();
}

request_ptr referral_chase::answered(const reply_to_request& reply) {
  if (asks_.empty()) return take_first(reply);
  if (reply.found && same_name(reply.found->server, asks_))
    take_answer(*reply.found);
  else if (reply.found)
    leads_.front().why = does_not_answer(asks_);
  else
    take_failure(reply.failed);
  return next();
}

request_ptr referral_chase::take_first(const reply_to_request& reply) {
  whole_ = reply;
  const auto* const search = search_of(order_);
  if (search == nullptr) return nullptr;
  if (reply.found) {
    if (reply.found->references.empty()) return nullptr;
    asked_[place_of(reply.found->server, *search)] = true;
    for (const auto& each : reply.found->entries) found_.insert(comparable_dn(each.dn));
    take_leads(*reply.found, order_, 1);
    return next();
  }
  if (!refused_with(*reply.failed, result_code::referral)) return nullptr;
  led_away_ = reply.failed;
  asked_[place_of(led_away_->server, *search)] = false;
  whole_ = {std::make_shared<result>(), nullptr};
  leads_.push_back({led_away_->referrals, order_});
  return next();
}

void referral_chase::take_answer(result& part) {
  const auto by = sent_;
  const int hop = leads_.front().hop;
  leads_.pop_front();
  merge(part);
  answered_ = asked_[asks_for_] = true;
  take_leads(part, by, hop + 1);
}

void referral_chase::take_failure(const failure_ptr& why) {
  auto& by = leads_.front();
  switch (why->code) {
    case errc::ldap_error:
      break;
    case errc::cancelled:
    case errc::operation_timeout:
      return fail(why);  // no time is left, or nobody waits
    case errc::invalid_request:
      return;  // it cannot be sent: the URI has a filter that is none
    default:
      by.why = why;
      return;
  }
  if (!same_name(why->server, asks_)) {
    by.why = does_not_answer(asks_);
  } else if (refused_with(*why, result_code::referral)) {
    lead further{why->referrals, sent_, by.hop + 1};
    leads_.front() = std::move(further);
  } else if (refused_with(*why, result_code::no_such_object)) {
    answered_ = asked_[asks_for_] = true;
    leads_.pop_front();
  } else if (refused_with(*why, result_code::size_limit_exceeded)) {
    if (why->partial) {
      auto part = *why->partial;
      merge(part);
    }
    end_at_size_limit();
  } else {
    fail(why);
  }
}

request_ptr referral_chase::next() {
  while (!leads_.empty()) {
    if (auto order = ask(leads_.front())) {
      if (room() > 0) return order;
      end_at_size_limit();
      break;
    }
    auto unanswered = std::move(leads_.front());
    leads_.pop_front();
    settle(unanswered);
  }
  if (whole_.found && led_away_ && !answered_) end_without_answer();
  asks_.clear();
  return nullptr;
}

request_ptr referral_chase::ask(lead& of) {
  if (of.hop > limits_.hops) return nullptr;
  while (of.next < of.uris.size()) {
    const auto url = parse_ldap_url(of.uris[of.next++]);
    const auto server = url ? limits_.known(url->server) : std::nullopt;
    if (!server) continue;
    auto search = *search_of(of.from);
    if (url->dn) search.base = *url->dn;
    if (url->scope) search.scope = *url->scope;
    if (url->filter) search.filter = *url->filter;
    auto place = place_of(*server, search);
    if (const auto before = asked_.find(place); before != asked_.end()) {
      of.asked_before = before->second;
      if (of.asked_before) return nullptr;
      circle_ = true;
      continue;
    }
    if (followed_ >= limits_.most) return nullptr;
    ++followed_;
    asked_.emplace(place, false);
    if (search.size_limit > 0) search.size_limit = static_cast<std::int32_t>(room());
    asks_ = *server;
    asks_for_ = std::move(place);
    sent_ = make_request(std::move(search), order_->controls, {*server, order_->wish.global_catalog});
    return sent_;
  }
  return nullptr;
}

void referral_chase::settle(lead& unanswered) {
  if (unanswered.asked_before) return;
  if (unanswered.why) return fail(unanswered.why);
  if (whole_.found) whole_.found->references.push_back(std::move(unanswered.uris));
}

void referral_chase::take_leads(result& from, const request_ptr& by, int hop) {
  for (auto& uris : from.references) leads_.push_back({std::move(uris), by, hop});
  from.references.clear();
  from.reference_positions.clear();
  from.reference_controls.clear();
}

void referral_chase::merge(result& part) {
  auto& all = *whole_.found;
  if ((all.entries.empty() && !part.entries.empty()) || (led_away_ && !answered_)) all.server = asks_;
  for (auto& each : part.entries)
    if (found_.insert(comparable_dn(each.dn)).second) all.entries.push_back(std::move(each));
}

/// Entries that the search may still have.
std::size_t referral_chase::room() const {
  const auto limit = search_of(order_)->size_limit;
  if (limit <= 0) return std::numeric_limits<std::int32_t>::max();
  const auto have = whole_.found ? whole_.found->entries.size() : 0;
  return have < static_cast<std::size_t>(limit) ? static_cast<std::size_t>(limit) - have : 0;
}

/// As a directory that has all of it would say so.
void referral_chase::end_at_size_limit() {
  failure cut;
  cut.code = errc::ldap_error;
  cut.ldap_code = result_code::size_limit_exceeded;
  cut.message = "The entries here and where referrals lead to are more than were asked for.";
  cut.server = whole_.found->server;
  for (auto& each : leads_) whole_.found->references.push_back(std::move(each.uris));
  cut.partial = whole_.found;
  whole_ = {nullptr, make_failure(std::move(cut))};
  leads_.clear();
}

void referral_chase::fail(const failure_ptr& why) {
  failure told = *why;
  told.message = "A referral to " + asks_ + " could not be followed: " + why->message;
  told.partial = nullptr;
  whole_ = {nullptr, make_failure(std::move(told))};
  leads_.clear();
}

void referral_chase::end_without_answer() {
  failure told = *led_away_;
  if (circle_) told.message = "Referrals lead in a circle: " + led_away_->message;
  told.referrals.clear();
  for (auto& uris : whole_.found->references) std::move(uris.begin(), uris.end(), std::back_inserter(told.referrals));
  whole_ = {nullptr, make_failure(std::move(told))};
}

}  // namespace understudy::internal
