// What a connection decides, on virtual time and made-up bytes (DESIGN's semantics, one rule a test).
#include "connection/state_harness.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

using event_kind = connection_event::kind;

namespace {

constexpr duration short_moment = milliseconds{1};

struct ready_state : state_harness {
  ready_state() { become_ready(); }
  bool sent_elsewhere(reply_id reply) const { return outcome(reply).what == told::kind::sent_elsewhere; }
  bool closed() { return state().is_closed(); }
  void lease(lease_id id) {
    turn([&] { state().on_lease(id); });
  }
  void reset(lease_id id) {
    turn([&] { state().on_reset(id); });
  }
  void drain() {
    turn([&] { state().on_drain(); });
  }
  void cancel(reply_id reply) {
    turn([&] { state().cancel(asked.at(reply).token); });
  }
  void arrives(int id, std::uint8_t op, decoded_pdu pdu, result answer = {}, std::size_t size = 100) {
    wire.arrive(id, op, pdu, std::move(answer), size);
    transport_action received;
    received.received = true;
    turn([&] { state().on_transport(received); });
  }
};

}  // namespace

// ---- safe to repeat ----

BOOST_FIXTURE_TEST_CASE(a_loss_sends_reads_and_what_is_unsent_elsewhere_and_leaves_a_sent_write_unknown, ready_state) {
  const auto read = ask(some_search()), sent = ask(some_write(1));
  write();
  const auto unsent = ask(some_write(2));
  end(false);
  BOOST_TEST(sent_elsewhere(read));
  BOOST_TEST(sent_elsewhere(unsent));
  BOOST_TEST((code(sent) == errc::outcome_unknown));
  BOOST_TEST(outcome(read).order.attempts == 1u);
  BOOST_TEST(outcome(read).order.tried.contains(3));
  BOOST_REQUIRE(!events.empty());
  BOOST_TEST((events.back().what == event_kind::closed));
}

BOOST_FIXTURE_TEST_CASE(many_operations_that_end_with_their_connection_are_one_failure, ready_state) {
  for (int i = 0; i < 5; ++i) ask(some_search(i));
  write();
  end(false);
  const auto failures =
      std::count_if(reports.begin(), reports.end(), [](const outcome_report& r) { return r.failed.has_value(); });
  BOOST_TEST(failures == 1);
}

