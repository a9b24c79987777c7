// What nodes of a cluster tell each other, as bytes: whole, within bounds, and harmless when the bytes are anything.
#include "understudy/actors/node/exchange.hpp"

#include "support/mutation.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

exchange some_exchange() {
  exchange e;
  e.incarnation = 1'700'000'000'000;
  e.budget = 200;
  e.nodes = {"node-a", "node-b", "node-c"};
  e.servers = {{"ldap1:389", breaker_state::open, milliseconds{1500}, "connection refused"},
               {"ldap2:389", breaker_state::closed, milliseconds{0}, ""}};
  e.refused = {{"cn=service,dc=example", std::string("\0\1\2print", 8), milliseconds{90'000}, "bind refused by ldap1"}};
  e.requests = {{"ldap1:389", {7, 3, 2, 9}}};
  e.grants = {{"ldap2:389", 7, 4, 11}};
  e.recalled = {"ldap1:389"};
  e.standing = secrets_standing::trying;
  return e;
}

/// A list of so many of the first item of `list`.
template <class T>
void repeat(std::vector<T>& list, std::size_t count) {
  list.assign(count, list.at(0));
}

bool is_refused(const std::string& bytes) {
  const auto read = decode_exchange(bytes);
  return !read.value && read.error != nullptr;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_exchange_crosses_whole) {
  const auto sent = some_exchange();
  const auto came = decode_exchange(encode(sent));
  BOOST_TEST_REQUIRE(came.value.has_value());
  const auto& e = *came.value;
  BOOST_TEST(e.incarnation == sent.incarnation);
  BOOST_TEST(e.budget == 200U);
  BOOST_TEST(e.nodes == sent.nodes, boost::test_tools::per_element());
  BOOST_TEST_REQUIRE(e.servers.size() == 2U);
  BOOST_TEST((e.servers[0].breaker == breaker_state::open));
  BOOST_TEST(e.servers[0].down_for.count() == 1500);
  BOOST_TEST(e.servers[0].reason == "connection refused");
  BOOST_TEST_REQUIRE(e.refused.size() == 1U);
  BOOST_TEST(e.refused[0].fingerprint == sent.refused[0].fingerprint);
  BOOST_TEST(e.refused[0].ago.count() == 90'000);
  BOOST_TEST_REQUIRE(e.requests.size() == 1U);
  BOOST_TEST(e.requests[0].request.number == 3U);
  BOOST_TEST(e.requests[0].request.held == 2U);
  BOOST_TEST(e.requests[0].request.wanted == 9U);
  BOOST_TEST_REQUIRE(e.grants.size() == 1U);
  BOOST_TEST(e.grants[0].may_use == 11U);
  BOOST_TEST(e.recalled == sent.recalled, boost::test_tools::per_element());
  BOOST_TEST((e.standing == secrets_standing::trying));
  BOOST_TEST(encode(e) == encode(sent));
}

BOOST_AUTO_TEST_CASE(what_is_told_is_cut_to_what_is_taken) {
  auto e = some_exchange();
  e.servers[0].reason.assign(5000, 'r');
  e.servers[0].server.assign(5000, 's');
  e.refused[0].cause.assign(5000, 'c');
  repeat(e.servers, 1000);
  repeat(e.refused, 1000);
  repeat(e.requests, 1000);
  repeat(e.grants, 1000);
  repeat(e.recalled, 1000);
  repeat(e.nodes, 1000);
  const auto bytes = encode(e);
  BOOST_TEST(bytes.size() <= exchange_limits::bytes);
  const auto came = decode_exchange(bytes);
  BOOST_TEST_REQUIRE(came.value.has_value());
  BOOST_TEST(came.value->servers.size() == exchange_limits::servers);
  BOOST_TEST(came.value->refused.size() == exchange_limits::refused);
  BOOST_TEST(came.value->servers[0].reason.size() == exchange_limits::text);
}

BOOST_AUTO_TEST_CASE(more_than_is_taken_is_malformed) {
  // Each by itself is fine, behind each other they are too many: BER fields can be concatenated.
  auto full = some_exchange();
  repeat(full.servers, exchange_limits::servers);
  auto more = some_exchange();
  BOOST_TEST(!is_refused(encode(full)));
  BOOST_TEST(is_refused(encode(full) + encode(more)));
  full = some_exchange();
  repeat(full.refused, exchange_limits::refused);
  BOOST_TEST(is_refused(encode(full) + encode(more)));
  full = some_exchange();
  repeat(full.requests, exchange_limits::servers);
  BOOST_TEST(is_refused(encode(full) + encode(more)));
  full = some_exchange();
  repeat(full.nodes, exchange_limits::nodes);
  BOOST_TEST(is_refused(encode(full) + encode(more)));
  BOOST_TEST(is_refused(std::string(exchange_limits::bytes + 1, 'x')));
}

BOOST_AUTO_TEST_CASE(an_exchange_without_what_it_has_to_name_is_malformed) {
  BOOST_TEST(is_refused(""));
  auto e = some_exchange();
  e.incarnation = 0;
  BOOST_TEST(is_refused(encode(e)));
  e = some_exchange();
  e.servers[0].server.clear();
  BOOST_TEST(is_refused(encode(e)));
  e = some_exchange();
  e.refused[0].fingerprint.clear();
  BOOST_TEST(is_refused(encode(e)));
  e = some_exchange();
  e.requests[0].request.number = 0;
  BOOST_TEST(is_refused(encode(e)));
  e = some_exchange();
  e.refused[0].fingerprint.assign(exchange_limits::name + 1, 'f');
  BOOST_TEST(is_refused(encode(e)));
}

BOOST_AUTO_TEST_CASE(an_exchange_that_is_anything_is_refused_or_says_the_same_again) {
  check_mutations(encode(some_exchange()), 5, decode_exchange, [](const exchange& e) { return encode(e); });
}
