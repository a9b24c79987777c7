// Strangers that fall silent, or fail, under a lease, a stream or a paged search.
#include "scenarios/scenario.hpp"
#include "strangers/usual_pace.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A primary that is paused, and a secondary that serves; both with an idle pool.
struct paused_primary {
  paused_primary() {
    BOOST_TEST_REQUIRE(manager.connect().connected);
    BOOST_TEST_REQUIRE(eventually([&] { return a.open_connections() >= 2u && b.open_connections() >= 1u; }));
    await_usual_pace(a, watch);
  }
  static connection_info second(std::uint16_t port) {
    auto info = server_at(port);
    info.priority = 2;
    return info;
  }
  double seconds_of(const std::function<void()>& what) {
    watch.restart();
    what();
    return std::chrono::duration<double>(watch.elapsed()).count();
  }
  void finish() {
    a.resume();
    end_scenario(manager, {a, b});
  }

  stopwatch watch;
  stub_directory a, b;
  connection_manager manager{quick_settings({server_at(a.port()), second(b.port())})};
};

search_request everything() {
  auto what = search_for("(uid=user1)");
  return what;
}

}  // namespace

BOOST_AUTO_TEST_CASE(stranger_that_falls_silent_costs_the_holder_of_a_lease_a_second_and_a_half) {
  leak_guard leaks;
  paused_primary servers;
  auto held = servers.manager.get_connection();
  servers.a.pause();
  const auto took = servers.seconds_of([&] {
    const auto asked = held.perform(make_request(everything()), {20s});
    BOOST_TEST(asked.code() == errc::connection_unhealthy, why(asked));
  });
  BOOST_TEST(took <= 1.5);
  held.release();
  servers.finish();
}

BOOST_AUTO_TEST_CASE(stranger_that_falls_silent_costs_a_stream_a_second_and_a_half) {
  leak_guard leaks;
  paused_primary servers;
  servers.a.pause();
  const auto took = servers.seconds_of([&] {
    stream_options how;
    how.timeout = 20s;
    auto entries = servers.manager.stream(everything(), how);
    std::size_t count = 0;
    while (entries.try_next()) ++count;
    BOOST_TEST(count == 1u);
    BOOST_TEST(entries.error() == nullptr);
  });
  BOOST_TEST(took <= 1.5);
  servers.finish();
}

BOOST_AUTO_TEST_CASE(stranger_that_falls_silent_costs_a_paged_search_a_second_and_a_half) {
  leak_guard leaks;
  paused_primary servers;
  servers.a.pause();
  const auto took = servers.seconds_of([&] {
    paged_options how;
    how.timeout = 20s;
    auto pages = servers.manager.paged(everything(), how);
    const auto first = pages.try_next_page();
    BOOST_TEST(first.has_value());
    BOOST_TEST(pages.error() == nullptr);
  });
  BOOST_TEST(took <= 1.5);
  servers.finish();
}

BOOST_AUTO_TEST_CASE(stranger_that_is_busy_or_breaks_off_leaves_streams_and_paged_searches_to_another) {
  leak_guard leaks;
  paused_primary servers;
  const auto asks_users = [](const directory_request& r) { return r.kind == operation::search && !r.dn.empty(); };
  for (const reply& answer : {reply{{.code = 51}, {}}, reply{{}, {.entries = 0, .then = ending::reset}}}) {
    const auto rule = servers.a.when(asks_users, [answer](const directory_request&) { return answer; });
    auto pages = servers.manager.paged(everything());
    const auto first = pages.try_next_page();
    BOOST_TEST(first.has_value());
    BOOST_TEST(pages.error() == nullptr);
    auto stream = servers.manager.stream(everything());
    std::size_t entries = 0;
    while (stream.try_next()) ++entries;
    BOOST_TEST(entries == 1U);
    BOOST_TEST(stream.error() == nullptr);
    servers.a.forget(rule);
  }
  servers.finish();
}

/// It was tried, but there is no other: a new connection to it is as good.
BOOST_AUTO_TEST_CASE(stranger_that_is_alone_and_breaks_off_once_costs_no_stream_and_no_paged_search) {
  leak_guard leaks;
  stub_directory server;
  connection_manager manager(quick_settings({server_at(server.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  std::atomic<bool> breaks_off{false};
  server.when(
      [&](const directory_request& r) {
        return r.kind == operation::search && !r.dn.empty() && breaks_off.exchange(false);
      },
      [](const directory_request&) {
        return reply{{}, {.entries = 0, .then = ending::reset}};
      });
  breaks_off = true;
  auto pages = manager.paged(everything());
  BOOST_TEST(pages.try_next_page().has_value());
  BOOST_TEST(pages.error() == nullptr);
  BOOST_TEST(!breaks_off);
  breaks_off = true;
  auto stream = manager.stream(everything());
  std::size_t entries = 0;
  while (stream.try_next()) ++entries;
  BOOST_TEST(entries == 1U);
  BOOST_TEST(stream.error() == nullptr);
  BOOST_TEST(!breaks_off);
  server.forget_rules();
  end_scenario(manager, {server});
}
