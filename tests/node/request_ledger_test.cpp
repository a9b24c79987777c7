// What a client may send, and what becomes of its requests when links are lost.
#include "understudy/actors/node/request_ledger.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

using verdict = request_ledger::verdict;
using numbers = std::vector<request_ledger::number>;

struct ledger_rig {
  request_ledger ledger;
  time_point now{std::chrono::hours{1}};

  request_ledger::number read(request_ledger::session_id session = 0, std::size_t bytes = 10) {
    return ledger.add({bytes, now + seconds{5}, session, true});
  }
  request_ledger::number write(request_ledger::session_id session = 0) {
    return ledger.add({10, now + seconds{5}, session, false});
  }
  void link(request_ledger::session_id session, std::uint32_t requests = 10, std::uint64_t bytes = 1000) {
    ledger.linked(session, requests, bytes);
  }
  verdict fate_of(request_ledger::number which, const std::vector<request_ledger::fate>& all) {
    for (const auto& f : all)
      if (f.which == which) return f.what;
    BOOST_FAIL("it was not touched");
    return verdict::again;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(requests_wait_for_a_link_and_for_credit_in_the_order_of_their_coming, ledger_rig) {
  const auto a = read(), b = read(), c = read();
  BOOST_TEST(ledger.take_sendable().empty());
  link(1, 2);
  BOOST_TEST((ledger.take_sendable() == numbers{a, b}));
  BOOST_TEST(ledger.take_sendable().empty());
  BOOST_TEST(ledger.remove(b));
  BOOST_TEST(!ledger.remove(b));
  BOOST_TEST((ledger.take_sendable() == numbers{c}));
}

BOOST_FIXTURE_TEST_CASE(what_is_bound_to_a_link_goes_first_and_has_a_quarter_of_it_to_itself, ledger_rig) {
  link(1, 4);
  const auto a = read(), b = read(), c = read(), d = read();
  const auto on_lease = read(1);
  BOOST_TEST((ledger.take_sendable() == numbers{on_lease, a, b, c}));
  ledger.remove(on_lease);
  BOOST_TEST(ledger.take_sendable().empty());
  const auto again = read(1), third = read(1);
  BOOST_TEST((ledger.take_sendable() == numbers{again}));
  // What comes back goes to them, too.
  ledger.remove(a);
  BOOST_TEST((ledger.take_sendable() == numbers{third}));
  ledger.remove(b);
  BOOST_TEST((ledger.take_sendable() == numbers{d}));
  ledger.remove(c);
}

BOOST_FIXTURE_TEST_CASE(of_the_bytes_a_quarter_is_for_what_is_bound_to_a_link, ledger_rig) {
  link(1, 10, 100);
  const auto first = read(0, 60), second = read(0, 30), on_lease = read(1, 40);
  BOOST_TEST((ledger.take_sendable() == numbers{on_lease, first}));
  ledger.remove(on_lease);
  BOOST_TEST(ledger.take_sendable().empty());
  ledger.remove(first);
  BOOST_TEST((ledger.take_sendable() == numbers{second}));
}

BOOST_FIXTURE_TEST_CASE(bytes_under_way_are_bounded_but_one_may_be_large, ledger_rig) {
  link(1, 10, 100);
  const auto large = read(0, 500), small = read();
  BOOST_TEST((ledger.take_sendable() == numbers{large}));
  BOOST_TEST(ledger.take_sendable().empty());
  ledger.remove(large);
  BOOST_TEST((ledger.take_sendable() == numbers{small}));
}

BOOST_FIXTURE_TEST_CASE(with_a_lost_link_reads_wait_for_the_next_and_writes_that_were_sent_are_unknown, ledger_rig) {
  link(1, 3);
  const auto r = read(), w = write(), on_lease = read(1), unsent = write();
  BOOST_TEST(ledger.take_sendable().size() == 3U);
  const auto waiting_on_lease = write(1);
  const auto fates = ledger.lost(1);
  BOOST_TEST(fates.size() == 4U);
  BOOST_TEST((fate_of(r, fates) == verdict::again));
  BOOST_TEST((fate_of(w, fates) == verdict::unknown));
  BOOST_TEST((fate_of(on_lease, fates) == verdict::broken));
  BOOST_TEST((fate_of(waiting_on_lease, fates) == verdict::broken));
  link(2);
  BOOST_TEST((ledger.take_sendable() == numbers{r, unsent}));
  BOOST_TEST(ledger.count() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_write_on_a_lost_lease_that_was_sent_is_unknown, ledger_rig) {
  link(1);
  const auto w = write(1);
  BOOST_TEST(ledger.take_sendable().size() == 1U);
  BOOST_TEST((fate_of(w, ledger.lost(1)) == verdict::unknown));
}

BOOST_FIXTURE_TEST_CASE(a_read_is_not_sent_for_ever, ledger_rig) {
  const auto r = read();
  for (int i = 1; i <= request_ledger::most_sends; ++i) {
    link(static_cast<std::uint64_t>(i));
    BOOST_TEST((ledger.take_sendable() == numbers{r}));
    const auto fates = ledger.lost(static_cast<std::uint64_t>(i));
    BOOST_TEST((fate_of(r, fates) == (i < request_ledger::most_sends ? verdict::again : verdict::broken)));
  }
  BOOST_TEST(ledger.count() == 0U);
}

BOOST_FIXTURE_TEST_CASE(what_was_not_sent_goes_elsewhere_whatever_it_is, ledger_rig) {
  link(1);
  const auto w = write(), v = write();
  ledger.take_sendable();
  BOOST_TEST((ledger.failed(w, false) == verdict::again));
  BOOST_TEST((ledger.failed(v, true) == verdict::unknown));
  BOOST_TEST((ledger.take_sendable() == numbers{w}));
}

BOOST_FIXTURE_TEST_CASE(a_node_that_is_left_finishes_what_it_has, ledger_rig) {
  link(1);
  const auto a = read();
  ledger.take_sendable();
  ledger.leave(1);
  const auto next = read(), on_lease = read(1);
  BOOST_TEST((ledger.take_sendable() == numbers{on_lease}));
  BOOST_TEST(ledger.carried_by(a) == 1U);
  BOOST_TEST(ledger.carried_by(next) == 0U);
  // Meanwhile another one takes what is new.
  link(2);
  BOOST_TEST((ledger.take_sendable() == numbers{next}));
  BOOST_TEST(ledger.carried_by(next) == 2U);
  ledger.remove(a);
  BOOST_TEST(!ledger.is_idle(1));
  const auto later = read(1);
  ledger.remove(on_lease);
  BOOST_TEST(!ledger.is_idle(1));
  BOOST_TEST((ledger.take_sendable() == numbers{later}));
  ledger.remove(later);
  BOOST_TEST(ledger.is_idle(1));
  BOOST_TEST(!ledger.is_idle(2));
  BOOST_TEST(ledger.lost(1).empty());
  BOOST_TEST(ledger.carried_by(next) == 2U);
}

BOOST_FIXTURE_TEST_CASE(requests_are_over_at_their_deadline_and_when_no_node_is_there, ledger_rig) {
  link(1, 1);
  const auto sent = read(), waits = read();
  ledger.take_sendable();
  BOOST_TEST((ledger.next_event() == now + seconds{5}));
  BOOST_TEST(ledger.expire(now + seconds{4}).empty());
  const auto over = ledger.expire(now + seconds{5});
  BOOST_TEST_REQUIRE(over.size() == 2U);
  BOOST_TEST((over[0] == request_ledger::ending{sent, 1}));
  BOOST_TEST((over[1] == request_ledger::ending{waits, 0}));
  BOOST_TEST((ledger.next_event() == time_point::max()));
  const auto later = write();
  read(7);
  BOOST_TEST((ledger.give_up_waiting() == numbers{later}));
  BOOST_TEST(ledger.count() == 1U);
}