BOOST_FIXTURE_TEST_CASE(after_its_last_attempt_a_lost_read_fails_and_says_so, ready_state) {
  call c;
  c.what = some_search();
  c.deadline = now + seconds{30};
  c.attempts = 3;
  asked[99] = c;
  turn([&] { state().accept(c, 0, 99); });
  end(false);
  BOOST_TEST((code(99) == errc::connection_failed));
  BOOST_TEST(outcome(99).why->message.find("4 attempts") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(what_a_lease_loses_is_not_sent_elsewhere, ready_state) {
  lease(11);
  const auto read = ask(some_search(), seconds{30}, 11), changed = ask(some_write(), seconds{30}, 11);
  write();
  end(false);
  BOOST_TEST((code(read) == errc::connection_unhealthy));
  BOOST_TEST((code(changed) == errc::outcome_unknown));
}

// ---- deadlines ----

BOOST_FIXTURE_TEST_CASE(a_deadline_abandons_what_was_sent_and_takes_back_what_was_not, ready_state) {
  const auto read = ask(some_search(), seconds{2}), changed = ask(some_write(1), seconds{2});
  write();
  const auto unsent = ask(some_write(2), seconds{2});
  pass(seconds{2} - short_moment);
  BOOST_TEST(waits(read));
  pass(short_moment);
  BOOST_TEST((code(read) == errc::operation_timeout));
  BOOST_TEST((code(changed) == errc::outcome_unknown));
  BOOST_TEST((code(unsent) == errc::operation_timeout));
  BOOST_TEST(wire.requests.at(id_of(read)).abandoned);
  BOOST_TEST(wire.requests.at(id_of(unsent)).discarded);
  BOOST_TEST(!wire.requests.at(id_of(unsent)).abandoned);
  // The abandoned one's answer comes late, and is no error.
  answer(read);
  BOOST_TEST(!closed());
}

BOOST_FIXTURE_TEST_CASE(an_answer_in_time_is_the_only_outcome, ready_state) {
  const auto read = ask(some_search(), seconds{2});
  write();
  answer(read);
  pass(seconds{5});
  BOOST_TEST((outcome(read).what == told::kind::answer));
}

BOOST_FIXTURE_TEST_CASE(an_answer_nobody_asked_for_ends_the_connection, ready_state) {
  const auto read = ask(some_search());
  write();
  wire.arrive(4711, pdu_op::search_done, decoded_pdu::complete);
  transport_action received;
  received.received = true;
  turn([&] { state().on_transport(received); });
  BOOST_TEST(closed());
  BOOST_TEST(sent_elsewhere(read));
}

// ---- notice of disconnection ----

/// First nothing new is given to it, so that what runs there can end; then that goes elsewhere.
BOOST_FIXTURE_TEST_CASE(a_server_that_goes_on_after_the_abandon_loses_the_connection_whatever_else_runs, ready_state) {
  const auto endless = ask(some_search(1)), other = ask(some_search(2));
  write();
  cancel(endless);
  constexpr std::size_t part = 1024 * 1024;
  const auto most = all.limits.max_result_bytes / part;
  const auto goes_on = [&](std::size_t parts) {
    for (; parts > 0; --parts) arrives(id_of(endless), pdu_op::search_entry, decoded_pdu::part, {}, part);
  };
  const auto before = events.size();
  goes_on(most);
  BOOST_TEST(events.size() == before);
  goes_on(1);
  BOOST_TEST_REQUIRE(events.size() == before + 1);
  BOOST_TEST((events.back().what == event_kind::draining));
  goes_on(most - 1);
  BOOST_TEST(!closed());
  goes_on(1);
  BOOST_TEST(closed());
  BOOST_TEST(sent_elsewhere(other));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_sends_notifications_without_end_loses_the_connection, ready_state) {
  result unknown;
  unknown.response_oid = "1.2.3.4";
  const auto notifies = [&](int times) {
    for (; times > 0; --times) arrives(0, pdu_op::extended_response, decoded_pdu::complete, unknown, 100 * 1024);
  };
  notifies(10);
  const auto read = ask(some_search());
  write();
  answer(read);
  notifies(10);
  BOOST_TEST(!closed(), "there was an answer in between");
  notifies(1);
  BOOST_TEST(closed());
}

/// RFC 4513, 5.1.2.
BOOST_AUTO_TEST_CASE(a_bind_that_a_server_may_take_for_an_anonymous_one_is_not_sent) {
  state_harness h{connection_kind::bind};
  h.become_ready();
  const auto before = h.wire.requests.size();
  for (const auto& bind : {bind_request{"", secret{"password"}}, bind_request{"cn=user", secret{""}}})
    BOOST_TEST((h.code(h.ask(make_request(bind))) == errc::invalid_request));
  BOOST_TEST(h.wire.requests.size() == before);
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_sends_reads_elsewhere_at_once_and_lets_a_write_wait_for_its_answer, ready_state) {
  const auto read = ask(some_search()), changed = ask(some_write());
  write();
  say_goodbye();
  BOOST_TEST(sent_elsewhere(read));
  BOOST_TEST(waits(changed));
  BOOST_TEST((events.back().what == event_kind::draining));
  answer(changed);
  BOOST_TEST((outcome(changed).what == told::kind::answer));
  BOOST_TEST(closed());
}

BOOST_FIXTURE_TEST_CASE(after_a_goodbye_without_a_close_a_write_is_unknown_within_suspect_after, ready_state) {
  const auto changed = ask(some_write());
  write();
  say_goodbye();
  const auto late = ask(some_search(2));
  BOOST_TEST(sent_elsewhere(late));
  pass(all.breaker.suspect_after - short_moment);
  BOOST_TEST(waits(changed));
  pass(short_moment);
  BOOST_TEST((code(changed) == errc::outcome_unknown));
  BOOST_TEST(closed());
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_and_its_close_leave_a_write_unknown_at_once, ready_state) {
  const auto changed = ask(some_write());
  write();
  say_goodbye();
  end(true);
  BOOST_TEST((code(changed) == errc::outcome_unknown));
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_to_an_idle_connection_speaks_against_nobody, ready_state) {
  say_goodbye();
  BOOST_TEST(closed());
  BOOST_TEST(reports.size() == 0u);
}

// ---- suspicion ----

BOOST_FIXTURE_TEST_CASE(silence_with_requests_in_flight_has_the_server_probed, ready_state) {
  ask(some_search());
  write();
  pass(all.breaker.suspect_after - short_moment);
  BOOST_TEST(suspicions == 0);
  pass(short_moment);
  BOOST_TEST(suspicions > 0);
  BOOST_TEST(load->silent.load());
}

BOOST_FIXTURE_TEST_CASE(silence_of_an_idle_connection_is_none, ready_state) {
  const auto read = ask(some_search());
  write();
  answer(read);
  pass(seconds{300});
  BOOST_TEST(suspicions == 0);
  BOOST_TEST(!load->silent.load());
}

BOOST_FIXTURE_TEST_CASE(an_idle_connection_that_its_server_closes_in_order_is_no_reason_to_ask, ready_state) {
  end(true);
  BOOST_TEST(closed());
  BOOST_TEST(suspicions == 0);
  for (const auto& r : reports) BOOST_TEST(!r.failed.has_value());
}

BOOST_FIXTURE_TEST_CASE(an_idle_connection_that_is_cut_is_a_reason_to_ask, ready_state) {
  end(false);
  BOOST_TEST(suspicions == 1);
  for (const auto& r : reports) BOOST_TEST(!r.failed.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_check_beside_a_bind_fails_once_that_is_unanswered_for_long, ready_state) {
  lease(11);
  ask(some_bind(), seconds{30}, 11);
  write();
  const auto early = check();
  BOOST_TEST_REQUIRE(checks[early].size() == 1u);
  BOOST_TEST(checks[early][0].ok, "nothing may be sent meanwhile, and the bind itself will show it");
  pass(all.breaker.suspect_after + short_moment);
  const auto late = check();
  BOOST_TEST_REQUIRE(checks[late].size() == 1u);
  BOOST_TEST(!checks[late][0].ok);
}

BOOST_FIXTURE_TEST_CASE(entries_that_go_on_coming_are_no_unanswered_request, ready_state) {
  const auto read = ask(some_search());
  write();
  for (const auto until = now + 2 * all.breaker.slow_call; now < until; pass(all.breaker.suspect_after / 2))
    arrives(id_of(read), pdu_op::search_entry, decoded_pdu::part);
  BOOST_TEST(suspicions == 0);
  pass(all.breaker.suspect_after + short_moment);
  BOOST_TEST(suspicions == 1);
}

/// Its server is asked, but what else waits on it has no reason to go.
BOOST_FIXTURE_TEST_CASE(a_connection_on_which_something_was_answered_since_is_not_silent, ready_state) {
  const auto read = ask(some_search(), milliseconds{800});
  const auto other = ask(make_request(whoami_request{}));
  write();
  pass(milliseconds{600});
  answer(other);
  pass(milliseconds{200});
  BOOST_TEST((code(read) == errc::operation_timeout));
  BOOST_TEST(suspicions == 1);
  BOOST_TEST(!load->silent.load());
}

BOOST_FIXTURE_TEST_CASE(an_answer_takes_the_suspicion_away, ready_state) {
  const auto first = ask(some_search(1));
  ask(some_search(2));
  write();
  pass(all.breaker.suspect_after);
  BOOST_TEST(load->silent.load());
  answer(first);
  BOOST_TEST(!load->silent.load());
}

// ---- unresponsiveness ----

namespace {

struct unresponsive_state : ready_state {
  /// Silence, while the server answers others or does not.
  void stay_silent(duration span, bool others_are_answered = true) {
    for (duration passed{}; passed < span; passed += milliseconds{100}) {
      pass(milliseconds{100});
      if (others_are_answered) pace->heard(now);
    }
  }
  bool is_left() const {
    return std::any_of(events.begin(), events.end(),
                       [](const auto& e) { return e.what == event_kind::draining && e.cause != nullptr; });
  }
  /// What was sent last.
  int last_id() const { return wire.requests.rbegin()->first; }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_connection_that_is_unresponsive_beside_others_is_left_and_its_reads_go_elsewhere,
                        unresponsive_state) {
  const auto read = ask(some_search()), changed = ask(some_write());
  write();
  stay_silent(milliseconds{1400});
  BOOST_TEST(waits(read));
  stay_silent(milliseconds{300});
  BOOST_TEST(sent_elsewhere(read));
  BOOST_TEST(is_left());
  BOOST_TEST(waits(changed));  // it may be answered yet
  stay_silent(seconds{30});
  BOOST_TEST((code(changed) == errc::outcome_unknown));
  BOOST_TEST(closed());
}

BOOST_FIXTURE_TEST_CASE(that_the_root_dse_is_answered_makes_no_unanswered_search_less_silent, unresponsive_state) {
  const auto read = ask(some_search());
  write();
  pass(all.breaker.suspect_after + short_moment);
  BOOST_TEST(load->silent.load());
  BOOST_REQUIRE(last_id() != id_of(read));
  write();
  answer_id(last_id());
  BOOST_TEST(load->silent.load());
  answer(read);
  BOOST_TEST(!load->silent.load());
}

BOOST_FIXTURE_TEST_CASE(a_server_that_answers_nobody_has_no_unresponsive_connections, unresponsive_state) {
  const auto read = ask(some_search());
  write();
  stay_silent(seconds{10}, false);
  BOOST_TEST(waits(read));
  BOOST_TEST(!is_left());
  stay_silent(seconds{1});  // it answers others again
  BOOST_TEST(sent_elsewhere(read));
}

BOOST_FIXTURE_TEST_CASE(a_search_that_takes_long_is_waited_for_where_the_root_dse_is_answered_meanwhile,
                        unresponsive_state) {
  const auto read = ask(some_search());
  write();
  for (int second = 0; second < 12; ++second) {
    stay_silent(milliseconds{1100});
    if (last_id() != id_of(read) && !wire.requests.at(last_id()).answered) {
      write();
      answer_id(last_id());
    }
  }
  BOOST_TEST(waits(read));
  BOOST_TEST(!is_left());
}

BOOST_FIXTURE_TEST_CASE(a_server_that_answers_in_turn_is_found_out_and_its_slow_searches_are_waited_for,
                        unresponsive_state) {
  const auto read = ask(some_search());
  write();
  stay_silent(milliseconds{1700});
  BOOST_TEST(sent_elsewhere(read));
  write();
  answer_id(last_id());  // behind the search, which nobody waits for any more
  BOOST_TEST(pace->answers_in_turn(now));
  state_harness next;
  next.pace = pace;
  next.now = now;
  next.become_ready();
  const auto slow = next.ask(some_search());
  next.write();
  for (int i = 0; i < 50; ++i) next.pass(milliseconds{100}), pace->heard(next.now);
  BOOST_TEST(next.waits(slow));
}

BOOST_FIXTURE_TEST_CASE(what_has_left_a_unresponsive_connection_already_is_waited_for_longer, unresponsive_state) {
  call again;
  again.what = some_search();
  again.deadline = now + seconds{30};
  again.attempts = 1;
  asked[99] = again;
  turn([&] { state().accept(again, 0, 99); });
  write();
  stay_silent(all.breaker.slow_call - milliseconds{200});
  BOOST_TEST(waits(99));
  stay_silent(seconds{1});
  BOOST_TEST(sent_elsewhere(99));
}

BOOST_FIXTURE_TEST_CASE(a_lease_is_not_judged_unresponsive, unresponsive_state) {
  lease(11);
  const auto read = ask(some_search(), seconds{30}, 11);
  write();
  stay_silent(seconds{10});
  BOOST_TEST(waits(read));
  BOOST_TEST(!is_left());
}

BOOST_FIXTURE_TEST_CASE(what_is_unanswered_for_slow_call_counts_once, ready_state) {
  ask(some_search(), seconds{60});
  write();
  pass(all.breaker.slow_call * 2);
  const auto slow = std::count_if(reports.begin(), reports.end(),
                                  [](const outcome_report& r) { return r.failed == failure_class::slow; });
  BOOST_TEST(slow == 1);
}

// ---- leases ----

BOOST_FIXTURE_TEST_CASE(a_leased_connection_takes_its_holders_operations_alone, ready_state) {
  lease(11);
  BOOST_TEST((code(ask(some_search(), seconds{30}, 12)) == errc::invalid_lease));
  BOOST_TEST(waits(ask(some_search(), seconds{30}, 11)));
}

BOOST_FIXTURE_TEST_CASE(a_reset_abandons_what_is_open_and_says_ready, ready_state) {
  lease(11);
  const auto read = ask(some_search(), seconds{30}, 11);
  write();
  reset(11);
  BOOST_TEST((code(read) == errc::invalid_lease));
  BOOST_TEST(wire.requests.at(id_of(read)).abandoned);
  BOOST_TEST((events.back().what == event_kind::ready));
  BOOST_TEST(wire.binds.empty());
}

BOOST_FIXTURE_TEST_CASE(a_check_goes_on_when_the_lease_ends_beside_it, ready_state) {
  lease(11);
  const auto check_of_pool = check();
  write();
  reset(11);
  BOOST_TEST((events.back().what == event_kind::ready));
  BOOST_TEST(checks.count(check_of_pool) == 0u, "it was ended by the holder, and tells nothing of the server");
  pass(seconds{5});
  BOOST_TEST_REQUIRE(checks[check_of_pool].size() == 1u);
  BOOST_TEST(!checks[check_of_pool][0].ok);
}

BOOST_FIXTURE_TEST_CASE(a_reset_takes_the_identity_back_that_the_holder_bound_as, ready_state) {
  lease(11);
  const auto bound = ask(some_bind(), seconds{30}, 11);
  write();
  answer(bound);
  const auto before = events.size();
  reset(11);
  BOOST_REQUIRE(wire.binds.size() == 1u);
  BOOST_TEST(wire.binds.front() == "");
  BOOST_TEST(events.size() == before);
  write();
  answer_id(wire.requests.rbegin()->first);
  BOOST_REQUIRE(events.size() == before + 1);
  BOOST_TEST((events.back().what == event_kind::ready));
}

BOOST_FIXTURE_TEST_CASE(a_reset_closes_what_may_have_been_left_in_another_state, ready_state) {
  lease(11);
  const auto odd = ask(make_request(extended_request{"1.2.3", std::nullopt, false}), seconds{30}, 11);
  write();
  answer(odd);
  reset(11);
  BOOST_TEST(closed());
}

BOOST_FIXTURE_TEST_CASE(a_reset_that_the_server_leaves_unanswered_ends_the_connection, ready_state) {
  lease(11);
  const auto bound = ask(some_bind(), seconds{30}, 11);
  write();
  answer(bound);
  reset(11);
  write();
  pass(server.timeout);
  BOOST_TEST(closed());
}

// ---- binds, streams ----

BOOST_AUTO_TEST_CASE(binds_of_users_run_one_at_a_time) {
  state_harness h{connection_kind::bind};
  h.become_ready();
  const auto first = h.ask(some_bind()), second = h.ask(some_bind());
  BOOST_TEST(h.id_of(first) != 0);
  BOOST_TEST(h.id_of(second) == 0);
  h.write();
  h.answer(first, result_code::invalid_credentials);
  BOOST_TEST((h.code(first) == errc::authentication_failed));
  BOOST_TEST(h.id_of(second) != 0);
}

BOOST_AUTO_TEST_CASE(a_sent_bind_of_a_user_is_not_repeated) {
  state_harness h{connection_kind::bind};
  h.become_ready();
  const auto bound = h.ask(some_bind());
  h.write();
  h.end(false);
  BOOST_TEST((h.code(bound) == errc::outcome_unknown));
}

BOOST_FIXTURE_TEST_CASE(a_stream_without_credit_holds_the_server_up_and_is_no_silence, ready_state) {
  lease(11);
  const auto read = stream(some_search(), 11, 1);
  write();
  const auto entry_arrives = [&] {
    result r;
    r.entries.push_back({"cn=a", {}});
    wire.arrive(id_of(read), pdu_op::search_entry, decoded_pdu::part, std::move(r));
    transport_action received;
    received.received = true;
    turn([&] { state().on_transport(received); });
  };
  entry_arrives();
  BOOST_TEST(batches.size() == 1u);
  entry_arrives();
  BOOST_TEST(batches.size() == 1u);
  BOOST_TEST(wire.reading_held());
  pass(all.breaker.suspect_after * 3);
  BOOST_TEST(suspicions == 0);
  turn([&] { state().on_credit(11, 9, 5); });
  BOOST_TEST(batches.size() == 2u);
  BOOST_TEST(!wire.reading_held());
  // The server's silence begins with the credit.
  pass(all.breaker.suspect_after / 2);
  BOOST_TEST(suspicions == 0);
  pass(all.breaker.suspect_after);
  BOOST_TEST(suspicions == 1);
  answer(read);
  BOOST_TEST((outcome(read).what == told::kind::answer));
}

BOOST_FIXTURE_TEST_CASE(a_stream_ends_with_its_consumer, ready_state) {
  lease(11);
  const auto read = stream(some_search(), 11, 1);
  write();
  turn([&] { state().consumer_ended(); });
  BOOST_TEST((code(read) == errc::cancelled));
  BOOST_TEST(wire.requests.at(id_of(read)).abandoned);
}

// ---- cancel, drain, busy ----

BOOST_FIXTURE_TEST_CASE(a_cancelled_operation_is_abandoned_and_told, ready_state) {
  const auto read = ask(some_search());
  write();
  cancel(read);
  BOOST_TEST((code(read) == errc::cancelled));
  BOOST_TEST(wire.requests.at(id_of(read)).abandoned);
}

BOOST_FIXTURE_TEST_CASE(a_drain_finishes_what_runs_and_sends_the_rest_elsewhere, ready_state) {
  const auto read = ask(some_search(1));
  write();
  drain();
  const auto late = ask(some_search(2));
  BOOST_TEST(sent_elsewhere(late));
  BOOST_TEST(!closed());
  answer(read);
  BOOST_TEST((outcome(read).what == told::kind::answer));
  BOOST_TEST(closed());
  BOOST_TEST(wire.said_goodbye);
  BOOST_TEST(!events.back().cause);
}

/// Whatever it was: what is refused has not been done.
BOOST_FIXTURE_TEST_CASE(a_busy_servers_refusal_goes_elsewhere_after_a_pause, ready_state) {
  const auto read = ask(some_search()), changed = ask(some_write());
  write();
  answer(read, result_code::busy);
  answer(changed, result_code::unavailable);
  BOOST_TEST(waits(read));
  BOOST_TEST(waits(changed));
  pass(seconds{1});
  BOOST_TEST(sent_elsewhere(read));
  BOOST_TEST(sent_elsewhere(changed));
  BOOST_TEST(!closed());
}

BOOST_AUTO_TEST_CASE(a_sole_servers_refusal_is_the_answer) {
  state_harness h;
  h.all.servers.resize(1);
  h.become_ready();
  const auto read = h.ask(some_search());
  h.write();
  h.answer(read, result_code::busy);
  BOOST_TEST((h.code(read) == errc::ldap_error));
}

BOOST_AUTO_TEST_CASE(a_connection_that_has_used_up_its_ids_drains) {
  state_harness h;
  h.wire.most_ids = 2;
  h.become_ready();
  const auto read = h.ask(some_search());
  BOOST_TEST((h.events.back().what == event_kind::draining));
  h.write();
  h.answer(read);
  BOOST_TEST(h.state().is_closed());
}

// ---- setting up ----

BOOST_AUTO_TEST_CASE(a_refused_address_is_followed_by_the_next_and_the_last_one_ends_it) {
  state_harness h;
  resolution two;
  two.addresses = {{2, "a", "192.0.2.1:389"}, {2, "b", "192.0.2.2:389"}};
  h.addresses = {two};
  h.start();
  BOOST_TEST(h.dialled.size() == 1u);
  h.turn([&] { h.state().dial_failed(0, errc::connection_failed, "connection refused"); });
  BOOST_REQUIRE(h.dialled.size() == 2u);
  BOOST_TEST(h.dialled[1].text == "192.0.2.2:389");
  h.turn([&] { h.state().dial_failed(1, errc::connection_failed, "connection refused"); });
  BOOST_REQUIRE(h.events.size() == 1u);
  BOOST_TEST((h.events.front().what == event_kind::failed));
  BOOST_TEST(h.state().is_closed());
}

BOOST_AUTO_TEST_CASE(a_silent_address_has_the_next_dialled_beside_it_and_the_whole_ends_at_the_deadline) {
  state_harness h;
  resolution two;
  two.addresses = {{2, "a", "192.0.2.1:389"}, {2, "b", "192.0.2.2:389"}};
  h.addresses = {two};
  h.start();
  h.pass(connect_attempt::stagger);
  BOOST_TEST(h.dialled.size() == 2u);
  h.pass(h.server.timeout);
  BOOST_REQUIRE(h.events.size() == 1u);
  BOOST_TEST((h.events.front().cause->code == errc::connection_timeout));
}

BOOST_AUTO_TEST_CASE(a_server_that_takes_the_connection_and_says_nothing_is_no_server) {
  state_harness h;
  h.start();
  h.turn([&] {
    h.state().reached(0, 1);
    transport_action connected;
    connected.connected = true;
    h.state().on_transport(connected);
  });
  h.write();
  h.pass(h.server.timeout);
  BOOST_REQUIRE(h.events.size() == 1u);
  BOOST_TEST((h.events.front().what == event_kind::failed));
}

BOOST_AUTO_TEST_CASE(the_bind_of_the_service_is_judged_whatever_becomes_of_it) {
  state_harness h;
  h.server.bind_dn = "cn=service";
  std::vector<credential_verdict> verdicts;
  h.on_actions = [&](auto& actions) {
    for (auto& a : actions)
      if (auto* v = std::get_if<connection_action::report_verdict>(&a)) verdicts.push_back(v->verdict);
  };
  h.start();
  h.turn([&] {
    h.state().reached(0, 1);
    transport_action connected;
    connected.connected = true;
    h.state().on_transport(connected);
  });
  BOOST_TEST(h.credentials_asked == 1);
  h.turn([&] { h.state().on_credential({"cn=service", secret{"wrong"}, 5, 1}, 1); });
  h.write();
  BOOST_REQUIRE(h.wire.binds.size() == 1u);
  h.answer_id(h.wire.requests.rbegin()->first, result_code::invalid_credentials);
  BOOST_REQUIRE(verdicts.size() == 1u);
  BOOST_TEST((verdicts.front().what == credential_verdict::kind::refused));
  BOOST_TEST(verdicts.front().version == 5u);
  BOOST_TEST((h.events.back().cause->code == errc::service_authentication_failed));
}
