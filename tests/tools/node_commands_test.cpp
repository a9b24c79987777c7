// The program through a running node: --node in place of a directory, and the commands for those who operate nodes.
#include "cli.hpp"
#include "runtime/serving_node.hpp"
#include "support/free_port.hpp"

#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::test;
using internal::node_permission;

namespace {

using words = std::vector<std::string>;

words operator+(words left, const words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

words with_certificates() {
  return {"--node-ca",   node_certificates().ca.certificate(),
          "--node-cert", caller_certificate().certificate,
          "--node-key",  caller_certificate().key};
}

/// A directory, and a node that asks it as its administrator.
template <node_permission Permission>
struct node_fixture : command_line {
  slapd directory;
  serving_process node{UNDERSTUDY_SERVING_NODE, [this] {
                         auto options = serving_directory(directory.url());
                         options.permission = Permission;
                         options.bind_dn = admin_dn;
                         options.password = admin_password;
                         return options;
                       }()};
  words there() const { return words{"--node", node.address()} + with_certificates(); }
  std::string server() const { return "127.0.0.1:" + std::to_string(directory.port()); }
};
using reading_node = node_fixture<node_permission::read>;
using writing_node = node_fixture<node_permission::write>;
using operated_node = node_fixture<node_permission::admin>;

void check_refusal(const program_result& result, int code, const std::string& reason) {
  check_exit(result, code);
  BOOST_TEST(result.output == "");
  BOOST_TEST(contains(result.error_output, reason), result.error_output);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_command_goes_through_a_node, writing_node) {
  const auto found = run(words{"search", "-b", people_dn, "(uid=user7)", "uid"} + there());
  check_exit(found, 0);
  BOOST_TEST(found.output == "dn: " + user_dn(7) + "\nuid: user7\n\n");
  BOOST_TEST(found.error_output == "");
  const auto by_default = run(words{"search", "(uid=user7)", "uid"} + there());
  BOOST_TEST(by_default.output == found.output);
  check_exit(run(words{"compare", user_dn(7), "uid:user7"} + there()), 0);
  check_exit(run(words{"compare", user_dn(7), "uid:user8"} + there()), 1);
  const auto who = run(words{"whoami"} + there());
  check_exit(who, 0);
  BOOST_TEST(who.output == std::string{"dn:"} + admin_dn + "\n");
  check_exit(run(words{"authenticate", "user7"} + there(), user_password(7) + "\n"), 0);
  check_exit(run(words{"authenticate", "user7"} + there(), "wrong\n"), 1);
  check_exit(run(words{"groups", "user7"} + there()), 0);
  check_exit(run(words{"passwd", "user7"} + there(), user_password(7) + "\nanother one\n"), 0);
  check_exit(run(words{"authenticate", "user7"} + there(), "another one\n"), 0);
  check_exit(run(words{"modify"} + there(), "dn: " + user_dn(9) + "\nchangetype: delete\n"), 0);
  check_exit(run(words{"search", "-b", user_dn(9), "-s", "base", "(objectClass=*)"} + there()), 1);
  check_exit(run(words{"bench", "--duration", "100ms", "--concurrency", "2"} + there()), 0);
  const auto health = run(words{"health"} + there());
  check_exit(health, 0);
  BOOST_TEST(contains(health.output, server() + "  priority 1  healthy"), health.output);
  const auto json = nlohmann::json::parse(run(words{"health", "--json"} + there()).output);
  BOOST_TEST(json["servers"][0]["probe"]["ok"] == true);
  // What is told is the node's: a command that asks for health has no failures of its own to tell of.
  const auto& counted = json["operations"];
  const auto status = nlohmann::json::parse(run(words{"status", "--json"} + there()).output)["operations"];
  BOOST_TEST(counted == status);
  BOOST_TEST(counted["total"] >= 10);
}

BOOST_FIXTURE_TEST_CASE(a_configuration_says_who_we_are_to_nodes, writing_node) {
  const auto node_section = "[node]\nca_cert_path = \"" + node_certificates().ca.certificate().string() +
                            "\"\ncert_path = \"" + caller_certificate().certificate.string() + "\"\nkey_path = \"" +
                            caller_certificate().key.string() + "\"\n";
  // Its own directory is not asked.
  const auto file = config("ldap://127.0.0.1:1", {admin_password, {}, node_section});
  for (const auto* command : {"whoami", "status"}) check_exit(run({command, "-c", file, "--node", node.address()}), 0);
  // Somebody may have no directory at all.
  const auto client = folder().write("client.toml", node_section).string();
  check_exit(run({"whoami", "-c", client, "--node", node.address()}), 0);
  check_exit(run({"whoami", "-c", client}), 2);
  const auto wrong = folder().write("wrong.toml", "[node]\nca_cert_path = \"/no/such\"\n").string();
  check_exit(run({"whoami", "-c", wrong, "--node", node.address()}), 2);
}

BOOST_FIXTURE_TEST_CASE(several_nodes_are_named_at_once_or_one_by_one, writing_node) {
  const auto nobody = "127.0.0.1:" + std::to_string(free_port());
  check_exit(run(words{"whoami", "--node", nobody + "," + node.address()} + with_certificates()), 0);
  check_exit(run(words{"whoami", "--node", nobody, "--node", node.address()} + with_certificates()), 0);
}

BOOST_FIXTURE_TEST_CASE(who_is_asked_is_said_once, command_line) {
  const words here{"--node", "127.0.0.1:1"};
  check_refusal(run(words{"whoami", "-H", "ldap://localhost"} + here), 2, "-H and --node both say who is asked");
  check_refusal(run(words{"whoami", "-D", "cn=a"} + here), 2, "as whom a node asks the directory is its own affair");
  check_refusal(run({"whoami", "-H", "ldap://localhost", "--node-ca", "x"}), 2, "go with --node HOST:PORT");
  check_refusal(run({"whoami", "--node", "node1.example:4100"}), 2,
                "--node: \"node1.example:4100\": certificates are needed");
  check_refusal(run({"whoami", "--node", "127.0.0.1"}), 2, "must be a host and its port");
  check_refusal(run({"whoami", "--node", "127.0.0.1:1", "--node-ca", "/no/such"}), 2,
                "--node-ca: \"/no/such\" cannot be read");
  for (const auto* command : {"status", "tap", "drain", "reload"}) check_refusal(run({command}), 2, "--node");
  check_refusal(run(words{"suspend"} + here), 2, "SERVER");
}

BOOST_FIXTURE_TEST_CASE(a_node_that_cannot_be_reached_is_named, command_line) {
  const auto nobody = "127.0.0.1:" + std::to_string(free_port());
  for (const words& command : {words{"whoami"}, words{"health"}, words{"status"}, words{"tap"}, words{"drain"},
                               words{"reload"}, words{"suspend", "ldap1:389"}, words{"resume", "ldap1:389"}}) {
    const auto result = run(command + words{"--node", nobody});
    check_exit(result, 3);
    BOOST_TEST(contains(result.error_output, nobody), result.error_output);
    BOOST_TEST(contains(result.error_output, "understudy serve runs there"), result.error_output);
  }
}

BOOST_FIXTURE_TEST_CASE(a_node_of_another_authority_is_not_spoken_to, reading_node) {
  const auto refused = run({"whoami", "--node", node.address(), "--node-ca", node_certificates().other_ca.certificate(),
                            "--node-cert", caller_certificate().certificate, "--node-key", caller_certificate().key});
  check_refusal(refused, 3, "certificate");
}

BOOST_FIXTURE_TEST_CASE(status_tells_of_servers_breakers_and_pools, reading_node) {
  check_exit(run(words{"whoami"} + there()), 0);
  const auto text = run(words{"status"} + there());
  check_exit(text, 0);
  BOOST_TEST(contains(text.output, server() + "  priority 1  healthy  serving  breaker closed"), text.output);
  BOOST_TEST(contains(text.output, " of 8 connections"), text.output);
  const auto json = nlohmann::json::parse(run(words{"status", "--json"} + there()).output);
  const auto& first = json["servers"][0];
  BOOST_TEST(first["port"] == directory.port());
  BOOST_TEST(first["breaker"] == "closed");
  BOOST_TEST(first["pool"]["max_connections"] == 8);
  BOOST_TEST(json["active_priority"] == 1);
}

BOOST_FIXTURE_TEST_CASE(status_is_told_for_nodes_whose_directory_is_gone, reading_node) {
  directory.kill9();
  const auto json = nlohmann::json::parse(run(words{"status", "--json"} + there()).output);
  BOOST_TEST(json["servers"][0]["port"] == directory.port());
  const auto health = run(words{"health"} + there());
  check_exit(health, 1);
  BOOST_TEST(contains(health.output, "down"), health.output);
}

BOOST_FIXTURE_TEST_CASE(status_is_watched_until_it_is_interrupted, reading_node) {
  const auto lines = start(words{"status", "--watch", "--json"} + there());
  const auto text = start(words{"status", "--watch"} + there());
  const auto count = [](const std::string& output, const std::string& part) {
    int found = 0;
    for (auto at = output.find(part); at != std::string::npos; at = output.find(part, at + 1)) ++found;
    return found;
  };
  BOOST_TEST(eventually([&] { return count(lines->output(), "\n") >= 2; }), lines->error_output());
  BOOST_TEST(eventually([&] { return count(text->output(), "breaker closed") >= 2; }), text->error_output());
  for (const auto* each : {&lines, &text}) {
    (*each)->send_signal(SIGINT);
    BOOST_TEST((*each)->wait().value_or(-1) == 0);
    BOOST_TEST((*each)->error_output() == "");
    // A pipe is no screen.
    BOOST_TEST(!contains((*each)->output(), "\x1b"));
  }
  const auto output = lines->output();
  BOOST_TEST(nlohmann::json::parse(output.substr(0, output.find('\n')))["servers"].size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(operators_take_a_server_out_and_have_it_back, operated_node) {
  const auto state = [&] {
    return nlohmann::json::parse(run(words{"status", "--json"} + there()).output)["servers"][0]["state"]
        .get<std::string>();
  };
  check_exit(run(words{"suspend", server()} + there()), 0);
  BOOST_TEST(state() == "suspended");
  check_exit(run(words{"whoami"} + there()), 3);
  check_exit(run(words{"resume", server()} + there()), 0);
  BOOST_TEST(state() == "healthy");
  check_exit(run(words{"whoami"} + there()), 0);
  check_refusal(run(words{"suspend", "ldap9:389"} + there()), 3,
                "the node has no server \"ldap9:389\"; it has " + server());
}

BOOST_FIXTURE_TEST_CASE(an_order_is_for_one_node, operated_node) {
  const auto nobody = "127.0.0.1:" + std::to_string(free_port());
  for (const words& order : {words{"suspend", server()}, words{"resume", server()}, words{"drain"}, words{"reload"}})
    check_refusal(run(order + words{"--node", nobody + ',' + node.address()} + with_certificates()), 2,
                  "an order is for one node");
  BOOST_TEST(node.process().running());
  BOOST_TEST(!contains(node.process().output(), "drain"));
}

BOOST_FIXTURE_TEST_CASE(a_node_drains_and_reloads_by_order, operated_node) {
  const auto told = run(words{"reload"} + there());
  check_exit(told, 0);
  BOOST_TEST(told.output == node.address() + " was told; its log says what comes of it\n");
  BOOST_TEST(contains(node.process().output(), "reload"));
  check_exit(run(words{"drain"} + there()), 0);
  BOOST_TEST(node.process().wait().value_or(-1) == 0, node.process().error_output());
  BOOST_TEST(contains(node.process().output(), "drain"));
}

BOOST_FIXTURE_TEST_CASE(who_may_not_operate_a_node_is_told_what_it_takes, writing_node) {
  for (const words& order : {words{"suspend", server()}, words{"resume", server()}, words{"drain"}, words{"reload"}})
    check_refusal(run(order + there()), 3, "it needs \"admin\"");
  BOOST_TEST(node.process().running());
  BOOST_TEST(!contains(node.process().output(), "drain"));
}

BOOST_FIXTURE_TEST_CASE(what_a_reading_node_refuses_is_said, reading_node) {
  const auto refused = run(words{"modify"} + there(), "dn: " + user_dn(9) + "\nchangetype: delete\n");
  check_exit(refused, 3);
  BOOST_TEST(contains(refused.error_output, "it needs \"write\""), refused.error_output);
  // One exit code for one refusal, whichever command meets it.
  check_refusal(run(words{"passwd", "--reset", "user1"} + there(), "a new one\n"), 3, "it needs \"write\"");
  check_refusal(run(words{"tap"} + there()), 3, "it needs \"admin\"");
  check_refusal(run(words{"drain"} + there()), 3, "it needs \"admin\"");
}
