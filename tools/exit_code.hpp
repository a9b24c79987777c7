// What the program's exit codes mean, and which one a failure has.
#pragma once
#include "understudy/messages/error.hpp"

namespace understudy::cli {

/// 0: done (compare: true; authenticate: accepted; health: all healthy).
inline constexpr int exit_ok = 0;
/// 1: the directory's answer was no: an LDAP error, compare false, credentials refused, a server not healthy; doctor:
/// something was found.
inline constexpr int exit_negative = 1;
/// 2: the command line, the configuration or the input is wrong; nothing was sent.
inline constexpr int exit_usage = 2;
/// 3: no answer could be had: no server, time-out, the service's own credentials, a node that may not be asked that,
/// interrupted …
inline constexpr int exit_runtime = 3;

/// The exit code for a request that ended with `f`. `by_node`: a node was asked; what that refuses was sent, and well
/// formed.
int exit_code_of(const failure& f, bool by_node = false) noexcept;

}  // namespace understudy::cli
