// Where completions run: on a thread of the runtime or on the caller's executor, never inside anybody's call, and what
// they must not wait for is refused on each of those threads.
#include "support/eventually.hpp"
#include "support/print.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/platform/poller_scheduler.hpp"
#include "understudy/runtime/runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

settings settings_for(const stub_directory& server) {
  settings all;
  all.servers.emplace_back();
  all.servers.front().host = "127.0.0.1";
  all.servers.front().port = server.port();
  all.log.level = log_level::error;
  return all;
}

request_ptr any_search() { return make_request(search_request{}); }

/// Counts calls of completions and executors, and notes the threads that made them.
class thread_notes {
 public:
  void note() {
    const std::lock_guard lock(guard_);
    threads_.insert(std::this_thread::get_id());
    ++calls_;
  }
  int calls() const {
    const std::lock_guard lock(guard_);
    return calls_;
  }
  bool here() const {
    const std::lock_guard lock(guard_);
    return threads_.count(std::this_thread::get_id()) > 0;
  }

 private:
  mutable std::mutex guard_;
  std::set<std::thread::id> threads_;
  int calls_ = 0;
};

struct connected {
  explicit connected(int max_requests = 10'000) {
    auto all = settings_for(server);
    all.limits.max_requests = max_requests;
    all.breaker.suspect_after = 1h;    // what fill() sends stays unanswered …
    all.limits.drain_timeout = 200ms;  // … and is not waited for in the end
    manager.emplace(all);
    BOOST_TEST_REQUIRE(manager->connect().connected);
  }
  /// Takes the only permit until the server is told to answer.
  void fill() {
    delivery never;
    never.silent = true;
    server.disturb(operation::search, never);
    manager->start(any_search(), [this](const outcome&) { kept.note(); }, {1h});
  }

  thread_notes kept;  // outlives the manager, whose end tells of what is still open
  stub_directory server;
  std::optional<connection_manager> manager;
};

/// Starts the next request in the completion of the last, `rounds` times.
struct chain {
  directory& on;
  std::atomic<int> left;
  thread_notes told{};
  std::set<errc> codes{};
  call_options options{};
  executor where{};

  void next() {
    on.start(
        any_search(),
        [this](const outcome& o) {
          told.note();
          codes.insert(o.code());
          if (--left > 0) next();
        },
        options, where);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_completion_that_was_handed_over_by_a_waiting_caller_may_not_wait_either) {
  stub_directory server;
  auto all = settings_for(server);
  all.limits.operation_timeout = 1s;
  runtime it(std::make_shared<const settings>(all));
  BOOST_TEST_REQUIRE(eventually([&] { return static_cast<bool>(it.client().perform(any_search(), {})); }));
  server.set_entries(std::vector<entry>{});
  std::atomic<int> told{0}, refused{0};
  for (int i = 0; i < 200; ++i) {
    std::thread other([&] { it.client().perform(any_search(), {}); });
    it.env()->poller->run_inline([&] {
      it.client().start(any_search(),
                        [&](const outcome&) {
                          if (it.client().perform(any_search(), {}).code() == errc::invalid_request) ++refused;
                          ++told;
                        },
                        {}, {});
    });
    BOOST_TEST_REQUIRE(static_cast<bool>(it.client().perform(any_search(), {})));
    other.join();
  }
  BOOST_TEST(eventually([&] { return told == 200; }));
  BOOST_TEST(refused == 200);
}

BOOST_AUTO_TEST_CASE(completions_that_search_and_two_threads_that_search_do_not_stop_the_runtime) {
  connected c;
  std::atomic<int> told{0}, refused{0}, failed{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      while (!over)
        if (!c.manager->try_search({})) ++failed;
    });
  constexpr int rounds = 1000;
  for (int i = 0; i < rounds; ++i) {
    c.manager->start(any_search(), [&](const outcome&) {
      if (c.manager->try_search({}).code() == errc::invalid_request) ++refused;
      ++told;
    });
    if (i % 4 == 3) c.manager->try_search({});
  }
  BOOST_TEST(eventually([&] { return told == rounds; }));
  over = true;
  for (auto& t : threads) t.join();
  BOOST_TEST(refused == rounds);
  BOOST_TEST(failed == 0);
}

BOOST_AUTO_TEST_CASE(a_lent_thread_gives_an_executor_of_others_to_the_runtimes_own) {
  stub_directory server;
  auto all = settings_for(server);
  all.servers.front().port = 1;  // nobody: what is asked is refused at once, in the turns below
  all.servers.front().max_retries = 0;
  all.breaker.circuit_breaker_threshold = 1;
  all.breaker.open_base = all.breaker.open_cap = 600s;
  all.recovery.auto_recovery = false;
  runtime it(std::make_shared<const settings>(all));
  BOOST_TEST_REQUIRE(eventually([&] { return it.client().perform(any_search(), {}).code() == errc::breaker_open; }));
  thread_notes asked;
  constexpr int rounds = 200;
  const executor where = [&](std::function<void()> job) {
    asked.note();
    job();
  };
  for (int i = 0; i < rounds; ++i) {
    it.env()->poller->run_inline([&] {
      it.client().start(
          any_search(), [](const outcome&) {}, {}, where);
    });
    BOOST_TEST_REQUIRE(eventually([&] { return asked.calls() == i + 1; }));
  }
  BOOST_TEST(!asked.here());
}

