// Scenario 31: a cancel finds its request wherever it is; one outcome, an abandon on the wire just where one is needed.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// One request that may be cancelled, and how often its caller was told something.
class cancellable {
 public:
  cancellable(directory& to, request_ptr request, duration timeout = 60s) {
    call_options options;
    options.timeout = timeout;
    options.cancel = &source_;
    to.start(
        std::move(request),
        [seen = seen_](outcome o) {
          const std::lock_guard lock(seen->guard);
          ++seen->times;
          seen->last = std::move(o);
        },
        options);
  }

  void cancel() { source_.cancel(); }
  int times() const {
    const std::lock_guard lock(seen_->guard);
    return seen_->times;
  }
  bool done() const { return times() > 0; }
  outcome last() const {
    const std::lock_guard lock(seen_->guard);
    return seen_->last;
  }

  /// Cancels it: its caller is told so, once, long before its deadline.
  void check_cancel(const std::string& said) {
    BOOST_TEST(!done(), why(last()));
    cancel();
    BOOST_TEST_REQUIRE(eventually([this] { return done(); }));
    BOOST_TEST(last().code() == errc::cancelled, why(last()));
    BOOST_TEST(why(last()).find(said) != std::string::npos, why(last()));
    cancel();
  }

 private:
  struct told {
    std::mutex guard;
    int times = 0;
    outcome last{std::make_shared<const failure>()};
  };
  std::shared_ptr<told> seen_ = std::make_shared<told>();
  cancel_source source_;
};

request_ptr find(const std::string& uid) { return make_request(search_for("(uid=" + uid + ")")); }

/// A server and a manager whose probes keep out of the way.
struct calm_directory {
  leak_guard leaks;
  stub_directory a;

  settings calm(int connections = 2, int in_flight = 32) const {
    auto info = server_at(a.port());
    info.pool_size = std::min(connections, 2);
    info.max_pool_size = connections;
    auto all = quick_settings({info});
    all.pool.max_in_flight = in_flight;
    all.failover.health_check_interval = 30s;
    all.pool.health_check_interval = 30s;
    all.breaker.suspect_after = 30s;
    all.breaker.slow_call = 60s;
    all.failover.failover_timeout = 60s;
    return all;
  }

  std::uint64_t searches(const std::string& uid) const {
    std::uint64_t found = 0;
    for (const auto& request : a.requests(operation::search)) found += request.filter == "(uid=" + uid + ")" ? 1 : 0;
    return found;
  }

  /// Searches for that user are answered like this.
  void treat(const std::string& uid, delivery how) {
    a.when([filter = "(uid=" + uid + ")"](const directory_request& r) { return r.filter == filter; },
           [this, how](const directory_request& r) {
             return reply{a.usual(r).what, how};
           },
           stub_directory::forever);
  }

  /// The message id and connection with which that user was asked for.
  directory_request request_for(const std::string& uid) const {
    for (const auto& request : a.requests(operation::search))
      if (request.filter == "(uid=" + uid + ")") return request;
    throw std::runtime_error("nobody asked for " + uid);
  }

  std::uint64_t closed(connection_manager& manager) const {
    return server_in(manager.snapshot(), a.port()).pool.closed;
  }

  /// Each told once, the wire quiet but for `abandons`, and no more than so many connections came to their end.
  void check_end(connection_manager& manager, const std::vector<const cancellable*>& all, std::uint64_t abandons,
                 std::uint64_t ended = 0) {
    a.forget_rules();
    for (int i = 0; i < 20; ++i) {
      const auto answer = manager.try_search(search_for("(uid=user1)"));
      BOOST_TEST(static_cast<bool>(answer), why(answer));
    }
    for (const auto* one : all) BOOST_TEST(one->times() == 1);
    BOOST_TEST(a.count(operation::abandon) == abandons);
    BOOST_TEST(closed(manager) == ended);
    BOOST_TEST(manager.snapshot().protocol_errors == 0u);
    end_scenario(manager, {a});
    for (const auto* one : all) BOOST_TEST(one->times() == 1);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(scenario_31_cancelled_before_it_begins, calm_directory) {
  connection_manager manager(calm());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  cancel_source source;
  source.cancel();
  call_options options;
  options.cancel = &source;
  const auto answer = manager.try_search(search_for("(uid=early)"), options);
  BOOST_TEST(answer.code() == errc::cancelled, why(answer));
  BOOST_TEST(searches("early") == 0u);
  check_end(manager, {}, 0);
}

BOOST_FIXTURE_TEST_CASE(scenario_31_cancelled_in_the_queue_of_a_pool, calm_directory) {
  connection_manager manager(calm(1, 1));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  treat("first", {.after_abandon = true});
  cancellable first(manager, find("first")), second(manager, find("second")), third(manager, find("third"));
  BOOST_TEST_REQUIRE(eventually([&] { return searches("first") == 1; }));
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.now.waiters == 2; }));
  second.check_cancel("ancelled");
  BOOST_TEST(!third.done());
  first.check_cancel("may have been carried out");
  BOOST_TEST(eventually([&] { return third.done(); }));
  BOOST_TEST(static_cast<bool>(third.last()), why(third.last()));
  BOOST_TEST(searches("second") == 0u);
  check_end(manager, {&first, &second, &third}, 1);
}

