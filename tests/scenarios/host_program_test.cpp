// Scenario 49: the program around the runtime forks, has its own ideas about signals, and starts and stops it often.
#include "scenarios/bare_runtime.hpp"
#include "understudy/runtime/client/client.hpp"

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/certificates.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// What a forked child found wrong, told by its exit code: the number of the first check that failed.
class child_checks {
 public:
  void check(bool holds) {
    ++number_;
    if (!holds && failed_ == 0) failed_ = number_;
  }
  /// The call ends as `stopped`, saying why.
  template <class Call>
  void check_throws(const Call& call) {
    try {
      call();
      check(false);
    } catch (const ldap_exception& e) {
      check(e.code() == errc::stopped && std::string{e.what()}.find("forked") != std::string::npos);
    }
  }
  void check_refused(const outcome& answer) {
    check(answer.code() == errc::stopped && why(answer).find("forked") != std::string::npos);
  }
  int exit_code() const { return failed_; }

 private:
  int number_ = 0, failed_ = 0;
};

/// True when a child can be made. GCC 12's AddressSanitizer does not take the locks of its allocator for a fork: a
/// child that is made while another thread allocates waits for that lock in its own first allocation, for ever (seen
/// with a debugger; a program of thirty lines does it too). Then, and only then, every other thread has to be asleep.
bool quiet_enough_to_fork() {
#ifdef __SANITIZE_ADDRESS__
  const std::string mine = std::to_string(::gettid());
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream file(thread.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    const auto name_end = stat.rfind(')');  // "pid (name) state …", see proc(5)
    if (thread.path().filename() != mine && (name_end == std::string::npos || stat.compare(name_end, 4, ") S ") != 0))
      return false;
  }
#endif
  return true;
}

/// For who forks: nothing wakes a thread of the parent's between the look of quiet_enough_to_fork() and the fork.
settings settings_without_checks(const stub_directory& a) {
  auto all = quick_settings({server_at(a.port())});
  all.failover.health_check_interval = 1h;
  all.pool.health_check_interval = 1h;
  return all;
}

/// Runs `body` in a forked child; -1 when it does not end by itself.
int run_in_child(const std::function<void(child_checks&)>& body) {
  BOOST_TEST_REQUIRE(eventually(quiet_enough_to_fork));
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    child_checks checks;
    try {
      body(checks);
    } catch (...) {
      checks.check(false);
    }
    ::_exit(checks.exit_code());
  }
  BOOST_TEST_REQUIRE(child > 0);
  int status = -1;
  BOOST_TEST(eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; }, 70s));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void use_everything(connection_manager& manager, child_checks& checks) {
  checks.check_refused(manager.try_search(search_for("(uid=user1)")));
  checks.check_refused(manager.try_modify(replace_description(user_dn(1), "from the child")));
  checks.check_refused(manager.async_search(search_for("(uid=user1)")).get());
  checks.check_throws([&] { manager.whoami(); });
  checks.check_throws([&] { static_cast<void>(manager.get_connection()); });
  checks.check_throws([&] { static_cast<void>(manager.snapshot()); });
  checks.check_throws([&] { static_cast<void>(manager.get_metrics()); });
  checks.check_throws([&] { static_cast<void>(manager.check_performance()); });
  checks.check_throws([&] { static_cast<void>(manager.probe_all()); });
  checks.check_throws([&] { manager.suspend("127.0.0.1:1"); });
  checks.check_throws([&] { manager.start_monitoring(); });
  const auto result = manager.connect();
  checks.check(!result.connected && result.connection_error.find("forked") != std::string::npos);
  const auto health = manager.health_check();
  checks.check(!health.connected && health.connection_error.find("forked") != std::string::npos);
  checks.check(!manager.is_connected());
  checks.check(!manager.disconnect());
}

