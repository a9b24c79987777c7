// The facade over nodes: what a service sees of a directory is the same, whatever is in between.
#include "runtime/serving_node.hpp"
#include "support/contains.hpp"
#include "support/free_port.hpp"
#include "support/leak_check.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/manager_access.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

node_tls caller_tls() {
  return {node_certificates().ca.certificate(), caller_certificate().certificate, caller_certificate().key};
}

remote_nodes nodes_at(std::vector<std::uint16_t> ports) {
  remote_nodes nodes;
  for (const auto port : ports) nodes.addresses.push_back("127.0.0.1:" + std::to_string(port));
  nodes.tls = caller_tls();
  nodes.silence = 1s;
  return nodes;
}

/// A client's: it gives up soon.
settings impatient() {
  settings all;
  all.recovery.reconnect_attempts = 2;
  all.recovery.reconnect_delay = 50ms;
  all.recovery.recovery_attempts = 2;
  all.recovery.recovery_delay = 50ms;
  all.limits.drain_timeout = 500ms;
  all.log.level = log_level::error;
  return all;
}

std::string why(const connection_result& got) { return got.connection_error + got.auth_error; }
std::string why(const outcome& got) { return got ? std::string{"none"} : describe(*got.error()); }

search_request search_for(const std::string& uid) {
  search_request made;
  made.base = "dc=example,dc=com";
  made.filter = "(uid=" + uid + ")";
  return made;
}

struct directory_of_nodes {
  stub_directory directory;
  serving_process start(std::uint16_t port = 0, node_permission permission = node_permission::write) const {
    auto options = serving_directory(directory.url());
    options.port = port;
    options.permission = permission;
    return serving_process{UNDERSTUDY_SERVING_NODE, options};
  }
};

/// A node of this process.
struct one_node {
  stub_directory directory;
  serving_node node{serving_directory(directory.url())};
};

}  // namespace

// ---- the same facade ----

BOOST_FIXTURE_TEST_CASE(a_service_uses_a_node_as_it_uses_a_directory, one_node) {
  auto manager = connection_manager::connect_node({"127.0.0.1:" + std::to_string(node.port())}, caller_tls());
  BOOST_TEST_REQUIRE(manager.is_connected());
  const auto found = manager.try_search(search_for("ann"));
  BOOST_TEST_REQUIRE(bool(found), why(found));
  BOOST_TEST(found->entries.at(0).dn == "uid=ann,ou=people,dc=example,dc=com");
  BOOST_TEST(found->server == "127.0.0.1:" + std::to_string(directory.port()));
  const auto compared = manager.try_compare({"uid=ann,ou=people,dc=example,dc=com", "uid", "ann"});
  BOOST_TEST(bool(compared), why(compared));
  const auto written = manager.try_remove({"uid=ann,ou=people,dc=example,dc=com"});
  BOOST_TEST(bool(written), why(written));
  BOOST_TEST(directory.count(operation::remove) == 1U);
  const auto who = manager.try_whoami();
  BOOST_TEST(bool(who), why(who));
  const auto bound = manager.try_bind({"uid=ann,ou=people,dc=example,dc=com", secret{"hers"}});
  BOOST_TEST(bool(bound), why(bound));
}

BOOST_FIXTURE_TEST_CASE(leases_and_streams_work_over_a_node, one_node) {
  std::vector<entry> many;
  for (int i = 0; i < 1000; ++i) many.push_back({"uid=u" + std::to_string(i), {{"uid", {std::to_string(i)}}}});
  directory.set_entries(many);
  auto manager = connection_manager::for_nodes(nodes_at({node.port()}), impatient());
  const auto connected = manager.connect();
  BOOST_TEST_REQUIRE(connected.connected, why(connected));
  BOOST_TEST(connected.port == directory.port());
  {
    auto held = manager.get_connection();
    BOOST_TEST(held.server() == "127.0.0.1:" + std::to_string(directory.port()));
    const auto found = held.try_search(search_for("ann"));
    BOOST_TEST(bool(found), why(found));
    BOOST_TEST(node.snapshot().servers.at(0).pool.leased == 1U);
    BOOST_TEST(manager.return_connection(held));
  }
  BOOST_TEST(eventually([&] { return node.snapshot().servers.at(0).pool.leased == 0; }));
  auto stream = manager.stream(search_for("*"));
  std::size_t read = 0;
  while (stream.try_next()) ++read;
  BOOST_TEST(!stream.error());
  BOOST_TEST(read == many.size());
  BOOST_TEST(eventually([&] { return node.snapshot().servers.at(0).pool.leased == 0; }));
}

