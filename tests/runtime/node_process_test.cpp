// Nodes in processes of their own that are killed, stopped and started again.
#include "runtime/test_node.hpp"
#include "support/child_process.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A gateway that answers, in another process.
class node_process {
 public:
  explicit node_process(const std::string& port = "0")
      : process_({UNDERSTUDY_NODE_PROCESS, node_certificates().server.certificate, node_certificates().server.key,
                  node_certificates().ca.certificate(), port}) {
    BOOST_REQUIRE(eventually([&] { return process_.output().find('\n') != std::string::npos; }));
  }
  std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(process_.output())); }
  child_process& process() { return process_; }

 private:
  child_process process_;
};

node_links_options impatient() {
  node_links_options options;
  options.limits.silence = 500ms;
  return options;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_node_that_is_killed_is_missed_at_once_and_found_again) {
  std::optional<node_process> node{std::in_place};
  const auto port = node->port();
  test_node client;
  const test_caller caller{client, {port}};
  BOOST_TEST_REQUIRE(caller.ask("hello") == "hello");
  node->process().kill9();
  BOOST_TEST(caller.lost(1));
  BOOST_TEST(eventually([&] { return client.log->says("warning: the link to a node has ended"); }), client.log->all());
  node.reset();
  const node_process again{std::to_string(port)};
  BOOST_TEST(caller.ask("hello") == "hello");
}

BOOST_AUTO_TEST_CASE(a_node_that_is_stopped_is_given_up_and_another_one_answers) {
  node_process stopped;
  const node_process other;
  test_node client{impatient(), 100ms};
  const test_caller caller{client, {stopped.port(), other.port()}};
  BOOST_TEST_REQUIRE(caller.ask("hello") == "hello");
  stopped.process().stop();
  BOOST_TEST(caller.lost(1));
  BOOST_TEST(caller.why_lost().find("nothing came from the peer for 500ms") != std::string::npos, caller.why_lost());
  BOOST_TEST(caller.ask("hello") == "hello");
  BOOST_TEST(caller.peer().address == "127.0.0.1:" + std::to_string(other.port()));
}

BOOST_AUTO_TEST_CASE(without_the_clock_of_bytes_a_stopped_node_is_never_missed) {
  node_process stopped;
  node_links_options patient;
  patient.limits.silence = std::chrono::hours{1};
  test_node with{impatient(), 100ms}, without{patient, 100ms};
  const test_caller one{with, {stopped.port()}}, other{without, {stopped.port()}};
  BOOST_TEST_REQUIRE(one.linked());
  BOOST_TEST_REQUIRE(other.linked());
  stopped.process().stop();
  BOOST_TEST(one.lost(1));
  // By then the other has waited as long; requests wait with it.
  BOOST_TEST(holds_for([&] { return other.linked(0ms); }, 1s));
  BOOST_TEST(ask(without.system, other.gateway(), "hello", 200ms).find("error") == 0U);
  BOOST_TEST(other.links() == 1);
}

BOOST_AUTO_TEST_CASE(an_actor_system_ends_although_its_peer_is_stopped) {
  node_process stopped;
  std::optional<test_node> client{std::in_place};
  std::optional<test_caller> caller{std::in_place, *client, std::vector{stopped.port()}};
  BOOST_TEST_REQUIRE(caller->linked());
  const auto gateway = caller->gateway();
  stopped.process().stop();
  // More than the sockets hold: CAF has bytes that nobody takes.
  const std::string text(1'000'000, 'x');
  std::vector<std::string> answers;
  for (int i = 0; i < 12; ++i) answers.push_back(ask(client->system, gateway, text, 1ms));
  BOOST_TEST(answers.back().find("error") == 0u);
  const auto before = std::chrono::steady_clock::now();
  BOOST_TEST(client->links->close(5s));
  caller.reset();
  client.reset();
  BOOST_TEST((std::chrono::steady_clock::now() - before < patience));
}
