// What must hold between the settings of a node and of its listeners.
#pragma once
#include "understudy/config/rules.hpp"

namespace understudy::internal::config {

/// The combinations within [node], and its files; what each listener needs is check_listener().
std::vector<finding> check_node(const node_settings& node);

/// What one of its listeners needs, of its own and of [node].
std::vector<finding> check_listener(const node_settings& node, const node_listener_settings& listener);

/// For every listener at the address of an earlier one: the indices of both, the later first.
std::vector<std::pair<std::size_t, std::size_t>> duplicate_listeners(
    const std::vector<node_listener_settings>& listeners);

/// The authorities that count for it.
const std::string& authorities_of(const node_settings& node, const node_listener_settings& listener);

}  // namespace understudy::internal::config