BOOST_FIXTURE_TEST_CASE(an_answer_that_no_link_carries_is_not_gathered_to_its_end, one_node) {
  std::vector<entry> large;
  for (int i = 0; i < 6; ++i)
    large.push_back({"uid=u" + std::to_string(i), {{"photo", {std::string(1'000'000, 'x')}}}});
  directory.set_entries(large);
  auto manager = connection_manager::connect_node({"127.0.0.1:" + std::to_string(node.port())}, caller_tls());
  const auto found = manager.try_search(search_for("*"));
  BOOST_TEST((found.code() == errc::result_too_large), why(found));
  BOOST_TEST(contains(why(found), "takes more than 4193280 bytes"), why(found));
}

BOOST_FIXTURE_TEST_CASE(the_state_of_a_node_is_told_and_its_servers_are_suspended, directory_of_nodes) {
  auto process = start(0, node_permission::admin);
  auto manager = connection_manager::for_nodes(nodes_at({process.port()}), impatient());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto name = "127.0.0.1:" + std::to_string(directory.port());
  const auto now = manager.snapshot();
  BOOST_TEST_REQUIRE(now.servers.size() == 1U);
  BOOST_TEST(now.servers[0].port == directory.port());
  BOOST_TEST(manager.health_check().connected);
  BOOST_TEST(manager.probe_all().at(0).ok);
  BOOST_TEST(manager.suspend(name));
  BOOST_TEST((manager.snapshot().servers.at(0).state == server_state::suspended));
  BOOST_TEST(!manager.is_connected());
  BOOST_TEST(manager.resume(name));
  BOOST_TEST(manager.is_connected());
  BOOST_TEST(!manager.suspend("nobody:1"));
  BOOST_TEST(manager.get_metrics().total_operations >= 0U);
  BOOST_CHECK_EXCEPTION(manager.reload(settings{}), ldap_exception,
                        [](const auto& e) { return contains(e.what(), "settings are those of the nodes"); });
}

BOOST_FIXTURE_TEST_CASE(what_a_listener_does_not_permit_is_refused_by_name, directory_of_nodes) {
  auto process = start(0, node_permission::read);
  auto manager = connection_manager::for_nodes(nodes_at({process.port()}), impatient());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto refused = manager.try_remove({"uid=ann,ou=people,dc=example,dc=com"});
  BOOST_TEST((refused.code() == errc::invalid_request));
  BOOST_TEST(contains(why(refused), "it needs \"write\""), why(refused));
  BOOST_CHECK_EXCEPTION(manager.suspend("127.0.0.1:" + std::to_string(directory.port())), ldap_exception,
                        [](const auto& e) { return contains(e.what(), "it needs \"admin\""); });
}

BOOST_FIXTURE_TEST_CASE(a_request_over_a_node_is_cancelled, one_node) {
  auto manager = connection_manager::for_nodes(nodes_at({node.port()}), impatient());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  directory.disturb(operation::search, {.silent = true});
  cancel_source cancel;
  call_options options;
  options.cancel = &cancel;
  auto waiting = manager.async_search(search_for("ann"), options);
  BOOST_TEST(eventually([&] {
    const auto all = directory.requests(operation::search);
    return std::any_of(all.begin(), all.end(), [](const auto& r) { return contains(r.filter, "ann"); });
  }));
  cancel.cancel();
  BOOST_TEST((waiting.get().code() == errc::cancelled));
}

BOOST_FIXTURE_TEST_CASE(callers_of_a_node_go_on_when_its_breaker_is_replaced, one_node) {
  auto manager = connection_manager::for_nodes(nodes_at({node.port()}), impatient());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST(bool(manager.try_search(search_for("ann"))));
  for (int i = 0; i < 2; ++i) {
    const auto now = node.running().client().ask<circuit_breaker_actor>(node.running().manager(), 5s, router_atom_v);
    BOOST_TEST_REQUIRE(now.value.has_value());
    caf::anon_send_exit(*now.value, caf::exit_reason::kill);
    // Its whole tree is started afresh: what was under way there ends, what comes then is served.
    BOOST_TEST(eventually([&] { return bool(manager.try_search(search_for("ann"))); }));
    BOOST_TEST(eventually([&] {
      const auto next = node.running().client().ask<circuit_breaker_actor>(node.running().manager(), 5s, router_atom_v);
      return next.value && *next.value != *now.value;
    }));
    const auto found = manager.try_search(search_for("bob"));
    BOOST_TEST(bool(found), why(found));
    auto held = manager.get_connection();
    const auto read = held.try_search(search_for("ann"));
    BOOST_TEST(bool(read), why(read));
  }
}

