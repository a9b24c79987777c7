// Whether a directory knows Active Directory's matching rule for members of members.
#pragma once
#include "understudy/actors/authenticator/dialogue.hpp"

namespace understudy::internal {

/// LDAP_MATCHING_RULE_IN_CHAIN.
inline constexpr std::string_view in_chain_rule = "1.2.840.113556.1.4.1941";

/// What is known of the rule: it is there, it is not, or why that could not be found out.
struct rule_knowledge {
  bool known = false;
  failure_ptr failed;  ///< set: nothing is known
};

/// Asks the root DSE whether the directory is of Active Directory's kind, which knows the rule without saying so; any
/// other lists the rules that it knows in its schema (RFC 4512, 4.2).
class rule_check final : public dialogue<rule_knowledge> {
 public:
  /// `server`: the one to ask.
  explicit rule_check(std::string server = {}) : server_(std::move(server)) {}

  step begin() override;
  step answered(const reply_to_request& reply) override;

 private:
  request_ptr read(std::string dn, std::string filter, std::vector<std::string> attributes) const;

  std::string server_;
  bool reads_schema_ = false;
};

}  // namespace understudy::internal
