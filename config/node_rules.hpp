// What must hold between the settings of a node and of its listeners.
#pragma once
#include "understudy/config/certificates.hpp"
#include "understudy/config/rules.hpp"

namespace understudy::internal::config {

/// The combinations within [node], and its files; what each listener needs is check_listener().
std::vector<finding> check_node(const node_settings& node);

/// What one of its listeners needs, of its own and of [node].
std::vector<finding> check_listener(const node_settings& node, const node_listener_settings& listener);

/// How the addresses of two listeners stand to each other, however they are spelt: ":4100" is "[::]:4100". Paths of
/// sockets are compared as they are written.
enum class listening_places : std::uint8_t {
  apart,
  same,
  overlap,  ///< one is every address of this machine, and so has the other one's: both cannot be listened at
};
listening_places compare_listening_places(const std::string& a, const std::string& b);

/// For every address that cannot be listened at beside an earlier one: the indices of both, the later first.
std::vector<std::pair<std::size_t, std::size_t>> duplicate_addresses(const std::vector<std::string>& addresses);
/// The same of listeners, each with an `address`.
template <class Listener>
std::vector<std::pair<std::size_t, std::size_t>> duplicate_listeners(const std::vector<Listener>& listeners) {
  std::vector<std::string> addresses;
  addresses.reserve(listeners.size());
  for (const auto& each : listeners) addresses.push_back(each.address);
  return duplicate_addresses(addresses);
}

/// True for 127.0.0.1 and ::1.
bool on_this_machine(const host_and_port& place);
/// The problems of a listener's PEM files, by the keys that listeners have for them.
std::vector<finding> check_listener_files(const certificate_paths& paths);

/// The authorities that count for it.
const std::string& authorities_of(const node_settings& node, const node_listener_settings& listener);
/// And the revocation lists; empty: there are none.
const std::string& revocation_lists_of(const node_settings& node, const node_listener_settings& listener);

}  // namespace understudy::internal::config
