// Distinguished names built from parts, every value escaped (RFC 4514).
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::dn {

/// A value as it may stand in a DN (RFC 4514, 2.4); binary-safe.
std::string escape(std::string_view value);

/// "attr=value", the value escaped. Throws std::invalid_argument when `attr` is no attribute type.
std::string rdn(std::string_view attr, std::string_view value);
/// A multi-valued RDN, "a=1+b=2". Throws std::invalid_argument when there are no `parts`, and as the other one.
std::string rdn(const std::vector<std::pair<std::string, std::string>>& parts);
/// `rdn` below `parent` (a DN as it is; empty: `rdn` is the top). Throws std::invalid_argument when `rdn` is none.
std::string child(std::string_view rdn, std::string_view parent);

/// The value of the first attribute of the first RDN, without its escapes: "Doe, Jane" of "cn=Doe\, Jane,dc=a".
/// Empty when `dn` is none, or the value is written as BER ("#04…").
std::string first_value(std::string_view dn);

}  // namespace understudy::dn
