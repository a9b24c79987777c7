// The matrix' own parts: each promise of the rule is missed when it is broken, and cells are what they are called.
#include "matrix/rule.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace understudy;
using namespace understudy::matrix;
using namespace std::chrono_literals;

namespace {

/// A cell in which everything was as it should be.
struct kept {
  kept() {
    connection_info server;
    server.pool_size = 3;
    all.servers.push_back(server);
    seen.trouble_began = seen.fault_began = begin;
    seen.repaired = begin + 3s;
    seen.serves_again = begin + 4s;
    seen.faulty.push_back({"a:389", 3});
    seen.requests.push_back(request(200ms, 1200ms));
  }

  request_note request(duration began, duration took, errc code = errc::none) const {
    request_note one;
    one.began = begin + began;
    one.deadline = one.began + 8s;
    one.ended = one.began + took;
    one.outcomes = 1;
    one.code = code;
    if (code != errc::none) one.error = "described";
    return one;
  }
  std::vector<std::string> broken() const { return broken_promises(of, terms{all}, seen); }
  bool breaks(const std::string& promise) const {
    const auto found = broken();
    return found.size() == 1 && found.front().find(promise) != std::string::npos;
  }

  const time_point begin = time_point{} + 1h;
  settings all;
  cell of{fault::hung, moment::under_load, layout::two_levels, security::plain, true, 1s};
  observation seen;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_cell_without_a_broken_promise_is_kept, kept) { BOOST_TEST(broken().empty()); }

BOOST_FIXTURE_TEST_CASE(each_request_has_one_outcome, kept) {
  seen.requests.front().outcomes = 0;
  BOOST_TEST(breaks("without an outcome"));
  seen.requests.front().outcomes = 2;
  BOOST_TEST(breaks("with two outcomes"));
}

BOOST_FIXTURE_TEST_CASE(no_outcome_comes_after_its_deadline, kept) {
  of.servers = layout::sole;
  auto& one = seen.requests.front() = request(0ms, 2100ms, errc::pool_timeout);
  one.deadline = one.began + 2s;
  BOOST_TEST(broken().empty());
  one.ended += 1ms;
  BOOST_TEST(breaks("an outcome after its deadline"));
}

BOOST_FIXTURE_TEST_CASE(who_can_be_served_is_served_in_time, kept) {
  seen.requests.front() = request(0ms, 1500ms);
  BOOST_TEST(broken().empty());
  seen.requests.front() = request(0ms, 1501ms);
  BOOST_TEST(breaks("served too late"));
  of.servers = layout::three_levels;
  BOOST_TEST(broken().empty());
  seen.requests.front() = request(0ms, 100ms, errc::breaker_open);
  BOOST_TEST(breaks("failed although a server was there"));
  of.servers = layout::sole;
  BOOST_TEST(broken().empty());
  seen.requests.front() = request(4100ms, 100ms, errc::breaker_open);
  BOOST_TEST(breaks("failed although a server was there"));
}

BOOST_FIXTURE_TEST_CASE(an_only_server_comes_back_from_an_outage_first_and_serves_from_then_on, kept) {
  of = {fault::connection_limit, moment::failback, layout::sole, security::plain, true, 1s};
  seen.trouble_began = begin - 1s;
  seen.requests = {request(-500ms, 600ms, errc::breaker_open), request(100ms, 300ms, errc::breaker_open),
                   request(500ms, 100ms), request(700ms, 100ms)};
  BOOST_TEST(broken().empty());
  seen.requests.back() = request(700ms, 100ms, errc::breaker_open);
  BOOST_TEST(breaks("failed although a server was there"));
  seen.requests = {request(100ms, terms{all}.recovery)};
  seen.requests.front().deadline = seen.requests.front().ended;
  BOOST_TEST(breaks("recovered too late"));
}

BOOST_FIXTURE_TEST_CASE(only_what_was_sent_may_end_as_unknown, kept) {
  auto& one = seen.requests.front() = request(0ms, 100ms, errc::outcome_unknown);
  one.sent = true;
  BOOST_TEST(breaks("failed although a server was there"));
  one.what = request_kind::write;
  BOOST_TEST(broken().empty());
  one.sent = false;
  BOOST_TEST(breaks("failed although a server was there"));
}

BOOST_FIXTURE_TEST_CASE(an_error_says_something_and_is_no_defect_of_ours, kept) {
  of.servers = layout::sole;
  seen.requests.front() = request(0ms, 100ms, errc::internal);
  BOOST_TEST(breaks("an error that helps nobody"));
  seen.requests.front() = request(0ms, 100ms, errc::connection_failed);
  BOOST_TEST(broken().empty());
  seen.requests.front().error.clear();
  BOOST_TEST(breaks("an error that helps nobody"));
}

BOOST_FIXTURE_TEST_CASE(a_faulty_server_sees_few_connects, kept) {
  const auto most = terms{all}.connects_within(3s);
  seen.faulty.front().connects = most;
  BOOST_TEST(broken().empty());
  seen.faulty.front().connects = most + 1;
  BOOST_TEST(breaks("too many connects"));
  BOOST_TEST(most < 60u);
}

BOOST_FIXTURE_TEST_CASE(what_was_repaired_serves_again, kept) {
  seen.serves_again = seen.repaired + terms{all}.recovery + 1ms;
  BOOST_TEST(breaks("recovered too late"));
  seen.serves_again.reset();
  BOOST_TEST(breaks("no recovery"));
}

BOOST_FIXTURE_TEST_CASE(start_reload_and_stop_end_in_time_and_nothing_is_left, kept) {
  seen.connected = true;
  seen.connect_took = 1501ms;
  BOOST_TEST(breaks("connect() took too long"));
  seen.connect_took = 100ms;
  seen.connected = false;
  BOOST_TEST(breaks("connect() failed"));
  seen.connect_took.reset();
  seen.reload_took = 1501ms;
  BOOST_TEST(breaks("reload() took too long"));
  seen.reload_took.reset();
  seen.stop_took = terms{all}.stop + 1ms;
  BOOST_TEST(breaks("the stop took too long"));
  seen.stop_took = {};
  seen.left_behind.emplace_back("a thread");
  BOOST_TEST(breaks("left behind"));
}

BOOST_FIXTURE_TEST_CASE(a_machine_that_stood_still_is_allowed_for_and_no_more, kept) {
  seen.requests.front() = request(0ms, 1700ms);
  seen.stalled = [](time_point, time_point) { return duration{200ms}; };
  BOOST_TEST(broken().empty());
  seen.requests.front() = request(0ms, 1701ms);
  BOOST_TEST(breaks("served too late"));
}

BOOST_AUTO_TEST_CASE(cells_have_names_of_their_own_and_tenths_make_a_whole) {
  const auto cells = all_cells();
  std::set<std::string> names, sampled;
  for (const auto& one : cells) {
    names.insert(name(one));
    const auto found = find_cell(name(one));
    BOOST_TEST_REQUIRE((found && name(*found) == name(one)));
  }
  BOOST_TEST(names.size() == cells.size());
  std::size_t count = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto tenth = sample(cells, 10, seed);
    BOOST_TEST(tenth.size() * 12 > cells.size());
    BOOST_TEST(tenth.size() * 8 < cells.size());
    count += tenth.size();
    for (const auto& one : tenth) sampled.insert(name(one));
  }
  BOOST_TEST(sampled.size() == cells.size());
  BOOST_TEST(count == cells.size());
}
