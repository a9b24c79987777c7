// The rules between settings.
#include "understudy/config/rules.hpp"

#include "understudy/config/authenticator_rules.hpp"
#include "understudy/config/certificates.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/http_rules.hpp"
#include "understudy/config/node_rules.hpp"
#include "understudy/config/option_value.hpp"
#include "understudy/config/text.hpp"

#include <algorithm>
#include <map>

namespace understudy::internal::config {

namespace {

using findings = std::vector<finding>;

void check_service_name(const connection_info& info, const given_fields& given, findings& found) {
  if (auto wrong = check_service(info.srv); !wrong.empty())
    found.push_back({{"srv"}, wrong + ", not " + quote(info.srv)});
  const connection_info plain;
  const std::pair<std::string_view, bool> said_by_records[] = {{"host", given.host},
                                                               {"uri", !info.uri.empty()},
                                                               {"port", given.port},
                                                               {"priority", info.priority != plain.priority},
                                                               {"weight", info.weight != plain.weight}};
  for (const auto& [key, stands_there] : said_by_records)
    if (stands_there) found.push_back({{key, "srv"}, "contradicts srv, whose records say it; remove one of the two"});
}

void check_address(const connection_info& info, const given_fields& given, findings& found) {
  if (!info.srv.empty()) return check_service_name(info, given, found);
  if (info.uri.empty()) {
    if (info.host.empty())
      found.push_back({{"host", "uri"}, "is required: the name or address of the server, or uri"});
    else if (auto wrong = check_host(info.host); !wrong.empty())
      found.push_back({{"host", "uri"}, wrong + ", not " + quote(info.host)});
    return;
  }
  std::string problem;
  const auto uri = parse_uri(info.uri, problem);
  if (!uri) {
    found.push_back({{"uri"}, problem});
    return;
  }
  const auto other = contradictions(info, *uri, given);
  if (other.host)
    found.push_back({{"host", "uri"}, "contradicts uri, which names " + quote(uri->host) + "; remove one of the two"});
  if (other.port) found.push_back({{"port", "uri"}, "contradicts uri; remove one of the two"});
  if (other.use_ssl)
    found.push_back({{"use_ssl", "uri"},
                     info.use_ssl ? "contradicts uri, which is not ldaps; remove one of the two"
                                  : "contradicts uri, which is ldaps; remove one of the two"});
}

void check_encryption(const connection_info& info, findings& found) {
  std::string ignored;
  const auto uri = info.uri.empty() ? std::nullopt : parse_uri(info.uri, ignored);
  if (info.use_tls && uri && uri->scheme == uri_scheme::ldaps)
    found.push_back({{"use_tls", "uri"},
                     "contradicts uri: ldaps has TLS from the first byte, StartTLS begins in plain "
                     "text; choose one"});
  else if (info.use_tls && info.use_ssl)
    found.push_back({{"use_tls", "use_ssl"},
                     "contradicts use_ssl: that is TLS from the first byte, StartTLS begins in "
                     "plain text; choose one"});
  check_pair({"client_cert_path", "client_key_path", info.client_cert_path, info.client_key_path}, found);
  const auto place = endpoint_of(info);
  if (place.encrypted() || place.local || !info.srv.empty()) return;
  const std::pair<std::string_view, const std::string*> for_tls[] = {
      {"ca_cert_path", &info.ca_cert_path}, {"client_cert_path", &info.client_cert_path}, {"crl_path", &info.crl_path}};
  for (const auto& [key, path] : for_tls)
    if (!path->empty())
      found.push_back({{key, "use_ssl", "use_tls", "uri"}, "is of no use without TLS: set use_tls or use_ssl"});
}

void check_revocation(const connection_info& info, findings& found) {
  if (!info.crl_path.empty() && !info.validate_cert)
    found.push_back({{"crl_path", "validate_cert"}, "needs validate_cert: without it no certificate is checked"});
}

/// The keys of the sources that are given, as the table has them; a second one is one too many.
std::vector<std::string_view> check_sources(const secret_source& from, findings& found) {
  std::vector<std::string_view> sources;
  for (const auto& name : from.given()) {
    const auto* known = find_option(server_section, name);
    sources.push_back(known                    ? known->key
                      : from.key == "password" ? "password_callback"
                                               : "client_key_password_callback");
  }
  if (sources.size() > 1)
    found.push_back({{sources[1], sources[0]},
                     "is a second source of the password beside " + std::string{sources[0]} + "; give one"});
  return sources;
}

/// EXTERNAL takes the identity from below: from the client's certificate, or the process at the other end of a socket.
void check_external(const connection_info& info, const std::vector<std::string_view>& sources, findings& found) {
  const std::string_view key = "bind_mechanism";
  if (!info.bind_dn.empty())
    found.push_back({{"bind_dn", key}, "contradicts bind_mechanism = \"external\", which names nobody; remove one"});
  else if (!sources.empty())
    found.push_back(
        {{sources[0], key}, "contradicts bind_mechanism = \"external\", which needs no password; remove one"});
  if (info.client_cert_path.empty() && !endpoint_of(info).local)
    found.push_back({{key, "client_cert_path", "uri"},
                     "external needs client_cert_path and client_key_path, or a server at ldapi://"});
}

void check_identity(const connection_info& info, findings& found) {
  const auto sources = check_sources(password_of(info), found);
  const auto key_sources = check_sources(client_key_password_of(info), found);
  if (!key_sources.empty() && info.client_key_path.empty())
    found.push_back({{key_sources[0], "client_key_path"}, "needs client_key_path, the key that it is for"});
  if (info.bind_mechanism == bind_method::external) return check_external(info, sources, found);
  if (!info.bind_dn.empty() && sources.empty())
    found.push_back({{"bind_dn", "password", "password_file", "password_command"},
                     "needs a password: set password, password_file or password_command"});
  if (info.bind_dn.empty() && !sources.empty())
    found.push_back({{sources[0], "bind_dn"}, "needs bind_dn, the name to bind as"});
  if (!info.password.empty() && info.password.size() == 0)
    found.push_back({{"password"}, "is empty: the server would treat the bind as anonymous (RFC 4513, 5.1.2)"});
  // Whether bind_dn is a name at all is for the server to say: Active Directory takes user@domain, <SID=…> and others.
}

void check_files(const connection_info& info, findings& found) {
  const std::pair<std::string_view, const std::string*> files[] = {
      {"password_file", &info.password_file}, {"client_key_password_file", &info.client_key_password_file}};
  for (const auto& [key, path] : files) {
    if (path->empty()) continue;
    if (auto wrong = why_unreadable(*path); !wrong.empty())
      found.push_back({{key}, quote(*path) + " cannot be read: " + wrong});
  }
  // A command or a callback may be dear, and ask somebody: they are left for the time when the key is needed.
  const auto source = client_key_password_of(info);
  const bool known = source.command.empty() && !source.callback;
  const auto password = [&] { return known ? std::optional{read_source(source)} : std::nullopt; };
  for (auto& each : read_certificates(info, password).problems) found.push_back({{each.key}, std::move(each.what)});
}

void check_order(std::string_view low_key, int low, std::string_view high_key, int high, findings& found) {
  if (low > high)
    found.push_back(
        {{low_key, high_key},
         std::to_string(low) + " is more than " + std::string{high_key} + " (" + std::to_string(high) + ")"});
}

template <class Owner>
findings check_each(const Owner& owner, std::string_view section) {
  findings found;
  for (const auto& each : options()) {
    const auto* field = std::get_if<option_field<Owner>>(&each.field);
    if (!field || each.section != section) continue;
    if (auto wrong = check_value(each, field->get(owner)); !wrong.empty())
      found.push_back({{each.key}, std::move(wrong)});
  }
  return found;
}

}  // namespace

std::vector<finding> check_server(const connection_info& info, const given_fields& given) {
  findings found;
  check_address(info, given, found);
  check_encryption(info, found);
  check_revocation(info, found);
  check_identity(info, found);
  check_files(info, found);
  check_order("pool_size", info.pool_size, "max_pool_size", info.max_pool_size, found);
  return found;
}

std::vector<finding> doubts_about(const connection_info& info) {
  findings found;
  const auto place = endpoint_of(info);
  const std::string_view switches = "set use_tls or use_ssl";
  if (!place.encrypted() && !info.bind_dn.empty() && !place.loopback())
    found.push_back({{"bind_dn", "use_tls", "use_ssl", "uri"},
                     "its password is sent to " + server_name(info) + " in plain text; " + std::string{switches}});
  if (!info.validate_cert && !place.loopback())
    found.push_back({{"validate_cert"},
                     place.encrypted()
                         ? "is off: whoever answers at " + server_name(info) + " is believed, and gets every password"
                         : "is off, and there is no TLS; " + std::string{switches}});
  return found;
}

std::vector<finding> doubts_about(const settings& all, std::string_view section) {
  if (section == "http") return doubts_about(all.http);
  return {};
}

std::vector<finding> check_section(const settings& all, std::string_view section) {
  findings found;
  if (section == "pool")
    check_order("min_connections", all.pool.min_connections, "max_connections", all.pool.max_connections, found);
  if (section == "breaker" && all.breaker.open_base > all.breaker.open_cap)
    found.push_back(
        {{"open_base", "open_cap"},
         format_span(all.breaker.open_base) + " is more than open_cap (" + format_span(all.breaker.open_cap) + ")"});
  if (section == "log" && !all.log.file.empty())
    if (auto wrong = why_unwritable(all.log.file); !wrong.empty())
      found.push_back({{"file"}, quote(all.log.file) + " cannot be written: " + wrong});
  if (section == "node") return check_node(all.node);
  if (section == "authenticator") return check_authenticator(all.authenticator);
  if (section == "http") return check_http(all.http);
  return found;
}

std::vector<std::pair<std::size_t, std::size_t>> duplicate_servers(const std::vector<connection_info>& servers) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (servers[i].host.empty() && servers[i].uri.empty()) continue;
    const auto [at, is_new] = seen.emplace(server_key(servers[i]), i);
    if (!is_new) found.emplace_back(i, at->second);
  }
  return found;
}

