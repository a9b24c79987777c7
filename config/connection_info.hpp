// One server and how to speak to it: the settings that a service gives for each, with validation and conversion.
#pragma once
#include "understudy/messages/secret.hpp"
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace understudy {

/// What a server may be asked.
enum class server_role : std::uint8_t {
  read_write,     ///< everything
  read_only,      ///< no writes
  global_catalog  ///< look-ups of users and groups alone (Active Directory's ports 3268 and 3269)
};

/// The oldest protocol spoken; 1.0 and 1.1 never are (RFC 8996).
enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// How the service binds.
enum class bind_method : std::uint8_t {
  automatic,  ///< simple with a bind_dn; external with a client certificate and no bind_dn; else no bind
  simple,     ///< name and password (RFC 4513, 5.1); without a bind_dn no bind is sent
  external    ///< SASL EXTERNAL (RFC 4422, appendix A): who the client certificate, or the peer of a Unix socket, is
};

/// What validate() found.
struct validation_result {
  bool valid = true;                       ///< no errors
  std::vector<std::string> schema_errors;  ///< each "key: what is wrong and what to do"
};
/// Its name in the documented API.
using ldap_validation_result = validation_result;

/// One server and how to speak to it. Plain data with the documented defaults; every span may be given in any
/// std::chrono unit.
struct connection_info {
  std::string host;          ///< name, address, or the path of a Unix socket
  std::uint16_t port = 389;  ///< 636 when use_ssl is set and no other port is given
  /// "ldap://h:p", "ldaps://h:p" or "ldapi://%2Fpath": replaces host, port and use_ssl when set.
  std::string uri;
  /// "_ldap._tcp.example.com": stands for all servers that these SRV records (RFC 2782) name; replaces host, port, uri,
  /// priority and weight. Alone in its settings.
  std::string srv;
  std::string bind_dn;  ///< empty: no simple bind is sent; see bind_mechanism
  secret password;      ///< for a simple bind
  /// Other sources of the password; at most one of these and `password`. Read on a worker, never on the hot path.
  std::string password_file;
  std::vector<std::string> password_command;       ///< program and arguments, no shell; its output is the password
  std::function<std::string()> password_callback;  ///< called on a worker; may block, what it throws is "no password"
  bind_method bind_mechanism = bind_method::automatic;  ///< how the service binds
  bool use_ssl = false;                                 ///< ldaps
  bool use_tls = false;                                 ///< StartTLS; never falls back to plain text
  duration timeout = seconds{30};       ///< of connecting as a whole: name look-up, TCP, TLS, bind; 1 ms to 1 h
  int max_retries = 3;                  ///< redispatches of one request; 0 to 100
  duration retry_delay = seconds{1};    ///< base of the backoff between connection attempts; 1 ms to 1 h
  int pool_size = 10;                   ///< connections kept open; 0 to 100 000
  int max_pool_size = 50;               ///< sockets of every kind at most; 1 to 100 000
  duration pool_timeout = seconds{60};  ///< how long is waited for a connection at most; 1 ms to 1 d
  bool validate_cert = true;            ///< false: whoever answers is believed
  std::string ca_cert_path;             ///< PEM file of trusted authorities; empty: the system's
  std::string client_cert_path;         ///< PEM file, chain included
  std::string client_key_path;          ///< PEM file; goes with `client_cert_path`
  /// What the key is encrypted with; at most one source. Read on a worker when the key is.
  secret client_key_password;
  std::string client_key_password_file;                       ///< its complete content but for one newline at the end
  std::vector<std::string> client_key_password_command;       ///< as password_command
  std::function<std::string()> client_key_password_callback;  ///< as password_callback
  /// PEM file of revocation lists: a server whose certificate is in one, or whose issuer has no current one there, is
  /// refused.
  std::string crl_path;
  tls_version tls_min_version = tls_version::v1_2;  ///< the oldest that is spoken
  int priority = 1;                                 ///< lower is preferred; equal ones share load; 0 to 1 000 000
  int weight = 1;  ///< share of that load, compared with the others'; 0 (hardly any) to 65 535
  server_role role = server_role::read_write;  ///< read_only: gets no writes; global_catalog: look-ups alone

  /// Checks every field and their combinations; reports all problems together.
  validation_result validate() const;
  /// As a JSON object; the password is masked ("***"), a callback left out.
  nlohmann::json to_dict() const;
  /// The reverse. Throws config_error (config/problem.hpp) that lists every problem: unknown keys, wrong types, a
  /// masked password.
  static connection_info from_dict(const nlohmann::json& data);
  /// The same as TOML key/value lines.
  std::string to_toml() const;
  /// The reverse; throws as from_dict() does.
  static connection_info from_toml(const std::string& text);
};

}  // namespace understudy
