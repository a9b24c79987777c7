// What services notice of `understudy serve` as a node when servers, nodes, the network between, or other services go.
#include "served_node.hpp"
#include "support/free_port.hpp"
#include "support/split_network.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <cstdlib>
#include <future>
#include <iostream>
#include <sstream>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// Longer than a link may be silent and a pause before a node is dialled again, together.
constexpr auto silence_and_more = 60s;
/// Of the process that is to be killed: the node's port, and the files that show who it is.
constexpr const char* holder = "UNDERSTUDY_TEST_HOLDER";

remote_nodes nodes_at(std::vector<std::string> addresses) {
  remote_nodes nodes;
  nodes.addresses = std::move(addresses);
  nodes.tls =
      node_tls{node_certificates().ca.certificate(), caller_certificate().certificate, caller_certificate().key};
  nodes.tls->node_name = "localhost";
  return nodes;
}

settings quiet() {
  settings all;
  all.recovery.reconnect_delay = all.recovery.recovery_delay = 50ms;
  all.limits.drain_timeout = 500ms;
  all.log.level = log_level::error;
  return all;
}

std::string local(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }
std::string why(const connection_result& got) { return got.connection_error + got.auth_error; }
std::string why(const outcome& got) { return got ? std::string{"none"} : describe(*got.error()); }

call_options within(std::chrono::milliseconds span) {
  call_options options;
  options.timeout = span;
  return options;
}

std::vector<entry> people(int count) {
  std::vector<entry> many;
  for (int i = 0; i < count; ++i)
    many.push_back(
        {"uid=user" + std::to_string(i) + ",ou=people,dc=example,dc=com", {{"description", {std::string(500, 'x')}}}});
  return many;
}

std::size_t leased_at(connection_manager& manager) { return manager.snapshot().servers.at(0).pool.leased; }

/// Two leases, and a stream of which the first entry was read.
struct held_things {
  explicit held_things(connection_manager& manager)
      : first(manager.get_connection()), second(manager.get_connection()), stream(manager.stream(find_user())) {
    BOOST_TEST_REQUIRE(stream.try_next().has_value());
  }
  lease first, second;
  search_stream stream;
};

/// Holds these until it is killed.
[[noreturn]] void hold(const std::string& given) {
  std::istringstream words{given};
  std::string port;
  remote_nodes nodes;
  nodes.tls.emplace();
  words >> port >> nodes.tls->ca_cert_path >> nodes.tls->cert_path >> nodes.tls->key_path;
  nodes.addresses = {"127.0.0.1:" + port};
  auto manager = connection_manager::for_nodes(nodes, quiet());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const held_things held{manager};
  std::cout << "holds" << std::endl;
  for (;;) ::pause();
}

/// Whatever is asked while nothing comes through ends soon, as what it is, and is carried out once at the most.
void check_finite(connection_manager& manager, const std::string& when) {
  const auto begun = std::chrono::steady_clock::now();
  const auto read = manager.try_search(find_user(), within(500ms));
  BOOST_TEST((read.code() == errc::operation_timeout || read.code() == errc::connection_failed),
             when << ": " << why(read));
  const auto written = manager.try_remove({"uid=user1,dc=example,dc=com"}, within(500ms));
  BOOST_TEST((written.code() == errc::outcome_unknown || written.code() == errc::operation_timeout ||
              written.code() == errc::connection_failed),
             when << ": " << why(written));
  BOOST_TEST((std::chrono::steady_clock::now() - begun < 15s), when);
}

/// Everything is as before the network broke: who asks is served, nothing is held any more.
void check_healed(connection_manager& manager, const std::string& when) {
  BOOST_TEST(eventually([&] { return bool(manager.try_search(find_user(), within(2s))); }, silence_and_more), when);
  BOOST_TEST(eventually([&] { return leased_at(manager) == 0; }, silence_and_more), when);
  const auto written = manager.try_add({"uid=new,dc=example,dc=com", {{"objectClass", {"account"}}}});
  BOOST_TEST(bool(written), when << ": " << why(written));
}

/// A node on the other side of a network that is this test's own, and somebody here who uses it.
struct node_behind_a_cable {
  split_network network;
  std::unique_ptr<served_node> node;

  node_behind_a_cable() {
    network.run_there([&] {
      node = std::make_unique<served_node>(node_section() +
                                           listener_at(0, "permission = \"write\"\n", split_network::there));
      node->await_ready();
    });
    node->directory.set_entries(people(5000));
  }
  connection_manager client() const {
    return connection_manager::for_nodes(
        nodes_at({std::string{split_network::there} + ':' + std::to_string(node->port())}), quiet());
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_39_a_node_takes_other_servers_and_its_clients_lose_nothing) {
  stub_directory next;
  const reserved_port port;
  const auto sections = node_section() + listener_at(port.number());
  served_node node{sections};
  node.await_ready();
  remote_client client{{port.number()}};
  outcomes seen;
  std::atomic<bool> enough{false};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&, i] {
      while (!enough) {
        ++seen.begun;
        seen.note(i == 0 ? client.perform(delete_request{"cn=a"}) : client.perform(find_user()));
      }
    });
  const auto more = [&](const stub_directory& at, std::uint64_t before) {
    return eventually([&] { return at.count(operation::search) > before + 50; });
  };
  BOOST_TEST(more(node.directory, 0));
  // What cannot work changes nothing.
  node.reload(sections + "[breaker]\nopen_base = 90\n", "the configuration was refused, the earlier one stays");
  BOOST_TEST(node.says("open_base"));
  BOOST_TEST(more(node.directory, node.directory.count(operation::search)));
  node.use_directory(next.url());
  node.reload(sections);
  BOOST_TEST(more(next, next.count(operation::search)));
  BOOST_TEST(eventually([&] { return node.directory.open_connections() == 0; }));
  enough = true;
  for (auto& each : callers) each.join();
  BOOST_TEST(seen.ok == seen.begun, seen.begun - seen.ok << " lost, the first strange one: " << seen.first_strange);
  node.stop();
}

