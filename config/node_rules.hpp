// What must hold between the settings of a node and of its listeners.
#pragma once
#include "understudy/config/certificates.hpp"
#include "understudy/config/rules.hpp"

#include <optional>

namespace understudy::internal::config {

/// The combinations within [node], without its listeners, and its files.
std::vector<finding> check_node(const node_settings& node);

/// What one of its listeners needs, of its own and of [node].
std::vector<finding> check_listener(const node_settings& node, const node_listener_settings& listener);

/// For every listener at the address of an earlier one: the indices of both, the later first.
std::vector<std::pair<std::size_t, std::size_t>> duplicate_listeners(
    const std::vector<node_listener_settings>& listeners);

/// Where a listener accepts: its numbers are an address of this machine. Nothing when they are none; `problem` says
/// why. `example`: a port, for people.
std::optional<host_and_port> listening_at(const std::string& address, const std::string& example, std::string& problem);
/// True for 127.0.0.1 and ::1.
bool on_this_machine(const host_and_port& place);
/// The problems of a listener's PEM files, by the keys that listeners have for them.
std::vector<finding> check_listener_files(const certificate_paths& paths);
/// For every one that is the place of an earlier one: the indices of both, the later first. Paths of sockets too.
std::vector<std::pair<std::size_t, std::size_t>> same_places(const std::vector<std::string>& addresses);

/// The authorities that count for it.
const std::string& authorities_of(const node_settings& node, const node_listener_settings& listener);

}  // namespace understudy::internal::config
