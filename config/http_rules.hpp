// What must hold between the settings of the HTTP endpoint.
#pragma once
#include "understudy/config/rules.hpp"
#include "understudy/config/secret_source.hpp"

namespace understudy::internal::config {

/// The combinations within [http], and its files.
std::vector<finding> check_http(const http_settings& http);
/// What of it works and protects less than one might think.
std::vector<finding> doubts_about(const http_settings& http);
/// True when nobody on another machine can reach the endpoint: it listens at a loopback address, or a Unix socket.
bool is_local(const http_settings& http);

/// Where the token of orders comes from; refers to `http`.
secret_source admin_token_of(const http_settings& http);
/// Why `token` cannot be one, or empty.
std::string why_no_token(const secret& token);

}  // namespace understudy::internal::config
