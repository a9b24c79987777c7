// Each request of a thread has exactly one outcome: answered, lost, cancelled, refused, or cut off by the stop.
#include "understudy/runtime/client/client.hpp"
#include "runtime/fake_router.hpp"
#include "runtime/hand_timers.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

/// What callers were told, by their number.
struct told_outcomes {
  std::vector<std::vector<outcome>> by_caller;
  completion next() {
    by_caller.emplace_back();
    return [this, number = by_caller.size() - 1](outcome o) { by_caller[number].push_back(std::move(o)); };
  }
  bool told(std::size_t caller) const { return !by_caller[caller].empty(); }
  errc code(std::size_t caller) const {
    BOOST_REQUIRE_EQUAL(by_caller[caller].size(), 1);
    return by_caller[caller][0].code();
  }
};

struct bridged : test::by_hand {
  settings all = small();
  test::fake_router router{system};
  std::shared_ptr<runtime_client> client = std::make_shared<runtime_client>(system, with_timers(), all);
  told_outcomes callers;

  bridged() {
    own(router.actor());
    client->connect_to(router.router(), router.manager());
  }
  ~bridged() {
    client->close();
    run();
  }
  environment_ptr with_timers() const {
    auto e = std::make_shared<environment>(*env);
    e->poller = timers;
    return e;
  }
  static settings small() {
    settings s;
    s.limits.max_requests = 3;
    s.limits.operation_timeout = 30s;
    return s;
  }
  void send(const call_options& options = {}, executor where = {}) {
    client->start(make_request(search_request{}), callers.next(), options, std::move(where));
    run();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_answer_reaches_its_caller, bridged) {
  send();
  BOOST_TEST(!callers.told(0));
  BOOST_TEST(client->in_flight() == 1U);
  BOOST_TEST((router.last().deadline == now() + 30s));
  router.answer_kept("ldap1:389");
  run();
  BOOST_TEST(callers.code(0) == errc::none);
  BOOST_TEST(callers.by_caller[0][0]->server == "ldap1:389");
  BOOST_TEST(client->in_flight() == 0U);
  BOOST_TEST(metrics->totals(clock->now()).succeeded == 1U);
  BOOST_TEST(client->last_success().has_value());
}

BOOST_FIXTURE_TEST_CASE(answers_that_come_in_another_order_reach_those_who_asked, bridged) {
  std::vector<caf::response_promise> kept;
  router.treat([&](caf::response_promise p, const call&) { kept.push_back(std::move(p)); });
  for (int i = 0; i < 3; ++i) send();
  for (std::size_t i : {2, 0, 1}) kept[i].deliver(test::fake_router::found("server" + std::to_string(i)));
  run();
  for (std::size_t i : {0, 1, 2}) BOOST_TEST(callers.by_caller[i].at(0)->server == "server" + std::to_string(i));
}

BOOST_FIXTURE_TEST_CASE(a_failure_reaches_its_caller_with_all_its_parts, bridged) {
  router.treat([](caf::response_promise p, const call&) {
    failure f;
    f.code = errc::ldap_error;
    f.ldap_code = 32;
    f.server = "ldap1:389";
    p.deliver(to_error(f));
  });
  send();
  BOOST_TEST(callers.code(0) == errc::ldap_error);
  BOOST_TEST(callers.by_caller[0][0].error()->ldap_code == 32);
  BOOST_TEST(metrics->totals(clock->now()).failed == 1U);
}

BOOST_FIXTURE_TEST_CASE(an_answer_of_the_wrong_kind_is_an_error, bridged) {
  router.treat([](caf::response_promise p, const call&) { p.deliver(std::string{"what?"}); });
  send();
  BOOST_TEST(callers.code(0) == errc::internal);
  router.treat([](caf::response_promise p, const call&) { p.deliver(result_ptr{}); });
  send();
  BOOST_TEST(callers.code(1) == errc::internal);
}

BOOST_FIXTURE_TEST_CASE(a_lost_answer_ends_shortly_after_the_deadline, bridged) {
  send({5s});
  pass(5s);
  BOOST_TEST(!callers.told(0));
  pass(200ms);
  BOOST_TEST(callers.code(0) == errc::operation_timeout);
  BOOST_TEST(router.cancelled() == 1U);
  BOOST_TEST(router.last().token->cancelled());
  BOOST_TEST(client->in_flight() == 0U);
  router.answer_kept();
  run();
  BOOST_TEST(callers.by_caller[0].size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(an_idle_client_sets_no_timer, bridged) {
  BOOST_TEST((timers->next() == time_point::max()));
  send({5s});
  BOOST_TEST((timers->next() < time_point::max()));
  router.answer_kept();
  pass(200ms);
  BOOST_TEST((timers->next() == time_point::max()));
}

BOOST_FIXTURE_TEST_CASE(a_router_that_is_gone_is_an_error_soon, bridged) {
  kill(router.actor());
  send();
  BOOST_TEST(!callers.told(0));
  pass(2s);
  BOOST_TEST(callers.code(0) == errc::stopped);
}

BOOST_FIXTURE_TEST_CASE(what_an_ending_router_did_not_look_at_goes_to_its_successor, bridged) {
  test::fake_router manager{system};
  own(manager.actor());
  client->connect_to(router.router(), manager.manager());
  kill(router.actor());
  client->router_ended();
  send();
  BOOST_TEST(manager.seen() == 1U);
  manager.answer_kept();
  run();
  BOOST_TEST(callers.code(0) == errc::none);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_bounced_is_sent_again_and_once, bridged) {
  test::fake_router manager{system};
  own(manager.actor());
  client->connect_to(router.router(), manager.manager());
  kill(router.actor());
  send();
  client->router_ended();
  pass(500ms);
  BOOST_TEST(manager.seen() == 1U);
  manager.answer_kept();
  run();
  BOOST_TEST(callers.code(0) == errc::none);
  cancel_source cancel;
  call_options options;
  options.cancel = &cancel;
  send(options);
  cancel.cancel();
  run();
  BOOST_TEST(manager.cancelled() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_bounce_is_not_waited_out_past_the_deadline_or_a_cancel, bridged) {
  kill(router.actor());
  call_options options;
  options.timeout = 50ms;
  send(options);
  BOOST_TEST(callers.code(0) == errc::stopped);
  cancel_source cancel;
  options.timeout = 30s;
  options.cancel = &cancel;
  send(options);
  cancel.cancel();
  pass(200ms);
  BOOST_TEST(callers.code(1) == errc::cancelled);
}

BOOST_FIXTURE_TEST_CASE(requests_beyond_max_requests_are_refused_at_once, bridged) {
  for (int i = 0; i < 4; ++i) send();
  BOOST_TEST(router.seen() == 3U);
  BOOST_TEST(callers.code(3) == errc::queue_full);
  BOOST_TEST(client->in_flight() == 3U);
  router.answer_kept();
  run();
  send();
  BOOST_TEST(!callers.told(4));
  BOOST_TEST(router.seen() == 4U);
}

BOOST_FIXTURE_TEST_CASE(closing_settles_what_waits_and_what_comes, bridged) {
  send();
  send();
  client->close();
  BOOST_TEST(callers.code(0) == errc::stopped);
  BOOST_TEST(callers.code(1) == errc::stopped);
  send();
  BOOST_TEST(callers.code(2) == errc::stopped);
  router.answer_kept();
  run();
  BOOST_TEST(callers.by_caller[0].size() == 1U);
  BOOST_TEST(client->in_flight() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_draining_client_takes_nothing_new_and_finishes_the_rest, bridged) {
  send();
  client->drain();
  send();
  BOOST_TEST(callers.code(1) == errc::draining);
  router.answer_kept();
  run();
  BOOST_TEST(callers.code(0) == errc::none);
}

BOOST_FIXTURE_TEST_CASE(a_cancel_is_sent_after_the_request, bridged) {
  cancel_source source;
  send({0s, &source});
  source.cancel();
  run();
  BOOST_TEST(router.cancelled() == 1U);
  BOOST_TEST(router.last().token->cancelled());
  BOOST_TEST(!callers.told(0));
  router.answer_kept();
  run();
  BOOST_TEST(callers.code(0) == errc::none);
}

BOOST_FIXTURE_TEST_CASE(a_cancel_before_the_first_request_is_kept_for_it, bridged) {
  cancel_source source;
  source.cancel();
  send({0s, &source});
  BOOST_TEST(callers.code(0) == errc::cancelled);
  BOOST_TEST(router.seen() == 0U);
  BOOST_TEST(client->in_flight() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_cancel_between_two_requests_does_nothing, bridged) {
  cancel_source source;
  send({0s, &source});
  router.answer_kept();
  run();
  source.cancel();
  send({0s, &source});
  BOOST_TEST(router.cancelled() == 0U);
  BOOST_TEST(!callers.told(1));
}

BOOST_FIXTURE_TEST_CASE(a_completion_runs_where_its_caller_says, bridged) {
  std::vector<std::function<void()>> later;
  send({}, [&](std::function<void()> work) { later.push_back(std::move(work)); });
  router.answer_kept();
  run();
  BOOST_TEST(!callers.told(0));
  BOOST_REQUIRE_EQUAL(later.size(), 1);
  later[0]();
  BOOST_TEST(callers.code(0) == errc::none);
}

BOOST_FIXTURE_TEST_CASE(a_completion_or_executor_that_throws_harms_nobody, bridged) {
  client->start(make_request(search_request{}), [](outcome) { throw std::runtime_error("mine"); }, {}, {});
  send({}, [](std::function<void()>) { throw std::runtime_error("full"); });
  run();
  while (router.answer_kept()) run();
  BOOST_TEST(log->contains("mine"));
  BOOST_TEST(callers.code(0) == errc::none);
  BOOST_TEST(client->in_flight() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_blocking_call_inside_a_completion_is_refused_instead_of_waiting_for_itself, bridged) {
  // One that is answered, and one whose time is over.
  for (const bool answered : {true, false}) {
    std::vector<errc> codes;
    lease_options short_wait;
    short_wait.timeout = 1s;
    client->start(make_request(search_request{}),
                  [&](outcome) {
                    codes.push_back(client->perform(make_request(search_request{}), {1s}).code());
                    codes.push_back(client->acquire(short_wait).error->code);
                    codes.push_back(client->ask<bool>(router.router(), 1s, drain_atom_v).error->code);
                    codes.push_back(client->reload(std::make_shared<const settings>(all), 1s).error->code);
                  },
                  {5s}, {});
    run();
    if (answered) router.answer_kept();
    pass(6s);
    BOOST_TEST(codes == std::vector<errc>(4, errc::invalid_request), boost::test_tools::per_element());
  }
}

BOOST_FIXTURE_TEST_CASE(a_completion_may_start_the_next_request, bridged) {
  client->start(make_request(search_request{}),
                [&](outcome) { client->start(make_request(search_request{}), callers.next(), {}, {}); }, {}, {});
  run();
  router.answer_kept();
  run();
  BOOST_TEST(router.seen() == 2U);
  router.answer_kept();
  run();
  BOOST_TEST(callers.code(0) == errc::none);
}

BOOST_FIXTURE_TEST_CASE(endless_timeouts_do_not_overflow_and_negative_ones_are_over_at_once, bridged) {
  send({duration::max()});
  BOOST_TEST((router.last().deadline > now() + 24h));
  send({-5s});
  BOOST_TEST((router.last().deadline == now()));
  pass(200ms);
  BOOST_TEST(callers.code(1) == errc::operation_timeout);
}

BOOST_FIXTURE_TEST_CASE(a_request_whose_connection_failed_is_tried_again_after_a_pause, bridged) {
  int attempts = 0;
  router.treat([&](caf::response_promise p, const call&) {
    if (++attempts == 3) return p.deliver(test::fake_router::found("at last"));
    p.deliver(test::fake_router::failing(errc::connection_failed));
  });
  send();
  BOOST_TEST(attempts == 1);
  BOOST_TEST(client->in_flight() == 1U);
  pass(1900ms);
  BOOST_TEST(attempts == 1);
  pass(300ms);
  BOOST_TEST(attempts == 2);
  pass(2200ms);
  BOOST_TEST(callers.by_caller[0].at(0)->server == "at last");
  BOOST_TEST(metrics->totals(clock->now()).total == 1U);
}

BOOST_AUTO_TEST_CASE(recovery_attempts_and_delay_are_how_often_and_when_a_busy_server_is_asked_again) {
  struct row {
    int attempts;
    duration delay;
  };
  for (const auto& [attempts, delay] : {row{1, 1s}, row{3, 1s}, row{5, 1s}, row{1, 5s}, row{3, 5s}}) {
    bridged it;
    it.all.recovery.recovery_attempts = attempts;
    it.all.recovery.recovery_delay = delay;
    it.client->configure(it.all);
    std::vector<time_point> sent;
    it.router.treat([&](caf::response_promise p, const call&) {
      sent.push_back(it.now());
      failure busy;
      busy.code = errc::ldap_error;
      busy.ldap_code = 51;
      p.deliver(to_error(busy));
    });
    it.send();
    it.pass(29s);
    BOOST_TEST_REQUIRE(sent.size() == static_cast<std::size_t>(attempts) + 1);
    for (std::size_t i = 1; i < sent.size(); ++i)
      BOOST_TEST((sent[i] - sent[i - 1] >= delay && sent[i] - sent[i - 1] <= delay + 100ms));
    BOOST_TEST(it.callers.code(0) == errc::ldap_error);
    BOOST_TEST(it.metrics->totals(it.clock->now()).total == 1U);
  }
}

BOOST_FIXTURE_TEST_CASE(a_write_that_a_busy_server_refused_is_not_sent_again, bridged) {
  router.treat([](caf::response_promise p, const call&) {
    failure busy;
    busy.code = errc::ldap_error;
    busy.ldap_code = 51;
    p.deliver(to_error(busy));
  });
  client->start(make_request(delete_request{"cn=x"}), callers.next(), {}, {});
  run();
  BOOST_TEST(callers.code(0) == errc::ldap_error);
  BOOST_TEST(router.seen() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_pauses_can_be_cancelled_and_is_settled_by_a_stop, bridged) {
  router.treat(
      [](caf::response_promise p, const call&) { p.deliver(test::fake_router::failing(errc::connection_failed)); });
  cancel_source source;
  send({0s, &source});
  send();
  send();
  source.cancel();
  pass(100ms);
  BOOST_TEST(callers.code(0) == errc::cancelled);
  BOOST_TEST(router.seen() == 3U);
  client->drain();
  pass(100ms);
  BOOST_TEST(callers.code(1) == errc::connection_failed);
  BOOST_TEST(callers.code(2) == errc::connection_failed);
  BOOST_TEST(client->in_flight() == 0U);
}
