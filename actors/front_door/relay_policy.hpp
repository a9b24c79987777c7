// What of LDAP passes a front door: controls, extended operations, and what the root DSE says of both.
#pragma once
#include "understudy/messages/ldap_message.hpp"

namespace understudy::internal {

/// Why a request is not passed on.
struct relay_refusal {
  int code = 0;  ///< 0: it may pass
  std::string diagnostic;
};

/// The controls of a request, checked. On a connection that others share only those pass that are known to leave
/// nothing behind in a session; on one that is the client's own, all but those that take the connection away from it.
struct checked_controls {
  relay_refusal refusal;
  std::vector<control> passed;
  bool changed = false;  ///< some that need not be obeyed were left out
  bool paged = false;    ///< results in pages (RFC 2696)
};
checked_controls check_controls(std::vector<control> asked, bool own_connection);
/// Every control that is known here, by OID; the others are unknown.
std::vector<std::string_view> known_controls();

/// Whether an extended operation passes; StartTLS and cancel are not passed on in any case, but answered here.
relay_refusal check_extension(const extended_fields& asked, bool own_connection);

/// True when the search reads the root DSE.
bool reads_root_dse(const search_fields& search) noexcept;
/// What a front door answers for itself, whatever the directory has.
struct door_offer {
  bool start_tls = false;
  bool plain = false;     ///< SASL
  bool external = false;  ///< SASL
};
/// The answer to such a search, with only those controls, extensions and mechanisms that pass, and what is offered.
/// What cannot be read is left out.
std::string as_front_door(std::string_view messages, std::int32_t id, const door_offer& offered);

}  // namespace understudy::internal