BOOST_FIXTURE_TEST_CASE(scenario_31_cancelled_while_waiting_for_a_connect, calm_directory) {
  connection_manager manager(calm());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.ignore_connects();
  a.close_all();
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.now.idle == 0; }));
  cancellable waiting(manager, find("waiting"));
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), a.port()).pool.now.waiters == 1; }));
  waiting.check_cancel("ancelled");
  a.start();
  BOOST_TEST(eventually([&] { return static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {5s})); }));
  BOOST_TEST(searches("waiting") == 0u);
  check_end(manager, {&waiting}, 0, closed(manager));
}

BOOST_FIXTURE_TEST_CASE(scenario_31_cancelled_when_it_was_sent, calm_directory) {
  connection_manager manager(calm());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  treat("sent", {.silent = true});
  cancellable sent(manager, find("sent"));
  BOOST_TEST_REQUIRE(eventually([&] { return searches("sent") == 1; }));
  sent.check_cancel("may have been carried out");
  BOOST_TEST(eventually([&] { return a.count(operation::abandon) == 1u; }));
  BOOST_TEST_REQUIRE(a.requests(operation::abandon).size() == 1u);
  const auto abandon = a.requests(operation::abandon)[0];
  BOOST_TEST(abandon.abandoned == request_for("sent").id);
  BOOST_TEST(abandon.connection == request_for("sent").connection);
  check_end(manager, {&sent}, 1);
}

BOOST_FIXTURE_TEST_CASE(scenario_31_cancelled_when_it_was_partly_answered, calm_directory) {
  connection_manager manager(calm());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  treat("partly", {.entries = 1});
  {
    auto held = manager.get_connection();
    cancellable partly(held, find("partly"));
    BOOST_TEST_REQUIRE(eventually([&] { return searches("partly") == 1; }));
    // One stream: what is answered later was read later.
    BOOST_TEST(static_cast<bool>(held.try_search(search_for("(uid=user2)"))));
    partly.check_cancel("may have been carried out");
    BOOST_TEST(eventually([&] { return a.count(operation::abandon) == 1u; }));
    // The rest of the answer comes after all.
    directory_answer rest;
    rest.entries = {{"uid=partly," + std::string{people_dn}, {{"uid", {"partly"}}}}};
    std::string late;
    for (const auto& message : encode_answer(operation::search, request_for("partly").id, rest)) late += message;
    a.when([](const directory_request& r) { return r.filter == "(uid=user3)"; },
           [this, late](const directory_request& r) {
             std::string own;
             for (const auto& message : encode_answer(operation::search, r.id, a.usual(r).what)) own += message;
             return reply{a.usual(r).what, {.raw = late + own}};
           },
           1);
    const auto next = held.try_search(search_for("(uid=user3)"));
    BOOST_TEST_REQUIRE(static_cast<bool>(next), why(next));
    BOOST_TEST(next->entries.at(0).dn == user_dn(3));
    BOOST_TEST(partly.times() == 1);
  }
  check_end(manager, {}, 1);
}

