// Scenario 43: names whose addresses change, or have several; servers that DNS lists.
#include "scenarios/scenario.hpp"
#include "support/stall_watch.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// What a test's name server says; changed while look-ups run.
class name_server {
 public:
  void set(std::vector<std::string> addresses) {
    const std::lock_guard lock(guard_);
    addresses_ = std::move(addresses);
  }
  void list(std::vector<service_record> records) {
    const std::lock_guard lock(guard_);
    records_ = std::move(records);
  }
  name_lookups lookups() {
    name_lookups how;
    how.addresses = [this](const std::string& host) {
      const std::lock_guard lock(guard_);
      ++asked_[host];
      return addresses_;
    };
    how.services = [this](const std::string& name) {
      const std::lock_guard lock(guard_);
      ++asked_[name];
      if (records_.empty()) throw std::runtime_error("the name servers are on holiday");
      return service_answer{records_, 300s, {}};
    };
    return how;
  }
  int asked(const std::string& name) {
    const std::lock_guard lock(guard_);
    return asked_[name];
  }

 private:
  std::mutex guard_;
  std::vector<std::string> addresses_{"127.0.0.1"};
  std::vector<service_record> records_;
  std::map<std::string, int> asked_;
};

constexpr const char* host = "ldap.example.test";
constexpr const char* service = "_ldap._tcp.example.test";

connection_info named(std::uint16_t port) {
  auto info = server_at(port);
  info.host = host;
  return info;
}
std::string name_at(std::uint16_t port) { return host + (":" + std::to_string(port)); }

settings from_dns() {
  auto info = server_at(389);
  info.host.clear();
  info.srv = service;
  return quick_settings({info});
}

/// One server of several addresses, each played by a stub of its own: what is connected to any of them counts.
witness server_of(const std::vector<stub_directory*>& addresses) {
  witness all(*addresses.front());
  all.open_connections = [addresses] {
    std::uint64_t sum = 0;
    for (auto* one : addresses) sum += one->open_connections();
    return sum;
  };
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_43_new_connections_follow_an_address_and_old_ones_age_out) {
  leak_guard leaks;
  name_server names;
  stub_directory a;
  stub_directory b{{.address = "127.0.0.2", .port = a.port()}};
  auto how = quick_settings({named(a.port())});
  how.pool.max_lifetime = 1s;
  connection_manager manager(how);
  manager.set_lookups(names.lookups());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 8);
  BOOST_TEST_REQUIRE(eventually([&] { return reads.succeeded() > 100; }));
  BOOST_TEST(b.connections() == 0u);

  names.set({"127.0.0.2"});
  BOOST_TEST(eventually([&] { return b.count(operation::search) > 50 && a.open_connections() == 0; }, 60s),
             a.open_connections() << " connections to the old address are left");
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  end_scenario(manager, {b});
}

BOOST_AUTO_TEST_CASE(scenario_43_every_address_is_tried_the_refusing_and_the_silent_too) {
  leak_guard leaks;
  name_server names;
  stub_directory works;
  stub_directory silent{{.address = "127.0.0.2", .port = works.port()}};
  silent.ignore_connects();
  names.set({"127.0.0.3", "127.0.0.2", "127.0.0.1"});
  auto info = named(works.port());
  info.timeout = 6s;
  connection_manager manager(quick_settings({info}));
  manager.set_lookups(names.lookups());
  const auto connected = manager.connect();
  BOOST_TEST(connected.connected, connected.connection_error);
  const auto answer = manager.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST(static_cast<bool>(answer), why(answer));
  BOOST_TEST(works.connections() > 0u);
  BOOST_TEST(silent.connections() == 0u);
  silent.start();
  end_scenario(manager, {server_of({&works, &silent})});
}

