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

/// Nothing when it cannot be listened at; `problem` then says why.
std::optional<host_and_port> listening_at(const std::string& address, std::string& problem) {
  auto place = parse_host_and_port(address.rfind(':', 0) == 0 ? "[::]" + address : address, problem);
  if (!place || is_numeric_address(place->host)) return place;
  problem = "must be an address of this machine in numbers, as 127.0.0.1:4100, [::1]:4100 or 0.0.0.0:4100";
  return std::nullopt;
}

void check_certificates(const certificate_paths& paths, findings& found) {
  const auto no_password = [] { return std::optional{secret_reading{}}; };
  for (auto& each : read_certificates(settings_naming(paths), no_password).problems) {
    auto here = as_node_problem(std::move(each));
    found.push_back({{here.key}, std::move(here.what)});
  }
}

void check_peers(const std::vector<std::string>& peers, findings& found) {
  std::set<std::string> seen;
  for (const auto& each : peers) {
    std::string problem;
    const auto place = parse_host_and_port(each, problem);
    if (place && place->port == 0) problem = "its port must be 1 to 65535";
    if (!problem.empty())
      found.push_back({{"peers"}, problem + ", not " + quote(each)});
    else if (!seen.insert(ascii_lower(each)).second)
      found.push_back({{"peers"}, "names " + quote(each) + " twice"});
  }
}

/// In network order: 4 or 16 of them.
std::string address_bytes(const std::string& host) {
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) return {bytes.data(), 16};
  return ascii_lower(host);  // with a zone
}

/// "[::]" is every address of both families, "0.0.0.0" of its own.
bool includes(const std::string& wide, const std::string& other) {
  const bool is_every = wide.find_first_not_of('\0') == std::string::npos;
  return is_every && (wide.size() == 16 || other.size() == 4);
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
  check_certificates({node.cert_path, node.key_path, node.ca_cert_path, {}}, found);
  check_peers(node.peers, found);
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

listening_places compare_listening_places(const std::string& a, const std::string& b) {
  std::string ignored;
  const auto first = listening_at(a, ignored), second = listening_at(b, ignored);
  if (!first || !second || first->port != second->port) return listening_places::apart;
  const auto first_bytes = address_bytes(first->host), second_bytes = address_bytes(second->host);
  if (first_bytes == second_bytes) return listening_places::same;
  if (first->port == 0) return listening_places::apart;  // each gets its own
  return includes(first_bytes, second_bytes) || includes(second_bytes, first_bytes) ? listening_places::overlap
                                                                                    : listening_places::apart;
}

std::vector<std::pair<std::size_t, std::size_t>> duplicate_listeners(
    const std::vector<node_listener_settings>& listeners) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  for (std::size_t later = 1; later < listeners.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      const auto& address = listeners[later].address;
      std::string ignored;
      const auto place = listening_at(address, ignored);
      const auto relation = compare_listening_places(address, listeners[earlier].address);
      if (!place || place->port == 0 || relation == listening_places::apart) continue;
      found.emplace_back(later, earlier);
      break;
    }
  }
  return found;
}

}  // namespace understudy::internal::config
