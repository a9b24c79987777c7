// Looks things up in entries, and names result codes as RFC 4511 does.
#include "understudy/messages/result.hpp"

#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>

namespace understudy {

using namespace internal;
namespace {

struct named_code {
  int code;
  std::string_view name;
};

// RFC 4511, appendix A.1; 118 to 121: RFC 3909; 122: RFC 4528.
constexpr std::array<named_code, 44> names{{{0, "success"},
                                            {1, "operationsError"},
                                            {2, "protocolError"},
                                            {3, "timeLimitExceeded"},
                                            {4, "sizeLimitExceeded"},
                                            {5, "compareFalse"},
                                            {6, "compareTrue"},
                                            {7, "authMethodNotSupported"},
                                            {8, "strongerAuthRequired"},
                                            {10, "referral"},
                                            {11, "adminLimitExceeded"},
                                            {12, "unavailableCriticalExtension"},
                                            {13, "confidentialityRequired"},
                                            {14, "saslBindInProgress"},
                                            {16, "noSuchAttribute"},
                                            {17, "undefinedAttributeType"},
                                            {18, "inappropriateMatching"},
                                            {19, "constraintViolation"},
                                            {20, "attributeOrValueExists"},
                                            {21, "invalidAttributeSyntax"},
                                            {32, "noSuchObject"},
                                            {33, "aliasProblem"},
                                            {34, "invalidDNSyntax"},
                                            {36, "aliasDereferencingProblem"},
                                            {48, "inappropriateAuthentication"},
                                            {49, "invalidCredentials"},
                                            {50, "insufficientAccessRights"},
                                            {51, "busy"},
                                            {52, "unavailable"},
                                            {53, "unwillingToPerform"},
                                            {54, "loopDetect"},
                                            {64, "namingViolation"},
                                            {65, "objectClassViolation"},
                                            {66, "notAllowedOnNonLeaf"},
                                            {67, "notAllowedOnRDN"},
                                            {68, "entryAlreadyExists"},
                                            {69, "objectClassModsProhibited"},
                                            {71, "affectsMultipleDSAs"},
                                            {80, "other"},
                                            {118, "canceled"},
                                            {119, "noSuchOperation"},
                                            {120, "tooLate"},
                                            {121, "cannotCancel"},
                                            {122, "assertionFailed"}}};

}  // namespace

const attribute* entry::find(std::string_view name) const noexcept {
  const auto it =
      std::find_if(attributes.begin(), attributes.end(), [&](const attribute& a) { return same_name(a.name, name); });
  return it == attributes.end() ? nullptr : &*it;
}

std::string_view entry::first(std::string_view name) const noexcept {
  const auto* found = find(name);
  return found == nullptr || found->values.empty() ? std::string_view{} : std::string_view{found->values.front()};
}

std::uint32_t search_batch::credits() const noexcept {
  auto sum = std::max(reference_credits, static_cast<std::uint32_t>(references.size()));
  for (std::size_t i = 0; i < entries.size(); ++i) sum += credits_of(i);
  return sum;
}

const control* find_control(const std::vector<control>& controls, std::string_view oid) noexcept {
  const auto it = std::find_if(controls.begin(), controls.end(), [&](const control& c) { return c.oid == oid; });
  return it == controls.end() ? nullptr : &*it;
}

std::string result_code_name(int code) {
  for (const auto& [number, name] : names)
    if (number == code) return std::string{name};
  return "resultCode " + std::to_string(code);
}

}  // namespace understudy
