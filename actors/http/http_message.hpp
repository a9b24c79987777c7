// Requests and responses of HTTP as values.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::internal {

/// What of a request counts for us (RFC 9110).
struct http_request {
  std::string method;  ///< "GET" …
  std::string path;    ///< decoded, without the query: "/api/status"
  /// Of the query, decoded; of keys that are given twice the last.
  std::map<std::string, std::string> query;
  ///@{
  /// Header fields; empty where there was none.
  std::string host, origin, authorization, last_event_id;
  ///@}
  bool keep_alive = true;  ///< the client wants to go on
};

/// An answer.
struct http_response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< beyond those that every answer has
};
/// A text of one line with that status.
http_response plain_response(int status, std::string_view text);

/// As it is sent: with the headers that keep browsers from guessing, framing and storing. `with_body`: false for HEAD.
std::string to_bytes(const http_response& response, bool keep_alive, bool with_body = true);
/// The beginning of a stream of server-sent events, which follow until the connection ends.
std::string event_stream_head();

}  // namespace understudy::internal
