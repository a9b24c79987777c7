// What must hold between the settings of a listener for LDAP clients.
#pragma once
#include "understudy/config/rules.hpp"

namespace understudy::internal::config {

/// The combinations within one `[[front_door.listeners]]`, with the servers, and its files.
std::vector<finding> check_client_listener(const std::vector<connection_info>& servers,
                                           const client_listener_settings& listener);

}  // namespace understudy::internal::config
