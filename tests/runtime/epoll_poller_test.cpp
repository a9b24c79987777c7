// The poller tells the right actor, once an arm, and nobody after the end.
#include "understudy/runtime/platform/epoll_poller.hpp"
#include "runtime/process_counts.hpp"
#include "support/actor_config.hpp"
#include "support/eventually.hpp"
#include "understudy/runtime/platform/event_source.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/make_actor.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/scoped_actor.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using test::eventually;
using test::holds_for;

namespace {

/// Notes what it is told.
class listener final : public caf::monitorable_actor {
 public:
  explicit listener(caf::actor_config& c) : caf::monitorable_actor(c) {}
  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit*) override {
    auto& content = message->content();
    std::lock_guard guard{mutex};
    if (content.match_elements<io_atom, std::uint64_t, std::uint32_t>())
      ready.emplace_back(content.get_as<std::uint64_t>(1), content.get_as<std::uint32_t>(2));
    if (content.match_elements<tick_atom, std::uint64_t>()) ticks.push_back(content.get_as<std::uint64_t>(1));
  }
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> ready;
  std::vector<std::uint64_t> ticks;
};

struct polling {
  test::actor_config cfg;
  caf::actor_system system{cfg};
  caf::strong_actor_ptr actor = make();
  epoll_poller poller;
  int ends[2];

  polling() { BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0); }
  ~polling() {
    for (int fd : ends)
      if (fd >= 0) ::close(fd);
  }
  caf::strong_actor_ptr make() {
    caf::actor_config c;
    return caf::make_actor<listener, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system, c);
  }
  listener& heard() { return static_cast<listener&>(*actor->get()); }
  caf::actor_addr address() { return caf::actor_cast<caf::actor_addr>(actor); }
  std::size_t readies() {
    std::lock_guard guard{heard().mutex};
    return heard().ready.size();
  }
  std::size_t ticks() {
    std::lock_guard guard{heard().mutex};
    return heard().ticks.size();
  }
  void send_byte() { BOOST_REQUIRE(::send(ends[1], "x", 1, MSG_NOSIGNAL) == 1); }
  void close_peer() { ::close(std::exchange(ends[1], -1)); }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_armed_socket_is_told_once_until_armed_again, polling) {
  const auto id = poller.add(ends[0], address());
  poller.arm(id, poller_port::readable);
  send_byte();
  BOOST_TEST(eventually([&] { return readies() == 1; }));
  BOOST_TEST(heard().ready[0].first == id);
  BOOST_TEST(heard().ready[0].second == poller_port::readable);
  send_byte();
  BOOST_TEST(holds_for([&] { return readies() == 1; }, 50ms));
  poller.arm(id, poller_port::readable);
  BOOST_TEST(eventually([&] { return readies() == 2; }));
  poller.arm(id, poller_port::writable);
  BOOST_TEST(eventually([&] { return readies() == 3; }));
  BOOST_TEST(heard().ready[2].second == poller_port::writable);
  poller.remove(id);
}

BOOST_FIXTURE_TEST_CASE(a_socket_that_is_not_armed_is_told_nothing_even_when_it_hangs_up, polling) {
  const auto id = poller.add(ends[0], address());
  close_peer();
  BOOST_TEST(holds_for([&] { return readies() == 0; }, 50ms));
  poller.arm(id, poller_port::readable);
  BOOST_TEST(eventually([&] { return readies() == 1; }));
  BOOST_TEST(heard().ready[0].second == (poller_port::readable | poller_port::writable));
}

BOOST_FIXTURE_TEST_CASE(a_removed_socket_is_told_nothing_and_its_descriptor_may_be_reused, polling) {
  const auto old = poller.add(ends[0], address());
  poller.arm(old, poller_port::readable);
  poller.remove(old);
  const auto id = poller.add(ends[0], address());
  poller.arm(old, poller_port::readable);
  send_byte();
  BOOST_TEST(holds_for([&] { return readies() == 0; }, 50ms));
  poller.arm(id, poller_port::readable);
  BOOST_TEST(eventually([&] { return readies() == 1; }));
  BOOST_TEST(heard().ready[0].first == id);
}

