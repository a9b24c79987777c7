// Who is asked where a referral leads: see referral_targets.hpp.
#include "understudy/runtime/client/referral_targets.hpp"

#include "understudy/messages/text.hpp"

#include <algorithm>

namespace understudy::internal {

chase_limits referral_targets::limits() const {
  return {how_->referral_hops, how_->max_referrals,
          [self = shared_from_this()](const std::string& server) { return self->known(server); }};
}

directory* referral_targets::of(const std::string& server) const noexcept {
  if (server.empty() || !elsewhere_ || configured(server) != nullptr) return nullptr;
  try {
    return elsewhere_(server);
  } catch (...) {
    return nullptr;  // as its documentation says: nobody
  }
}

std::optional<std::string> referral_targets::known(const std::string& server) const {
  if (const auto* name = configured(server)) return *name;
  if (of(server) != nullptr) return server;
  return std::nullopt;
}

const std::string* referral_targets::configured(const std::string& server) const noexcept {
  const auto& all = how_->referral_servers;
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& each) { return same_name(each, server); });
  return at != all.end() ? &*at : nullptr;
}

reply_to_request named_after(const std::string& server, reply_to_request reply) {
  if (reply.found) {
    reply.found->server = server;
  } else {
    failure why = *reply.failed;
    why.server = server;
    reply.failed = make_failure(std::move(why));
  }
  return reply;
}

}  // namespace understudy::internal
