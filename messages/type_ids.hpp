// The one header that knows how CAF 0.17 names and registers messages: atoms, local-only types, the error category.
#pragma once
#include "understudy/messages/event.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/error.hpp>
#include <caf/type_id.hpp>

CAF_ERROR_CODE_ENUM(understudy::errc, "understudy")

namespace understudy {
// Texts have at most ten characters (CAF 0.17).
inline namespace atoms {
#define UNDERSTUDY_ATOM(name, text)                        \
  using name##_atom = caf::atom_constant<caf::atom(text)>; \
  inline constexpr name##_atom name##_atom_v {}
UNDERSTUDY_ATOM(perform, "us_perform");
UNDERSTUDY_ATOM(lease, "us_lease");
UNDERSTUDY_ATOM(stream, "us_stream");
UNDERSTUDY_ATOM(batch, "us_batch");
UNDERSTUDY_ATOM(credit, "us_credit");
UNDERSTUDY_ATOM(claim, "us_claim");
UNDERSTUDY_ATOM(release, "us_release");
UNDERSTUDY_ATOM(reset, "us_reset");
UNDERSTUDY_ATOM(cancel, "us_cancel");
UNDERSTUDY_ATOM(drain, "us_drain");
UNDERSTUDY_ATOM(close, "us_close");
UNDERSTUDY_ATOM(removed, "us_removed");
UNDERSTUDY_ATOM(check, "us_check");
UNDERSTUDY_ATOM(status, "us_status");
UNDERSTUDY_ATOM(io, "us_io");
UNDERSTUDY_ATOM(tick, "us_tick");
UNDERSTUDY_ATOM(flush, "us_flush");
UNDERSTUDY_ATOM(resolved, "us_resolve");
UNDERSTUDY_ATOM(event, "us_event");
UNDERSTUDY_ATOM(load, "us_load");
UNDERSTUDY_ATOM(breaker, "us_breaker");
UNDERSTUDY_ATOM(slot, "us_slot");
UNDERSTUDY_ATOM(cleanup, "us_cleanup");
UNDERSTUDY_ATOM(report, "us_report");
UNDERSTUDY_ATOM(probe, "us_probe");
UNDERSTUDY_ATOM(suspect, "us_suspect");
UNDERSTUDY_ATOM(suspend, "us_suspend");
UNDERSTUDY_ATOM(resume, "us_resume");
UNDERSTUDY_ATOM(servers, "us_servers");
UNDERSTUDY_ATOM(health, "us_health");
UNDERSTUDY_ATOM(credential, "us_cred");
UNDERSTUDY_ATOM(router, "us_router");
UNDERSTUDY_ATOM(reload, "us_reload");
UNDERSTUDY_ATOM(discover, "us_discovr");
UNDERSTUDY_ATOM(exchange, "us_exchang");
UNDERSTUDY_ATOM(authenticate, "us_login");
UNDERSTUDY_ATOM(lookup, "us_lookup");
UNDERSTUDY_ATOM(groups, "us_groups");
UNDERSTUDY_ATOM(fetch, "us_fetch");
UNDERSTUDY_ATOM(change_password, "us_passwd");
UNDERSTUDY_ATOM(forget, "us_forget");
#undef UNDERSTUDY_ATOM
}  // namespace atoms

/// Makes an error that carries `f`; read it back with failure_of().
caf::error to_error(failure f);
/// Makes an error that carries `f`, which is not null.
caf::error to_error(failure_ptr f);
/// The failure that `e` carries, or CAF's own error mapped to ours (a dead or busy actor, a timeout …). Never null.
failure_ptr failure_of(const caf::error& e);

/// Registers what Understudy needs with CAF; call it before the actor system is made.
void configure(caf::actor_system_config& config);
}  // namespace understudy

// Local messages are shared, not copied, and never leave the process: they need no serialisation.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::result_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::search_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::relayed_part)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::failure_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::time_point)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::lease_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::cancel_token_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::connection_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::connection_snapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::outcome_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::stand_ins)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::pool_health)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::pool_snapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::breaker_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::probe_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<understudy::probe_report>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<understudy::server_snapshot>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::runtime_snapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::resolution)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::service_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::reload_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::credential)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::credential_verdict)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::secret)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::service_claim)
