// The state as JSON: what stands there, and that it is text whatever peers have sent.
#include "understudy/runtime/state_json.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

using namespace understudy;

BOOST_AUTO_TEST_CASE(the_state_as_json_has_servers_and_operations) {
  runtime_snapshot state;
  state.servers.resize(1);
  state.servers[0].host = "ldap1";
  state.servers[0].port = 636;
  state.servers[0].serving = true;
  state.servers[0].pool.now.idle = 1;
  state.servers[0].pool.now.waiters = 4;
  state.servers[0].pool.longest_wait = milliseconds{1500};
  state.operations.total = 9;
  state.operations.last_minute = {5, 1, 3};
  state.operations.by_error = {7, 0, 2};
  state.operations.p99 = milliseconds{3};
  state.operations.latency.at_most = {1, 2};
  state.node_clients = {{"client.example", "192.0.2.9:40000", "write", 12, 34, wall_time{seconds{1'700'000'000}}}};
  state.more_node_clients = 5;
  const auto json = nlohmann::json::parse(state_json(state));
  const auto& server = json.at("servers").at(0);
  BOOST_TEST(server.at("host") == "ldap1");
  BOOST_TEST(server.at("serving") == true);
  BOOST_TEST(server.at("last_error").is_null());
  BOOST_TEST(server.at("pool").at("waiters") == 4);
  BOOST_TEST(server.at("pool").at("longest_wait_ms") == 1500.0);
  BOOST_TEST(json.at("active_priority") == 0);
  const auto& client = json.at("node_clients").at(0);
  BOOST_TEST(client.at("name") == "client.example");
  BOOST_TEST(client.at("address") == "192.0.2.9:40000");
  BOOST_TEST(client.at("permission") == "write");
  BOOST_TEST(client.at("received_bytes") == 12);
  BOOST_TEST(client.at("sent_bytes") == 34);
  BOOST_TEST(client.at("since") == "2023-11-14T22:13:20Z");
  BOOST_TEST(json.at("more_node_clients") == 5);
  const auto& all = json.at("operations");
  BOOST_TEST(all.at("total") == 9);
  BOOST_TEST(all.at("last_minute").at("failed_by_directory") == 1);
  BOOST_TEST(all.at("last_minute").at("failed") == 3);
  BOOST_TEST(all.at("errors") == (nlohmann::json{{"pool_timeout", 2}}));
  BOOST_TEST(all.at("latency_ms").at("p99") == 3.0);
  BOOST_TEST(all.at("latency_ms").at("steps").at(1).at("at_most_ms") == 0.25);
  BOOST_TEST(all.at("latency_ms").at("steps").at(1).at("count") == 2);
}

BOOST_AUTO_TEST_CASE(a_server_as_json_has_its_last_check_by_step) {
  runtime_snapshot state;
  state.servers.resize(2);
  state.servers[0].last_check = {wall_time{seconds{1'700'000'000}},
                                 true,
                                 std::chrono::microseconds{210},
                                 {{stage::operation, std::chrono::microseconds{210}, true}},
                                 ""};
  state.servers[0].last_connect_check = {
      wall_time{seconds{1'699'999'999}},
      false,
      milliseconds{3},
      {{stage::resolve, milliseconds{1}, true}, {stage::connect, milliseconds{2}, false}},
      "refused"};
  const auto servers = nlohmann::json::parse(state_json(state)).at("servers");
  const auto& server = servers.at(0);
  BOOST_TEST(server.at("last_check") == nlohmann::json::parse(R"({"at": "2023-11-14T22:13:20Z", "ok": true,
    "milliseconds": 0.21, "steps": [{"step": "operation", "ok": true, "milliseconds": 0.21}], "error": null})"));
  BOOST_TEST(server.at("last_connect_check").at("steps").at(1).at("ok") == false);
  BOOST_TEST(server.at("last_connect_check").at("error") == "refused");
  BOOST_TEST(servers.at(1).at("last_check").is_null());
  BOOST_TEST(servers.at(1).at("last_connect_check").is_null());
}

BOOST_AUTO_TEST_CASE(a_pool_as_json_has_all_that_its_snapshot_has) {
  runtime_snapshot state;
  auto& pool = state.servers.emplace_back().pool;
  pool.now = {1, 2, 3, 4, 5, 6};
  pool.min_connections = 7;
  pool.max_connections = 8;
  pool.leased = 9;
  pool.acquired = 10;
  pool.released = 11;
  pool.dispatched = 12;
  pool.completed = 13;
  pool.fresh = 14;
  pool.opened = 15;
  pool.closed = 16;
  pool.connect_failures = 17;
  pool.timeouts = 18;
  pool.refused = 19;
  pool.longest_wait = milliseconds{20};
  pool.leaks = 21;
  pool.acquisition_time = milliseconds{22};
  pool.growth_limit = 23;
  pool.last_error = "refused";
  pool.last_error_at = wall_time{seconds{1'700'000'000}};
  const auto json = nlohmann::json::parse(state_json(state)).at("servers").at(0).at("pool");
  BOOST_TEST(json == nlohmann::json::parse(R"({"size": 1, "idle": 2, "in_use": 3, "in_flight": 4, "waiters": 5,
    "connecting": 6, "min_connections": 7, "max_connections": 8, "leased": 9, "acquired": 10, "released": 11,
    "dispatched": 12, "completed": 13, "fresh": 14, "opened": 15, "closed": 16, "connect_failures": 17, "timeouts": 18,
    "refused": 19, "longest_wait_ms": 20.0, "leaks": 21, "acquisition_time_ms": 22.0, "growth_limit": 23,
    "last_error": "refused", "last_error_at": "2023-11-14T22:13:20Z"})"));
}

BOOST_AUTO_TEST_CASE(what_a_peer_sent_is_ascii_in_the_state) {
  runtime_snapshot state;
  state.servers.resize(1);
  state.servers[0].last_error = "\xff\x00\x1b[31m \xe2\x80\xae \n</script>";
  const auto text = state_json(state);
  BOOST_TEST(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }), text);
  BOOST_TEST(nlohmann::json::parse(text).at("servers").at(0).at("last_error").is_string());
}
