// All typed actor interfaces: who can be told what, and what comes back.
#pragma once
#include "understudy/messages/type_ids.hpp"

#include <caf/actor_addr.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

namespace understudy {

struct settings;
using settings_ptr = std::shared_ptr<const settings>;
struct server_context;
/// A server as its actors see it (actors/ports/ports.hpp).
using server_context_ptr = std::shared_ptr<const server_context>;

/// One LDAP connection (actors/connection/).
using connection_actor = caf::typed_actor<
    // A shared operation; answered with its result or a failure.
    caf::replies_to<perform_atom, call>::with<result_ptr>,
    // An operation of the holder of that lease; nobody else's is taken while it is leased.
    caf::replies_to<perform_atom, lease_id, call>::with<result_ptr>,
    // A streaming search of the holder of that lease, known to it by that number, with that many credits to begin
    // with. The sender is its consumer (stream_consumer_actor): the entries go to it in batches as they arrive, each
    // entry or reference for one credit, a large one for more (search_batch::credits): those to begin with are worth
    // `limits.max_result_bytes` of memory. Out of credits, the connection stops reading, and the server has to wait.
    // The answer comes last, without entries. Begins when nothing else is under way; until it ends everything else of
    // that lease is refused (`invalid_request`), since its answer could be stuck behind entries that nobody wants yet.
    // Never redispatched. Ends as `cancelled` when its consumer ends.
    caf::replies_to<stream_atom, lease_id, call, std::uint64_t, std::uint32_t>::with<result_ptr>,
    // From the consumer of that lease's stream of that number: so many more credits. Stale ones are ignored.
    caf::reacts_to<credit_atom, lease_id, std::uint64_t, std::uint32_t>,
    // From the reader of that opaque search's parts: it has passed so many bytes of them on. Stale ones are ignored.
    caf::reacts_to<credit_atom, std::int32_t, std::uint64_t>,
    // The caller gave up: abandon on the wire, answer `cancelled`. Unknown tokens are ignored.
    caf::reacts_to<cancel_atom, cancel_token_ptr>,
    // From the pool: it is that lease's from now on.
    caf::reacts_to<lease_atom, lease_id>,
    // From the pool: that lease ended; abandon what is open, take the service's identity again (or close), say `ready`.
    caf::reacts_to<reset_atom, lease_id>,
    // Take nothing new, finish what runs, then close.
    caf::reacts_to<drain_atom>,
    // Close now; what is open is redispatched or failed.
    caf::reacts_to<close_atom>,
    // From the pool: nothing will be sent to you any more. Quit.
    caf::reacts_to<removed_atom>,
    // A small read (the health search) before the deadline: how long it took, or why it failed.
    caf::replies_to<check_atom, time_point>::with<probe_report>,
    caf::replies_to<status_atom>::with<connection_snapshot>,
    // From the poller: that registration may read (1) and/or write (2).
    caf::reacts_to<io_atom, std::uint64_t, std::uint32_t>,
    // From the poller: that timer's time has come. Stale numbers are ignored.
    caf::reacts_to<tick_atom, std::uint64_t>,
    // To itself: write what this turn gathered, in one go.
    caf::reacts_to<flush_atom>,
    // From the resolver: look-up number, and what it found (actors/ports/).
    caf::reacts_to<resolved_atom, std::uint64_t, resolution>>;

/// How a lease is used once granted.
using lease_grant = basic_lease_grant<connection_actor>;

/// What asks for a streaming search must take these, in order, before the answer.
using stream_consumer_actor = caf::typed_actor<
    // Of the stream with that number.
    caf::reacts_to<batch_atom, std::uint64_t, search_batch>>;

/// Who asks with call::parts must take these, in order, before the answer; the sender is the connection, and is told
/// when they were passed on (`credit`). Who is far behind takes nothing from others: that connection is given nothing
/// new, and is not read while nothing else runs on it. Who is `limits.max_result_bytes` behind is answered
/// `result_too_large`.
using relay_reader_actor = caf::typed_actor<
    // Of the search that the reader calls by that number.
    caf::reacts_to<batch_atom, std::uint64_t, relayed_part>>;

/// The connections to one server (actors/pool/).
using pool_actor = caf::typed_actor<
    // Delegated to a connection, or queued.
    caf::replies_to<perform_atom, call>::with<result_ptr>,
    // A connection of one's own; to be claimed within a second and released.
    caf::replies_to<lease_atom, lease_request>::with<lease_grant>,
    // The grant arrived.
    caf::reacts_to<claim_atom, lease_id>,
    // The holder is done. `invalid_lease` when it does not hold it (any more).
    caf::replies_to<release_atom, lease_id>::with<bool>, caf::reacts_to<cancel_atom, cancel_token_ptr>,
    // From a connection.
    caf::reacts_to<event_atom, connection_event>,
    // From a connection whose load was asked for (connection_load::wanted): something completed.
    caf::reacts_to<load_atom, connection_id>,
    // From the breaker: its state changed; when it opens, waiters are redispatched.
    caf::reacts_to<breaker_atom, breaker_state>,
    // From the monitor: take (true) or give back (false) one socket of `max_connections` for a probe; false: none free.
    caf::replies_to<slot_atom, bool>::with<bool>,
    // Validates every connection that can be, before the deadline.
    caf::replies_to<check_atom, time_point>::with<pool_health>,
    // Closes idle connections above the minimum, and broken ones; how many.
    caf::replies_to<cleanup_atom>::with<std::uint32_t>, caf::replies_to<status_atom>::with<pool_snapshot>,
    // Take nothing new, finish until the deadline, close everything; true when nothing had to be cut off.
    caf::replies_to<drain_atom, time_point>::with<bool>,
    // The server is no longer one of ours: the same, but who waits, and what has to be cut off, goes to another one.
    caf::replies_to<removed_atom, time_point>::with<bool>,
    // From the manager: the server as it is to be spoken to from now on, and the settings. Connections stay, or are
    // replaced one after the other when they were made with other values.
    caf::reacts_to<reload_atom, server_context_ptr>,
    // From the manager: connect() was called; what is not reconnected of itself is connected again.
    caf::reacts_to<resume_atom>, caf::reacts_to<tick_atom, std::uint64_t>>;

/// One server and the actor that holds its connections.
struct routed_server {
  server_context_ptr context;  ///< actors/ports/
  pool_actor pool;             ///< its connections
};

/// Routes requests to servers, one breaker state machine a server (actors/circuit_breaker/).
using circuit_breaker_actor = caf::typed_actor<
    // Delegated to a pool, or refused at once with the causes.
    caf::replies_to<perform_atom, call>::with<result_ptr>,
    caf::replies_to<lease_atom, lease_request>::with<lease_grant>,
    // Forwarded to the pool where the request rests.
    caf::reacts_to<cancel_atom, cancel_token_ptr>,
    // From connections and pools.
    caf::reacts_to<report_atom, outcome_report>,
    // From the monitor.
    caf::reacts_to<probe_atom, probe_report>,
    // From a connection: silent for `suspect_after` with requests in flight. Has the server probed.
    caf::reacts_to<suspect_atom, server_id>,
    // By hand, with an optional time to live (zero: until resumed); false: no such server.
    caf::replies_to<suspend_atom, server_id, std::uint32_t>::with<bool>,
    caf::replies_to<resume_atom, server_id>::with<bool>,
    // Every server with its breaker's state; the pools' parts are filled by the manager.
    caf::replies_to<status_atom>::with<std::vector<server_snapshot>>,
    // From the manager: the servers from now on; those with a known number keep their breaker's state.
    caf::reacts_to<servers_atom, std::vector<routed_server>>,
    // From the manager: what to answer while there are no servers, or null.
    caf::reacts_to<servers_atom, failure_ptr>,
    // From the manager: who is to be told (`discover`) when no server can take a request any more.
    caf::reacts_to<discover_atom, caf::actor_addr>,
    // From the manager: the health monitor to ask for probes.
    caf::reacts_to<health_atom, caf::actor_addr>,
    // Refuse everything new with `draining`.
    caf::reacts_to<drain_atom>, caf::reacts_to<tick_atom, std::uint64_t>>;

/// Probes servers on its own connections (actors/health_monitor/).
using health_monitor_actor = caf::typed_actor<
    // Probe that server now (suspicion, or a breaker about to close).
    caf::reacts_to<probe_atom, server_id>,
    // Probe every server step by step before the deadline.
    caf::replies_to<health_atom, time_point>::with<std::vector<probe_report>>,
    // Does a server serve? The same, answered as soon as one with that priority is well, or another one while those say
    // nothing for `suspect_after`. Reports of probes that have not ended by then are missing.
    caf::replies_to<health_atom, int, time_point>::with<std::vector<probe_report>>,
    // From the breaker: how often to probe follows its state.
    caf::reacts_to<breaker_atom, server_id, breaker_state>,
    // From the breaker: whether a server can be replaced; until then none can. How long a probe may take follows it.
    caf::reacts_to<breaker_atom, stand_ins>,
    // From its own connections.
    caf::reacts_to<event_atom, connection_event>,
    // From the pool of that server: somebody waits for a socket, so none may be kept between two probes.
    caf::reacts_to<slot_atom, server_id>,
    // From the manager: the servers from now on.
    caf::reacts_to<servers_atom, std::vector<routed_server>>,
    // Stop probing, close.
    caf::reacts_to<drain_atom>, caf::reacts_to<tick_atom, std::uint64_t>>;

/// The root supervisor (actors/connection_manager/).
using connection_manager_actor = caf::typed_actor<
    caf::replies_to<perform_atom, call>::with<result_ptr>,
    caf::replies_to<lease_atom, lease_request>::with<lease_grant>, caf::reacts_to<cancel_atom, cancel_token_ptr>,
    // The actor that routes requests: send requests here directly. Its address never changes.
    // Where DNS lists the servers, the answer comes when it was asked once, or after a moment.
    caf::replies_to<router_atom>::with<circuit_breaker_actor>,
    // The servers now.
    caf::replies_to<servers_atom>::with<std::vector<routed_server>>,
    // Other settings from now on (valid ones): servers come and go, what is the same goes on undisturbed. Options that
    // take a restart keep their value. Nothing happens when who asked has given up before it begins.
    caf::replies_to<reload_atom, settings_ptr, start_token_ptr>::with<reload_report>,
    // From the breaker: no server can take a request.
    caf::reacts_to<discover_atom>,
    // From a connection about to bind: the service's credentials for that server, when it is its turn; or why not.
    caf::replies_to<credential_atom, server_id>::with<credential>,
    // What became of that bind. Everyone who got a credential says so, also when it does not know.
    caf::reacts_to<credential_atom, credential_verdict>,
    // From who answers clients: are that bind DN and password the service's own? Nothing is sent to find out.
    caf::replies_to<credential_atom, std::string, secret>::with<service_claim>,
    caf::replies_to<status_atom>::with<runtime_snapshot>,
    // As the health monitor takes them.
    caf::replies_to<health_atom, time_point>::with<std::vector<probe_report>>,
    caf::replies_to<health_atom, int, time_point>::with<std::vector<probe_report>>,
    // Of the server with that number: validate and count its connections; close idle ones.
    caf::replies_to<check_atom, server_id, time_point>::with<pool_health>,
    caf::replies_to<cleanup_atom, server_id>::with<std::uint32_t>, caf::reacts_to<claim_atom, server_id, lease_id>,
    caf::replies_to<release_atom, server_id, lease_id>::with<bool>,
    caf::replies_to<suspend_atom, server_id, std::uint32_t>::with<bool>,
    caf::replies_to<resume_atom, server_id>::with<bool>,
    // connect() was called: for every pool.
    caf::reacts_to<resume_atom>,
    // Refuse new, finish until the deadline, close everything, quit; true when nothing had to be cut off.
    caf::replies_to<drain_atom, time_point>::with<bool>, caf::reacts_to<tick_atom, std::uint64_t>>;

}  // namespace understudy

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::lease_grant)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::circuit_breaker_actor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<understudy::routed_server>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::server_context_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::settings_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(understudy::start_token_ptr)
