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

constexpr const char* usual_port = "4100";

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

void check_certificates(const certificate_paths& paths, findings& found) {
  auto more = check_listener_files(paths);
  found.insert(found.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
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

std::optional<host_and_port> listening_at(const std::string& address, const std::string& example,
                                          std::string& problem) {
  auto place = parse_host_and_port(address.rfind(':', 0) == 0 ? "[::]" + address : address, problem);
  if (!place || is_numeric_address(place->host)) return place;
  problem = "must be an address of this machine in numbers, as 127.0.0.1:" + example + ", [::1]:" + example +
            " or 0.0.0.0:" + example;
  return std::nullopt;
}

bool on_this_machine(const host_and_port& place) { return place.host == "127.0.0.1" || place.host == "::1"; }

std::vector<finding> check_listener_files(const certificate_paths& paths) {
  findings found;
  const auto no_password = [] { return std::optional{secret_reading{}}; };
  for (auto& each : read_certificates(settings_naming(paths), no_password).problems)
    found.push_back({{key_in_node(each.key)}, words_of_node(std::move(each.what))});
  return found;
}

std::vector<std::pair<std::size_t, std::size_t>> same_places(const std::vector<std::string>& addresses) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  std::map<std::pair<std::string, std::uint16_t>, std::size_t> seen;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    std::string ignored;
    const bool local = addresses[i].rfind('/', 0) == 0;
    const auto place = local ? host_and_port{addresses[i], 1} : listening_at(addresses[i], usual_port, ignored);
    if (!place || place->port == 0) continue;
    const auto [at, is_new] = seen.emplace(std::pair{local ? place->host : ascii_lower(place->host), place->port}, i);
    if (!is_new) found.emplace_back(i, at->second);
  }
  return found;
}

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
  const auto place = listening_at(listener.address, usual_port, problem);
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
  std::vector<std::string> addresses;
  for (const auto& each : listeners) addresses.push_back(each.address);
  return same_places(addresses);
}

}  // namespace understudy::internal::config
