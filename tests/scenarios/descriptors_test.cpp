// Scenario 41: no file descriptors are left. Attempts back off, the reason is told, and service returns with them.
#include "scenarios/scenario.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include "support/certificates.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* system_words = "Too many open files";

/// While it lives, this process gets no new descriptor; those that are open stay usable.
class no_descriptors {
 public:
  no_descriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    // Not more than those that stay open: closing others must not make room.
    none.rlim_cur = STDERR_FILENO + 1;
    ::setrlimit(RLIMIT_NOFILE, &none);
    BOOST_TEST_REQUIRE(::open("/dev/null", O_RDONLY | O_CLOEXEC) == -1);
  }
  ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  no_descriptors(const no_descriptors&) = delete;
  no_descriptors& operator=(const no_descriptors&) = delete;

 private:
  rlimit before_{};
};

double cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

std::uint64_t attempts(connection_manager& manager, const stub_directory& server) {
  return server_in(manager.snapshot(), server.port()).pool.connect_failures;
}

/// Its connections are gone, and there are no descriptors for new ones: told why, at a bounded rate.
void check_starved(connection_manager& manager, stub_directory& server, const std::string& words) {
  no_descriptors starved;
  server.close_all();
  BOOST_TEST(eventually([&] { return attempts(manager, server) > 2; }));
  const auto failed = manager.try_search(search_for("(uid=user1)"), {3s});
  BOOST_TEST(!failed);
  BOOST_TEST(why(failed).find(words) != std::string::npos, why(failed));
  const auto seen = server_in(manager.snapshot(), server.port());
  BOOST_TEST(seen.pool.last_error.find(words) != std::string::npos, seen.pool.last_error);
  // It is not the server that ran out of something.
  BOOST_TEST(seen.last_error.find(words) == std::string::npos, seen.last_error);
  // A busy loop would make thousands of attempts, and take what CPU it gets.
  const auto before = attempts(manager, server);
  const auto cpu = cpu_seconds();
  BOOST_TEST(holds_for([&] { return attempts(manager, server) - before < 200; }, 2s));
  BOOST_TEST(cpu_seconds() - cpu < 1.0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_41_connections_lost_without_descriptors_for_new_ones) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  check_starved(manager, a, system_words);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_41_tls_and_names_without_descriptors) {
  leak_guard leaks;
  const certificate_set certificates;
  stub_directory a(stub_with_tls(certificates, true));
  auto info = server_at(a.port());
  info.host = "localhost";
  info.use_ssl = true;
  info.ca_cert_path = certificates.ca.certificate();
  connection_manager manager(quick_settings({info}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  check_starved(manager, a, system_words);
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_41_what_runs_goes_on_without_new_descriptors) {
  leak_guard leaks;
  temporary_folder folder;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  all.log.file = folder / "log";
  all.log.level = log_level::debug;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return a.open_connections() >= 2u; }));
  const auto logged = [&] { return std::filesystem::file_size(folder / "log"); };
  {
    background_load reads(manager, 8);
    no_descriptors starved;
    const auto so_far = reads.succeeded();
    BOOST_TEST(eventually([&] { return reads.succeeded() > so_far + 500; }));
    const auto bytes = logged();
    a.close_all();
    BOOST_TEST(eventually([&] { return logged() > bytes; }));
    BOOST_TEST(eventually([&] { return !reads.failures().empty(); }));
    BOOST_TEST(reads.example().find(system_words) != std::string::npos, reads.example());
    BOOST_TEST(reads.finish());
  }
  end_scenario(manager, {a});
  BOOST_TEST(read_file(folder / "log").find(system_words) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(scenario_41_a_start_without_descriptors_is_a_clear_error) {
  leak_guard leaks;
  temporary_folder folder;
  stub_directory a;
  auto all = quick_settings({server_at(a.port())});
  connection_manager manager(all);
  all.log.file = folder / "log";
  connection_manager logging(all);
  {
    no_descriptors starved;
    for (auto* each : {&manager, &logging}) {
      const auto result = each->connect();
      BOOST_TEST(!result.connected);
      BOOST_TEST(result.connection_error.find(system_words) != std::string::npos, result.connection_error);
      BOOST_TEST(!each->is_connected());
      const auto asked = each->try_search(search_for("(uid=user1)"));
      BOOST_TEST(asked.code() == errc::stopped, why(asked));
    }
  }
  for (auto* each : {&manager, &logging}) {
    BOOST_TEST(each->connect().connected);
    end_scenario(*each, {a});
  }
}
