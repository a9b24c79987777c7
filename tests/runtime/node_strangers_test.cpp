// Who has no business at a node: ended before CAF sees a byte of it, whoever else is there is served.
#include "runtime/test_node.hpp"
#include "support/contains.hpp"
#include "support/raw_client.hpp"
#include "understudy/runtime/platform/addresses.hpp"

#include <caf/io/middleman.hpp>
#include <caf/io/network/multiplexer.hpp>

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <future>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A node, somebody who is served by it, and the actor system of those who should not be.
struct visited_node {
  explicit visited_node(node_listener_options with = impatient()) : port(server.listen(std::move(with))) {
    BOOST_TEST_REQUIRE(guest.ask("hello") == "hello");
  }
  ~visited_node() {
    BOOST_TEST(guest.ask("hello") == "hello");
    BOOST_TEST(guest.links() == 1);
    BOOST_TEST(eventually([&] { return server.links->peers().size() == 1u; }));
    BOOST_TEST(server.asked().size() == 2u);
    BOOST_TEST(!server.log->says("a link to a node did not come about"), server.log->all());
  }
  static node_listener_options impatient() {
    auto options = secured_listener();
    options.handshake_timeout = 1500ms;
    return options;
  }
  std::string refusal(const dialling_certificates& shown) {
    const test_caller stranger{other, {port}, shown};
    const auto why = stranger.unreachable();
    BOOST_TEST(stranger.links() == 0);
    return why;
  }

  test_node server, friendly, other;
  std::uint16_t port;
  test_caller guest{friendly, {port}};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_caller_without_a_good_certificate_is_refused, visited_node) {
  const auto& known = node_certificates();
  auto nothing = caller_certificates();
  nothing.certificate_path.clear();
  nothing.key_path.clear();
  BOOST_TEST(contains(refusal(nothing), "certificate required"));
  BOOST_TEST(contains(refusal(caller_certificates(known.of_other_ca)), "unknown ca"));
  BOOST_TEST(contains(refusal(caller_certificates(known.expired)), "certificate expired"));
  BOOST_TEST(server.log->says("did not get in"));
}

BOOST_AUTO_TEST_CASE(a_revoked_certificate_and_a_name_that_is_not_allowed_are_refused) {
  auto options = visited_node::impatient();
  options.tls->crl_path = node_certificates().crl;
  options.tls->allowed_client_names = {"client.example"};
  visited_node node{options};
  BOOST_TEST(contains(node.refusal(caller_certificates(node_certificates().revoked)), "revoked"));
  BOOST_TEST(!node.refusal(caller_certificates(node_certificates().server)).empty());
  BOOST_TEST(node.server.log->says("did not get in"));
}

BOOST_FIXTURE_TEST_CASE(a_node_that_is_not_the_one_is_not_spoken_to, visited_node) {
  auto another = caller_certificates();
  another.peer_name = "node.example";
  BOOST_TEST(contains(refusal(another), "ssl_error"));
  auto distrusting = caller_certificates();
  distrusting.ca_path = node_certificates().other_ca.certificate();
  BOOST_TEST(contains(refusal(distrusting), "ssl_error"));
}

BOOST_FIXTURE_TEST_CASE(tls_before_1_3_is_refused, visited_node) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context{::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free};
  ::SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl{::SSL_new(context.get()), ::SSL_free};
  const descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"};
  const auto to = *literal_address("127.0.0.1", port);
  BOOST_REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(to.bytes.data()),
                          static_cast<socklen_t>(to.bytes.size())) == 0);
  ::SSL_set_fd(ssl.get(), socket.get());
  BOOST_TEST(::SSL_connect(ssl.get()) != 1);
}

