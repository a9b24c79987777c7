// A client's socket: what is read and written in a turn, and what the poller is asked for in between.
#include "understudy/actors/client_socket/client_socket.hpp"
#include "support/manual_ports.hpp"
#include "understudy/actors/connection/socket.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

constexpr auto readable = poller_port::readable, writable = poller_port::writable;

/// A client at one end of a pair of sockets.
struct socket_rig {
  socket_rig() {
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    socket.emplace(poller, ends[0], make_plain_stream(ends[0]), caf::actor_addr{});
  }
  ~socket_rig() {
    socket.reset();
    // Nothing of it is left.
    BOOST_TEST(poller->registrations() == 0U);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void say(const std::string& bytes) {
    BOOST_TEST_REQUIRE(::send(ends[1], bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  std::string hear() {
    std::string all;
    char bytes[65536];
    for (ssize_t got = 0; (got = ::recv(ends[1], bytes, sizeof bytes, 0)) > 0;)
      all.append(bytes, static_cast<std::size_t>(got));
    return all;
  }
  std::uint32_t interest() const { return poller->interest(socket->id()); }

  int ends[2] = {-1, -1};
  std::shared_ptr<manual_clock> clock = std::make_shared<manual_clock>();
  std::shared_ptr<manual_poller> poller = std::make_shared<manual_poller>(clock);
  std::optional<client_socket> socket;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(reads_until_so_much_waits_and_says_that_there_may_be_more, socket_rig) {
  BOOST_TEST(!socket->arm(true));
  BOOST_TEST(interest() == readable);
  say(std::string(40'000, 'x'));
  const auto chance = socket->on_io(socket->id(), readable);
  BOOST_TEST(!chance.none);
  BOOST_TEST(chance.reads);
  BOOST_TEST(!chance.writes);
  BOOST_TEST((socket->read(1000) == client_socket::ending::enough));
  const auto first = socket->received().size();
  BOOST_TEST(first >= 1000U);
  BOOST_TEST(first < 40'000U);
  // Without room nothing is read, and nothing asked for.
  BOOST_TEST(!socket->arm(false));
  // No event tells of what has been there before: its actor has to look again, once.
  socket->consume(first, false);
  BOOST_TEST(socket->arm(true));
  BOOST_TEST(!socket->arm(true));
  BOOST_TEST((socket->read(100'000) == client_socket::ending::waits));
  BOOST_TEST(socket->received() == std::string(40'000 - first, 'x'));
  BOOST_TEST(!socket->arm(true));
  ::shutdown(ends[1], SHUT_WR);
  BOOST_TEST((socket->read(100'000) == client_socket::ending::closed));
}

BOOST_FIXTURE_TEST_CASE(writes_once_a_turn_and_waits_for_a_peer_that_does_not_read, socket_rig) {
  BOOST_TEST(!socket->needs_flush());
  socket->append("ab");
  BOOST_TEST(socket->needs_flush());
  socket->append("c");
  BOOST_TEST(!socket->needs_flush());
  BOOST_TEST(socket->is_flush_due());
  BOOST_TEST(socket->begin_flush());
  BOOST_TEST((socket->write() == client_socket::ending::waits));
  BOOST_TEST(hear() == "abc");
  BOOST_TEST(socket->written() == 3U);
  BOOST_TEST(!socket->is_blocked());

  const std::string much(8 * 1024 * 1024, 'y');
  socket->append(much);
  BOOST_TEST(socket->needs_flush());
  BOOST_TEST(socket->begin_flush());
  BOOST_TEST((socket->write() == client_socket::ending::waits));
  BOOST_TEST(socket->is_blocked());
  BOOST_TEST(socket->unsent() > 0U);
  // The poller tells when there is room; until then nothing is tried.
  BOOST_TEST(!socket->needs_flush());
  BOOST_TEST(!socket->begin_flush());
  BOOST_TEST(!socket->arm(false));
  BOOST_TEST(interest() == writable);
  std::string heard;
  while (heard.size() < much.size()) {
    const auto part = hear();
    BOOST_TEST_REQUIRE(!part.empty());
    heard += part;
    const auto chance = socket->on_io(socket->id(), writable);
    if (!chance.writes) continue;
    BOOST_TEST((socket->write() == client_socket::ending::waits));
  }
  BOOST_TEST((heard == much));
  BOOST_TEST(!socket->is_blocked());
  BOOST_TEST(socket->unsent() == 0U);
  BOOST_TEST(socket->written() == much.size() + 3);
  ::shutdown(ends[1], SHUT_RD);
  socket->append("z");
  BOOST_TEST((socket->write() == client_socket::ending::closed));
}

BOOST_FIXTURE_TEST_CASE(is_told_nothing_of_others_or_after_its_end, socket_rig) {
  const auto id = socket->id();
  BOOST_TEST(socket->on_io(id + 1, readable).none);
  BOOST_TEST(poller->registrations() == 1U);
  socket->close();
  BOOST_TEST(poller->registrations() == 0U);
  BOOST_TEST(socket->on_io(id, readable).none);
  socket->arm_for(readable);
  socket->close();
  BOOST_TEST(poller->interest(id) == 0U);
}

BOOST_FIXTURE_TEST_CASE(asks_the_poller_again_only_for_something_else, socket_rig) {
  socket->arm(true);
  // Somebody has disarmed it without its knowledge: it relies on what it has asked for.
  poller->arm(socket->id(), writable);
  socket->arm(true);
  BOOST_TEST(interest() == writable);
  socket->on_io(socket->id(), readable);
  socket->arm(true);
  BOOST_TEST(interest() == readable);
}
