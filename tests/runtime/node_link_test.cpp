// A link's clock: what the peer did and we have not come to is no silence of the peer.
#include "understudy/runtime/platform/node_link.hpp"
#include "runtime/basp_bytes.hpp"
#include "support/manual_ports.hpp"
#include "understudy/actors/connection/socket.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>

#include <array>
#include <cerrno>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A link whose bytes move when the test says so, and its peer.
struct watched_link {
  std::shared_ptr<manual_clock> clock = std::make_shared<manual_clock>();
  descriptor peer;
  std::unique_ptr<node_link> it;

  watched_link() {
    std::array<int, 2> pair{};
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0);
    peer = descriptor{pair[0], "socketpair"};
    node_link::connection over;
    over.socket = descriptor{pair[1], "socketpair"};
    over.stream = make_plain_stream(pair[1]);
    auto rules = std::make_shared<basp_rules>();
    auto nodes = std::make_shared<basp_nodes>(basp::node('s'), [](std::uint64_t) {});
    node_link_limits limits;
    limits.handshake = 1h;
    it = std::make_unique<node_link>(
        node_peer{}, std::move(over),
        std::make_unique<basp_guard>(rules, nodes, link_side::accepted, "peer.example", basp::gateway, 1), clock,
        limits, node_link::handlers{[] {}, [] {}});
  }
  void peer_speaks() {
    basp::parts hello;
    hello.operation = basp::client_handshake;
    hello.payload = basp::node('p');
    const auto bytes = basp::bytes_of(hello);
    BOOST_TEST_REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  void read() {
    std::array<char, 4096> bytes;
    std::size_t moved = 0;
    BOOST_TEST_REQUIRE(it->read(bytes.data(), bytes.size(), moved));
    BOOST_TEST_REQUIRE(moved > 0u);
  }
  /// As the thread that looks at the clock does after so long.
  bool lives_after(duration span) {
    clock->advance(span);
    it->look_at_clock(clock->now());
    return !it->has_ended();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_peer_that_says_nothing_is_given_up, watched_link) {
  BOOST_TEST(lives_after(node_silence - 1ms));
  BOOST_TEST(!lives_after(1ms));
  BOOST_TEST(it->why() == "nothing came from the peer for 15s");
}

// This process was stopped, or had no processor, for longer than that.
BOOST_FIXTURE_TEST_CASE(what_a_peer_said_and_nobody_read_is_no_silence, watched_link) {
  peer_speaks();
  BOOST_TEST(lives_after(10 * node_silence));
  read();
  BOOST_TEST(lives_after(node_silence - 1ms));
  BOOST_TEST(!lives_after(1ms));
  BOOST_TEST(it->why() == "nothing came from the peer for 15s");
}

BOOST_FIXTURE_TEST_CASE(room_at_the_peer_that_nobody_used_is_no_refusal_to_take, watched_link) {
  it->waits_for_peer();
  peer_speaks();
  BOOST_TEST(lives_after(10 * node_silence));
  const std::string more(64 * 1024, 'x');
  while (::send(it->socket(), more.data(), more.size(), MSG_NOSIGNAL) > 0) continue;
  BOOST_TEST(errno == EAGAIN);
  BOOST_TEST(!lives_after(duration{}));
  BOOST_TEST(it->why() == "the peer took nothing for 15s");
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_took_all_or_some_has_its_time_anew, watched_link) {
  peer_speaks();
  const std::string more(64 * 1024, 'x');
  while (::send(it->socket(), more.data(), more.size(), MSG_NOSIGNAL) > 0) continue;
  it->waits_for_peer();
  it->peer_took(0);
  BOOST_TEST(lives_after(10 * node_silence), "it owes nothing");
  it->waits_for_peer();
  BOOST_TEST(lives_after(node_silence - 1ms));
  it->peer_took(1);
  BOOST_TEST(lives_after(node_silence - 1ms));
  it->waits_for_peer();
  BOOST_TEST(!lives_after(1ms), "waiting for the rest began when it took some");
}