/// Who searches while children are made: see quiet_enough_to_fork().
#ifdef __SANITIZE_ADDRESS__
constexpr int callers_at_fork = 0;
#else
constexpr int callers_at_fork = 8;
#endif

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_49_a_forked_child_gets_clear_errors_and_sends_nothing) {
  leak_guard leaks;
  stub_directory a;
  auto manager = std::make_unique<connection_manager>(settings_without_checks(a));
  BOOST_TEST_REQUIRE(manager->connect().connected);
  auto held = std::make_unique<lease>(manager->get_connection());
  {
    // Locks are taken and requests are under way when the child is made.
    background_load reads(*manager, callers_at_fork);
    for (int i = 0; i < 10; ++i) {
      const auto so_far = reads.succeeded();
      BOOST_TEST(eventually([&] { return callers_at_fork == 0 || reads.succeeded() > so_far + 20; }));
      const int failed = run_in_child([&](child_checks& checks) {
        use_everything(*manager, checks);
        checks.check_refused(held->try_whoami());
        checks.check(!held->release());
        checks.check_throws([&] { manager->return_connection(*held); });
        held.reset();
        manager.reset();
      });
      BOOST_TEST(failed == 0, "check " << failed << " failed in the child");
    }
    BOOST_TEST(reads.finish());
    BOOST_TEST(reads.failures().empty(), reads.example());
  }
  const auto mine = held->try_whoami();
  BOOST_TEST(static_cast<bool>(mine), why(mine));
  BOOST_TEST(held->release());
  BOOST_TEST(a.count(operation::modify) == 0u);
  BOOST_TEST(a.count(operation::unbind) == 0u);
  BOOST_TEST(server_in(manager->snapshot(), a.port()).pool.closed == 0u);
  end_scenario(*manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_49_a_forked_child_makes_a_manager_of_its_own) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(settings_without_checks(a));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const int failed = run_in_child([&](child_checks& checks) {
    connection_manager own(quick_settings({server_at(a.port())}));
    checks.check(own.connect().connected);
    checks.check(static_cast<bool>(own.try_modify(replace_description(user_dn(1), "from the child"))));
    checks.check(own.disconnect());
  });
  BOOST_TEST(failed == 0, "check " << failed << " failed in the child");
  BOOST_TEST(a.count(operation::modify) == 1u);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_49_a_child_that_lives_on_keeps_no_connection_open) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(120);
    for (;;) ::pause();
  }
  BOOST_TEST_REQUIRE(child > 0);
  // A connection that broke is closed without a goodbye; the server shall see its end all the same.
  const auto open = a.open_connections();
  const auto accepted = a.connections();
  a.on(operation::search, reply{{}, {.raw = "garbage"}}, 1);
  static_cast<void>(manager.try_search(search_for("(uid=user1)")));
  BOOST_TEST(eventually([&] { return a.connections() - a.open_connections() > accepted - open; }));
  end_scenario(manager, {a});
  ::kill(child, SIGKILL);
  int status = 0;
  BOOST_TEST(::waitpid(child, &status, 0) == child);
}

namespace {

/// Every signal's action and this thread's mask.
struct signal_state {
  std::array<struct sigaction, NSIG> actions{};
  sigset_t mask{};

  signal_state() {
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, nullptr, &actions.at(index(number)));
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  }
  void check_same(const signal_state& other) const {
    for (int number = 1; number < NSIG; ++number) {
      BOOST_TEST((actions.at(index(number)).sa_handler == other.actions.at(index(number)).sa_handler), number);
      BOOST_TEST(actions.at(index(number)).sa_flags == other.actions.at(index(number)).sa_flags, number);
      BOOST_TEST(::sigismember(&mask, number) == ::sigismember(&other.mask, number), number);
    }
  }

