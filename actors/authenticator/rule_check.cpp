// Asks for capabilities and matching rules: see rule_check.hpp.
#include "understudy/actors/authenticator/rule_check.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

/// LDAP_CAP_ACTIVE_DIRECTORY_OID, …_V51_OID, …_ADAM_OID.
constexpr std::string_view active_directories[] = {"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670",
                                                   "1.2.840.113556.1.4.1851"};

template <class Fits>
bool any_value(const entry& of, std::string_view attribute, Fits fits) {
  const auto* const listed = of.find(attribute);
  return listed != nullptr && std::any_of(listed->values.begin(), listed->values.end(), fits);
}

}  // namespace

request_ptr rule_check::read(std::string dn, std::string filter, std::vector<std::string> attributes) const {
  search_request request;
  request.base = std::move(dn);
  request.scope = search_scope::base;
  request.filter = std::move(filter);
  request.attributes = std::move(attributes);
  return make_request(std::move(request), {}, {server_, false});
}

rule_check::step rule_check::begin() {
  return read("", "(objectClass=*)", {"supportedCapabilities", "subschemaSubentry"});
}

rule_check::step rule_check::answered(const reply_to_request& reply) {
  if (!reply.found) return rule_knowledge{false, reply.failed};
  if (reply.found->entries.empty()) return rule_knowledge{};
  const auto& said = reply.found->entries.front();
  if (reads_schema_) {
    // "( 1.2.840.113556.1.4.1941 NAME … )"
    return rule_knowledge{any_value(said, "matchingRules",
                                    [](const std::string& rule) {
                                      const auto at = rule.find(in_chain_rule);
                                      return at != std::string::npos && at <= 2;
                                    }),
                          nullptr};
  }
  if (any_value(said, "supportedCapabilities", [](const std::string& oid) {
        return std::find(std::begin(active_directories), std::end(active_directories), oid) !=
               std::end(active_directories);
      }))
    return rule_knowledge{true, nullptr};
  const auto schema = said.first("subschemaSubentry");
  if (schema.empty()) return rule_knowledge{};
  reads_schema_ = true;
  return read(std::string{schema}, "(objectClass=subschema)", {"matchingRules"});
}

}  // namespace understudy::internal
