// The rules of listeners for LDAP clients: addresses, certificates, and who may read what.
#include "understudy/config/front_door_rules.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/node_rules.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/ip_network.hpp"

#include <algorithm>
#include <iterator>

namespace understudy::internal::config {

namespace {

using findings = std::vector<finding>;

constexpr const char* usual_port = "389";

/// Whose clients are all on this machine.
bool is_local(const client_listener_settings& listener) {
  if (listener.address.rfind('/', 0) == 0) return true;
  std::string ignored;
  const auto place = parse_listening_address(listener.address, ignored, usual_port);
  return place && on_this_machine(*place);
}

void check_encryption(const client_listener_settings& listener, findings& found) {
  check_pair({"cert_path", "key_path", listener.cert_path, listener.key_path}, found);
  if (listener.cert_path.empty() && listener.use_ssl)
    found.push_back({{"use_ssl", "cert_path"}, "needs cert_path and key_path, the certificate to show"});
  if (listener.cert_path.empty() && !listener.client_ca_cert_path.empty())
    found.push_back({{"client_ca_cert_path", "cert_path"},
                     "needs cert_path and key_path: clients show certificates within TLS alone"});
  if (listener.cert_path.empty() && !listener.allow_plaintext && !is_local(listener))
    found.push_back({{"address", "cert_path", "allow_plaintext"},
                     "would take no password, since none may cross the network in plain text: set cert_path and "
                     "key_path, or allow_plaintext = true"});
}

void check_identity(const std::vector<connection_info>& servers, const client_listener_settings& listener,
                    findings& found) {
  const bool service = listener.identity == client_identity::service;
  if (service && listener.bases.empty())
    found.push_back({{"bases", "identity"}, "is required with identity = \"service\": what everybody may read"});
  if (!service && !listener.bases.empty())
    found.push_back({{"bases", "identity"}, "is of no use without identity = \"service\""});
  if (service && listener.allow_anonymous)
    found.push_back({{"allow_anonymous", "identity"},
                     "contradicts identity = \"service\", by which clients that have not bound are the service"});
  if (listener.identity == client_identity::proxy && std::none_of(servers.begin(), servers.end(), binds))
    found.push_back(
        {{"identity"}, "= \"proxy\" needs servers with bind_dn: the service's account speaks for the clients"});
  if (listener.identity != client_identity::proxy && !listener.client_ca_cert_path.empty())
    found.push_back({{"client_ca_cert_path", "identity"},
                     "needs identity = \"proxy\": only that serves who has shown a certificate"});
  if (!service && listener.allow_anonymous && std::any_of(servers.begin(), servers.end(), binds))
    found.push_back(
        {{"allow_anonymous"},
         "needs servers without bind_dn: on connections that are bound as the service nobody is anonymous"});
  for (const auto& base : listener.bases)
    if (base.empty()) found.push_back({{"bases"}, "must not contain an empty DN: everything would be at or below it"});
}

void check_networks(const client_listener_settings& listener, findings& found) {
  for (const auto& [key, networks] : {std::pair{"allow_from", &listener.allow_from},
                                      std::pair{"proxy_protocol_from", &listener.proxy_protocol_from}}) {
    if (!networks->empty() && listener.address.rfind('/', 0) == 0)
      found.push_back({{key, "address"}, "is of no use at a Unix socket, whose clients have no address"});
    for (const auto& each : *networks) {
      std::string problem;
      if (!ip_network::parse(each, problem)) found.push_back({{key}, problem + ": " + quote(each)});
    }
  }
}

}  // namespace

std::vector<finding> check_client_listener(const std::vector<connection_info>& servers,
                                           const client_listener_settings& listener) {
  findings found;
  if (listener.address.empty()) {
    found.push_back({{"address"}, "is required: where it listens, as 127.0.0.1:389"});
    return found;
  }
  std::string problem;
  if (listener.address.rfind('/', 0) != 0 && !parse_listening_address(listener.address, problem, usual_port)) {
    found.push_back({{"address"}, problem + ", not " + quote(listener.address)});
    return found;
  }
  check_encryption(listener, found);
  check_identity(servers, listener, found);
  check_networks(listener, found);
  auto files = check_listener_files({listener.cert_path, listener.key_path, listener.client_ca_cert_path, {}});
  // What nodes and the HTTP endpoint call otherwise.
  for (auto& each : files)
    for (auto& key : each.keys)
      if (key == "ca_cert_path") key = "client_ca_cert_path";
  found.insert(found.end(), std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
  return found;
}

}  // namespace understudy::internal::config
