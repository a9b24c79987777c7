// What must hold between the settings of a listener for LDAP clients.
#pragma once
#include "understudy/config/rules.hpp"

namespace understudy::internal::config {

/// The combinations within one `[[front_door.listeners]]`, with the servers, and its files.
std::vector<finding> check_client_listener(const std::vector<connection_info>& servers,
                                           const client_listener_settings& listener);

/// For every listener at the address of an earlier one: the indices of both, the later first.
std::vector<std::pair<std::size_t, std::size_t>> duplicate_listeners(
    const std::vector<client_listener_settings>& listeners);

}  // namespace understudy::internal::config
