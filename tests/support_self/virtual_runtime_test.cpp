// Virtual time: order of timers, CAF timeouts, descriptors, jobs, names; and that what leaks is reported.
#include "support/virtual_runtime.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// An actor that writes down every tick and readiness with its time.
struct observer {
  std::vector<std::pair<duration, std::uint64_t>> ticks;
  std::vector<std::uint32_t> events;
  std::vector<resolution> names;
};

caf::actor observe(virtual_runtime& world, std::shared_ptr<observer> notes) {
  const auto clock = world.clock;
  const auto begin = clock->now();
  return world.own(world.system.spawn([=](caf::event_based_actor*) -> caf::behavior {
    return {[=](tick_atom, std::uint64_t id) { notes->ticks.emplace_back(clock->now() - begin, id); },
            [=](io_atom, std::uint64_t, std::uint32_t events) { notes->events.push_back(events); },
            [=](resolved_atom, std::uint64_t, const resolution& found) { notes->names.push_back(found); }};
  }));
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(timers_fire_in_order_at_their_own_time, virtual_runtime) {
  const auto notes = std::make_shared<observer>();
  const auto actor = observe(*this, notes);
  const auto late = poller->add_timer(actor.address()), early = poller->add_timer(actor.address()),
             never = poller->add_timer(actor.address());
  poller->set_timer(late, now() + 5s);
  poller->set_timer(early, now() + 9s);
  poller->set_timer(early, now() + 2s);
  poller->set_timer(never, now() + 1s);
  poller->clear_timer(never);
  advance(1s);
  BOOST_TEST(notes->ticks.empty());
  advance(1h);
  BOOST_REQUIRE(notes->ticks.size() == 2u);
  BOOST_TEST((notes->ticks[0] == std::pair<duration, std::uint64_t>(2s, early)));
  BOOST_TEST((notes->ticks[1] == std::pair<duration, std::uint64_t>(5s, late)));
  BOOST_TEST(poller->timers() == 3u);
  BOOST_TEST(poller->timers_set() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_timer_set_to_the_past_fires_at_once, virtual_runtime) {
  const auto notes = std::make_shared<observer>();
  const auto id = poller->add_timer(observe(*this, notes).address());
  poller->set_timer(id, now() - 1s);
  run();
  BOOST_TEST(notes->ticks.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_timer_that_sets_itself_again_fires_each_time, virtual_runtime) {
  int ticks = 0;
  const auto actor = own(system.spawn([&, world = env](caf::event_based_actor*) -> caf::behavior {
    return {[&, world](tick_atom, std::uint64_t id) {
      ++ticks;
      world->poller->set_timer(id, world->clock->now() + 10s);
    }};
  }));
  poller->set_timer(poller->add_timer(actor.address()), now() + 10s);
  advance(95s);
  BOOST_TEST(ticks == 9);
}

BOOST_FIXTURE_TEST_CASE(request_timeouts_of_caf_follow_virtual_time, virtual_runtime) {
  // The promise is kept, never answered.
  const auto promises = std::make_shared<std::vector<caf::response_promise>>();
  const auto mute = own(system.spawn([=](caf::event_based_actor* self) -> caf::behavior {
    return {[=](status_atom) {
      promises->push_back(self->make_response_promise());
      return promises->back();
    }};
  }));
  const auto clock_now = clock;
  std::optional<time_point> failed;
  own(system.spawn([&, mute](caf::event_based_actor* self) {
    self->request(mute, 7s, status_atom_v).then([](int) {}, [&](const caf::error&) { failed = clock_now->now(); });
  }));
  const auto begin = now();
  advance(1min);
  BOOST_REQUIRE(failed.has_value());
  BOOST_TEST((*failed - begin == duration{7s}));
  promises->clear();
}

BOOST_FIXTURE_TEST_CASE(a_descriptor_is_told_once_for_each_arming, virtual_runtime) {
  int pair[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  const auto notes = std::make_shared<observer>();
  const auto id = poller->add(pair[0], observe(*this, notes).address());
  settle();
  BOOST_TEST(notes->events.empty());
  poller->arm(id, poller_port::writable);
  settle();
  BOOST_TEST(notes->events == std::vector<std::uint32_t>{poller_port::writable}, boost::test_tools::per_element());
  BOOST_TEST(!poller->fire(id, poller_port::writable));
  poller->arm(id, poller_port::readable);
  settle();
  BOOST_TEST(notes->events.size() == 1u);
  BOOST_TEST(::write(pair[1], "x", 1) == 1);
  settle();
  BOOST_TEST(notes->events.back() == poller_port::readable);
  poller->arm(id, poller_port::readable);
  poller->remove(id);
  settle();
  BOOST_TEST(notes->events.size() == 2u);
  BOOST_TEST(poller->registrations() == 0u);
  ::close(pair[0]);
  ::close(pair[1]);
}

BOOST_FIXTURE_TEST_CASE(names_are_resolved_as_scripted, virtual_runtime) {
  const auto notes = std::make_shared<observer>();
  const auto actor = observe(*this, notes);
  resolver->set("ldap.example.com", {"192.0.2.1", "2001:db8::1"});
  resolver->resolve("ldap.example.com", 389, now(), actor.address(), 1);
  resolver->resolve("nowhere.example.com", 389, now(), actor.address(), 2);
  run();
  BOOST_REQUIRE(notes->names.size() == 2u);
  BOOST_TEST(notes->names[0].addresses.at(0).text == "192.0.2.1:389");
  BOOST_TEST(notes->names[0].addresses.at(1).text == "[2001:db8::1]:389");
  BOOST_TEST(notes->names[1].error != nullptr);
  resolver->hold(true);
  resolver->resolve("localhost", 389, now(), actor.address(), 3);
  run();
  BOOST_TEST(resolver->waiting() == 1u);
  resolver->release();
  run();
  BOOST_TEST(notes->names.size() == 3u);
  BOOST_TEST(resolver->look_ups("localhost") == 1);
}

BOOST_FIXTURE_TEST_CASE(jobs_run_when_the_world_runs, virtual_runtime) {
  int done = 0;
  BOOST_TEST(workers->run([&] { ++done; }));
  run();
  BOOST_TEST(done == 1);
  workers->hold(true);
  BOOST_TEST(workers->run([&] { ++done; }));
  run();
  BOOST_TEST(done == 1);
  workers->hold(false);
  run();
  BOOST_TEST(done == 2);
  workers->refuse(true);
  BOOST_TEST(!workers->run([&] { ++done; }));
}

BOOST_FIXTURE_TEST_CASE(requests_are_answered_failed_or_open, virtual_runtime) {
  const auto promises = std::make_shared<std::vector<caf::response_promise>>();
  const auto actor = own(system.spawn([=](caf::event_based_actor* self) -> caf::behavior {
    return {[=](status_atom, int x) -> caf::result<int> {
              failure f;
              f.code = errc::draining;
              if (x < 0) return to_error(f);
              if (x > 0) return x;
              promises->push_back(self->make_response_promise());
              return caf::delegated<int>{};
            },
            [=](flush_atom) { promises->at(0).deliver(7); }};
  }));
  BOOST_TEST(ask<int>(actor, status_atom_v, 5).value.value_or(0) == 5);
  BOOST_TEST((ask<int>(actor, status_atom_v, -5).code() == errc::draining));
  const auto open = start<int>(actor, status_atom_v, 0);
  run();
  BOOST_TEST(!open->done());
  tell(actor, flush_atom_v);
  BOOST_TEST(open->value.value_or(0) == 7);
}

BOOST_AUTO_TEST_CASE(the_clock_moves_only_by_hand_and_the_log_remembers) {
  manual_clock clock;
  const auto begin = clock.now();
  const auto wall = clock.wall_now();
  clock.advance(3s);
  BOOST_TEST((clock.now() - begin == duration{3s}));
  clock.step_wall(-1h);
  BOOST_TEST((clock.now() - begin == duration{3s}));
  BOOST_TEST((clock.wall_now() - wall == 3s - 1h));
  BOOST_CHECK_THROW(clock.advance(-1s), std::invalid_argument);
  recording_log log;
  log.write(log_level::warning, "pool", "lease held too long", {{"holder", "test"}});
  BOOST_TEST(log.text() == "warning pool: lease held too long holder=test\n");
  BOOST_TEST(log.count("holder=test") == 1u);
  BOOST_TEST(!log.contains("secret"));
}
