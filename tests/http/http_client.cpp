// Requests as text, and answers cut out of the stream.
#include "http_client.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace understudy::test {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return text;
}

}  // namespace

http_answer read_answer(raw_client& from) {
  std::string bytes;
  const auto more = [&] {
    const auto got = from.read_some();
    bytes += got;
    return !got.empty();
  };
  while (bytes.find("\r\n\r\n") == std::string::npos)
    if (!more()) return {};
  http_answer found;
  const auto end = bytes.find("\r\n\r\n") + 4;
  found.head = bytes.substr(0, end);
  if (found.head.rfind("HTTP/1.1 ", 0) != 0) return {};
  found.status = std::stoi(found.head.substr(9));
  const std::string key = "\r\ncontent-length: ";
  const auto at = lower(found.head).find(key);
  if (at == std::string::npos) {
    while (more()) {
    }
    found.body = bytes.substr(end);
    return found;
  }
  const auto size = std::stoul(found.head.substr(at + key.size()));
  while (bytes.size() < end + size)
    if (!more()) return {};
  if (bytes.size() > end + size) throw std::runtime_error("more than one answer");
  found.body = bytes.substr(end);
  return found;
}

std::string http_request_text(const std::string& method, const std::string& target, const std::string& headers) {
  const bool has_host = headers.rfind("Host:", 0) == 0 || headers.find("\nHost:") != std::string::npos;
  return method + ' ' + target + " HTTP/1.1\r\n" + (has_host ? "" : "Host: 127.0.0.1\r\n") + headers + "\r\n";
}

http_answer ask(std::uint16_t port, const std::string& method, const std::string& target, const std::string& headers) {
  raw_client client{port};
  if (!client.connected()) return {};
  client.send(http_request_text(method, target, headers + "Connection: close\r\n"));
  return read_answer(client);
}

}  // namespace understudy::test
