// Settings changed while everything runs: see reload.hpp.
#include "understudy/config/reload.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/options.hpp"

#include <tuple>

namespace understudy::internal {

settings keep_unreloadable(const settings& running, settings next, std::vector<std::string>& needs_restart) {
  for (const auto& each : config::options()) {
    const auto* field = std::get_if<config::global_field>(&each.field);
    if (!field || each.reloadable) continue;
    auto value = field->get(running);
    if (field->get(next) == value) continue;
    needs_restart.push_back(std::string{each.section} + '.' + std::string{each.key});
    field->set(next, std::move(value));
  }
  return next;
}

bool same_server(const connection_info& a, const connection_info& b) {
  for (const auto& each : config::options())
    if (const auto* field = std::get_if<config::server_field>(&each.field); field && field->get(a) != field->get(b))
      return false;
  return !a.password_callback == !b.password_callback &&
         !a.client_key_password_callback == !b.client_key_password_callback;
}

bool same_connection(const connection_info& a, const settings& of_a, const connection_info& b, const settings& of_b) {
  const auto identity = [](const connection_info& s) {
    return std::tie(s.bind_dn, s.password_file, s.password_command, s.bind_mechanism, s.use_tls, s.validate_cert,
                    s.ca_cert_path, s.client_cert_path, s.client_key_path, s.client_key_password_file,
                    s.client_key_password_command, s.crl_path, s.tls_min_version, s.timeout, s.max_retries);
  };
  const auto limits = [](const settings& s) {
    return std::tie(s.limits.max_result_bytes, s.limits.max_pdu_bytes, s.breaker.slow_call, s.breaker.suspect_after);
  };
  return server_key(a) == server_key(b) && endpoint_of(a).use_ssl == endpoint_of(b).use_ssl &&
         identity(a) == identity(b) && a.password == b.password && a.client_key_password == b.client_key_password &&
         !a.password_callback == !b.password_callback &&
         !a.client_key_password_callback == !b.client_key_password_callback && limits(of_a) == limits(of_b);
}

}  // namespace understudy::internal
