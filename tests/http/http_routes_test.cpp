// Who may ask for what: names, pages of strangers, methods, the token.
#include "understudy/actors/http/http_routes.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

const std::string good_token = "0123456789abcdef";

http_rules route_rules() {
  http_rules made;
  made.hosts = {"node1.example.com"};
  made.admin_token = secret{good_token};
  return made;
}

http_request asking(const std::string& method, const std::string& path) {
  http_request made;
  made.method = method;
  made.path = path;
  made.host = "127.0.0.1:9389";
  return made;
}

http_request ordering(const std::string& path) {
  auto made = asking("POST", path);
  made.authorization = "Bearer " + good_token;
  return made;
}

/// 0: it is granted.
int status_of(const http_request& request, const http_rules& with = route_rules()) {
  const auto wish = wish_of(request, with);
  if (const auto* refused = std::get_if<refused_order>(&wish)) return refused->response.status;
  const auto* refusal = std::get_if<http_response>(&wish);
  return refusal ? refusal->status : 0;
}

int refusal_by_host(const std::string& host) {
  auto request = asking("GET", "/metrics");
  request.host = host;
  return status_of(request);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_page_is_found) {
  const std::pair<const char*, http_page> pages[] = {
      {"/livez", http_page::live},        {"/readyz", http_page::ready}, {"/metrics", http_page::metrics},
      {"/api/status", http_page::status}, {"/", http_page::console},     {"/console.css", http_page::console},
      {"/console.js", http_page::console}};
  for (const auto& [path, page] : pages)
    for (const auto* method : {"GET", "HEAD"}) {
      const auto wish = wish_of(asking(method, path), route_rules());
      BOOST_TEST_REQUIRE((std::get_if<page_wish>(&wish) != nullptr), path);
      BOOST_TEST((std::get<page_wish>(wish).page == page), path);
      BOOST_TEST(!std::get<page_wish>(wish).verbose);
    }
  auto verbose = asking("GET", "/readyz");
  verbose.query["verbose"] = "";
  BOOST_TEST(std::get<page_wish>(wish_of(verbose, route_rules())).verbose);
  BOOST_TEST(status_of(asking("GET", "/etc/passwd")) == 404);
  BOOST_TEST(status_of(asking("GET", "/console.js/..")) == 404);
  BOOST_TEST(status_of(asking("POST", "/metrics")) == 405);
  BOOST_TEST(status_of(asking("DELETE", "/")) == 405);
}

BOOST_AUTO_TEST_CASE(names_that_are_not_ours_are_refused) {
  for (const auto* host : {"127.0.0.1", "127.0.0.1:9389", "[::1]:9389", "[::1]", "localhost:1", "LocalHost",
                           "192.0.2.7:80", "node1.example.com", "NODE1.example.com:9389"})
    BOOST_TEST(refusal_by_host(host) == 0, host);
  for (const auto* host : {"", "evil.example", "evil.example:9389", "node1.example.com.evil.example",
                           "127.0.0.1.evil.example", "localhost.evil.example", "[evil]", "user@127.0.0.1"})
    BOOST_TEST(refusal_by_host(host) == 421, host);
}

BOOST_AUTO_TEST_CASE(orders_need_the_token) {
  for (const auto* path : {"/api/drain", "/api/reload"}) {
    BOOST_TEST(status_of(ordering(path)) == 0, path);
    BOOST_TEST(status_of(asking("GET", path)) == 405, path);
    for (const auto& wrong :
         std::vector<std::string>{"", "Bearer", "Bearer " + good_token + "x", "Bearer " + good_token.substr(1),
                                  "Basic " + good_token, "Bearer  " + good_token, good_token}) {
      auto request = ordering(path);
      request.authorization = wrong;
      BOOST_TEST(status_of(request) == 401, wrong);
    }
    // Without a token nobody can.
    auto none = route_rules();
    none.admin_token = {};
    BOOST_TEST(status_of(ordering(path), none) == 403);
    auto empty = ordering(path);
    empty.authorization = "Bearer ";
    BOOST_TEST(status_of(empty, none) == 403);
  }
}

