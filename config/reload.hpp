// What it means to change settings while everything runs: what can take effect, and what a connection is made of.
#pragma once
#include "understudy/config/settings.hpp"

#include <string>
#include <vector>

namespace understudy::internal {

/// `next`, but with the values of `running` for every option that takes a restart (options().reloadable). The keys of
/// those that differ ("log.file") are added to `needs_restart`.
settings keep_unreloadable(const settings& running, settings next, std::vector<std::string>& needs_restart);

/// True when both servers are configured alike, in every option.
bool same_server(const connection_info& a, const connection_info& b);

/// True when a connection that was opened to server `a` with settings `of_a` is as good as one opened now to `b` with
/// `of_b`: the same place, encryption, identity, source of the password and limits on what it carries. Callbacks are
/// taken for the same: what they return may change at any time anyway.
bool same_connection(const connection_info& a, const settings& of_a, const connection_info& b, const settings& of_b);

}  // namespace understudy::internal
