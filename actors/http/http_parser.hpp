// Requests out of bytes, however these arrive: bounded, without I/O.
#pragma once
#include "understudy/actors/http/http_message.hpp"

#include <memory>
#include <optional>

namespace understudy::internal {

/// Reads one request after the other. Boost.Beast's parser does it (RFC 9112), and refuses what is ambiguous.
class http_parser {
 public:
  /// Of the request line and all header fields, and of a body.
  static constexpr std::size_t most_head_bytes = 8 * 1024, most_body_bytes = 4 * 1024;

  http_parser();
  ~http_parser();
  http_parser(const http_parser&) = delete;
  http_parser& operator=(const http_parser&) = delete;

  /// Returns how many of the bytes it is done with, at most to the end of a request; the others are to be given again,
  /// with what has come behind them.
  std::size_t feed(std::string_view bytes);
  /// The request, once it is whole; the next one begins then.
  std::optional<http_request> take();
  /// Why this is no request; nothing can be read any more.
  const std::optional<http_response>& refusal() const noexcept { return refusal_; }

 private:
  struct reader;
  std::unique_ptr<reader> reader_;
  std::optional<http_response> refusal_;
};

}  // namespace understudy::internal
