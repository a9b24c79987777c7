// Scenarios 18, 27 and 39: commands that give passwords and hang keep nobody waiting for a password that is known, and
// do not outlive the manager, nor the settings that named them.
#include "scenarios/pool_rig.hpp"
#include "support/hanging_command.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* key_password = "open sesame";

/// A server with TLS, and settings that reach it with a certificate of the service.
struct service_with_key {
  certificate_set certificates;
  stub_directory server{stub_with_tls(certificates, true)};

  settings with(const std::function<void(connection_info&)>& source) const {
    auto info = server_at(server.port());
    info.use_ssl = true;
    info.ca_cert_path = certificates.ca.certificate().string();
    info.client_cert_path = certificates.client.certificate.string();
    info.client_key_path = certificates.encrypted_client_key(key_password).string();
    info.client_key_password = secret{key_password};
    source(info);
    auto all = quick_settings({info});
    all.pool.preload_connections = true;
    return all;
  }
};

using source_setter = std::function<void(connection_info&, const std::vector<std::string>&)>;

void give_password(connection_info& server, const std::vector<std::string>& command) {
  server.password = {};
  server.password_command = command;
}

void give_key_password(connection_info& server, const std::vector<std::string>& command) {
  server.client_key_password = {};
  server.client_key_password_command = command;
}

void stop_while_it_hangs(const source_setter& source, bool stubborn) {
  leak_guard leaks;
  const hanging_command hangs(stubborn);
  service_with_key service;
  {
    const resource_baseline before;
    connection_manager manager(service.with([&](connection_info& info) { source(info, hangs.words()); }));
    BOOST_TEST(!manager.connect(50ms).connected);
    BOOST_TEST_REQUIRE(eventually([&] { return hangs.started() >= 2; }));
    manager.disconnect();
    // Killed before the manager had stopped, it may take the kernel a moment to end them.
    BOOST_TEST(eventually([&] { return hangs.all_ended(); }, 2s), "a command outlives its manager");
    BOOST_TEST(before.leaked() == "");
  }
  connection_manager again(service.with([](connection_info&) {}));
  BOOST_TEST_REQUIRE(again.connect().connected);
  end_scenario(again, {service.server});
}

void reload_while_it_hangs(const source_setter& source) {
  leak_guard leaks;
  const hanging_command hangs(true);
  service_with_key service;
  const auto good = service.with([](connection_info&) {});
  connection_manager manager(good);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  manager.reload(service.with([&](connection_info& info) { source(info, hangs.words()); }));
  service.server.close_all();
  service.server.start();
  BOOST_TEST_REQUIRE(eventually([&] { return hangs.started() >= 2; }));
  manager.reload(good);
  // By itself it would be given 10 s. A probe that is under way may wait for it until its own deadline, after 5 s.
  BOOST_TEST(eventually([&] { return hangs.all_ended(); }, 8s), "a command outlives the settings that named it");
  std::string problem;
  BOOST_TEST(eventually([&] {
               problem = why(manager.try_search(search_for("(uid=user1)"), {5s}));
               return problem.empty();
             }),
             problem);
  end_scenario(manager, {service.server});
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_27_a_stop_ends_a_password_command_that_hangs_and_its_children) {
  for (const bool stubborn : {false, true}) stop_while_it_hangs(give_password, stubborn);
}

BOOST_AUTO_TEST_CASE(scenario_27_a_stop_ends_a_key_password_command_that_hangs_and_its_children) {
  for (const bool stubborn : {false, true}) stop_while_it_hangs(give_key_password, stubborn);
}

/// A command is given 10 s, so who has 5 s is only served with the password that was accepted before.
BOOST_AUTO_TEST_CASE(scenario_18_a_password_command_that_hangs_when_all_connections_are_lost_stalls_nobody) {
  leak_guard leaks;
  const hanging_command hangs(false);
  stub_directory server;
  auto info = server_at(server.port());
  const std::string password{info.password.reveal()};
  info.password = {};
  info.password_command = hangs.words_after(password);
  connection_manager manager(quick_settings({info}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  // A reading serves for a second, after that the command is run again.
  const auto read_again = std::chrono::steady_clock::now() + 1100ms;
  BOOST_TEST_REQUIRE(eventually([&] { return std::chrono::steady_clock::now() >= read_again; }));
  for (int times = 0; times < 2; ++times) {
    server.close_all();
    BOOST_TEST_REQUIRE(eventually([&] { return hangs.started() >= 2; }));
    BOOST_TEST(why(manager.try_search(search_for("(uid=user1)"), {5s})) == "");
  }
  end_scenario(manager, {server});
  BOOST_TEST(eventually([&] { return hangs.all_ended(); }, 2s), "a command outlives its manager");
}

BOOST_AUTO_TEST_CASE(scenario_39_a_reload_ends_a_password_command_that_it_replaced) {
  reload_while_it_hangs(give_password);
}

BOOST_AUTO_TEST_CASE(scenario_39_a_reload_ends_a_key_password_command_that_it_replaced) {
  reload_while_it_hangs(give_key_password);
}
