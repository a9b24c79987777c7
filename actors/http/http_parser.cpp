// Boost.Beast's parser behind a plain interface.
#include "understudy/actors/http/http_parser.hpp"

#include "understudy/messages/text.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>

namespace understudy::internal {
namespace {

namespace http = boost::beast::http;
using parser = http::request_parser<http::string_body>;

template <class Text>
std::string text_of(const Text& found) {
  return {found.data(), found.size()};
}

http_response refusal_for(const boost::beast::error_code& why) {
  if (why == http::error::header_limit)
    return plain_response(431, "the request line and its header fields must not have more than " +
                                   std::to_string(http_parser::most_head_bytes) + " bytes");
  if (why == http::error::body_limit)
    return plain_response(413,
                          "a body must not have more than " + std::to_string(http_parser::most_body_bytes) + " bytes");
  return plain_response(400, "this is no request of HTTP/1: " + why.message());
}

/// What is no escape stays as it is: nothing of ours is called so.
std::string decoded(std::string_view text) { return percent_decoded(text).value_or(std::string{text}); }

bool begins_request(char c) noexcept { return c == '\r' || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'); }

void read_target(std::string_view target, http_request& into) {
  const auto mark = target.find('?');
  into.path = decoded(target.substr(0, mark));
  if (mark == std::string_view::npos) return;
  auto rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const auto part = rest.substr(0, rest.find('&'));
    const auto equals = part.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
    into.query[decoded(part.substr(0, equals))] = decoded(value);
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  }
}

}  // namespace

struct http_parser::reader {
  reader() {
    from.eager(true);
    from.header_limit(most_head_bytes);
    from.body_limit(most_body_bytes);
  }
  parser from;
};

http_parser::http_parser() : reader_(std::make_unique<reader>()) {}
http_parser::~http_parser() = default;

std::size_t http_parser::feed(std::string_view bytes) {
  auto& from = reader_->from;
  // What begins a handshake, or a message of LDAP, may never have the end that is looked for.
  if (!bytes.empty() && !from.got_some() && !begins_request(bytes.front()))
    refusal_ = plain_response(400, "this is no request of HTTP/1");
  std::size_t used = 0;
  while (used < bytes.size() && !refusal_ && !from.is_done()) {
    boost::beast::error_code why;
    const auto taken = from.put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), why);
    used += taken;
    if (why == http::error::need_more) break;
    if (why) refusal_ = refusal_for(why);
    if (taken == 0) break;
  }
  // More than one: which of them others have looked at is anybody's guess (RFC 9112, 3.2).
  if (from.is_header_done() && from.get().count(http::field::host) > 1)
    refusal_ = plain_response(400, "more than one Host header field");
  return used;
}

std::optional<http_request> http_parser::take() {
  auto& from = reader_->from;
  if (refusal_ || !from.is_done()) return std::nullopt;
  const auto& message = from.get();
  http_request made;
  made.method = text_of(message.method_string());
  const auto target = text_of(message.target());
  read_target(target, made);
  made.host = text_of(message[http::field::host]);
  made.origin = text_of(message[http::field::origin]);
  made.authorization = text_of(message[http::field::authorization]);
  made.last_event_id = text_of(message["Last-Event-ID"]);
  made.keep_alive = message.keep_alive();
  reader_ = std::make_unique<reader>();
  return made;
}

}  // namespace understudy::internal
