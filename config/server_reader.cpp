// Puts one server together from its own table and [ldap].
#include "understudy/config/server_reader.hpp"

#include <algorithm>
#include <array>

namespace understudy::config {

namespace {

using key_group = std::array<std::string_view, 3>;
constexpr key_group password_keys{"password", "password_file", "password_command"};
constexpr key_group key_password_keys{"client_key_password", "client_key_password_file", "client_key_password_command"};

bool is_in(const key_group& group, std::string_view key) {
  return std::find(group.begin(), group.end(), key) != group.end();
}

void set(connection_info& info, const option& what, option_value value) {
  std::get<server_field>(what.field).set(info, std::move(value));
}

}  // namespace

connection_info server_reader::read() const {
  connection_info info;
  for (const auto& [what, value] : common_.values())
    if (!own_ || inherits(what->key)) set(info, *what, value);
  if (own_)
    for (const auto& [what, value] : own_->values()) set(info, *what, value);
  return info;
}

/// A server with a source of its own for the password takes none from [ldap]; nor does one that wants to be anonymous.
bool server_reader::inherits(std::string_view key) const {
  if (key == "host" || key == "uri" || key == "srv") return false;
  if (key == "port") return !uri_settles_port();
  const auto wrote = [&](std::string_view each) { return own_->wrote(each); };
  const auto wrote_one_of = [&](const key_group& group) { return std::any_of(group.begin(), group.end(), wrote); };
  // A key's password belongs to that key.
  if (is_in(key_password_keys, key)) return !wrote("client_key_path") && !wrote_one_of(key_password_keys);
  return !is_in(password_keys, key) || (!own_->anonymous() && !wrote_one_of(password_keys));
}

bool server_reader::uri_settles_port() const {
  std::string ignored;
  const auto parsed = parse_uri(own_->text_of("uri"), ignored);
  return parsed && (parsed->port || parsed->scheme == uri_scheme::ldapi);
}

bool server_reader::gives_port() const {
  if (gives("port")) return true;
  return own_ && common_.gave("port") && !uri_settles_port();
}

/// use_ssl = false for all servers gives way to one server's ldaps; use_ssl = true never gives way silently.
bool server_reader::gives_use_ssl() const { return gives("use_ssl") || (own_ && common_.truth_of("use_ssl")); }

void server_reader::report(const std::vector<finding>& found, problem_list& problems) const {
  for (const auto& each : found)
    if (std::none_of(each.keys.begin(), each.keys.end(), [&](auto key) { return spoiled(key); }))
      report_at(each, problems);
}

/// At what the server itself wrote, if that is part of the trouble: other servers may live well with what is in [ldap].
void server_reader::report_at(const finding& broken, problem_list& problems) const {
  for (const table_reader* each : {own_, &common_})
    for (const auto key : broken.keys)
      if (each && each->wrote(key))
        return problems.add(each->place_of(key), each->path_of(broken.keys[0]), broken.what);
  problems.add(table().at(), table().path_of(broken.keys[0]), broken.what);
}

}  // namespace understudy::config
