// Whether two texts name the same entry, as far as that can be told without a schema.
#pragma once
#include <string>
#include <string_view>

namespace understudy::internal {

/// A form in which the usual spellings of one DN (RFC 4514) are equal: case, spaces and what servers take for some,
/// escapes, the order of a multi-valued RDN, the numbers and long names of the usual attribute types, and their
/// options. What is no DN (`user@domain`) is only put into lower case. Two that differ here may still be the same to a
/// server, as those whose letters beyond ASCII differ in case; two that are equal are so to any server that ignores
/// case.
std::string comparable_dn(std::string_view dn);

/// The same for a name that is no DN, as SASL has them: in lower case, each run of what servers take for a space as
/// one, none around it. Of what SASLprep (RFC 4013) and string preparation (RFC 4518) make equal, that is all of ASCII;
/// letters beyond it stay as they are.
std::string comparable_name(std::string_view name);

/// True when `dn` is `base`, or below it; below the empty one is everything. Both as comparable_dn() has them.
bool is_at_or_below(std::string_view dn, std::string_view base);

}  // namespace understudy::internal
