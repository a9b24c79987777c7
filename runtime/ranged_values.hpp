// All values of an attribute, however many: servers such as Active Directory send a range of them at a time.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/runtime/directory.hpp"

namespace understudy {

/// How to read the values of a long attribute.
struct values_options {
  /// Of all requests together.
  duration timeout = limit_settings{}.operation_timeout;
  /// Memory that the values may take in all; `limits.max_result_bytes` bounds each answer besides.
  std::size_t max_bytes = std::size_t{64} * 1024 * 1024;
};

/// The values of `attribute` of the entry `dn`, in the server's order; none when it has none. A server that answers
/// with a range ("member;range=0-1499") is asked for the rest until there is none; another is asked once. Ranges count
/// on one server: when the next one comes from another (failover), it begins anew there, three times at most; on a
/// lease that cannot happen. Throws an ldap_exception: the directory's refusal, `connection_failed` when ranges
/// contradict each other, `result_too_large`, `operation_timeout`, `invalid_request` when `attribute` asks for a range
/// itself.
std::vector<std::string> fetch_all_values(directory& from, std::string dn, std::string attribute,
                                          const values_options& options = {});
/// The same without throwing: a result whose one entry has that one attribute (without values when it has none).
outcome try_fetch_all_values(directory& from, std::string dn, std::string attribute,
                             const values_options& options = {});

}  // namespace understudy