// ---- nodes that go and come ----

BOOST_FIXTURE_TEST_CASE(reads_go_on_at_another_node_and_sent_writes_are_unknown, directory_of_nodes) {
  auto first = start();
  const auto second = start();
  auto manager = connection_manager::for_nodes(nodes_at({first.port(), second.port()}), impatient());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  directory.disturb(operation::remove, {.silent = true}, 1);
  auto written = manager.async_remove({"uid=ann,ou=people,dc=example,dc=com"});
  directory.disturb(operation::search, {.silent = true}, 1);
  auto read = manager.async_search(search_for("ann"));
  BOOST_TEST(eventually([&] {
    const auto all = directory.requests(operation::search);
    return directory.count(operation::remove) == 1 &&
           std::any_of(all.begin(), all.end(), [](const auto& r) { return contains(r.filter, "ann"); });
  }));
  auto held = manager.get_connection();
  first.process().kill9();
  const auto fate = written.get();
  BOOST_TEST((fate.code() == errc::outcome_unknown), why(fate));
  const auto found = read.get();
  BOOST_TEST(bool(found), why(found));
  BOOST_TEST((held.try_search(search_for("ann")).code() == errc::connection_unhealthy));
  const auto again = manager.try_remove({"uid=bob,ou=people,dc=example,dc=com"});
  BOOST_TEST(bool(again), why(again));
}

BOOST_FIXTURE_TEST_CASE(a_node_that_is_killed_and_started_again_is_used_again, directory_of_nodes) {
  auto options = serving_directory(directory.url());
  auto node = std::make_unique<serving_process>(UNDERSTUDY_SERVING_NODE, options);
  const auto port = options.port = node->port();
  auto manager = connection_manager::for_nodes(nodes_at({port}), impatient());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  node->process().kill9();
  const auto in_vain = manager.try_search(search_for("ann"));
  BOOST_TEST((in_vain.code() == errc::connection_failed), why(in_vain));
  BOOST_TEST(contains(why(in_vain), "127.0.0.1:" + std::to_string(port)), why(in_vain));
  BOOST_TEST(!manager.is_connected());
  node = nullptr;
  node = std::make_unique<serving_process>(UNDERSTUDY_SERVING_NODE, options);
  BOOST_TEST(eventually([&] { return bool(manager.try_search(search_for("ann"))); }));
}

BOOST_FIXTURE_TEST_CASE(a_client_starts_before_any_node_is_there, directory_of_nodes) {
  const auto port = free_port();
  auto manager = connection_manager::for_nodes(nodes_at({port}), impatient());
  const auto in_vain = manager.connect();
  BOOST_TEST(!in_vain.connected);
  BOOST_TEST_REQUIRE(in_vain.failed);
  BOOST_TEST((in_vain.failed->code == errc::connection_failed), why(in_vain));
  BOOST_TEST(contains(why(in_vain), "127.0.0.1:" + std::to_string(port)), why(in_vain));
  const auto node = start(port);
  BOOST_TEST(eventually([&] { return bool(manager.try_search(search_for("ann"))); }));
  BOOST_TEST(manager.connect().connected);
}

BOOST_AUTO_TEST_CASE(each_node_that_cannot_be_reached_is_named_with_its_reason) {
  const auto first = free_port(), second = free_port();
  auto manager = connection_manager::for_nodes(nodes_at({first, second}), impatient());
  const auto in_vain = manager.connect();
  BOOST_TEST(!in_vain.connected);
  for (const auto port : {first, second})
    BOOST_TEST(contains(why(in_vain), "127.0.0.1:" + std::to_string(port)), why(in_vain));
  BOOST_TEST(contains(why(in_vain), "refused"), why(in_vain));
}

