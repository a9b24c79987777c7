// What a request by HTTP asks for, and whether it may: pure.
#pragma once
#include "understudy/actors/http/http_message.hpp"
#include "understudy/actors/http/http_rules.hpp"
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <variant>

namespace understudy::internal {

/// Something to be shown.
enum class http_page : std::uint8_t {
  live,     ///< /livez: the process answers
  ready,    ///< /readyz: a request sent now would find a server
  metrics,  ///< /metrics
  status,   ///< /api/status
  console,  ///< /, and what it is made of
};
/// It is asked for.
struct page_wish {
  http_page page = http_page::live;
  bool verbose = false;  ///< of /readyz: with its reasons
  std::string path;      ///< as asked for
  bool details = false;  ///< with the texts of errors, and addresses of clients and nodes
};
/// /api/events, from the event after that number on.
struct events_wish {
  std::uint64_t after = 0;
  bool details = false;  ///< with what stands beside their text
};
/// Of an operator, whose token was right.
struct http_order {
  enum class kind : std::uint8_t { suspend, resume, drain, reload };
  kind what = kind::suspend;
  std::string server;  ///< of suspend and resume: "host:port"
  seconds ttl{0};      ///< of suspend; zero: until resumed
};
/// "suspend" …
std::string_view to_string(http_order::kind k) noexcept;
/// Of somebody who may not give it.
struct refused_order {
  http_order::kind what = http_order::kind::suspend;
  http_response response;
};

/// One of them, or why not.
using http_wish = std::variant<http_response, page_wish, events_wish, http_order, refused_order>;

/// Checks the name that it was asked by, what page it comes from, the method and, of an order, the token.
http_wish wish_of(const http_request& request, const http_rules& rules);

}  // namespace understudy::internal
