// Settings from servers given in code, and which pool numbers count where two places have them.
//
// The number of connections and the wait for one can be given in two places, each with its own default:
//   connection_info  pool_size 10, max_pool_size 50, pool_timeout 60 s
//   [pool]           min_connections 5, max_connections 50, timeout 60 s
// In a file: explicit in [[ldap.servers]], then in [pool], then in [ldap], then the default of [pool].
// In code: settings made from connection_info use its numbers; a settings struct filled by hand uses `settings::pool`
// unless `server_pools` is set. A minimum that nobody chose follows a smaller maximum down.
#pragma once
#include "understudy/config/endpoint.hpp"
#include "understudy/config/settings.hpp"

#include <vector>

namespace understudy::internal {

/// Settings for these servers, all else at its default. Servers that all have the same priority get 1, 2, 3 … in the
/// order given. Every server's numbers of its pool count (`server_pools`), and the first one's stand in `pool` too.
settings settings_from(const std::vector<connection_info>& servers);

/// The pool settings that count for `server`, one of `all`: `all.pool`, with the server's own numbers where they count.
pool_settings pool_for(const settings& all, const connection_info& server);

/// `all` with every server's host, port and use_ssl set from its `uri`, unless they contradict it (see validate()).
/// What load_file() and settings_from() give is completed already; settings filled by hand need it before they are
/// used.
settings completed(settings all);

}  // namespace understudy::internal
