// Paths, methods, hosts, origins and the token.
#include "understudy/actors/http/http_routes.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/messages/number.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <optional>

namespace understudy::internal {
namespace {

constexpr std::uint32_t longest_suspension = 30 * 86400;

/// "node1:9389" without the port, in lower case; brackets stay.
std::string host_in(std::string_view authority) {
  const auto end = authority.find(']');
  const auto colon = authority.find(':', end == std::string_view::npos ? 0 : end);
  return ascii_lower(std::string{authority.substr(0, colon)});
}

/// A page that a stranger has given a name of its own at this address sends that name: it is not one of ours. Addresses
/// in numbers belong to nobody.
bool is_ours(std::string_view authority, const http_rules& rules) {
  auto host = host_in(authority);
  if (host == "localhost" || std::find(rules.hosts.begin(), rules.hosts.end(), host) != rules.hosts.end()) return true;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return config::is_numeric_address(host);
}

/// Browsers say which page a request comes from; other programs do not.
bool is_own_page(const http_request& request) {
  if (request.origin.empty()) return true;
  const auto begin = request.origin.find("://");
  return begin != std::string::npos && ascii_lower(request.origin.substr(begin + 3)) == ascii_lower(request.host);
}

bool shows_token(const http_request& request, const http_rules& rules) {
  if (rules.admin_token.empty()) return false;
  constexpr std::string_view scheme = "bearer ";
  const bool has_scheme = request.authorization.size() > scheme.size() &&
                          ascii_lower(request.authorization.substr(0, scheme.size())) == scheme;
  const secret presented{has_scheme ? std::string_view{request.authorization}.substr(scheme.size())
                                    : std::string_view{}};
  return equal_in_constant_time(rules.admin_token, presented);
}

std::optional<http_response> why_no_order(const http_request& request, const http_rules& rules) {
  if (!is_own_page(request)) return plain_response(403, "orders are not taken from other sites' pages");
  if (rules.admin_token.empty()) return plain_response(403, "orders are not taken here: http.admin_token is not set");
  if (shows_token(request, rules)) return std::nullopt;
  auto refusal = plain_response(401, "orders need the token: Authorization: Bearer TOKEN");
  refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
  return refusal;
}

/// "<id of the events>-<number>", as a stream has sent it. One of an earlier process begins anew: what it has numbered
/// is not what has that number here.
std::uint64_t number_in(std::string_view last_event_id, const http_rules& rules) {
  const auto dash = last_event_id.rfind('-');
  if (dash == std::string_view::npos || last_event_id.substr(0, dash) != rules.events_id) return 0;
  return parse_number<std::uint64_t>(last_event_id.substr(dash + 1)).value_or(0);
}

std::string value_of(const http_request& request, const std::string& key) {
  const auto found = request.query.find(key);
  return found == request.query.end() ? std::string{} : found->second;
}

http_wish order_of(http_order::kind kind, const http_request& request, const http_rules& rules) {
  if (request.method != "POST") {
    auto refusal = plain_response(405, "orders are given with POST");
    refusal.headers.emplace_back("Allow", "POST");
    return refusal;
  }
  if (auto refusal = why_no_order(request, rules)) return refused_order{kind, std::move(*refusal)};
  http_order made;
  made.what = kind;
  if (kind != http_order::kind::suspend && kind != http_order::kind::resume) return made;
  made.server = value_of(request, "server");
  if (made.server.empty()) return plain_response(400, "which server? ?server=HOST:PORT");
  const auto ttl = value_of(request, "ttl");
  if (ttl.empty()) return made;
  const auto count = parse_number<std::uint32_t>(ttl);
  if (kind == http_order::kind::resume || !count || *count > longest_suspension)
    return plain_response(400, "ttl is for suspend: seconds, 0 to " + std::to_string(longest_suspension));
  made.ttl = seconds{*count};
  return made;
}

struct page_path {
  std::string_view path;
  http_page page;
};
constexpr page_path pages[] = {{"/livez", http_page::live},        {"/readyz", http_page::ready},
                               {"/metrics", http_page::metrics},   {"/api/status", http_page::status},
                               {"/", http_page::console},          {"/console.css", http_page::console},
                               {"/console.js", http_page::console}};

struct order_path {
  std::string_view path;
  http_order::kind kind;
};
constexpr order_path orders[] = {{"/api/suspend", http_order::kind::suspend},
                                 {"/api/resume", http_order::kind::resume},
                                 {"/api/drain", http_order::kind::drain},
                                 {"/api/reload", http_order::kind::reload}};

}  // namespace

std::string_view to_string(http_order::kind k) noexcept {
  switch (k) {
    case http_order::kind::suspend:
      return "suspend";
    case http_order::kind::resume:
      return "resume";
    case http_order::kind::drain:
      return "drain";
    case http_order::kind::reload:
      break;
  }
  return "reload";
}

http_wish wish_of(const http_request& request, const http_rules& rules) {
  if (!is_ours(request.host, rules))
    return plain_response(421,
                          "this endpoint is not known by that name: ask for it by its address, or list the name in "
                          "http.hosts");
  for (const auto& [path, kind] : orders)
    if (request.path == path) return order_of(kind, request, rules);
  const bool is_stream = request.path == "/api/events";
  const auto* const page = std::find_if(std::begin(pages), std::end(pages),
                                        [&](const page_path& each) { return each.path == request.path; });
  if (!is_stream && page == std::end(pages))
    return plain_response(404, "there is /, /livez, /readyz, /metrics, /api/status and /api/events");
  if (request.method != "GET" && (request.method != "HEAD" || is_stream)) {
    auto refusal = plain_response(405, "this is only to be read");
    refusal.headers.emplace_back("Allow", is_stream ? "GET" : "GET, HEAD");
    return refusal;
  }
  const bool details = rules.shows_details || (is_own_page(request) && shows_token(request, rules));
  if (is_stream) {
    if (!request.last_event_id.empty()) return events_wish{number_in(request.last_event_id, rules), details};
    const auto after = value_of(request, "after");
    return events_wish{parse_number<std::uint64_t>(after).value_or(number_in(after, rules)), details};
  }
  return page_wish{page->page, request.query.count("verbose") > 0, request.path, details};
}

}  // namespace understudy::internal
