// Nodes that see a server differently: what a peer says is a reason to look, and no more.
#include "served_cluster.hpp"
#include "understudy/actors/node/exchange.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

const std::string quick = R"([failover]
health_check_interval = "60s"
[recovery]
reconnect_delay = "100ms"
[breaker]
open_base = "100ms"
open_cap = "300ms"
)";

const std::string looks = "another node sees a server down that serves here; it is probed";

/// Nothing of that server's breaker has changed there, and it serves.
void serves_as_before(served_cluster& c, std::size_t node) {
  const auto now = c.state(node);
  BOOST_TEST_REQUIRE(now.has_value());
  BOOST_TEST_REQUIRE(now->servers.size() == 1U);
  BOOST_TEST((now->servers[0].breaker == breaker_state::closed));
  BOOST_TEST(now->servers[0].breaker_opened == 0U);
}

/// What a peer says: every server of these is down, since just now.
std::string everything_is_down(const std::string& self, const std::string& other, const std::string& server,
                               std::uint64_t number) {
  exchange told;
  told.incarnation = 1;
  told.budget = 0;
  told.nodes = {self, other};
  told.servers = {{server, breaker_state::open, 0ms, "so it says"}};
  request_frame frame;
  frame.kind = request_kind::exchange;
  frame.number = number;
  frame.left = seconds{5};
  frame.value = encode(told);
  return encode(frame);
}

}  // namespace

BOOST_AUTO_TEST_CASE(scenario_46_a_node_that_another_one_sees_down_serves_on_after_a_look) {
  served_cluster c{{.nodes = 2,
                    .budget = 0,
                    .sections = quick,
                    .more = {"bind_dn = \"cn=a\"\npassword = \"a\"\n", "bind_dn = \"cn=b\"\npassword = \"b\"\n"}}};
  // The second node's binds end in a reset: for it the server is down.
  const auto rule =
      c.directory.when([](const directory_request& r) { return r.kind == operation::bind && r.dn == "cn=b"; },
                       [](const directory_request&) {
                         return reply{{}, {.silent = true, .then = ending::reset}};
                       });
  c.start(0);
  steady_load load{c.port(0), 2};
  c.start(1, "listens for nodes");
  c.connected({0, 1});
  BOOST_TEST(eventually([&] {
    const auto other = c.state(1);
    return other && !other->servers.empty() && other->servers[0].breaker != breaker_state::closed;
  }));
  BOOST_TEST(c.says(0, looks + " server=127.0.0.1:" + std::to_string(c.directory.port()) + " node=127.0.0.12"));
  load.goes_on(100);
  serves_as_before(c, 0);
  // It has looked once for that failure, however often it is told of it.
  const auto told = c.times(0, looks);
  BOOST_TEST(told == 1U);
  BOOST_TEST(load.failed() == 0, load.first_failure());
  c.directory.forget(rule);
  BOOST_TEST(c.says(1, "service: ready"));
  load.stop();
  c.stop_all();
}

BOOST_AUTO_TEST_CASE(scenario_46_a_peer_that_calls_every_server_down_opens_no_breaker_and_causes_few_probes) {
  const std::string liar = "127.0.0.10";
  served_cluster c{{.nodes = 1, .budget = 0, .sections = quick}, {liar + ":1"}};
  c.start(0);
  steady_load load{c.port(0), 2};
  load.goes_on();
  test_node other;
  const test_caller peer{other, {c.port(0)}, caller_certificates(served_cluster::certificate_for(liar))};
  BOOST_TEST_REQUIRE(peer.linked());
  const auto server = "127.0.0.1:" + std::to_string(c.directory.port());
  const auto begun = std::chrono::steady_clock::now();
  const auto connected = c.directory.connections();
  const auto reads = [&] {
    const auto all = c.directory.requests(operation::search);
    return std::count_if(all.begin(), all.end(), [](const directory_request& r) { return r.dn.empty(); });
  };
  const auto read_before = reads();
  std::uint64_t said = 0;
  // A failure that is later than the one before by three seconds is another one.
  while (c.times(0, looks) < 3 && std::chrono::steady_clock::now() < begun + patience) {
    const auto answer = decode_answer(peer.ask(everything_is_down(liar, c.name_of(0), server, ++said)));
    BOOST_TEST_REQUIRE(answer.value.has_value());
    BOOST_TEST_REQUIRE(!answer.value->error, answer.value->error->message);
  }
  const auto span = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begun).count();
  const auto probed = c.times(0, looks);
  BOOST_TEST(probed >= 3U, "it was told " << said << " times");
  BOOST_TEST(probed <= static_cast<std::size_t>(span) + 2, probed << " in " << span << " s");
  BOOST_TEST(said > 10 * probed);
  // What the directory saw of that.
  BOOST_TEST(static_cast<std::size_t>(reads() - read_before) <= probed + 1);
  BOOST_TEST(c.directory.connections() - connected <= 12 + probed);
  load.goes_on();
  serves_as_before(c, 0);
  BOOST_TEST(load.failed() == 0, load.first_failure());
  // Its word on anything else is not asked for: it is no peer of that name.
  test_node elsewhere;
  const test_caller stranger{elsewhere, {c.port(0)}, caller_certificates()};
  BOOST_TEST_REQUIRE(stranger.linked());
  const auto refused = decode_answer(stranger.ask(everything_is_down("client.example", c.name_of(0), server, 1)));
  BOOST_TEST_REQUIRE(refused.value.has_value());
  BOOST_TEST_REQUIRE(refused.value->error);
  BOOST_TEST(refused.value->error->message.find("is not among the peers of this node") != std::string::npos);
  load.stop();
  c.stop_all();
}
