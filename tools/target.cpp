// The options that name a directory, and the settings they amount to.
#include "understudy/tools/target.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/client/node_targets.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <array>

namespace understudy::cli {

using namespace internal;
namespace {

// Where OpenLDAP's programs look for a local server.
constexpr std::string_view default_socket = "ldapi://%2Fvar%2Frun%2Fslapd%2Fldapi";

std::vector<std::string> words_of(std::string_view list) {
  constexpr std::string_view separators = ", \t\n";
  std::vector<std::string> words;
  while (true) {
    list.remove_prefix(std::min(list.find_first_not_of(separators), list.size()));
    if (list.empty()) return words;
    const auto end = std::min(list.find_first_of(separators), list.size());
    words.emplace_back(list.substr(0, end));
    list.remove_prefix(end);
  }
}

// Without a host an LDAP URI means this machine (RFC 4516), as for ldapsearch.
std::string with_host(const std::string& uri) {
  for (const std::string_view scheme : {"ldap://", "ldaps://", "ldapi://"})
    if (uri == scheme || (uri.size() == scheme.size() + 1 && uri.back() == '/' && uri.rfind(scheme, 0) == 0))
      return scheme == "ldapi://" ? std::string{default_socket} : std::string{scheme} + "localhost";
  return uri;
}

std::vector<std::string> servers_of(const target& where) {
  auto uris = words_of(where.uris);
  if (uris.empty()) throw usage_error("-H needs a URI, as ldap://ldap.example.com");
  for (auto& uri : uris) {
    uri = with_host(uri);
    std::string problem;
    const auto parsed = config::parse_uri(uri, problem);
    // A URI may have a user's password in it: it is not repeated then.
    if (!parsed && uri.find('@') != std::string::npos)
      throw usage_error("-H: the URI must not name a user: give -D and -y FILE, or -W");
    if (!parsed) throw usage_error("-H " + config::quote(uri) + ": " + problem);
    if (where.start_tls && parsed->scheme == config::uri_scheme::ldaps)
      throw usage_error("-Z contradicts " + config::quote(uri) + ", which has TLS from the first byte; choose one");
  }
  return uris;
}

secret password_of(const target& where, command_time& time, interrupt_watch& interrupts) {
  if (!where.password_file.empty()) return read_password_file(where.password_file, time.deadline(), interrupts);
  if (!where.ask_password) return {};
  return time.waiting_for_input([&] { return ask_password("Enter LDAP Password: ", interrupts); });
}

void require_readable(const std::string& option, const std::string& path) {
  if (path.empty()) return;
  if (const auto problem = config::why_unreadable(path); !problem.empty())
    throw usage_error(option + " " + config::quote(path) + " cannot be read: " + problem);
}

/// Throws usage_error where the certificate or EXTERNAL cannot be used at one of these servers.
void check_own_certificate(const target& where, const std::vector<connection_info>& servers) {
  const bool shown = !where.client_cert_path.empty();
  if (shown == where.client_key_path.empty())
    throw usage_error("--cert and --key go together: our certificate, and the private key of that");
  if (where.external && where.simple)
    throw usage_error("-x is simple authentication and contradicts -Y EXTERNAL; choose one");
  if (where.external && (!where.bind_dn.empty() || where.ask_password || !where.password_file.empty()))
    throw usage_error("-Y EXTERNAL takes the name from the certificate, or from the process: leave out -D, -y and -W");
  for (const auto& server : servers) {
    const auto place = endpoint_of(server);
    if (shown && !place.encrypted() && !place.local)
      throw usage_error("--cert is of no use without TLS: give ldaps:// in place of ldap://, or -Z");
    if (where.external && !shown && !place.local)
      throw usage_error(
          "-Y EXTERNAL needs --cert and --key, or a Unix socket (ldapi://) that says who this process is");
  }
}

settings settings_of_options(const target& where, command_time& time, interrupt_watch& interrupts) {
  std::vector<connection_info> servers;
  for (auto& uri : servers_of(where)) {
    connection_info server;
    server.uri = uri;
    server.bind_dn = where.bind_dn;
    server.use_tls = where.start_tls;
    server.ca_cert_path = where.ca_cert_path;
    server.client_cert_path = where.client_cert_path;
    server.client_key_path = where.client_key_path;
    if (where.external) server.bind_mechanism = bind_method::external;
    if (where.simple) server.bind_mechanism = bind_method::simple;
    server.priority = static_cast<int>(servers.size()) + 1;
    servers.push_back(std::move(server));
  }
  if (where.bind_dn.empty() && (where.ask_password || !where.password_file.empty()))
    throw usage_error("a password needs -D DN, the name to bind as");
  if (!where.bind_dn.empty() && !where.ask_password && where.password_file.empty())
    throw usage_error("-D needs a password: -y FILE, or -W to be asked for it");
  if (where.ask_password && !where.password_file.empty())
    throw usage_error("-W and -y are two sources of one password; choose one");
  check_own_certificate(where, servers);
  require_readable("--ca-cert", where.ca_cert_path);
  require_readable("--cert", where.client_cert_path);
  require_readable("--key", where.client_key_path);
  const auto password = password_of(where, time, interrupts);
  if (!where.bind_dn.empty() && password.size() == 0)
    throw usage_error("an empty password proves nothing: the server would treat the bind as anonymous (RFC 4513)");
  for (auto& server : servers) server.password = password;
  settings all;
  all.servers = std::move(servers);
  return checked(std::move(all));
}

bool has_directory_options(const target& where) {
  return !where.bind_dn.empty() || !where.password_file.empty() || where.ask_password || where.start_tls ||
         !where.ca_cert_path.empty() || !where.client_cert_path.empty() || !where.client_key_path.empty() ||
         where.external;
}

/// Problems of nodes, by the options that say it.
std::vector<config_problem> as_options(std::vector<config_problem> problems) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> options{{{"nodes", "--node"},
                                                                                  {"ca_cert_path", "--node-ca"},
                                                                                  {"cert_path", "--node-cert"},
                                                                                  {"key_path", "--node-key"},
                                                                                  {"crl_path", "--node-crl"}}};
  for (auto& problem : problems)
    for (const auto& [key, option] : options)
      if (problem.key == key) problem.key = option;
  return problems;
}

/// Of a file that a client of nodes may have, or the defaults: it may name no directory.
settings settings_of_client(const target& where) {
  if (where.config.empty()) return {};
  auto loaded = load_file(where.config);
  loaded.problems.erase(std::remove_if(loaded.problems.begin(), loaded.problems.end(),
                                       [](const config_problem& p) { return p.key == "ldap"; }),
                        loaded.problems.end());
  if (!loaded.ok()) throw config_error(std::move(loaded.problems));
  return std::move(loaded.value);
}

settings settings_of_file(const target& where) {
  auto loaded = load_file(where.config);
  if (!loaded.ok()) throw config_error(std::move(loaded.problems));
  return std::move(loaded.value);
}

}  // namespace

