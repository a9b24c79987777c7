// A link's clock, and how it ends: what the peer did and we have not come to is no silence of the peer.
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

/// Plain, but it may be as full as a socket whose peer takes nothing.
class full_stream final : public byte_stream {
 public:
  struct seen {
    bool full = false;
    int goodbyes = 0;
  };
  full_stream(int fd, std::shared_ptr<seen> note) : plain_(make_plain_stream(fd)), seen_(std::move(note)) {}
  byte_stream_result handshake() override { return plain_->handshake(); }
  byte_stream_result read(char* to, std::size_t room) override { return plain_->read(to, room); }
  byte_stream_result write(const char* from, std::size_t size) override {
    if (!seen_->full) return plain_->write(from, size);
    byte_stream_result blocked;
    blocked.what = byte_stream_result::kind::want_write;
    return blocked;
  }
  std::size_t largest_write() const noexcept override { return plain_->largest_write(); }
  bool drained_by_short_read() const noexcept override { return plain_->drained_by_short_read(); }
  void shut_down() noexcept override { ++seen_->goodbyes; }
  std::string encryption() const override { return "none"; }

 private:
  std::unique_ptr<byte_stream> plain_;
  std::shared_ptr<seen> seen_;
};

/// A link whose bytes move when the test says so, and its peer.
struct watched_link {
  std::shared_ptr<manual_clock> clock = std::make_shared<manual_clock>();
  std::shared_ptr<full_stream::seen> stream = std::make_shared<full_stream::seen>();
  descriptor peer;
  std::unique_ptr<node_link> it;

  watched_link() {
    std::array<int, 2> pair{};
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0);
    peer = descriptor{pair[0], "socketpair"};
    node_link::connection over;
    over.socket = descriptor{pair[1], "socketpair"};
    over.stream = std::make_unique<full_stream>(pair[1], stream);
    auto rules = std::make_shared<basp_rules>();
    rules->requests[basp::ping] = 1000;
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
    peer_says(hello);
  }
  void peer_says(const basp::parts& said) {
    const auto bytes = basp::bytes_of(said);
    BOOST_TEST_REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  /// The peer has asked something.
  void be_asked() {
    peer_speaks();
    read();
    peer_says(basp::request(1));
    read();
    BOOST_TEST_REQUIRE(it->unanswered() == 1u);
  }
  /// As CAF does; how much of it the peer took.
  std::size_t write(const std::string& bytes) {
    std::size_t moved = 0;
    BOOST_TEST_REQUIRE(it->write(bytes.data(), bytes.size(), moved));
    return moved;
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

BOOST_FIXTURE_TEST_CASE(a_link_that_is_not_trusted_any_more_ends_when_it_owes_no_answer, watched_link) {
  be_asked();
  it->leave(link_standing::distrusted, "it is revoked", clock->now());
  BOOST_TEST(lives_after(1s));
  // Half of an answer is none.
  const auto answer = basp::bytes_of(basp::answer(1, basp::sender));
  BOOST_TEST(write(answer.substr(0, 40)) == 40u);
  stream->full = true;
  BOOST_TEST(write(answer.substr(40)) == 0u);
  BOOST_TEST(lives_after(1s));
  stream->full = false;
  BOOST_TEST(write(answer.substr(40)) == answer.size() - 40);
  BOOST_TEST(it->unanswered() == 0u);
  BOOST_TEST(!lives_after(duration{}));
  BOOST_TEST(it->why() == "it is revoked");
  BOOST_TEST(it->was_closed());
  BOOST_TEST(stream->goodbyes == 1);
}

BOOST_FIXTURE_TEST_CASE(a_link_that_is_not_trusted_any_more_is_owed_an_answer_for_so_long, watched_link) {
  be_asked();
  const auto leaving = it->limits().leaving;
  it->leave(link_standing::distrusted, "it is revoked", clock->now());
  peer_speaks();  // or its silence would count
  BOOST_TEST(lives_after(leaving - 1ms));
  BOOST_TEST(!lives_after(1ms));
  BOOST_TEST(it->why() == "it is revoked");
}

// The peer could not tell such a goodbye from the rest of the record: it sees that the link was cut.
BOOST_FIXTURE_TEST_CASE(nobody_says_goodbye_behind_a_part_of_a_record, watched_link) {
  be_asked();
  stream->full = true;
  BOOST_TEST(write("whatever") == 0u);
  it->close("this node is stopping");
  BOOST_TEST(it->has_ended());
  BOOST_TEST(it->was_closed());
  BOOST_TEST(stream->goodbyes == 0);
  it->close("again");
  BOOST_TEST(it->why() == "this node is stopping");
}
