// Counts referrals: see referrals.hpp.
#include "understudy/actors/authenticator/referrals.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

void take(const std::vector<std::string>& uris, user_answer& into) {
  for (const auto& uri : uris) {
    const bool told = std::find(into.referrals.begin(), into.referrals.end(), uri) != into.referrals.end();
    if (!told && into.referrals.size() < most_referrals) into.referrals.push_back(uri);
  }
}

}  // namespace

void note_referrals(const reply_to_request& reply, referral_policy policy, user_answer& into) {
  const auto note = [&](const std::vector<std::string>& uris) {
    if (uris.empty()) return;
    ++into.referrals_met;
    if (policy != referral_policy::ignore) take(uris, into);
  };
  const auto* found = reply.found ? reply.found.get() : reply.failed->partial.get();
  note(reply.found ? reply.found->referrals : reply.failed->referrals);
  if (found == nullptr) return;
  for (const auto& uris : found->references) note(uris);
}

void add_referrals(const user_answer& before, user_answer& into) {
  into.referrals_met += before.referrals_met;
  take(before.referrals, into);
}

}  // namespace understudy::internal
