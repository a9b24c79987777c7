// Addresses and files of nodes, checked before anything is dialled.
#include "understudy/runtime/client/node_targets.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/problem.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace understudy::internal {
namespace {

using problems = std::vector<config_problem>;
constexpr duration shortest_timeout = milliseconds{1}, shortest_silence = milliseconds{100},
                   longest_span = seconds{3600};

bool is_this_machine(const std::string& host) {
  const auto name = ascii_lower(host);
  return name == "127.0.0.1" || name == "::1" || name == "localhost";
}

std::vector<host_and_port> addresses_of(const remote_nodes& nodes, problems& found) {
  std::vector<host_and_port> all;
  std::set<std::pair<std::string, std::uint16_t>> seen;
  if (nodes.addresses.empty()) found.push_back({"", "nodes", "must name at least one node, as node1.example:4100"});
  for (const auto& text : nodes.addresses) {
    std::string problem;
    auto address = config::parse_node_address(text, problem);
    if (address && !nodes.tls && !is_this_machine(address->host))
      problem = "certificates are needed: in plain text only nodes of this machine (127.0.0.1, [::1]) are spoken to";
    if (address && problem.empty() && !seen.emplace(ascii_lower(address->host), address->port).second)
      problem = "is named twice";
    if (problem.empty())
      all.push_back(std::move(*address));
    else
      found.push_back({"", "nodes", config::quote(text) + ": " + problem});
  }
  return all;
}

void check_file(const char* key, const std::string& path, const char* needed_for, problems& found) {
  if (path.empty()) {
    if (needed_for != nullptr) found.push_back({"", key, std::string{"is needed: "} + needed_for});
    return;
  }
  if (const auto problem = config::why_unreadable(path); !problem.empty())
    found.push_back({"", key, config::quote(path) + " cannot be read: " + problem});
}

void check_files(const node_tls& tls, problems& found) {
  check_file("ca_cert_path", tls.ca_cert_path, "the authority by which nodes are known", found);
  check_file("cert_path", tls.cert_path, "nodes speak with nobody who shows no certificate", found);
  check_file("key_path", tls.key_path, "the private key of our own certificate", found);
  check_file("crl_path", tls.crl_path, nullptr, found);
  if (tls.node_name.empty()) return;
  if (const auto problem = config::check_host(tls.node_name); !problem.empty())
    found.push_back({"", "node_name", config::quote(tls.node_name) + ": " + problem});
}

void check_span(const char* key, duration span, duration shortest, problems& found) {
  if (span < shortest || span > longest_span)
    found.push_back({"", key,
                     "must be " + config::format_span(shortest) + " to " + config::format_span(longest_span) +
                         ", not " + config::format_span(span)});
}

}  // namespace

duration heartbeat_for(duration silence) { return std::clamp<duration>(silence / 3, milliseconds{10}, node_heartbeat); }

node_connector_options connector_options(const remote_nodes& nodes) {
  problems found;
  node_connector_options made;
  made.nodes = addresses_of(nodes, found);
  if (nodes.tls) check_files(*nodes.tls, found);
  check_span("connect_timeout", nodes.connect_timeout, shortest_timeout, found);
  check_span("silence", nodes.silence, shortest_silence, found);
  if (!found.empty()) throw config_error(std::move(found));
  made.dial_timeout = nodes.connect_timeout;
  if (!nodes.tls) return made;
  const auto& tls = *nodes.tls;
  made.tls.emplace();
  made.tls->certificate_path = tls.cert_path;
  made.tls->key_path = tls.key_path;
  made.tls->ca_path = tls.ca_cert_path;
  made.tls->crl_path = tls.crl_path;
  made.tls->peer_name = tls.node_name;
  return made;
}

std::vector<connection_info> stand_ins_for(const remote_nodes& nodes) {
  std::vector<connection_info> all;
  for (const auto& node : connector_options(nodes).nodes) {
    connection_info made;
    made.uri = "ldap://" + to_string(node);
    all.push_back(std::move(made));
  }
  return all;
}

}  // namespace understudy::internal
