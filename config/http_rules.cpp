// The rules of the HTTP endpoint: its address, certificates, and who may give orders.
#include "understudy/config/http_rules.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/node_rules.hpp"
#include "understudy/config/text.hpp"

#include <iterator>

namespace understudy::internal::config {

namespace {

using findings = std::vector<finding>;

constexpr const char* usual_port = "9389";
// What can be guessed by trying is no token.
constexpr std::size_t least_token_bytes = 16, most_token_bytes = 1024;

/// Of a Unix socket.
bool is_path(std::string_view listen) { return listen.rfind('/', 0) == 0; }

/// The keys that say something.
std::vector<std::string_view> given_keys(const http_settings& http) {
  const std::pair<std::string_view, bool> all[] = {{"cert_path", !http.cert_path.empty()},
                                                   {"key_path", !http.key_path.empty()},
                                                   {"ca_cert_path", !http.ca_cert_path.empty()},
                                                   {"hosts", !http.hosts.empty()},
                                                   {"admin_token", !http.admin_token.empty()},
                                                   {"admin_token_file", !http.admin_token_file.empty()},
                                                   {"admin_token_command", !http.admin_token_command.empty()}};
  std::vector<std::string_view> keys;
  for (const auto& [key, given] : all)
    if (given) keys.push_back(key);
  return keys;
}

std::vector<std::string_view> token_keys(const http_settings& http) {
  std::vector<std::string_view> keys;
  for (const auto key : given_keys(http))
    if (key.rfind("admin_token", 0) == 0) keys.push_back(key);
  return keys;
}

void check_encryption(const http_settings& http, bool local, findings& found) {
  check_pair({"cert_path", "key_path", http.cert_path, http.key_path}, found);
  if (http.cert_path.empty() && !http.ca_cert_path.empty())
    found.push_back({{"ca_cert_path", "cert_path"}, "needs cert_path and key_path: without TLS nobody shows one"});
  const auto tokens = token_keys(http);
  if (http.cert_path.empty() && !local && !tokens.empty())
    found.push_back({{tokens[0], "listen"},
                     "would cross the network in plain text: set cert_path and key_path, or listen at 127.0.0.1"});
}

void check_token(const http_settings& http, findings& found) {
  const auto tokens = token_keys(http);
  if (tokens.size() > 1)
    found.push_back(
        {{tokens[1], tokens[0]}, "is a second source of the token beside " + std::string{tokens[0]} + "; give one"});
  if (!http.admin_token.empty())
    if (auto wrong = why_no_token(http.admin_token); !wrong.empty())
      found.push_back({{"admin_token"}, std::move(wrong)});
  if (!http.admin_token_file.empty())
    if (auto wrong = why_unreadable(http.admin_token_file); !wrong.empty())
      found.push_back({{"admin_token_file"}, quote(http.admin_token_file) + " cannot be read: " + wrong});
}

}  // namespace

secret_source admin_token_of(const http_settings& http) {
  static const std::function<std::string()> no_callback;
  return {"admin_token", http.admin_token, http.admin_token_file, http.admin_token_command, no_callback};
}

std::string why_no_token(const secret& token) {
  if (token.size() < least_token_bytes)
    return "must have " + std::to_string(least_token_bytes) + " bytes at least, so that nobody guesses it";
  if (token.size() > most_token_bytes) return "must not have more than " + std::to_string(most_token_bytes) + " bytes";
  for (const char c : token.reveal())
    if (c <= ' ' || c > '~') return "must be of printable ASCII without spaces: it stands in a header";
  return {};
}

std::vector<finding> check_http(const http_settings& http) {
  findings found;
  if (http.listen.empty()) {
    if (const auto keys = given_keys(http); !keys.empty())
      found.push_back({{keys[0], "listen"}, "is of no use without listen, the endpoint's address"});
    return found;
  }
  std::string problem;
  if (!is_path(http.listen) && !parse_listening_address(http.listen, problem, usual_port)) {
    found.push_back({{"listen"}, problem + ", not " + quote(http.listen)});
    return found;
  }
  check_encryption(http, is_local(http), found);
  check_token(http, found);
  for (const auto& host : http.hosts)
    if (auto wrong = check_host(host); !wrong.empty()) found.push_back({{"hosts"}, wrong + ", not " + quote(host)});
  auto files = check_listener_files({http.cert_path, http.key_path, http.ca_cert_path, {}});
  found.insert(found.end(), std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
  return found;
}

bool is_local(const http_settings& http) {
  if (is_path(http.listen)) return true;
  std::string problem;
  const auto place = parse_listening_address(http.listen, problem, usual_port);
  return place && on_this_machine(*place);
}

std::vector<finding> doubts_about(const http_settings& http) {
  if (http.listen.empty() || !http.cert_path.empty() || is_local(http)) return {};
  return {{{"listen", "cert_path"},
           "shows the state of this node in plain text to everybody who reaches " + quote(http.listen) +
               ": set cert_path, key_path and ca_cert_path, or listen at 127.0.0.1"}};
}

}  // namespace understudy::internal::config