 private:
  static std::size_t index(int number) { return static_cast<std::size_t>(number); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_49_sigpipe_may_kill_and_does_not) {
  leak_guard leaks;
  struct sigaction deadly {};
  deadly.sa_handler = SIG_DFL;
  struct sigaction before {};
  ::sigaction(SIGPIPE, &deadly, &before);
  const signal_state as_host_wants;
  const certificate_set certificates;
  for (const bool encrypted : {false, true}) {
    stub_options with;
    if (encrypted) with.tls = tls_files{certificates.server.certificate, certificates.server.key};
    with.ldaps = encrypted;
    stub_directory a(with), b(with);
    std::vector<connection_info> servers{server_at(a.port(), 1), server_at(b.port(), 2)};
    for (auto& each : servers) {
      each.use_ssl = encrypted;
      if (encrypted) each.ca_cert_path = certificates.ca.certificate();
    }
    connection_manager manager(quick_settings(servers));
    BOOST_TEST_REQUIRE(manager.connect().connected);
    as_host_wants.check_same({});
    {
      background_load reads(manager, 32);
      // Large writes are under way when the connection goes: some of them hit a socket that is closed.
      const std::string large(256 * 1024, 'v');
      background_load writes(manager, 4, [&](int number) {
        return make_request(replace_description(user_dn(number % 10), large + std::to_string(number)));
      });
      for (int i = 0; i < 20; ++i) {
        const auto so_far = reads.succeeded();
        BOOST_TEST(eventually([&] { return reads.succeeded() > so_far + 20; }), reads.example());
        i % 2 == 0 ? a.close_all() : a.reset_all();
      }
      BOOST_TEST(reads.finish());
      BOOST_TEST(writes.finish());
      BOOST_TEST(reads.failures().empty(), reads.example());
    }
    as_host_wants.check_same({});
    end_scenario(manager, {a, b});
    as_host_wants.check_same({});
  }
  ::sigaction(SIGPIPE, &before, nullptr);
}

namespace {

/// Bytes of the heap in use, and pages of this process in memory.
struct memory {
  std::size_t used = 0, resident = 0;
};

memory memory_now() {
  ::malloc_trim(0);
  std::size_t total = 0, pages = 0;
  std::ifstream{"/proc/self/statm"} >> total >> pages;
  return {::mallinfo2().uordblks, pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))};
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_is_ours = false;  // sanitizers keep what was freed
#else
constexpr bool memory_is_ours = true;
#endif

void check_memory(const memory& before, const memory& after) {
  if (!memory_is_ours) return;
  BOOST_TEST(after.used < before.used + 512 * 1024, before.used << " bytes became " << after.used);
  BOOST_TEST(after.resident < before.resident + 8 * 1024 * 1024,
             before.resident << " resident bytes became " << after.resident);
}

constexpr int often = 100, warm_up = 20;

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_49_started_and_stopped_a_hundred_times) {
  leak_guard leaks;
  stub_directory a;
  const auto all = quick_settings({server_at(a.port())});
  connection_manager again(all);
  const signal_state signals;
  memory before;
  for (int i = 0; i < often; ++i) {
    if (i == warm_up) before = memory_now();
    leak_guard each;
    connection_manager once(all);
    for (auto* manager : {&once, &again}) {
      const auto result = manager->connect();
      BOOST_TEST_REQUIRE(result.connected, result.connection_error);
      BOOST_TEST(static_cast<bool>(manager->try_search(search_for("(uid=user1)"))));
      BOOST_TEST(manager->disconnect());
    }
  }
  check_memory(before, memory_now());
  signals.check_same({});
  BOOST_TEST(eventually([&] { return a.open_connections() == 0; }));
}

BOOST_AUTO_TEST_CASE(scenario_49_started_by_one_thread_and_stopped_by_another) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST_REQUIRE(manager.connect().connected);
    bool stopped = false;
    std::thread([&] { stopped = manager.disconnect(); }).join();
    BOOST_TEST(stopped);
    // And while the first waits for something.
    stub_directory mute;
    mute.disturb_all({.silent = true});
    connection_manager waiting(quick_settings({server_at(mute.port())}));
    bool connected = true;
    std::thread waiter([&] { connected = waiting.connect().connected; });
    BOOST_TEST(eventually([&] { return mute.connections() > 0; }));
    waiting.disconnect();
    waiter.join();
    BOOST_TEST(!connected);
  }
  BOOST_TEST(eventually([&] { return a.open_connections() == 0; }));
}

BOOST_AUTO_TEST_CASE(scenario_49_a_hundred_runtimes_leave_no_actor_in_the_hosts_system) {
  leak_guard leaks;
  stub_directory a;
  const auto all = std::make_shared<const settings>(completed(quick_settings({server_at(a.port())})));
  caf::actor_system_config config;
  configure(config);
  config.set("scheduler.max-threads", 2);
  caf::actor_system system{config};
  for (int i = 0; i < often; ++i) {
    runtime one(system, all);
    const auto answer = one.client().perform(make_request(search_for("(uid=user1)")), {20s});
    BOOST_TEST(static_cast<bool>(answer), why(answer));
    BOOST_TEST(one.stop(5s));
    BOOST_TEST(eventually([&] { return system.registry().running() == 0; }), system.registry().running()
                                                                                 << " actors are left");
  }
}
