// What must hold between settings, wherever they come from.
#pragma once
#include "understudy/config/endpoint.hpp"
#include "understudy/config/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace understudy::internal::config {

/// A broken rule.
struct finding {
  /// The key to report it at, without its section, first; then the others that the rule looked at. A rule is not
  /// reported when one of them has no usable value anyway.
  std::vector<std::string_view> keys;
  std::string what;
};

/// Takes out what is to be reported at `key`.
void leave_out(std::vector<finding>& found, std::string_view key);

/// A certificate and its private key go together. The names of their keys live as long as the findings.
struct pem_pair {
  std::string_view cert_key, key_key;
  const std::string &cert_path, &key_path;
};
/// What is missing of them.
void check_pair(const pem_pair& pair, std::vector<finding>& found);

/// The combinations within one server, and its files. `given`: what was written beside its `uri`.
std::vector<finding> check_server(const connection_info& info, const given_fields& given);

/// What works and is still worth a word: a password or certificates that protect less than they seem to.
std::vector<finding> doubts_about(const connection_info& info);
/// The same of a section that is no list.
std::vector<finding> doubts_about(const settings& all, std::string_view section);

/// The combinations within one section of `all`.
std::vector<finding> check_section(const settings& all, std::string_view section);

/// For every server that is the same place as an earlier one: the indices of both, the later first.
std::vector<std::pair<std::size_t, std::size_t>> duplicate_servers(const std::vector<connection_info>& servers);

/// Why these servers together cannot take every kind of request: each is a global_catalog. Empty: they can.
std::string why_no_server_for_all(const std::vector<connection_info>& servers);

/// All of that for one server made in code: each field by itself, then together.
std::vector<finding> check_made_in_code(const connection_info& info);

/// Every field of one server by itself: ranges, characters. Keys as in the table.
std::vector<finding> check_fields(const connection_info& info);
std::vector<finding> check_fields(const settings& all, std::string_view section);
std::vector<finding> check_fields(const node_listener_settings& listener);
std::vector<finding> check_fields(const client_listener_settings& listener);

}  // namespace understudy::internal::config
