// Strangers that are reached and yet of no use: silent on one connection, gone after the bind, slow beyond use; and a
// process of our own without descriptors.
#include "scenarios/scenario.hpp"
#include "strangers/usual_pace.hpp"
#include "support/certificates.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <filesystem>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// While it lives, this process may open so many descriptors more.
class few_descriptors {
 public:
  explicit few_descriptors(std::size_t more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = open_descriptors() + more;
    BOOST_TEST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  }
  ~few_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  few_descriptors(const few_descriptors&) = delete;
  few_descriptors& operator=(const few_descriptors&) = delete;

 private:
  rlimit before_{};
};

bool reads_root_dse(const directory_request& r) {
  return r.kind == operation::search && r.dn.empty() && r.scope == search_scope::base;
}
bool is_users_search(const directory_request& r) { return r.kind == operation::search && !r.dn.empty(); }

}  // namespace

BOOST_AUTO_TEST_CASE(stranger_to_a_process_without_descriptors_is_not_blamed_for_it) {
  leak_guard leaks;
  slapd server;  // a process of its own: the shortage is ours alone
  auto how = server_at(server.port());
  how.pool_size = 200;
  how.max_pool_size = 250;
  auto all = quick_settings({how});
  all.pool.preload_connections = true;
  connection_manager manager(all);
  {
    const few_descriptors shortage(60);
    BOOST_TEST_REQUIRE(manager.connect().connected);
    background_load reads(manager, 8, {}, 5s);
    const auto here = [&] { return server_in(manager.snapshot(), server.port()); };
    BOOST_TEST(eventually([&] { return here().pool.growth_limit > 0u; }));
    BOOST_TEST(holds_for([&] { return here().breaker == breaker_state::closed && reads.failures().empty(); }, 2s),
               reads.example());
    BOOST_TEST(here().pool.now.size >= 20u, "what could be opened serves");
    BOOST_TEST(reads.finish());
    BOOST_TEST(reads.failures().empty(), reads.example());
    BOOST_TEST(reads.succeeded() > 100u);
  }
  end_scenario(manager, {server});
}

BOOST_AUTO_TEST_CASE(stranger_that_leaves_a_check_unanswered_is_given_nothing_on_that_connection) {
  leak_guard leaks;
  stub_directory server;
  auto how = server_at(server.port());
  how.pool_size = 2;
  how.timeout = 2s;
  connection_manager manager(quick_settings({how}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(eventually([&] { return server_in(manager.snapshot(), server.port()).pool.now.idle == 2u; }));
  // The one that was used last is used next.
  std::atomic<std::uint64_t> last{0}, used{0};
  std::atomic<bool> asked{false};
  server.when(
      [&](const directory_request& r) {
        if (is_users_search(r)) last = r.connection;
        return false;
      },
      [](const directory_request&) { return reply{}; });
  BOOST_TEST_REQUIRE(bool{manager.try_search(search_for("(uid=user1)"))});
  const auto silent = last.load();
  BOOST_TEST_REQUIRE(silent != 0u);
  server.when(
      [&, silent](const directory_request& r) {
        if (r.connection != silent) return false;
        if (is_users_search(r)) ++used;
        if (reads_root_dse(r)) asked = true;
        return true;
      },
      [](const directory_request&) {
        return reply{{}, {.silent = true}};
      });
  BOOST_TEST_REQUIRE(eventually([&] { return asked.load(); }));
  for (const auto until = std::chrono::steady_clock::now() + 1s; std::chrono::steady_clock::now() < until;) {
    const stopwatch watch;
    const auto found = manager.try_search(search_for("(uid=user1)"), {5s});
    BOOST_TEST_REQUIRE(bool{found}, why(found));
    BOOST_TEST((watch.elapsed() < 900ms));
  }
  BOOST_TEST(used == 0u);
  server.forget_rules();
  end_scenario(manager, {server});
}

BOOST_AUTO_TEST_CASE(stranger_that_answers_the_bind_and_closes_sees_few_connects) {
  leak_guard leaks;
  stub_directory server;
  connection_manager manager(quick_settings({server_at(server.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  server.disturb(operation::bind, {.then = ending::close});
  server.close_all();
  const auto before = server.connections();
  {
    background_load reads(manager, 8, {}, 1s);
    BOOST_TEST(holds_for([&] { return server.connections() - before <= 60u; }, 3s),
               server.connections() - before << " connects in three seconds");
    BOOST_TEST(reads.finish());
  }
  server.forget_rules();
  end_scenario(manager, {server});
}

BOOST_AUTO_TEST_CASE(stranger_that_sends_a_byte_a_second_costs_a_second_and_a_half) {
  leak_guard leaks;
  stub_directory a, b;
  stopwatch watch;
  connection_manager manager(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(bool{manager.try_search(search_for("(uid=user1)"))});
  await_usual_pace(a, watch);
  a.set_pace(1);
  watch.restart();
  const auto found = manager.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST_REQUIRE(bool{found}, why(found));
  BOOST_TEST(found->server == name_of(b.port()));
  const auto took = watch.elapsed();
  BOOST_TEST((took <= 1500ms), took / 1ms << " ms");
  a.set_pace(0);
  end_scenario(manager, {a, b});
}

BOOST_AUTO_TEST_CASE(stranger_that_left_set_ups_unanswered_is_connected_to_anew_once_it_answers) {
  leak_guard leaks;
  const certificate_set certificates;
  stub_directory server(stub_with_tls(certificates, true));
  auto how = server_at(server.port());
  how.use_ssl = true;
  how.ca_cert_path = certificates.ca.certificate();
  how.timeout = 30s;
  connection_manager manager(quick_settings({how}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  server.set_handshake(handshake::ignore);
  server.close_all();
  const auto before = server.connections();
  static_cast<void>(manager.try_search(search_for("(uid=user1)"), {2s}));
  BOOST_TEST(server.connections() > before);
  server.set_handshake(handshake::complete);
  const stopwatch watch;
  BOOST_TEST(eventually([&] { return bool{manager.try_search(search_for("(uid=user1)"), {1s})}; }));
  BOOST_TEST((watch.elapsed() < 8s), "not after the 30 s of `timeout`");
  end_scenario(manager, {server});
}