/// A time-out for each address one after the other took ten seconds here, and probes gave up after five.
BOOST_AUTO_TEST_CASE(scenario_43_addresses_that_answer_no_connects_cost_a_fraction_of_a_second) {
  leak_guard leaks;
  name_server names;
  stub_directory works, second;
  stub_directory silent{{.address = "127.0.0.2", .port = works.port()}};
  stub_directory mute{{.address = "127.0.0.3", .port = works.port()}};
  silent.ignore_connects();
  mute.ignore_connects();
  names.set({"127.0.0.2", "127.0.0.3", "127.0.0.1"});
  auto info = named(works.port());
  auto other = server_at(second.port());
  info.priority = 1;
  other.priority = 2;
  info.timeout = other.timeout = 30s;
  connection_manager manager(quick_settings({info, other}));
  manager.set_lookups(names.lookups());
  const stopwatch watch;
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto first = manager.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST_REQUIRE(static_cast<bool>(first), why(first));
  BOOST_TEST(first->server == name_at(works.port()));
  BOOST_TEST((watch.elapsed() < 1500ms));
  // Probes come the same way: it is found well again, and preferred.
  works.stop();
  BOOST_TEST(eventually([&] {
    const auto answer = manager.try_search(search_for("(uid=user1)"), {20s});
    return answer && answer->server != name_at(works.port());
  }));
  works.start();
  BOOST_TEST(eventually([&] {
    const auto answer = manager.try_search(search_for("(uid=user1)"), {20s});
    return answer && answer->server == name_at(works.port());
  }));
  silent.start();
  mute.start();
  end_scenario(manager, {server_of({&works, &silent, &mute}), second});
}

BOOST_AUTO_TEST_CASE(scenario_43_the_old_addresses_serve_while_the_name_server_fails) {
  leak_guard leaks;
  name_server names;
  stub_directory a;
  auto how = quick_settings({named(a.port())});
  how.pool.max_lifetime = 1s;
  connection_manager manager(how);
  manager.set_lookups(names.lookups());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  background_load reads(manager, 4);
  names.set({});
  const auto asked = names.asked(host);
  BOOST_TEST(eventually([&] { return names.asked(host) > asked + 1; }, 60s));
  const auto opened = a.connections();
  BOOST_TEST(eventually([&] { return a.connections() > opened; }));
  BOOST_TEST(reads.finish());
  BOOST_TEST(reads.failures().empty(), reads.example());
  names.set({"127.0.0.1"});
  end_scenario(manager, {a});
}

BOOST_AUTO_TEST_CASE(scenario_43_dns_lists_the_servers_and_other_ones_when_all_of_them_are_down) {
  leak_guard leaks;
  name_server names;
  stub_directory a, b, c;
  names.list({{std::string{host} + ".", a.port(), 10, 0}, {host, b.port(), 20, 0}});
  connection_manager manager(from_dns());
  manager.set_lookups(names.lookups());
  const auto connected = manager.connect();
  BOOST_TEST_REQUIRE(connected.connected, connected.connection_error);
  BOOST_TEST(connected.host == host);
  BOOST_TEST(connected.port == a.port());
  const auto first = manager.try_search(search_for("(uid=user1)"), {5s});
  BOOST_TEST_REQUIRE(static_cast<bool>(first), why(first));
  BOOST_TEST(first->server == name_at(a.port()));
  a.stop();
  const auto second = manager.try_search(search_for("(uid=user1)"), {20s});
  BOOST_TEST_REQUIRE(static_cast<bool>(second), why(second));
  BOOST_TEST(second->server == name_at(b.port()));

  names.list({{host, c.port(), 10, 0}});
  b.stop();
  std::string last;
  BOOST_TEST(eventually(
                 [&] {
                   const auto answer = manager.try_search(search_for("(uid=user1)"), {5s});
                   last = why(answer);
                   return answer && answer->server == name_at(c.port());
                 },
                 60s),
             last);
  BOOST_TEST(eventually([&] { return manager.snapshot().servers.size() == 1; }));
  end_scenario(manager, {c});
}

BOOST_AUTO_TEST_CASE(scenario_43_without_an_answer_of_dns_requests_fail_at_once_and_it_repairs_itself) {
  leak_guard leaks;
  name_server names;
  stub_directory a;
  auto how = from_dns();
  how.recovery.auto_reconnect = false;  // connect() tries once
  connection_manager manager(how);
  manager.set_lookups(names.lookups());
  const auto connected = manager.connect();
  BOOST_TEST(!connected.connected);
  BOOST_TEST(connected.host == service);
  const auto refused = manager.try_search(search_for("(uid=user1)"), {30s});
  BOOST_TEST(refused.code() == errc::no_server);
  BOOST_TEST_REQUIRE((refused.error() != nullptr));
  BOOST_TEST(refused.error()->message.find(service) != std::string::npos, refused.error()->message);
  BOOST_TEST(refused.error()->message.find("on holiday") != std::string::npos, refused.error()->message);
  names.list({{host, a.port(), 0, 0}});
  end_scenario(manager, {a});
}