BOOST_FIXTURE_TEST_CASE(scenario_31_cancelled_between_two_attempts, calm_directory) {
  auto all = calm();
  // After the first quick attempts at repair the request rests for this long.
  all.recovery.recovery_delay = 30s;
  all.recovery.recovery_attempts = 2;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.stop();
  cancellable resting(manager, find("resting"), 300s);
  const auto rests = [&] { return server_in(manager.snapshot(), a.port()).pool.now.waiters == 0u; };
  BOOST_TEST_REQUIRE(eventually([&] { return holds_for(rests, 500ms); }));
  BOOST_TEST(!resting.done(), why(resting.last()));
  resting.check_cancel("cancelled");
  a.start();
  BOOST_TEST(eventually([&] { return static_cast<bool>(manager.try_search(search_for("(uid=user1)"), {5s})); }));
  BOOST_TEST(searches("resting") == 0u);
  check_end(manager, {&resting}, 0, closed(manager));
}

BOOST_FIXTURE_TEST_CASE(scenario_31_a_write_that_was_cancelled_is_sent_once, calm_directory) {
  connection_manager manager(calm());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.disturb(operation::modify, {.silent = true});
  cancellable write(manager, make_request(replace_description(user_dn(1), "x")));
  BOOST_TEST_REQUIRE(eventually([&] { return a.count(operation::modify) == 1u; }));
  write.check_cancel("may have been carried out");
  BOOST_TEST(eventually([&] { return a.count(operation::abandon) == 1u; }));
  check_end(manager, {&write}, 1);
  BOOST_TEST(a.count(operation::modify) == 1u);
}

BOOST_FIXTURE_TEST_CASE(scenario_31_a_users_bind_cannot_be_abandoned_and_costs_its_connection, calm_directory) {
  connection_manager manager(calm());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.when([](const directory_request& r) { return r.dn == user_dn(7); },
         [this](const directory_request& r) {
           return reply{a.usual(r).what, {.silent = true}};
         },
         1);
  cancellable bind(manager, make_request(bind_request{user_dn(7), secret{user_password(7)}}));
  const auto sent = [&] {
    for (const auto& each : a.binds())
      if (each.dn == user_dn(7)) return true;
    return false;
  };
  BOOST_TEST_REQUIRE(eventually(sent));
  const auto open = a.open_connections();
  bind.check_cancel("may have been carried out");
  BOOST_TEST(eventually([&] { return a.open_connections() < open; }));
  const auto again = manager.try_bind({user_dn(7), secret{user_password(7)}});
  BOOST_TEST(static_cast<bool>(again), why(again));
  check_end(manager, {&bind}, 0, closed(manager));
}

BOOST_FIXTURE_TEST_CASE(scenario_31_cancelled_when_it_was_answered, calm_directory) {
  connection_manager manager(calm());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  cancellable answered(manager, find("user5"));
  BOOST_TEST_REQUIRE(eventually([&] { return answered.done(); }));
  answered.cancel();
  BOOST_TEST(static_cast<bool>(answered.last()));
  check_end(manager, {&answered}, 0);
}

BOOST_FIXTURE_TEST_CASE(scenario_31_cancelled_at_any_moment, calm_directory) {
  connection_manager manager(calm());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  constexpr unsigned seed = 31;
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  std::vector<std::unique_ptr<cancellable>> all;
  for (int i = 0; i < 400; ++i) {
    all.push_back(std::make_unique<cancellable>(manager, find("user" + std::to_string(i % 10))));
    // One of the last few: some are queued, some sent, some answered.
    const auto back = std::uniform_int_distribution<std::size_t>{0, std::min<std::size_t>(all.size() - 1, 7)}(random);
    if (random() % 2 == 0) all[all.size() - 1 - back]->cancel();
    if (random() % 16 == 0) std::this_thread::yield();
  }
  std::vector<const cancellable*> seen;
  std::uint64_t cancelled = 0;
  for (const auto& one : all) {
    BOOST_TEST_REQUIRE(eventually([&] { return one->done(); }));
    const auto last = one->last();
    BOOST_TEST((last || last.code() == errc::cancelled), why(last));
    cancelled += last ? 0 : 1;
    seen.push_back(one.get());
  }
  BOOST_TEST_MESSAGE(cancelled << " of " << all.size() << " were cancelled");
  BOOST_TEST(a.count(operation::abandon) <= cancelled);
  check_end(manager, seen, a.count(operation::abandon));
}
