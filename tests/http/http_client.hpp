// A client of HTTP for tests: bytes out, answers in.
#pragma once
#include "support/raw_client.hpp"

#include <map>
#include <string>

namespace understudy::test {

/// What came back; status 0: nothing that is an answer.
struct http_answer {
  int status = 0;
  std::string head;  ///< status line and header fields, as they came
  std::string body;
};
/// Reads one; a body without a length ends with the connection.
http_answer read_answer(raw_client& from);

/// "GET /livez HTTP/1.1" with the header fields (each with its line end), for the host 127.0.0.1.
std::string http_request_text(const std::string& method, const std::string& target, const std::string& headers = {});
/// One request on a connection of its own.
http_answer ask(std::uint16_t port, const std::string& method, const std::string& target,
                const std::string& headers = {});
inline http_answer get(std::uint16_t port, const std::string& target) { return ask(port, "GET", target); }

}  // namespace understudy::test
