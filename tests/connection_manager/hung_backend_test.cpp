// A server that answers binds and reads of its root DSE and no request for data, on virtual time.
#include "made_up_directory.hpp"

#include <boost/test/unit_test.hpp>

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

/// It answers binds and reads of its root DSE, the monitor's too, and ends the connection at each request.
BOOST_AUTO_TEST_CASE(a_server_that_loses_every_request_is_left_after_few_and_sees_few_connects) {
  callers w;
  auto& faulty = w.world->servers[0];
  faulty.loses_requests = true;
  const auto before = faulty.connects.size();
  int lost = 0;
  for (int i = 0; i < 150; ++i) {
    modify_request change;
    change.dn = "cn=x";
    const auto write = w.start<result_ptr>(w.manager, perform_atom_v, w.call_of(change, seconds{3}));
    w.advance(milliseconds{100});
    if (write->done() && !write->ok()) ++lost;
  }
  // Five in a row and what its pool had open, and again as many each time its breaker closes.
  BOOST_TEST(lost <= 40, lost << " writes were lost in 15 s");
  BOOST_TEST(w.server(0).breaker_opened >= 1u);
  const auto made = faulty.connects.size() - before;
  BOOST_TEST(made <= 60u, made << " connects in 15 s");
  faulty.loses_requests = false;
  w.advance(seconds{75});
  BOOST_TEST(w.server_of_next() == "ldap1:389");
}