BOOST_FIXTURE_TEST_CASE(a_stopped_node_gives_finite_errors_and_another_one_serves, directory_of_nodes) {
  auto stopped = start();
  const auto other = start();
  auto manager = connection_manager::for_nodes(nodes_at({stopped.port(), other.port()}), impatient());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  stopped.process().stop();
  call_options soon;
  soon.timeout = 200ms;
  const auto late = manager.try_search(search_for("ann"), soon);
  BOOST_TEST((late.code() == errc::operation_timeout), why(late));
  const auto found = manager.try_search(search_for("ann"));
  BOOST_TEST(bool(found), why(found));
}

BOOST_FIXTURE_TEST_CASE(a_node_that_hangs_from_the_beginning_does_not_hold_up_the_next, directory_of_nodes) {
  auto hung = start();
  const auto other = start();
  hung.process().stop();
  auto nodes = nodes_at({hung.port(), other.port()});
  nodes.connect_timeout = 600s;
  auto manager = connection_manager::for_nodes(nodes, impatient());
  BOOST_TEST_REQUIRE(manager.connect().connected);
  call_options patient;
  patient.timeout = 60s;
  const auto found = manager.try_search(search_for("ann"), patient);
  BOOST_TEST(bool(found), why(found));
}

BOOST_FIXTURE_TEST_CASE(a_request_that_waits_for_a_node_that_hangs_says_which, directory_of_nodes) {
  auto hung = start(), as_well = start();
  hung.process().stop();
  as_well.process().stop();
  auto nodes = nodes_at({hung.port(), as_well.port()});
  nodes.connect_timeout = 600s;
  auto manager = connection_manager::for_nodes(nodes, impatient());
  const auto refused = manager.connect();
  BOOST_TEST(!refused.connected);
  BOOST_TEST(contains(refused.connection_error, "127.0.0.1:" + std::to_string(hung.port())), refused.connection_error);
  call_options patient;
  patient.timeout = 4s;
  const auto late = manager.try_search(search_for("ann"), patient);
  BOOST_TEST(!bool(late));
  BOOST_TEST(contains(why(late), "127.0.0.1:" + std::to_string(hung.port())), why(late));
}

