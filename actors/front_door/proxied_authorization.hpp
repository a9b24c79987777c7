// Whether the directory offers proxied authorization, as it was last seen in a root DSE.
#pragma once
#include "understudy/messages/result.hpp"

#include <atomic>

namespace understudy::internal {

/// RFC 4370: its value names as whom an operation is carried out.
inline constexpr std::string_view proxied_authorization_oid = "2.16.840.1.113730.3.4.18";

/// An operation that carries it is refused by a server that does not know it, or does not let the service use it: it is
/// critical, always.
inline control proxied_authorization(std::string authorization_id) {
  return {std::string{proxied_authorization_oid}, true, std::move(authorization_id)};
}

/// Asks a root DSE what it offers.
search_request proxied_authorization_search();
/// Whether that search's answer lists it.
bool offers_proxied_authorization(const result& root_dse) noexcept;

/// Shared by all clients of a front door; thread-safe.
class proxied_authorization_offer {
 public:
  /// True: it was listed when somebody looked last.
  bool seen() const noexcept { return seen_.load(); }
  void note(bool listed) noexcept { seen_.store(listed); }

 private:
  std::atomic<bool> seen_{false};
};

}  // namespace understudy::internal