BOOST_FIXTURE_TEST_CASE(a_descriptor_that_cannot_be_watched_is_an_exception, polling) {
  const auto id = poller.add(-1, address());
  BOOST_CHECK_THROW(poller.arm(id, poller_port::readable), std::system_error);
}

BOOST_FIXTURE_TEST_CASE(timers_are_told_at_their_time_and_once, polling) {
  const auto soon = poller.add_timer(address()), late = poller.add_timer(address()),
             never = poller.add_timer(address());
  const auto now = std::chrono::steady_clock::now();
  poller.set_timer(late, now + 1h);
  poller.set_timer(never, now + 20ms);
  poller.clear_timer(never);
  poller.set_timer(soon, now + 20ms);
  BOOST_TEST(eventually([&] { return ticks() == 1; }));
  BOOST_TEST((std::chrono::steady_clock::now() >= now + 20ms));
  BOOST_TEST(heard().ticks[0] == soon);
  poller.set_timer(late, now - 1s);
  BOOST_TEST(eventually([&] { return ticks() == 2; }));
  BOOST_TEST(heard().ticks[1] == late);
  BOOST_TEST(holds_for([&] { return ticks() == 2; }, 50ms));
}

BOOST_FIXTURE_TEST_CASE(an_earlier_timer_wakes_a_thread_that_waits_for_a_later_one, polling) {
  const auto timer = poller.add_timer(address());
  poller.set_timer(timer, std::chrono::steady_clock::now() + 1h);
  poller.set_timer(timer, std::chrono::steady_clock::now() + 10ms);
  BOOST_TEST(eventually([&] { return ticks() == 1; }));
}

BOOST_FIXTURE_TEST_CASE(the_poller_does_not_keep_its_owners_alive, polling) {
  const auto id = poller.add(ends[0], address());
  const auto timer = poller.add_timer(address());
  poller.arm(id, poller_port::readable);
  const auto weak = address();
  actor = nullptr;
  BOOST_TEST(!caf::actor_cast<caf::strong_actor_ptr>(weak));
  send_byte();
  poller.set_timer(timer, std::chrono::steady_clock::now());
  poller.stop();
}

BOOST_FIXTURE_TEST_CASE(after_its_stop_the_poller_does_nothing_any_more, polling) {
  const auto id = poller.add(ends[0], address());
  const auto timer = poller.add_timer(address());
  poller.stop();
  poller.stop();
  poller.arm(id, poller_port::readable);
  poller.set_timer(timer, std::chrono::steady_clock::now());
  send_byte();
  BOOST_TEST(holds_for([&] { return readies() == 0 && ticks() == 0; }, 30ms));
  poller.remove(id);
  poller.remove_timer(timer);
}

BOOST_FIXTURE_TEST_CASE(many_threads_may_use_the_poller_at_once, polling) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        int pair[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) continue;
        const auto id = poller.add(pair[0], address());
        const auto timer = poller.add_timer(address());
        poller.arm(id, poller_port::writable);
        poller.set_timer(timer, std::chrono::steady_clock::now() + std::chrono::microseconds{i});
        poller.remove(id);
        poller.remove_timer(timer);
        ::close(pair[0]);
        ::close(pair[1]);
      }
    });
  for (auto& t : threads) t.join();
  const auto timer = poller.add_timer(address());
  const auto before = ticks();
  poller.set_timer(timer, std::chrono::steady_clock::now());
  BOOST_TEST(eventually([&] { return ticks() > before; }));
}

BOOST_AUTO_TEST_CASE(pollers_come_and_go_without_leaving_threads_or_descriptors) {
  const auto threads = test::threads_now(), descriptors = test::descriptors_now();
  for (int i = 0; i < 100; ++i) epoll_poller poller;
  // An earlier test's thread may still have been on its way out when they were counted.
  BOOST_TEST(test::threads_now() <= threads);
  BOOST_TEST(test::descriptors_now() <= descriptors);
}