BOOST_AUTO_TEST_CASE(orders_are_not_taken_from_pages_of_strangers) {
  auto request = ordering("/api/drain");
  for (const auto* own : {"http://127.0.0.1:9389", "https://127.0.0.1:9389"}) {
    request.origin = own;
    BOOST_TEST(status_of(request) == 0, own);
  }
  for (const auto* other :
       {"http://evil.example", "null", "http://127.0.0.1:80", "http://127.0.0.1:9389.evil.example", "x"}) {
    request.origin = other;
    BOOST_TEST(status_of(request) == 403, other);
  }
}

BOOST_AUTO_TEST_CASE(a_suspension_names_its_server_and_how_long) {
  auto request = ordering("/api/suspend");
  BOOST_TEST(status_of(request) == 400);
  request.query["server"] = "ldap1:389";
  auto order = std::get<http_order>(wish_of(request, route_rules()));
  BOOST_TEST((order.what == http_order::kind::suspend));
  BOOST_TEST(order.server == "ldap1:389");
  BOOST_TEST((order.ttl == seconds{0}));
  request.query["ttl"] = "90";
  BOOST_TEST((std::get<http_order>(wish_of(request, route_rules())).ttl == seconds{90}));
  for (const auto* wrong : {"-1", "x", "1.5", "99999999999", "2592001"}) {
    request.query["ttl"] = wrong;
    BOOST_TEST(status_of(request) == 400, wrong);
  }
  request.path = "/api/resume";
  request.query["ttl"] = "5";
  BOOST_TEST(status_of(request) == 400);
  request.query.erase("ttl");
  BOOST_TEST((std::get<http_order>(wish_of(request, route_rules())).what == http_order::kind::resume));
}

BOOST_AUTO_TEST_CASE(a_stream_of_events_goes_on_where_it_was_left) {
  auto request = asking("GET", "/api/events");
  BOOST_TEST(std::get<events_wish>(wish_of(request, route_rules())).after == 0U);
  request.query["after"] = "7";
  BOOST_TEST(std::get<events_wish>(wish_of(request, route_rules())).after == 7U);
  auto rules = route_rules();
  rules.events_id = "5af0";
  request.last_event_id = "5af0-9";
  BOOST_TEST(std::get<events_wish>(wish_of(request, rules)).after == 9U);
  // An earlier process has numbered these, or nobody.
  for (const auto* other : {"5af1-9", "9", "-9", "x", "5af0", "5af0-", "5af0-x", "5af0-5af0-9"}) {
    request.last_event_id = other;
    BOOST_TEST(std::get<events_wish>(wish_of(request, rules)).after == 0U, other);
  }
  // Who opens a stream anew names the last event in the same way.
  request.last_event_id.clear();
  request.query["after"] = "5af0-9";
  BOOST_TEST(std::get<events_wish>(wish_of(request, rules)).after == 9U);
  request.query["after"] = "5af1-9";
  BOOST_TEST(std::get<events_wish>(wish_of(request, rules)).after == 0U);
  request.method = "HEAD";
  BOOST_TEST(status_of(request) == 405);
}

BOOST_AUTO_TEST_CASE(details_are_for_who_shows_the_token_unless_who_gets_in_may_see_them) {
  const auto shown = [](const http_request& request, const http_rules& with) {
    const auto wish = wish_of(request, with);
    if (const auto* events = std::get_if<events_wish>(&wish)) return events->details;
    return std::get<page_wish>(wish).details;
  };
  auto open = route_rules(), without_token = route_rules();
  open.shows_details = true;
  without_token.admin_token = {};
  for (const auto* path : {"/readyz", "/api/status", "/api/events"}) {
    auto request = asking("GET", path);
    BOOST_TEST(!shown(request, route_rules()), path);
    BOOST_TEST(shown(request, open), path);
    request.authorization = "Bearer " + good_token;
    BOOST_TEST(shown(request, route_rules()), path);
    BOOST_TEST(!shown(request, without_token), path);
    request.origin = "http://evil.example";
    BOOST_TEST(!shown(request, route_rules()), path);
    request.origin = {};
    for (const auto* wrong : {"Bearer ", "Bearer 0123456789abcdeg", "Basic 0123456789abcdef"}) {
      request.authorization = wrong;
      BOOST_TEST(!shown(request, route_rules()), wrong);
      BOOST_TEST(!shown(request, without_token), wrong);
    }
  }
}
