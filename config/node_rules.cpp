// The rules of nodes: addresses, certificates, and what is plain text.
#include "understudy/config/node_rules.hpp"

#include "understudy/config/certificates.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/text.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <set>

namespace understudy::internal::config {

namespace {

using findings = std::vector<finding>;

constexpr std::size_t longest_name = 253;
// Every one of them speaks with every other.
constexpr std::size_t most_nodes = 64;

/// The names in our own certificate, as far as it can be read.
std::vector<std::string> check_certificates(const certificate_paths& paths, findings& found) {
  const auto no_password = [] { return std::optional{secret_reading{}}; };
  auto read = read_certificates(settings_naming(paths), no_password);
  for (auto& each : read.problems) {
    auto here = as_node_problem(std::move(each));
    found.push_back({{here.key}, std::move(here.what)});
  }
  return read.chain.empty() ? std::vector<std::string>{} : names_in(*read.chain.front());
}

/// Where the others are; they are known by their hosts.
void check_peers(const node_settings& node, findings& found) {
  std::set<std::string> seen;
  for (const auto& each : node.peers) {
    std::string problem;
    const auto place = parse_node_address(each, problem);
    if (!place)
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

/// In network order: 4 or 16 of them.
std::string address_bytes(const std::string& host) {
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) return {bytes.data(), 16};
  return ascii_lower(host);  // with a zone
}

bool is_socket_path(const std::string& address) { return address.rfind('/', 0) == 0; }

/// The system chooses it: any number of listeners may have that.
bool has_any_port(const std::string& address) {
  std::string ignored;
  const auto place = parse_listening_address(address, ignored);
  return place && place->port == 0;
}

/// "[::]" is every address of both families, "0.0.0.0" of its own.
bool includes(const std::string& wide, const std::string& other) {
  const bool is_every = wide.find_first_not_of('\0') == std::string::npos;
  return is_every && (wide.size() == 16 || other.size() == 4);
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

bool on_this_machine(const host_and_port& place) { return place.host == "127.0.0.1" || place.host == "::1"; }

std::vector<finding> check_listener_files(const certificate_paths& paths) {
  findings found;
  check_certificates(paths, found);
  return found;
}

std::vector<std::pair<std::size_t, std::size_t>> duplicate_addresses(const std::vector<std::string>& addresses) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  for (std::size_t later = 1; later < addresses.size(); ++later) {
    if (has_any_port(addresses[later])) continue;
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (compare_listening_places(addresses[later], addresses[earlier]) == listening_places::apart) continue;
      found.emplace_back(later, earlier);
      break;
    }
  }
  return found;
}

const std::string& authorities_of(const node_settings& node, const node_listener_settings& listener) {
  return listener.ca_cert_path.empty() ? node.ca_cert_path : listener.ca_cert_path;
}

const std::string& revocation_lists_of(const node_settings& node, const node_listener_settings& listener) {
  // Lists of other authorities would refuse everybody: there has to be one of each issuer.
  return listener.crl_path.empty() && listener.ca_cert_path.empty() ? node.crl_path : listener.crl_path;
}

std::vector<finding> check_node(const node_settings& node) {
  findings found;
  if (node.name.size() > longest_name)
    found.push_back({{"name"}, "must not be longer than " + std::to_string(longest_name) + " bytes"});
  check_pair({"cert_path", "key_path", node.cert_path, node.key_path}, found);
  if (!node.crl_path.empty() && node.ca_cert_path.empty())
    found.push_back({{"crl_path", "ca_cert_path"}, "needs ca_cert_path, the authorities whose lists these are"});
  const auto names = check_certificates({node.cert_path, node.key_path, node.ca_cert_path, node.crl_path}, found);
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
  const auto place = parse_listening_address(listener.address, problem);
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

listening_places compare_listening_places(const std::string& a, const std::string& b) {
  if (is_socket_path(a) || is_socket_path(b)) return a == b ? listening_places::same : listening_places::apart;
  std::string ignored;
  const auto first = parse_listening_address(a, ignored), second = parse_listening_address(b, ignored);
  if (!first || !second || first->port != second->port) return listening_places::apart;
  const auto first_bytes = address_bytes(first->host), second_bytes = address_bytes(second->host);
  if (first_bytes == second_bytes) return listening_places::same;
  if (first->port == 0) return listening_places::apart;  // each gets its own
  return includes(first_bytes, second_bytes) || includes(second_bytes, first_bytes) ? listening_places::overlap
                                                                                    : listening_places::apart;
}

}  // namespace understudy::internal::config