duration span_argument(const std::string& option, const std::string& text) {
  const auto span = config::parse_span(text, seconds{1});
  if (!span || *span <= duration{}) throw CLI::ValidationError(option, "\"" + text + "\" is no span of time");
  return *span;
}

void refuse_choice(const std::string& option, const std::vector<std::string>& known, const std::string& text) {
  throw CLI::ValidationError(option, "\"" + text + "\" is none of " + joined(known, ", "));
}

namespace {

void declare_file(CLI::App& sub, std::string& config) {
  sub.add_option("-c,--config", config, "The configuration (TOML, or JSON if it ends in .json)")->type_name("FILE");
}

void declare_node_options(CLI::App& sub, target& where, bool needed) {
  const std::string in_place = needed ? "The node" : "In place of a directory: the running node that asks it";
  auto* node = sub.add_option("--node", where.nodes, in_place + ", or several in order of preference; may be repeated")
                   ->type_name("HOST:PORT")
                   ->delimiter(',')
                   ->expected(1)
                   ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  if (needed) node->required();
  sub.add_option("--node-ca", where.node_ca, "With --node: the authority of the nodes' certificates (PEM)")
      ->type_name("FILE");
  sub.add_option("--node-cert", where.node_cert, "With --node: our own certificate (PEM)")->type_name("FILE");
  sub.add_option("--node-key", where.node_key, "With --node: the private key of that (PEM)")->type_name("FILE");
  sub.add_option("--node-crl", where.node_crl, "With --node-ca: its revocation lists (PEM); default: none")
      ->type_name("FILE");
}

}  // namespace

void target::declare_directory(CLI::App& sub) {
  declare_file(sub, config);
  declare_uri(sub);
}

void target::declare_uri(CLI::App& sub) {
  sub.add_option("-H,--uri", uris,
                 "In place of a configuration: the directory's URI, or several in order of preference, separated by "
                 "commas or spaces")
      ->type_name("URI");
  sub.add_option("-D,--bind-dn", bind_dn, "With -H: the name to bind as; default: anonymous")->type_name("DN");
  sub.add_option("-y,--password-file", password_file,
                 "With -D: the file with the password; one newline at its end is ignored")
      ->type_name("FILE");
  sub.add_flag("-W,--ask-password", ask_password, "With -D: ask for the password on the terminal");
  sub.add_flag("-Z,--starttls", start_tls,
               "With -H: StartTLS, which must succeed (-ZZ is the same: there is no way back to plain text)");
  sub.add_option("--ca-cert", ca_cert_path, "With -H: the CA's certificates (PEM); default: the system's")
      ->type_name("FILE");
  sub.add_option("--cert", client_cert_path,
                 "With -H: our own certificate (PEM); without -D it says as whom to bind (SASL EXTERNAL)")
      ->type_name("FILE");
  sub.add_option("--key", client_key_path, "With --cert: the private key of that (PEM)")->type_name("FILE");
  sub.add_option_function<std::string>(
         "-Y,--mechanism",
         [this](const std::string& text) {
           if (internal::ascii_lower(text) != "external") refuse_choice("-Y", {"EXTERNAL"}, text);
           external = true;
         },
         "With -H: EXTERNAL binds as --cert says, or at ldapi:// as the user of this process")
      ->type_name("EXTERNAL");
  sub.add_flag("-x", simple, "With -H: simple authentication, also with --cert: without -D nobody is named")->group("");
  sub.add_option_function<std::string>(
         "-w,--password",
         [](const std::string&) {
           throw CLI::ValidationError("-w",
                                      "every user of this machine can read a command line: give -y FILE, or -W "
                                      "to be asked for the password");
         },
         "Not taken")
      ->group("");
}

