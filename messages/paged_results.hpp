// The simple paged results control (RFC 2696).
#pragma once
#include "understudy/messages/request.hpp"

namespace understudy::internal {

inline constexpr std::string_view paged_results_oid = "1.2.840.113556.1.4.319";

/// Its value, both ways. To the server: entries wanted in the next page (0 with a cookie: the search is given up), and
/// the cookie it gave last. From the server: its estimate of all entries (0: unknown), and the cookie for the next
/// page; empty when there is none. A cookie may be any bytes.
struct paged_results {
  std::int32_t size = 0;
  std::string cookie;
};

std::string encode_paged_results(const paged_results& value);
/// Nothing when `value` is not `SEQUENCE { INTEGER (0..2147483647), OCTET STRING }` and no more.
std::optional<paged_results> decode_paged_results(std::string_view value);

/// The control to send.
control paged_results_control(const paged_results& value, bool critical);

}  // namespace understudy::internal
