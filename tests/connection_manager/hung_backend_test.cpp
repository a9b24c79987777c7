// A server that answers binds and reads of its root DSE and no request for data, on virtual time.
#include "made_up_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

search_request below_suffix() {
  search_request all;
  all.base = "dc=x";
  return all;
}

/// One caller after the other, each as patient as the last.
struct callers : whole {
  explicit callers(const std::vector<int>& levels = {1, 2}) : whole(levels) {
    all.failover.hold_down = seconds{2};
    all.failover.ramp = duration{};
    begin();
    BOOST_TEST_REQUIRE(search().ok());
  }

  answer<result_ptr> search(duration patience = seconds{3}) {
    const auto found = start<result_ptr>(manager, perform_atom_v, call_of(below_suffix(), patience));
    run();
    if (!found->done()) advance(patience + milliseconds{100});
    return *found;
  }
  /// Asks until one is served, with a pause between two; how many were not.
  int failures(duration patience, duration pause) {
    for (int failed = 0; failed < 100; ++failed) {
      const auto one = search(patience);
      if (one.ok()) {
        served_by = (*one.value)->server;
        return failed;
      }
      advance(pause);
    }
    return 100;
  }
  std::string server_of_next(duration patience = seconds{1}) {
    const auto one = search(patience);
    return one.ok() ? (*one.value)->server : "nobody";
  }
  /// A lease, of a holder who lives until the test ends; nothing when none was granted within 3 s.
  std::shared_ptr<std::optional<lease_grant>> borrow() {
    lease_request wish;
    wish.deadline = now() + seconds{3};
    auto held = std::make_shared<std::optional<lease_grant>>();
    own(system.spawn([manager = manager, wish, held](caf::event_based_actor* self) -> caf::behavior {
      self->request(manager, caf::infinite, lease_atom_v, wish)
          .then(
              [=](const lease_grant& grant) {
                *held = grant;
                self->send(manager, claim_atom_v, grant.server, grant.id);
              },
              [](const caf::error&) {});
      return {[](std::uint64_t) {}};
    }));
    run();
    if (!*held) advance(seconds{3});
    return held;
  }
  server_snapshot server(server_id id) { return status().servers[id]; }

  std::string served_by;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_answers_no_search_is_left_after_one_deadline_whatever_that_is) {
  for (const duration patience : {milliseconds{50}, milliseconds{300}, milliseconds{1000}, milliseconds{3000}}) {
    callers w;
    w.world->servers[0].hangs_requests = true;
    w.advance(seconds{1});
    const auto failed = w.failures(patience, milliseconds{100});
    // The probe that finds out has half a second.
    const auto least = std::max<duration>(patience + milliseconds{100}, milliseconds{1});
    BOOST_TEST(failed <= 1 + milliseconds{500} / least, failed << " with " << patience / milliseconds{1} << " ms");
    BOOST_TEST(w.served_by == "ldap2:389");
  }
}

BOOST_AUTO_TEST_CASE(whoever_has_time_is_served_by_the_standby_after_a_second_and_a_half) {
  callers w;
  w.world->servers[0].hangs_requests = true;
  w.advance(seconds{1});
  const auto one = w.start<result_ptr>(w.manager, perform_atom_v, w.call_of(below_suffix(), seconds{30}));
  w.advance(milliseconds{1500});
  BOOST_TEST_REQUIRE(one->ok());
  BOOST_TEST((*one->value)->server == "ldap2:389");
}

BOOST_AUTO_TEST_CASE(nobody_is_sent_back_while_its_searches_hang_and_everybody_when_they_do_not) {
  callers w;
  w.world->servers[0].hangs_requests = true;
  w.advance(seconds{1});
  w.failures(seconds{1}, milliseconds{100});
  for (int i = 0; i < 600; ++i) {
    BOOST_TEST_REQUIRE(w.server_of_next() == "ldap2:389");
    w.advance(seconds{1});
  }
  BOOST_TEST(w.server(0).breaker_opened > 3u);
  BOOST_TEST(w.server(0).breaker_opened < 30u, "the open time doubles");
  w.bring_up(0);
  w.advance(seconds{72 + 2 + 1});
  BOOST_TEST(w.server_of_next() == "ldap1:389");
}

BOOST_AUTO_TEST_CASE(a_server_that_nothing_can_replace_is_kept_although_it_answers_no_search) {
  callers w({1});
  w.world->servers[0].hangs_requests = true;
  w.advance(seconds{1});
  for (int i = 0; i < 60; ++i) {
    const auto one = w.search(seconds{1});
    BOOST_TEST_REQUIRE((one.code() == errc::operation_timeout));
    w.advance(milliseconds{200});
  }
  BOOST_TEST(w.server(0).breaker_opened == 0u);
  w.world->servers[0].hangs_requests = false;
  BOOST_TEST(w.server_of_next() == "ldap1:389");
}

BOOST_AUTO_TEST_CASE(the_last_of_several_is_kept_although_it_answers_no_search) {
  callers w;
  w.world->servers[0].hangs_requests = w.world->servers[1].hangs_requests = true;
  w.advance(seconds{1});
  for (int i = 0; i < 30; ++i) {
    BOOST_TEST(!w.search(seconds{1}).ok());
    const auto all = w.status().servers;
    BOOST_TEST(std::any_of(all.begin(), all.end(),
                           [](const server_snapshot& s) { return s.breaker == breaker_state::closed; }));
  }
  w.bring_up(0);
  BOOST_TEST(w.failures(seconds{1}, seconds{1}) <= 75);
  BOOST_TEST(w.served_by == "ldap1:389");
}

