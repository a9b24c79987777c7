// Which servers of the directory offer proxied authorization, as was last seen in their root DSEs.
#pragma once
#include "understudy/messages/call.hpp"
#include "understudy/messages/result.hpp"
#include "understudy/messages/time.hpp"

#include <atomic>
#include <map>
#include <mutex>

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
  /// What is known of one server.
  enum class known : std::uint8_t { nothing, listed, missing };
  /// So long it is remembered that a server does not: it may be another one by then.
  static constexpr seconds missing_for{60};

  /// True: some server had it listed when somebody looked last.
  bool seen() const noexcept { return seen_.load(); }
  /// A root DSE had it listed, or not; nothing: whose it was is not known.
  void note(std::optional<server_id> server, bool listed, time_point now);
  known of(server_id server, time_point now) const;
  /// Those that are known not to: nobody may be served by proxy there.
  server_set missing(time_point now) const;

 private:
  struct look {
    bool listed = false;
    time_point at{};
  };
  std::atomic<bool> seen_{false};
  mutable std::mutex mutex_;  ///< of what follows
  std::map<server_id, look> servers_;
};

}  // namespace understudy::internal