BOOST_AUTO_TEST_CASE(a_refused_request_is_told_on_a_thread_of_the_runtime) {
  connected c{1};
  c.fill();
  thread_notes told, asked;
  std::mutex mine;  // as a caller's own lock may be, which the completion takes too
  {
    const std::lock_guard held(mine);
    c.manager->start(any_search(), [&](const outcome& o) {
      const std::lock_guard lock(mine);
      if (o.code() == errc::queue_full) told.note();
    });
  }
  BOOST_TEST(eventually([&] { return told.calls() == 1; }));
  BOOST_TEST(!told.here());
  c.manager->start(
      any_search(), [&](const outcome&) { told.note(); }, {},
      [&](std::function<void()> job) {
        asked.note();
        job();
      });
  BOOST_TEST(eventually([&] { return told.calls() == 2; }));
  BOOST_TEST(!asked.here());
  BOOST_TEST(c.manager->async(any_search()).get().code() == errc::queue_full);
}

BOOST_AUTO_TEST_CASE(a_completion_of_a_refused_request_may_not_wait_either) {
  connected c{1};
  c.fill();
  // Never inside its own destruction.
  const auto said = std::make_shared<std::promise<errc>>();
  c.manager->start(any_search(), [&c, said](const outcome& o) {
    lease_options short_wait;
    short_wait.timeout = 1s;
    try {
      c.manager->get_connection(short_wait);
      said->set_value(o.code());
    } catch (const ldap_exception& e) {
      said->set_value(e.code());
    }
  });
  auto told = said->get_future();
  BOOST_TEST_REQUIRE((told.wait_for(60s) == std::future_status::ready));
  BOOST_TEST(told.get() == errc::invalid_request);
}

BOOST_AUTO_TEST_CASE(a_request_that_is_cancelled_before_it_is_sent_is_told_on_a_thread_of_the_runtime) {
  connected c;
  cancel_source source;
  source.cancel();
  call_options options;
  options.cancel = &source;
  thread_notes told;
  std::atomic<errc> code{errc::none};
  c.manager->start(
      any_search(),
      [&](const outcome& o) {
        code = o.code();
        told.note();
      },
      options);
  BOOST_TEST(eventually([&] { return told.calls() == 1; }));
  BOOST_TEST(code.load() == errc::cancelled);
  BOOST_TEST(!told.here());
}

BOOST_AUTO_TEST_CASE(requests_on_a_lease_that_ended_are_told_on_a_thread_of_the_runtime) {
  connected c;
  auto mine = c.manager->get_connection();
  BOOST_TEST_REQUIRE(mine.release());
  thread_notes told;
  auto other = c.manager->get_connection();
  lease moved{std::move(other)};
  c.server.close_all();
  BOOST_TEST(eventually([&] { return moved.try_whoami().code() == errc::connection_unhealthy; }));
  // Its actor is gone by and by: who sends to it then is answered from within.
  std::atomic<bool> gone{false};
  int sent = 0;
  const auto bounces = [&] {
    moved.start(make_request(whoami_request{}), [&](const outcome& found) {
      gone = found.error()->message.find("was closed") != std::string::npos;
      told.note();
    });
    ++sent;
    BOOST_TEST_REQUIRE(eventually([&] { return told.calls() == sent; }));
    return gone.load();
  };
  BOOST_TEST(eventually(bounces));
  BOOST_TEST(!told.here());
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_refused_requests_one_out_of_the_other_do_not_use_up_the_stack) {
  connected c{1};
  c.fill();
  chain refused{*c.manager, 100'000};
  refused.next();
  BOOST_TEST(eventually([&] { return refused.left == 0; }));
  BOOST_TEST(!refused.told.here());
  BOOST_TEST((refused.codes == std::set<errc>{errc::queue_full}));

  chain inside{*c.manager, 100'000};
  inside.where = [](const std::function<void()>& job) { job(); };
  inside.next();
  BOOST_TEST(eventually([&] { return inside.left == 0; }));
  BOOST_TEST(!inside.told.here());
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_requests_to_a_manager_without_threads_do_not_use_up_the_stack) {
  stub_directory server;
  connection_manager manager(settings_for(server));
  chain never{manager, 100'000};
  never.next();
  // There is no thread of ours: this one told them, each after the other, before next() returned.
  BOOST_TEST(never.left == 0);
  BOOST_TEST((never.codes == std::set<errc>{errc::stopped}));

  BOOST_TEST_REQUIRE(manager.connect().connected);
  auto mine = manager.get_connection();
  manager.disconnect();
  chain after{manager, 100'000};
  after.next();
  BOOST_TEST(after.left == 0);
  chain leased{mine, 100'000};
  leased.next();
  BOOST_TEST(leased.left == 0);
  chain elsewhere{manager, 100'000};
  elsewhere.where = [](const std::function<void()>& job) { job(); };
  elsewhere.next();
  BOOST_TEST(elsewhere.left == 0);
}

BOOST_AUTO_TEST_CASE(a_completion_without_a_runtime_may_wait_for_a_future) {
  stub_directory server;
  connection_manager manager(settings_for(server));
  int told = 0;
  manager.start(any_search(), [&](const outcome&) {
    if (manager.async(any_search()).get().code() == errc::stopped) ++told;
    if (manager.try_search({}).code() == errc::stopped) ++told;
  });
  BOOST_TEST(told == 2);
}

BOOST_AUTO_TEST_CASE(what_a_stop_cuts_off_is_told_on_a_thread_of_the_runtime) {
  stub_directory server;
  delivery never;
  never.silent = true;
  server.disturb(operation::search, never);
  runtime it(std::make_shared<const settings>(settings_for(server)));
  thread_notes told;
  for (int i = 0; i < 3; ++i) it.client().start(any_search(), [&](const outcome&) { told.note(); }, {}, {});
  it.client().close();
  BOOST_TEST(eventually([&] { return told.calls() == 3; }));
  BOOST_TEST(!told.here());
}
