// The rules of nodes: addresses, certificates, and what is plain text.
#include "understudy/config/node_rules.hpp"

#include "understudy/config/certificates.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace understudy::internal::config {

namespace {

using findings = std::vector<finding>;

constexpr std::size_t longest_name = 253;
// Every one of them speaks with every other.
constexpr std::size_t most_nodes = 64;

/// Nothing when it cannot be listened at; `problem` then says why.
std::optional<host_and_port> listening_at(const std::string& address, std::string& problem) {
  auto place = parse_host_and_port(address.rfind(':', 0) == 0 ? "[::]" + address : address, problem);
  if (!place || is_numeric_address(place->host)) return place;
  problem = "must be an address of this machine in numbers, as 127.0.0.1:4100, [::1]:4100 or 0.0.0.0:4100";
  return std::nullopt;
}

/// The reader of certificates names the keys of a server's settings.
std::string_view key_in_node(std::string_view key) {
  if (key == "client_cert_path") return "cert_path";
  if (key == "client_key_path") return "key_path";
  return key;
}

std::string words_of_node(std::string text) {
  const std::pair<std::string_view, std::string_view> changes[] = {
      {"client_cert_path", "cert_path"},
      {"is encrypted: set client_key_password, client_key_password_file or client_key_password_command",
       "is encrypted, and a node has no password for it; store it without one, readable by the service alone"}};
  for (const auto& [from, to] : changes)
    if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

/// The names in our own certificate, as far as it can be read.
std::vector<std::string> check_certificates(const certificate_paths& paths, findings& found) {
  const auto no_password = [] { return std::optional{secret_reading{}}; };
  auto read = read_certificates(settings_naming(paths), no_password);
  for (auto& each : read.problems) found.push_back({{key_in_node(each.key)}, words_of_node(std::move(each.what))});
  return read.chain.empty() ? std::vector<std::string>{} : names_in(*read.chain.front());
}

/// Where the others are; they are known by their hosts.
void check_peers(const node_settings& node, findings& found) {
  std::set<std::string> seen;
  for (const auto& each : node.peers) {
    std::string problem;
    const auto place = parse_host_and_port(each, problem);
    if (place && place->port == 0) problem = "its port must be 1 to 65535";
    if (!problem.empty())
      found.push_back({{"peers"}, problem + ", not " + quote(each)});
    else if (!seen.insert(ascii_lower(place->host)).second)
      found.push_back({{"peers"}, "names " + quote(place->host) + " twice: a node is known by its host"});
    else if (ascii_lower(place->host) == ascii_lower(node.name))
      found.push_back({{"peers", "name"}, "names this node, " + quote(node.name) + ": only the others belong there"});
  }
  if (node.peers.size() >= most_nodes)
    found.push_back({{"peers"},
                     "names " + std::to_string(node.peers.size()) + " nodes; a cluster has " +
                         std::to_string(most_nodes) + " at the most, this one included"});
}

/// That the others know who this one is.
void check_identity(const node_settings& node, const std::vector<std::string>& names, findings& found) {
  std::vector<std::string> missing;
  if (node.cert_path.empty()) missing.emplace_back("cert_path");
  if (node.key_path.empty()) missing.emplace_back("key_path");
  if (node.ca_cert_path.empty()) missing.emplace_back("ca_cert_path");
  if (!missing.empty())
    found.push_back({{"peers", "cert_path", "key_path", "ca_cert_path"},
                     "needs certificates on both sides: set " + joined(missing, ", ") + " in [node]"});
  const bool comes_in = std::any_of(node.listeners.begin(), node.listeners.end(),
                                    [](const node_listener_settings& l) { return !l.insecure_loopback; });
  if (!comes_in)
    found.push_back({{"peers"}, "needs a [[node.listeners]] with TLS: one of two nodes comes in to the other"});
  if (node.name.empty())
    found.push_back({{"peers", "name"}, "needs name in [node]: the host by which the others name this node"});
  else if (!names.empty() && ascii_lower(names.front()) != ascii_lower(node.name))
    found.push_back({{"name", "cert_path"},
                     "must be the first name in the certificate of cert_path, " + quote(names.front()) +
                         ", for peers to know this node, not " + quote(node.name)});
}

bool on_this_machine(const host_and_port& place) { return place.host == "127.0.0.1" || place.host == "::1"; }

void check_plain_text(const node_listener_settings& listener, const host_and_port& place, findings& found) {
  if (!on_this_machine(place))
    found.push_back({{"insecure_loopback", "address"},
                     "allows plain text at 127.0.0.1 and ::1 alone, not at " + quote(listener.address) +
                         "; remove it, and set cert_path, key_path and ca_cert_path in [node]"});
  for (const auto& [key, path] :
       {std::pair{"ca_cert_path", &listener.ca_cert_path}, std::pair{"crl_path", &listener.crl_path}})
    if (!path->empty())
      found.push_back({{key, "insecure_loopback"}, "is of no use with insecure_loopback = true, which is plain text"});
}

void check_encryption(const node_settings& node, const node_listener_settings& listener, const host_and_port& place,
                      findings& found) {
  std::vector<std::string> missing;
  if (node.cert_path.empty()) missing.emplace_back("cert_path in [node]");
  if (node.key_path.empty()) missing.emplace_back("key_path in [node]");
  if (authorities_of(node, listener).empty()) missing.emplace_back("ca_cert_path");
  if (missing.empty()) return;
  found.push_back(
      {{"address", "insecure_loopback"},
       "needs TLS: set " + joined(missing, ", ") +
           (on_this_machine(place) ? "; or insecure_loopback = true, for plain text on this machine" : "")});
}

}  // namespace

const std::string& authorities_of(const node_settings& node, const node_listener_settings& listener) {
  return listener.ca_cert_path.empty() ? node.ca_cert_path : listener.ca_cert_path;
}

std::vector<finding> check_node(const node_settings& node) {
  findings found;
  if (node.name.size() > longest_name)
    found.push_back({{"name"}, "must not be longer than " + std::to_string(longest_name) + " bytes"});
  if (!node.cert_path.empty() && node.key_path.empty())
    found.push_back({{"cert_path", "key_path"}, "needs key_path, the certificate's private key"});
  if (node.cert_path.empty() && !node.key_path.empty())
    found.push_back({{"key_path", "cert_path"}, "needs cert_path, the key's certificate"});
  const auto names = check_certificates({node.cert_path, node.key_path, node.ca_cert_path, {}}, found);
  if (!node.peers.empty()) {
    check_peers(node, found);
    check_identity(node, names, found);
  }
  if (node.budget > 0 && node.budget <= node.peers.size())
    found.push_back({{"budget", "peers"},
                     "must be " + std::to_string(node.peers.size() + 1) +
                         " at least, a socket for each node of the cluster, not " + std::to_string(node.budget)});
  return found;
}

std::vector<finding> check_listener(const node_settings& node, const node_listener_settings& listener) {
  findings found;
  if (listener.address.empty()) {
    found.push_back({{"address"}, "is required: where it listens, as 0.0.0.0:4100"});
    return found;
  }
  std::string problem;
  const auto place = listening_at(listener.address, problem);
  if (!place) {
    found.push_back({{"address"}, problem + ", not " + quote(listener.address)});
    return found;
  }
  if (listener.insecure_loopback)
    check_plain_text(listener, *place, found);
  else
    check_encryption(node, listener, *place, found);
  check_certificates({{}, {}, listener.ca_cert_path, listener.crl_path}, found);
  return found;
}

std::vector<std::pair<std::size_t, std::size_t>> duplicate_listeners(
    const std::vector<node_listener_settings>& listeners) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  std::map<std::pair<std::string, std::uint16_t>, std::size_t> seen;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    std::string ignored;
    const auto place = listening_at(listeners[i].address, ignored);
    if (!place || place->port == 0) continue;
    const auto [at, is_new] = seen.emplace(std::pair{ascii_lower(place->host), place->port}, i);
    if (!is_new) found.emplace_back(i, at->second);
  }
  return found;
}

}  // namespace understudy::internal::config