std::string why_no_server_for_all(const std::vector<connection_info>& servers) {
  const bool none = !servers.empty() && std::all_of(servers.begin(), servers.end(), [](const connection_info& each) {
    return each.role == server_role::global_catalog;
  });
  return none ? "is global_catalog at every server: binds and writes need one that is not" : "";
}

void check_pair(const pem_pair& pair, findings& found) {
  if (!pair.cert_path.empty() && pair.key_path.empty())
    found.push_back(
        {{pair.cert_key, pair.key_key}, "needs " + std::string{pair.key_key} + ", the certificate's private key"});
  if (pair.cert_path.empty() && !pair.key_path.empty())
    found.push_back({{pair.key_key, pair.cert_key}, "needs " + std::string{pair.cert_key} + ", the key's certificate"});
}

void leave_out(std::vector<finding>& found, std::string_view key) {
  std::erase_if(found, [&](const finding& each) { return each.keys[0] == key; });
}

std::vector<finding> check_fields(const connection_info& info) {
  auto found = check_each(info, server_section);
  // A completed ldapi server has no port.
  const bool local = endpoint_of(info).local;
  if (local) leave_out(found, "port");
  return found;
}

std::vector<finding> check_made_in_code(const connection_info& info) {
  auto found = check_fields(info);
  connection_info settled = info;
  // A minimum that nobody chose does not contradict a smaller maximum, it follows it down.
  if (info.pool_size == connection_info{}.pool_size) settled.pool_size = std::min(info.pool_size, info.max_pool_size);
  auto more = check_server(settled, given_in(info));
  found.insert(found.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return found;
}

std::vector<finding> check_fields(const settings& all, std::string_view section) { return check_each(all, section); }

std::vector<finding> check_fields(const node_listener_settings& listener) {
  return check_each(listener, listener_section);
}

std::vector<finding> check_fields(const client_listener_settings& listener) {
  return check_each(listener, client_listener_section);
}

}  // namespace understudy::internal::config