BOOST_AUTO_TEST_CASE(scenario_45_a_node_that_is_paused_costs_deadlines_and_another_one_serves) {
  served_node first{node_section() + listener_at(0)}, second{node_section() + listener_at(0)};
  first.await_ready();
  second.await_ready();
  auto manager = connection_manager::for_nodes(nodes_at({local(first.port()), local(second.port())}), quiet());
  const auto connected = manager.connect();
  BOOST_TEST_REQUIRE(connected.connected, why(connected));
  auto held = manager.get_connection();
  BOOST_TEST(bool(held.try_search(find_user())));
  first.process->stop();
  check_finite(manager, "paused");
  // Its link is given up when it has been silent for long enough; the second one has what was asked since.
  BOOST_TEST(eventually([&] { return bool(manager.try_search(find_user(), within(2s))); }, silence_and_more));
  BOOST_TEST(second.directory.count(operation::search) > 0U);
  BOOST_TEST((held.try_search(find_user()).code() == errc::connection_unhealthy));
  const auto at_first = first.directory.count(operation::search);
  // It takes back what was held, and what it still finds in its sockets is not asked of the directory twice.
  first.process->resume();
  BOOST_TEST(first.says("the link to a node has ended", silence_and_more));
  BOOST_TEST(first.directory.count(operation::remove) <= 1U);
  BOOST_TEST(bool(manager.try_search(find_user())));
  BOOST_TEST(first.directory.count(operation::search) <= at_first + 5);
  // The other way round, by a kill.
  second.process->kill9();
  BOOST_TEST(eventually([&] { return bool(manager.try_search(find_user(), within(2s))); }));
  BOOST_TEST(leased_at(manager) == 0U);
  first.stop();
}

BOOST_AUTO_TEST_CASE(scenario_45_what_a_client_held_returns_when_it_is_killed) {
  if (const auto* const given = std::getenv(holder)) hold(given);
  served_node node{node_section() + listener_at(0)};
  node.await_ready();
  node.directory.set_entries(people(5000));
  auto manager = connection_manager::for_nodes(nodes_at({local(node.port())}), quiet());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST(leased_at(manager) == 0U);
  const auto files = nodes_at({}).tls.value();
  child_process other{child_process::options{{std::filesystem::read_symlink("/proc/self/exe"),
                                              "--run_test=scenario_45_what_a_client_held_returns_when_it_is_killed"},
                                             {},
                                             {std::string{holder} + '=' + std::to_string(node.port()) + ' ' +
                                              files.ca_cert_path + ' ' + files.cert_path + ' ' + files.key_path},
                                             {}}};
  BOOST_TEST_REQUIRE(eventually([&] { return other.output().find("holds") != std::string::npos; }),
                     other.output() << other.error_output());
  BOOST_TEST(leased_at(manager) == 3U);
  other.kill9();
  BOOST_TEST(eventually([&] { return leased_at(manager) == 0; }), leased_at(manager));
  // Nothing of it goes on: what it had not read is not asked for, and its connections serve others.
  std::vector<lease> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(manager.get_connection());
    BOOST_TEST(bool(all.back().try_whoami()));
  }
  for (auto& each : all) BOOST_TEST(manager.return_connection(each));
  BOOST_TEST(manager.disconnect());
  node.stop();
}

BOOST_AUTO_TEST_CASE(scenario_45_a_network_that_is_cut_and_healed) {
  if (!in_a_network_of_its_own("scenario_45_a_network_that_is_cut_and_healed")) return;
  node_behind_a_cable there;
  auto manager = there.client();
  const auto connected = manager.connect();
  BOOST_TEST_REQUIRE(connected.connected, why(connected));
  held_things held{manager};
  BOOST_TEST(leased_at(manager) == 3U);
  there.network.cut();
  check_finite(manager, "cut");
  BOOST_TEST(there.node->says("nothing came from the peer for 15s", silence_and_more));
  there.network.heal();
  check_healed(manager, "healed");
  BOOST_TEST(!held.first.try_search(find_user()));
  BOOST_TEST(there.node->directory.count(operation::remove) <= 1U);
  there.node->stop();
}

BOOST_AUTO_TEST_CASE(scenario_45_a_network_that_loses_one_direction) {
  if (!in_a_network_of_its_own("scenario_45_a_network_that_loses_one_direction")) return;
  node_behind_a_cable there;
  auto manager = there.client();
  for (const bool to_the_node : {true, false}) {
    const std::string when = to_the_node ? "what is sent to the node is lost" : "what the node sends is lost";
    BOOST_TEST_REQUIRE(eventually([&] { return manager.connect().connected; }), when);
    held_things held{manager};
    BOOST_TEST(leased_at(manager) == 3U, when);
    const auto ended = there.node->times("the link to a node has ended");
    if (to_the_node)
      there.network.lose_what_is_sent_there();
    else
      there.network.lose_what_is_sent_here();
    check_finite(manager, when);
    // Each side ends what it hears nothing of, and the node takes back what was held although nobody could say so.
    BOOST_TEST(eventually([&] { return there.node->times("the link to a node has ended") > ended; }, silence_and_more),
               when);
    there.network.heal();
    check_healed(manager, when);
    BOOST_TEST(!held.first.try_search(find_user()), when);
  }
  BOOST_TEST(there.node->directory.count(operation::remove) <= 2U);
  there.node->stop();
}