BOOST_FIXTURE_TEST_CASE(a_facade_ends_although_its_node_is_stopped, directory_of_nodes) {
  auto stopped = start();
  auto nodes = nodes_at({stopped.port()});
  nodes.silence = 30s;  // it ends before anybody notices
  std::optional manager{connection_manager::for_nodes(nodes, impatient())};
  BOOST_TEST_REQUIRE(manager->connect().connected);
  auto held = manager->get_connection();
  stopped.process().stop();
  std::vector<std::future<outcome>> waiting;
  // More than the sockets hold.
  for (int i = 0; i < 12; ++i)
    waiting.push_back(manager->async_add({"uid=" + std::to_string(i), {{"photo", {std::string(600'000, 'x')}}}}));
  const auto before = std::chrono::steady_clock::now();
  manager->disconnect();
  for (auto& each : waiting) BOOST_TEST((each.get().code() != errc::none));
  BOOST_TEST((std::chrono::steady_clock::now() - before < 10s));
  // As a whole, too: what came after it is there at once.
  stopped.process().resume();
  const auto again = manager->connect();
  BOOST_TEST(again.connected, why(again));
  stopped.process().stop();
  const auto once_more = std::chrono::steady_clock::now();
  manager.reset();
  BOOST_TEST((std::chrono::steady_clock::now() - once_more < 10s));
}

// ---- certificates and addresses ----

BOOST_FIXTURE_TEST_CASE(what_is_wrong_with_a_certificate_is_named, one_node) {
  const auto error_with = [&](const node_tls& tls) {
    auto nodes = nodes_at({node.port()});
    nodes.tls = tls;
    auto manager = connection_manager::for_nodes(nodes, impatient());
    const auto got = manager.connect();
    BOOST_TEST(!got.connected);
    BOOST_TEST_REQUIRE(got.failed);
    // By its type, and in the words of those who go to nodes.
    BOOST_CHECK_THROW(manager.search(search_for("ann")), ssl_error);
    BOOST_CHECK_THROW(manager.search(search_for("ann")), connection_failed);
    for (const auto* key : {"client_cert_path", "client_key_path", "use_ssl", "use_tls", "tls_min_version"})
      BOOST_TEST(!contains(why(got), key), why(got));
    return why(got);
  };
  const auto& known = node_certificates();
  auto foreign_ca = caller_tls();
  foreign_ca.ca_cert_path = known.other_ca.certificate();
  const auto unknown = error_with(foreign_ca);
  BOOST_TEST(contains(unknown, "certificate"), unknown);
  auto other_name = caller_tls();
  other_name.node_name = "elsewhere.example";
  const auto named = error_with(other_name);
  BOOST_TEST(contains(named, "elsewhere.example"), named);
  auto stranger = caller_tls();
  stranger.cert_path = known.of_other_ca.certificate;
  stranger.key_path = known.of_other_ca.key;
  const auto refused = error_with(stranger);
  BOOST_TEST(contains(refused, "certificate"), refused);
  BOOST_TEST(node.peers().empty());
}

BOOST_AUTO_TEST_CASE(every_problem_of_nodes_is_reported_together) {
  const auto problems_of = [](const remote_nodes& nodes) -> std::string {
    try {
      connection_manager::for_nodes(nodes);
    } catch (const config_error& e) {
      return e.what();
    }
    return {};
  };
  BOOST_TEST(contains(problems_of({}), "at least one node"));
  remote_nodes nodes;
  nodes.addresses = {"node1.example:4100", "127.0.0.1", "[::1]:0", "ldap://a:1", "localhost:1", "LOCALHOST:1"};
  nodes.silence = 0s;
  const auto plain = problems_of(nodes);
  BOOST_TEST(contains(plain, "\"node1.example:4100\": certificates are needed"), plain);
  BOOST_TEST(contains(plain, "\"127.0.0.1\": must be a host and its port"), plain);
  BOOST_TEST(contains(plain, "\"[::1]:0\": its port must be 1 to 65535"), plain);
  BOOST_TEST(contains(plain, "\"ldap://a:1\": must be a host"), plain);
  BOOST_TEST(contains(plain, "\"LOCALHOST:1\": is named twice"), plain);
  BOOST_TEST(contains(plain, "silence: must be 100ms to 1h"), plain);
  nodes = {};
  nodes.addresses = {"node1.example:4100"};
  nodes.tls = node_tls{"/no/ca.pem", "", ""};
  const auto files = problems_of(nodes);
  BOOST_TEST(contains(files, "ca_cert_path: \"/no/ca.pem\" cannot be read"), files);
  BOOST_TEST(contains(files, "cert_path: is needed: nodes speak with nobody who shows no certificate"), files);
  BOOST_TEST(contains(files, "key_path: is needed"), files);
}

BOOST_AUTO_TEST_CASE(on_one_machine_nodes_need_no_certificates) {
  stub_directory directory;
  auto options = serving_directory(directory.url());
  options.certificate = options.key = options.ca = "";
  const serving_node node{options};
  auto nodes = nodes_at({node.port()});
  nodes.tls.reset();
  auto manager = connection_manager::for_nodes(nodes, impatient());
  const auto got = manager.connect();
  BOOST_TEST(got.connected, why(got));
}

// ---- actors of somebody else's, and what stays ----

BOOST_FIXTURE_TEST_CASE(an_actor_system_of_ones_own_needs_the_network_layer, one_node) {
  runtime_options options;
  options.nodes = nodes_at({node.port()});
  const auto all = std::make_shared<const settings>(impatient());
  actor_config without;
  caf::actor_system bare{without};
  BOOST_CHECK_EXCEPTION(runtime(bare, all, options), ldap_exception,
                        [](const auto& e) { return contains(e.what(), "configure_for_nodes()"); });
  actor_config with;
  configure_for_nodes(with);
  caf::actor_system prepared{with};
  runtime running{prepared, all, options};
  BOOST_TEST(running.snapshot().value->servers.size() == 1U);
  BOOST_TEST(running.stop(1s));
}

BOOST_FIXTURE_TEST_CASE(managers_of_nodes_leave_nothing_behind, one_node) {
  const auto use_one = [&] {
    auto manager = connection_manager::for_nodes(nodes_at({node.port()}), impatient());
    BOOST_TEST_REQUIRE(manager.connect().connected);
    BOOST_TEST_REQUIRE(bool(manager.try_search(search_for("ann"))));
    BOOST_TEST(manager.disconnect());
  };
  use_one();
  const leak_guard nothing_left;
  for (int i = 0; i < 50; ++i) use_one();
  BOOST_TEST(eventually([&] { return node.peers().empty(); }));
  BOOST_TEST(node.snapshot().servers.at(0).pool.leased == 0U);
}
