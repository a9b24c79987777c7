// Requests are read however their bytes arrive, and what is none, or too large, is refused.
#include "understudy/actors/http/http_parser.hpp"

#include "support/mutation.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::internal;
using namespace understudy::test;

namespace {

const std::string suspend =
    "POST /api/suspend?server=ldap1%3A389&ttl=60 HTTP/1.1\r\nHost: node1:9389\r\nOrigin: http://node1:9389\r\n"
    "Authorization: Bearer t\r\nContent-Length: 5\r\n\r\nhello";

/// Given in pieces of that size; the rest of what was given is kept, as a connection does.
std::vector<http_request> read_in_pieces(http_parser& parser, const std::string& bytes, std::size_t size) {
  std::vector<http_request> found;
  std::string waiting;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    waiting += bytes.substr(at, size);
    for (bool again = true; again && !waiting.empty();) {
      const auto used = parser.feed(waiting);
      waiting.erase(0, used);
      auto request = parser.take();
      if (request) found.push_back(std::move(*request));
      again = request.has_value();
    }
  }
  return found;
}

int refusal_of(const std::string& bytes) {
  http_parser parser;
  parser.feed(bytes);
  return parser.refusal() ? parser.refusal()->status : 0;
}

}  // namespace

BOOST_AUTO_TEST_CASE(requests_are_read_however_their_bytes_arrive) {
  const auto bytes = suspend + "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    http_parser parser;
    const auto found = read_in_pieces(parser, bytes, size);
    BOOST_TEST_REQUIRE(found.size() == 2U, "in pieces of " << size);
    BOOST_TEST(found[0].method == "POST");
    BOOST_TEST(found[0].path == "/api/suspend");
    BOOST_TEST(found[0].query.at("server") == "ldap1:389");
    BOOST_TEST(found[0].query.at("ttl") == "60");
    BOOST_TEST(found[0].host == "node1:9389");
    BOOST_TEST(found[0].origin == "http://node1:9389");
    BOOST_TEST(found[0].authorization == "Bearer t");
    BOOST_TEST(found[0].keep_alive);
    BOOST_TEST(found[1].path == "/metrics");
    BOOST_TEST(!found[1].keep_alive);
  }
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_refused_before_it_is_whole) {
  const auto head = std::string{"GET / HTTP/1.1\r\nHost: a\r\nX-Long: "};
  BOOST_TEST(refusal_of(head + std::string(http_parser::most_head_bytes, 'x')) == 431);
  BOOST_TEST(refusal_of("GET /" + std::string(http_parser::most_head_bytes, 'x')) == 431);
  BOOST_TEST(refusal_of(head + std::string(http_parser::most_head_bytes / 2, 'x')) == 0);
  BOOST_TEST(refusal_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n") == 413);
  BOOST_TEST(refusal_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4096\r\n\r\n") == 0);
  BOOST_TEST(refusal_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n" +
                        std::string(0x2000, 'x')) == 413);
}

BOOST_AUTO_TEST_CASE(what_is_no_request_is_refused) {
  for (const std::string bytes :
       {"\x16\x03\x01\x02", "hello\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET / HTTP/1.1\r\nHost a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"})
    BOOST_TEST(refusal_of(bytes) == 400, bytes);
}

BOOST_AUTO_TEST_CASE(whatever_comes_is_a_request_or_refused_and_is_read_within_bounds) {
  std::mt19937 random{7};
  int whole = 0, refused = 0;
  for (int round = 0; round < 5'000; ++round) {
    const auto bytes = mutated(suspend, random);
    http_parser parser;
    whole += static_cast<int>(read_in_pieces(parser, bytes, 1 + random() % 64).size());
    refused += parser.refusal() ? 1 : 0;
  }
  BOOST_TEST(whole > 100);
  BOOST_TEST(refused > 100);
}
