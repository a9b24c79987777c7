// Reads entries: see entry_fetch.hpp.
#include "understudy/actors/authenticator/entry_fetch.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/actors/authenticator/referrals.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

bool is_filter(std::string_view text) noexcept { return text.substr(0, 1) == "("; }

/// "member" of "member;range=0-1499"; other options stay.
std::string without_range(std::string_view name) {
  std::string plain;
  for (std::size_t begin = 0; begin <= name.size();) {
    const auto end = std::min(name.find(';', begin), name.size());
    const auto piece = name.substr(begin, end - begin);
    if (!has_range(";" + std::string{piece})) plain += (begin == 0 ? "" : ";") + std::string{piece};
    begin = end + 1;
  }
  return plain;
}

bool says_absent(const failure& why) noexcept {
  return why.code == errc::ldap_error && why.ldap_code == result_code::no_such_object;
}

}  // namespace

entry_fetch::entry_fetch(authenticator_settings_ptr how, std::string dn_or_filter, std::vector<std::string> attributes)
    : how_(std::move(how)), dn_or_filter_(std::move(dn_or_filter)), attributes_(std::move(attributes)) {}

entry_fetch::step entry_fetch::begin() {
  search_request request;
  request.attributes = attributes_;
  if (!is_filter(dn_or_filter_)) {
    if (dn_or_filter_.empty()) {
      result_.outcome = login_outcome::no_such_user;
      result_.detail = "no entry has an empty name";
      return std::move(result_);
    }
    request.base = dn_or_filter_;
    request.scope = search_scope::base;
  } else if (how_->base.empty()) {
    result_.detail = "nothing says where to look: set authenticator.base";
    return std::move(result_);
  } else {
    request.base = how_->base;
    request.filter = dn_or_filter_;
    request.size_limit = most_entries;
  }
  return make_request(std::move(request), {}, {{}, how_->global_catalog});
}

entry_fetch::step entry_fetch::answered(const reply_to_request& reply) {
  note_referrals(reply, how_->referrals, result_);
  return first_ ? take(reply) : take_range(reply);
}

entry_fetch::step entry_fetch::take(const reply_to_request& reply) {
  first_ = false;
  server_ = reply.found ? reply.found->server : reply.failed->server;
  if (reply.found) {
    result_.entries = std::move(reply.found->entries);
  } else if (reply.failed->code == errc::ldap_error && reply.failed->ldap_code == result_code::size_limit_exceeded) {
    result_.complete = false;
    if (reply.failed->partial) result_.entries = reply.failed->partial->entries;
  } else if (!says_absent(*reply.failed)) {
    return failed(reply.failed);
  }
  result_.outcome = result_.entries.empty() ? login_outcome::no_such_user : login_outcome::ok;
  if (result_.entries.empty()) result_.detail = "there is no entry " + shortened(printable(dn_or_filter_));
  return next_attribute();
}

entry_fetch::step entry_fetch::next_attribute() {
  for (; entry_ < result_.entries.size(); ++entry_, attribute_ = 0) {
    const auto& found = result_.entries[entry_];
    for (; attribute_ < found.attributes.size(); ++attribute_) {
      const auto& part = found.attributes[attribute_];
      if (!has_range(part.name)) continue;
      ranges_.emplace(without_range(part.name), most_bytes);
      restarted_ = false;
      result first;
      first.server = server_;
      first.entries.push_back({found.dn, {part}});
      if (auto why = ranges_->note(first)) return failed(why);
      if (auto request = next_range()) return request;
      end_part();
    }
    drop_empty_names();
  }
  return std::move(result_);
}

request_ptr entry_fetch::next_range() {
  if (ranges_->finished()) return nullptr;
  if (rounds_ >= most_rounds) {
    result_.complete = false;
    return nullptr;
  }
  ++rounds_;
  search_request request;
  request.base = result_.entries[entry_].dn;
  request.scope = search_scope::base;
  request.attributes = {ranges_->next()};
  return make_request(std::move(request), {}, {server_, how_->global_catalog});
}

entry_fetch::step entry_fetch::take_range(const reply_to_request& reply) {
  if (!reply.found) return failed(reply.failed);
  if (reply.found->server != server_) {
    if (restarted_)
      return failed(make_failure(errc::connection_failed, stage::operation,
                                 "another server answered each time while the values of one entry were read",
                                 reply.found->server));
    restarted_ = true;
    server_ = reply.found->server;
    ranges_->restart();
  } else if (auto why = ranges_->note(*reply.found)) {
    return failed(why);
  }
  return go_on();
}

entry_fetch::step entry_fetch::go_on() {
  if (auto request = next_range()) return request;
  end_part();
  ++attribute_;
  return next_attribute();
}

void entry_fetch::end_part() {
  auto& part = result_.entries[entry_].attributes[attribute_];
  part = {without_range(part.name), ranges_->take()};
  whole_[ascii_lower(part.name)] = attribute_;
}

void entry_fetch::drop_empty_names() {
  if (whole_.empty()) return;
  auto& all = result_.entries[entry_].attributes;
  std::vector<attribute> kept;
  kept.reserve(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto read = all[i].values.empty() ? whole_.find(ascii_lower(all[i].name)) : whole_.end();
    if (read == whole_.end() || read->second == i) kept.push_back(std::move(all[i]));
  }
  all = std::move(kept);
  whole_.clear();
}

entry_fetch::step entry_fetch::failed(const failure_ptr& why) {
  result_.entries.clear();
  describe_failure(why, result_);
  return std::move(result_);
}

}  // namespace understudy::internal
