// Looking for the control in a root DSE.
#include "understudy/actors/front_door/proxied_authorization.hpp"

#include <algorithm>

namespace understudy::internal {

search_request proxied_authorization_search() {
  search_request asked;
  asked.scope = search_scope::base;
  asked.attributes = {"supportedControl"};
  return asked;
}

bool offers_proxied_authorization(const result& root_dse) noexcept {
  return std::any_of(root_dse.entries.begin(), root_dse.entries.end(), [](const entry& each) {
    const auto* listed = each.find("supportedControl");
    return listed != nullptr &&
           std::find(listed->values.begin(), listed->values.end(), proxied_authorization_oid) != listed->values.end();
  });
}

}  // namespace understudy::internal
