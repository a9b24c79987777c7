// What an LDAP URL (RFC 4516) of a referral names: a server, and what to search for there.
#pragma once
#include "understudy/messages/request.hpp"

namespace understudy::internal {

/// Parts that are absent, or empty, are those of the request that was referred (RFC 4511, 4.1.10 and 4.5.3). Which
/// attributes are read is for the request alone to say.
struct ldap_url {
  std::string server;                 ///< "host:port", as result::server has it; the scheme's port where none is given
  std::optional<std::string> dn;      ///< in place of the base
  std::optional<search_scope> scope;  ///< in place of the scope
  std::optional<std::string> filter;  ///< in place of the filter; not checked
};

/// Nothing for what is no such URL, names no host, is of another scheme than ldap and ldaps, has an extension that is
/// critical, a part that cannot be sent, or more than 8 192 bytes.
std::optional<ldap_url> parse_ldap_url(std::string_view text);

}  // namespace understudy::internal