void target::declare_node(CLI::App& sub, bool needed) {
  declare_file(sub, config);
  declare_node_options(sub, *this, needed);
}

void target::declare(CLI::App& sub, const std::string& timeout_of) {
  declare_directory(sub);
  declare_node_options(sub, *this, false);
  declare_limits(sub, timeout_of);
}

void target::declare_limits(CLI::App& sub, const std::string& timeout_of) {
  sub.add_option_function<std::string>(
         "--timeout", [this](const std::string& text) { timeout = span_argument("--timeout", text); },
         "How long " + timeout_of + " may take (5s, 250ms …); default: as configured")
      ->type_name("TIME");
  sub.add_flag("-v,--verbose", verbose, "Log as configured; default: only what the command itself has to say");
}

std::optional<remote_nodes> nodes_of(const target& where) {
  const bool files =
      !where.node_ca.empty() || !where.node_cert.empty() || !where.node_key.empty() || !where.node_crl.empty();
  if (where.nodes.empty()) {
    if (files) throw usage_error("--node-ca, --node-cert, --node-key and --node-crl go with --node HOST:PORT");
    return std::nullopt;
  }
  if (!where.uris.empty()) throw usage_error("-H and --node both say who is asked; choose one");
  if (has_directory_options(where))
    throw usage_error(
        "-D, -y, -W, -Y, -Z, --ca-cert and --cert go with -H: as whom a node asks the directory is its own affair");
  remote_nodes nodes;
  nodes.addresses = where.nodes;
  // Of several, one that hangs leaves time for the others.
  if (where.timeout > duration::zero())
    nodes.connect_timeout = std::clamp<duration>(
        where.timeout, milliseconds{1}, where.nodes.size() == 1 ? std::chrono::hours{1} : nodes.connect_timeout);
  if (files)
    nodes.tls = node_tls{where.node_ca, where.node_cert, where.node_key, where.node_crl};
  else if (const auto known = settings_of_client(where).node; !known.cert_path.empty())
    nodes.tls = node_tls{known.ca_cert_path, known.cert_path, known.key_path, known.crl_path};
  try {
    static_cast<void>(connector_options(nodes));
  } catch (const config_error& e) {
    throw config_error(as_options(e.problems()));
  }
  return nodes;
}

settings read_settings(const target& where, command_time& time, interrupt_watch& interrupts) {
  if (const auto nodes = nodes_of(where)) {
    auto all = settings_of_client(where);
    all.servers = stand_ins_for(*nodes);
    all.server_pools = false;
    all.node = {};
    if (!where.verbose && all.log.file.empty()) all.log.level = log_level::error;
    return checked(std::move(all));
  }
  if (where.config.empty() && where.uris.empty())
    throw usage_error("which directory? Give a configuration with --config FILE (-c), or -H URI, or --node HOST:PORT");
  if (!where.config.empty() && !where.uris.empty()) throw usage_error("-c and -H both say which directory; choose one");
  if (!where.config.empty() && has_directory_options(where))
    throw usage_error(
        "-D, -y, -W, -Y, -Z, --ca-cert and --cert go with -H; beside -c the configuration says these things");
  auto all = where.config.empty() ? settings_of_options(where, time, interrupts) : settings_of_file(where);
  if (!where.verbose && all.log.file.empty()) all.log.level = log_level::error;
  return all;
}

settings one_shot_settings(const target& where, command_time& time, interrupt_watch& interrupts) {
  auto all = read_settings(where, time, interrupts);
  all.pool.min_connections = std::min(all.pool.min_connections, 1);
  all.pool.preload_connections = false;
  all.recovery.reconnect_attempts = 1;
  all.monitoring.enable_monitoring = false;
  // Made from servers in code, each has its own numbers.
  for (auto& server : all.servers) server.pool_size = std::min(server.pool_size, 1);
  return all;
}

}  // namespace understudy::cli