BOOST_AUTO_TEST_CASE(an_expensive_search_with_too_short_a_deadline_opens_nothing) {
  callers w;
  // Reads of entries are answered at once: only what callers search for takes too long.
  w.world->servers[0].hangs_requests = true;
  w.world->servers[0].reads_entries = true;
  w.advance(seconds{1});
  BOOST_TEST(!w.search(seconds{1}).ok());
  BOOST_TEST(!w.search(seconds{3}).ok());
  w.advance(seconds{10});
  w.world->servers[0].hangs_requests = false;
  for (int i = 0; i < 5; ++i) BOOST_TEST(w.server_of_next() == "ldap1:389");
  BOOST_TEST(w.server(0).breaker_opened == 0u);
}

/// It reads the entries that searches are about, and answers no search: after some the probes search too.
BOOST_AUTO_TEST_CASE(a_server_that_reads_entries_and_answers_no_search_is_left_too) {
  callers w;
  w.world->servers[0].hangs_requests = true;
  w.world->servers[0].reads_entries = true;
  w.advance(seconds{1});
  BOOST_TEST(w.failures(seconds{1}, milliseconds{100}) <= w.all.breaker.circuit_breaker_threshold + 1);
  BOOST_TEST(w.served_by == "ldap2:389");
  for (int i = 0; i < 200; ++i) {
    BOOST_TEST_REQUIRE(w.server_of_next() == "ldap2:389");
    w.advance(seconds{1});
  }
  w.bring_up(0);
  w.advance(seconds{75});
  BOOST_TEST(w.server_of_next() == "ldap1:389");
}

namespace {

/// It answers binds and reads of its root DSE, the monitor's too, and ends the connection at each request.
struct losing_server : callers {
  losing_server() { world->servers[0].loses_requests = true; }

  bool write() {
    modify_request change;
    change.dn = "cn=x";
    const auto done = start<result_ptr>(manager, perform_atom_v, call_of(change, seconds{3}));
    run();
    if (!done->done()) advance(seconds{3});
    return done->ok();
  }
  /// Takes a lease, searches on it, gives it back.
  bool search_leased() {
    const auto held = borrow();
    if (!*held) return false;
    const auto& lease = **held;
    const auto found = ask<result_ptr>(lease.connection, perform_atom_v, lease.id, call_of(below_suffix(), seconds{3}));
    ask<bool>(manager, release_atom_v, lease.server, lease.id);
    return found.ok();
  }
  /// How many of so many were lost, one each `pause`.
  int lost_of(int many, duration pause, const std::function<bool()>& request) {
    int lost = 0;
    for (int i = 0; i < many; ++i) {
      lost += request() ? 0 : 1;
      advance(pause);
    }
    return lost;
  }
  void check_left_after_few(const std::function<bool()>& request) {
    const auto& connects = world->servers[0].connects;
    const auto before = connects.size();
    // Five in a row open its breaker; from then on one is tried each time, with growing pauses.
    const int first = lost_of(150, milliseconds{100}, request);
    const int tried = static_cast<int>(server(0).breaker_opened);
    BOOST_TEST(first <= all.breaker.circuit_breaker_threshold + tried, first << " were lost in 15 s");
    BOOST_TEST(tried <= 6);
    BOOST_TEST(connects.size() - before <= 60u, connects.size() - before << " connects in 15 s");
    const int later = lost_of(600, seconds{1}, request);
    BOOST_TEST(later <= 20, later << " were lost in ten minutes");
    world->servers[0].loses_requests = false;
    lost_of(100, seconds{1}, request);
    BOOST_TEST(server_of_next() == "ldap1:389");
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_loses_every_write_is_left_after_few_and_sees_few_connects) {
  losing_server w;
  w.check_left_after_few([&] { return w.write(); });
}

BOOST_AUTO_TEST_CASE(a_server_that_loses_every_lease_is_left_after_few_and_sees_few_connects) {
  losing_server w;
  w.check_left_after_few([&] { return w.search_leased(); });
}

/// Nobody probes it any more: silence is enough, whenever it began.
BOOST_AUTO_TEST_CASE(a_lease_on_a_hung_server_that_is_taken_out_ends_with_the_silence_where_another_serves) {
  for (const duration before : {milliseconds{100}, milliseconds{900}, milliseconds{1100}, milliseconds{1400}}) {
    callers w;
    const auto held = w.borrow();
    BOOST_TEST_REQUIRE(held->has_value());
    const auto& grant = **held;
    w.pause(0);
    const auto leased =
        w.start<result_ptr>(grant.connection, perform_atom_v, grant.id, w.call_of(below_suffix(), seconds{60}));
    w.advance(before);
    auto without = w.all;
    without.servers.erase(without.servers.begin());
    without.limits.drain_timeout = seconds{60};
    BOOST_TEST(w.ask<reload_report>(w.manager, reload_atom_v, settings_ptr{std::make_shared<const settings>(without)},
                                    start_token_ptr{})
                   .ok());
    w.advance(seconds{2} - before);
    BOOST_TEST(leased->done(), "after 2 s, taken out after " << before / milliseconds{1} << " ms");
    BOOST_TEST((leased->code() == errc::connection_unhealthy));
    w.ask<bool>(w.manager, release_atom_v, grant.server, grant.id);
    w.bring_up(0);
  }
}