BOOST_FIXTURE_TEST_CASE(plain_text_garbage_and_silence_are_ended, visited_node) {
  // BASP without TLS, what is no TLS at all, half of a handshake, and nothing.
  for (const auto& bytes : {std::string(64, '\1'), std::string("GET / HTTP/1.1\r\n\r\n"),
                            std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), std::string{}}) {
    raw_client stranger{port};
    BOOST_TEST_REQUIRE(stranger.connected());
    stranger.send(bytes);
    while (!stranger.read_some().empty()) {
    }
    BOOST_TEST((stranger.last() == read_end::end_of_stream || stranger.last() == read_end::reset));
  }
}

BOOST_AUTO_TEST_CASE(a_crowd_of_mute_strangers_costs_the_others_nothing) {
  auto options = visited_node::impatient();
  options.handshake_timeout = 60s;
  options.limits.handshakes = 16;
  visited_node node{options};
  std::vector<std::unique_ptr<raw_client>> crowd;
  for (int i = 0; i < 60; ++i) crowd.push_back(std::make_unique<raw_client>(node.port));
  test_node late;
  const test_caller guest{late, {node.port}};
  BOOST_TEST(eventually([&] { return node.server.links->peers().size() == 2u; }));
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_shows_its_certificate_and_then_nothing_is_ended, visited_node) {
  node_links_options short_handshake;
  short_handshake.limits.handshake = 1s;
  test_node strict{short_handshake};
  byte_peer mute{other, strict.listen()};
  BOOST_TEST(!mute.receive(32).empty(), "CAF introduces itself");
  BOOST_TEST(mute.ended());
  BOOST_TEST(eventually([&] { return strict.log->says("cause=the nodes' handshake took longer than 1s"); }));
}

BOOST_AUTO_TEST_CASE(a_node_that_has_spoken_makes_room_after_the_mute_when_we_are_late) {
  test_node server, client;
  node_listener_options plain;
  plain.address = "127.0.0.1:0";
  plain.limits = {2, 2, 64};
  const auto port = server.listen(plain);
  std::promise<void> go_on;
  server.system.middleman().backend().post([until = go_on.get_future().share()] { until.wait(); });
  raw_client spoken{port};
  spoken.send("\x01");
  raw_client mute{port};
  const test_caller guest{client, {port}, std::nullopt};
  BOOST_TEST(mute.read_some() == "");
  BOOST_TEST((mute.last() == read_end::end_of_stream || mute.last() == read_end::reset));
  BOOST_TEST(spoken.read_some(0ms) == "");
  BOOST_TEST((spoken.last() == read_end::nothing));
  go_on.set_value();
  BOOST_TEST(guest.ask("hello") == "hello");
  BOOST_TEST(guest.links() == 1);
}

BOOST_AUTO_TEST_CASE(a_hundred_mute_strangers_in_plain_text_keep_nobody_out) {
  // Fewer places than strangers, and more than handshakes may be under way.
  for (const std::size_t places : {std::size_t{50}, std::size_t{100}}) {
    test_node server, client;
    node_listener_options plain;
    plain.address = "127.0.0.1:0";
    plain.limits = {places, places, 64};
    const auto port = server.listen(plain);
    std::vector<std::unique_ptr<raw_client>> crowd;
    const auto crowd_in = [&] {
      for (int i = 0; i < 100; ++i) {
        crowd.push_back(std::make_unique<raw_client>(port));
        BOOST_TEST_REQUIRE(crowd.back()->connected());
      }
    };
    crowd_in();
    const test_caller guest{client, {port}, std::nullopt};
    BOOST_TEST_REQUIRE(guest.linked());
    BOOST_TEST(guest.unreachable(0ms) == "", "it was in with its first dial");
    BOOST_TEST(guest.ask("hello") == "hello");
    // Nor do others that come later take its place.
    crowd_in();
    BOOST_TEST(guest.ask("hello") == "hello");
    BOOST_TEST(guest.links() == 1);
    test_node late;
    const test_caller next{late, {port}, std::nullopt};
    BOOST_TEST(next.ask("hello") == "hello");
    BOOST_TEST(next.unreachable(0ms) == "");
  }
}
