// Responses as bytes.
#include "understudy/actors/http/http_message.hpp"

namespace understudy::internal {
namespace {

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

// Nothing is stored, guessed or framed; scripts, styles and requests are this endpoint's own.
constexpr std::string_view common_headers =
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n";

std::string head_of(int status, std::string_view content_type) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + ' ';
  head.append(reason_of(status)).append("\r\nContent-Type: ").append(content_type).append("\r\n");
  return head.append(common_headers);
}

}  // namespace

http_response plain_response(int status, std::string_view text) {
  http_response made;
  made.status = status;
  made.body.append(text).append("\n");
  return made;
}

std::string to_bytes(const http_response& response, bool keep_alive, bool with_body) {
  auto bytes = head_of(response.status, response.content_type);
  for (const auto& [name, value] : response.headers) bytes.append(name).append(": ").append(value).append("\r\n");
  bytes.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
  bytes.append(keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
  if (with_body) bytes.append(response.body);
  return bytes;
}

std::string event_stream_head() { return head_of(200, "text/event-stream") + "Connection: close\r\n\r\n"; }

}  // namespace understudy::internal
