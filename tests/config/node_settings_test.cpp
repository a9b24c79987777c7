// [node] and [[node.listeners]]: what is read, and what cannot be meant.
#include "config/config_text.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/node_rules.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::internal::config;
using namespace understudy::test;

namespace {

const std::string ldap = "[ldap]\nhost = \"a\"\n";

std::string quoted(const std::filesystem::path& path) { return '"' + path.string() + '"'; }

/// The problems of a file that has these listeners, with good certificates in [node].
std::string secured(const std::string& listeners) {
  return pool_errors(ldap + node_section_with_certificates() + listeners);
}

/// The first problem without its place.
std::string problem_of(const std::string& listener) {
  const auto found = from_toml(ldap + node_section_with_certificates() + "[[node.listeners]]\n" + listener).problems;
  return found.empty() ? "" : found.front().key + ": " + found.front().what;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_node_and_its_listeners_are_read) {
  const auto& files = certificates_of_nodes();
  const auto read =
      from_toml(ldap + "[node]\nname = \"${N}\"\ncert_path = " + quoted(files.server.certificate) +
                    "\nkey_path = " + quoted(files.server.key) + "\nca_cert_path = " + quoted(files.ca.certificate()) +
                    "\ncrl_path = " + quoted(files.crl) +
                    "\n[[node.listeners]]\naddress = \"0.0.0.0:4100\"\n"
                    "[[node.listeners]]\naddress = \"[::]:4101\"\npermission = \"${P}\"\nmax_peers = 3\n"
                    "ca_cert_path = " +
                    quoted(files.other_ca.certificate()) + "\ncrl_path = " + quoted(files.crl) +
                    "\n[[node.listeners]]\naddress = \"127.0.0.1:0\"\ninsecure_loopback = true\n",
                {{"N", "one"}, {"P", "write"}});
  BOOST_TEST_REQUIRE(read.ok(), joined(lines_of(read.problems)));
  const auto& node = read.value.node;
  BOOST_TEST(node.name == "one");
  BOOST_TEST(node.ca_cert_path == files.ca.certificate().string());
  BOOST_TEST(node.crl_path == files.crl.string());
  BOOST_TEST_REQUIRE(node.listeners.size() == 3U);
  BOOST_TEST(node.listeners[0].address == "0.0.0.0:4100");
  BOOST_TEST((node.listeners[0].permission == node_permission::read));
  BOOST_TEST(node.listeners[0].ca_cert_path == "");
  BOOST_TEST((node.listeners[1].permission == node_permission::write));
  BOOST_TEST(node.listeners[1].max_peers == 3);
  BOOST_TEST(node.listeners[1].crl_path == files.crl.string());
  BOOST_TEST(node.listeners[2].insecure_loopback);
  BOOST_TEST(joined(lines_of(validate(read.value))) == "");
}

BOOST_AUTO_TEST_CASE(the_same_tree_is_read_as_json) {
  const auto read = from_json(
      R"({"ldap": {"host": "a"}, "node": {"listeners": [{"address": "[::1]:4100", "insecure_loopback": true}]}})");
  BOOST_TEST_REQUIRE(read.ok(), joined(lines_of(read.problems)));
  BOOST_TEST_REQUIRE(read.value.node.listeners.size() == 1U);
  BOOST_TEST(read.value.node.listeners[0].address == "[::1]:4100");
}

BOOST_AUTO_TEST_CASE(a_listener_needs_certificates_unless_it_is_plain_text_on_this_machine) {
  const std::string none = ldap + "[[node.listeners]]\n";
  BOOST_TEST(
      pool_errors(none + "address = \"0.0.0.0:4100\"\n") ==
      "f:4:1: node.listeners[0].address: needs TLS: set cert_path in [node], key_path in [node], ca_cert_path\n");
  BOOST_TEST(pool_errors(none + "address = \"127.0.0.1:4100\"\n")
                 .find("or insecure_loopback = true, for plain text on this machine") != std::string::npos);
  BOOST_TEST(pool_errors(none + "address = \"127.0.0.1:4100\"\ninsecure_loopback = true\n") == "");
  BOOST_TEST(pool_errors(none + "address = \"[::1]:4100\"\ninsecure_loopback = true\n") == "");
  for (const std::string place : {"0.0.0.0:4100", "[::]:4100", ":4100", "192.0.2.1:4100", "127.0.0.2:4100"})
    BOOST_TEST(pool_errors(none + "address = \"" + place + "\"\ninsecure_loopback = true\n") ==
               "f:5:1: node.listeners[0].insecure_loopback: allows plain text at 127.0.0.1 and ::1 alone, not at \"" +
                   place + "\"; remove it, and set cert_path, key_path and ca_cert_path in [node]\n");
  BOOST_TEST(problem_of("address = \"127.0.0.1:1\"\ninsecure_loopback = true\nca_cert_path = " +
                        quoted(certificates_of_nodes().ca.certificate()) + "\n") ==
             "node.listeners[0].ca_cert_path: is of no use with insecure_loopback = true, which is plain text");
}

BOOST_AUTO_TEST_CASE(the_lists_of_a_node_count_at_listeners_with_the_nodes_authorities) {
  node_settings node;
  node.ca_cert_path = "/ca.pem";
  node.crl_path = "/node.crl";
  node_listener_settings listener;
  BOOST_TEST(revocation_lists_of(node, listener) == "/node.crl");
  listener.crl_path = "/own.crl";
  BOOST_TEST(revocation_lists_of(node, listener) == "/own.crl");
  // Those of others say nothing of certificates that these authorities have signed.
  listener.ca_cert_path = "/operators.pem";
  BOOST_TEST(revocation_lists_of(node, listener) == "/own.crl");
  listener.crl_path.clear();
  BOOST_TEST(revocation_lists_of(node, listener) == "");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_in_node_is_said_there_alone) {
  const auto& files = certificates_of_nodes();
  const std::string listener = "[[node.listeners]]\naddress = \"0.0.0.0:4100\"\n";
  BOOST_TEST(pool_errors(ldap + "[node]\ncert_path = 1\n" + listener) ==
             "f:4:1: node.cert_path: must be a string, not an integer\n");
  BOOST_TEST(pool_errors(ldap + "[node]\ncert_path = " + quoted(files.server.certificate) + "\n") ==
             "f:4:1: node.cert_path: needs key_path, the certificate's private key\n");
  BOOST_TEST(pool_errors(ldap + "[node]\nkey_path = " + quoted(files.server.key) + "\n") ==
             "f:4:1: node.key_path: needs cert_path, the key's certificate\n");
  BOOST_TEST(pool_errors(ldap + "[node]\ncrl_path = " + quoted(files.crl) + "\n") ==
             "f:4:1: node.crl_path: needs ca_cert_path, the authorities whose lists these are\n");
  const auto no_list = pool_errors(ldap + "[node]\nca_cert_path = " + quoted(files.ca.certificate()) +
                                   "\ncrl_path = " + quoted(files.ca.certificate()) + "\n");
  BOOST_TEST(no_list.find("f:5:1: node.crl_path: ") == 0U, no_list);
  BOOST_TEST(no_list.find("holds no revocation list (PEM)") != std::string::npos, no_list);
  BOOST_TEST(pool_errors(ldap + "[node]\nca_cert_path = \"/nowhere\"\n") ==
             "f:4:1: node.ca_cert_path: \"/nowhere\" cannot be read: No such file or directory\n");
  BOOST_TEST(pool_errors(ldap + "[node]\ncert_path = " + quoted(files.server.certificate) +
                         "\nkey_path = " + quoted(files.client.key) + "\n")
                 .find("node.key_path: ") != std::string::npos);
  const auto other = pool_errors(ldap + "[node]\ncert_path = " + quoted(files.server.certificate) +
                                 "\nkey_path = " + quoted(files.client.key) + "\n");
  BOOST_TEST(other.find("does not belong to the certificate in cert_path") != std::string::npos, other);
  const auto locked = pool_errors(ldap + "[node]\ncert_path = " + quoted(files.client.certificate) +
                                  "\nkey_path = " + quoted(files.encrypted_client_key("hush")) + "\n");
  BOOST_TEST(locked.find("is encrypted, and a node has no password for it") != std::string::npos, locked);
  BOOST_TEST(pool_errors(ldap + "[node]\nname = \"" + std::string(254, 'n') + "\"\n") ==
             "f:4:1: node.name: must not be longer than 253 bytes\n");
}

BOOST_AUTO_TEST_CASE(a_cluster_is_read_and_each_of_its_nodes_is_known_by_its_host) {
  const std::string listener = "[[node.listeners]]\naddress = \"0.0.0.0:4100\"\n";
  const auto cluster = [&](const std::string& lines, const std::string& listeners = "") {
    return from_toml(ldap + node_section_with_certificates() + lines + (listeners.empty() ? listener : listeners));
  };
  const auto first = [&](const std::string& lines, const std::string& listeners = "") {
    const auto found = cluster(lines, listeners).problems;
    return found.empty() ? "" : found.front().key + ": " + found.front().what;
  };
  // The certificate is for "localhost" and 127.0.0.1.
  const std::string name = "name = \"LocalHost\"\n";
  const auto read = cluster(name + "peers = [\"node2.example:4100\", \"[::1]:4101\"]\nbudget = 3\n");
  BOOST_TEST_REQUIRE(read.ok(), joined(lines_of(read.problems)));
  BOOST_TEST(read.value.node.peers == (std::vector<std::string>{"node2.example:4100", "[::1]:4101"}),
             boost::test_tools::per_element());
  BOOST_TEST(read.value.node.budget == 3U);
  BOOST_TEST(joined(lines_of(validate(read.value))) == "");
  BOOST_TEST(first("budget = 1\n") == "", "a node alone may have a budget");

  const std::string peers = "peers = [\"node2.example:4100\"]\n";
  BOOST_TEST(first(name + peers + "budget = 1\n") ==
             "node.budget: must be 2 at least, a socket for each node of the cluster, not 1");
  BOOST_TEST(first(peers) == "node.peers: needs name in [node]: the host by which the others name this node");
  BOOST_TEST(first("name = \"node1\"\n" + peers) ==
             "node.name: must be the first name in the certificate of cert_path, \"localhost\", for peers to know this "
             "node, not \"node1\"");
  BOOST_TEST(first(name + "peers = [\"localhost:4101\"]\n") ==
             "node.peers: names this node, \"LocalHost\": only the others belong there");
  BOOST_TEST(first(name + "peers = [\"a:1\", \"A:2\"]\n") ==
             "node.peers: names \"A\" twice: a node is known by its host");
  BOOST_TEST(first(name + "peers = [\"node2.example\"]\n").find("node.peers: ") == 0U);
  BOOST_TEST(first(name + "peers = [\"node2.example:0\"]\n") ==
             "node.peers: its port must be 1 to 65535, not \"node2.example:0\"");
  BOOST_TEST(first(name + peers, "[[node.listeners]]\naddress = \"127.0.0.1:1\"\ninsecure_loopback = true\n") ==
             "node.peers: needs a [[node.listeners]] with TLS: one of two nodes comes in to the other");
  std::string many = "peers = [\"node1:1\"";
  for (int i = 2; i <= 64; ++i) many += ", \"node" + std::to_string(i) + ":1\"";
  BOOST_TEST(first(name + many + "]\n") ==
             "node.peers: names 64 nodes; a cluster has 64 at the most, this one included");
  BOOST_TEST(pool_errors(ldap + "[node]\nname = \"a\"\n" + peers) ==
             "f:5:1: node.peers: needs certificates on both sides: set cert_path, key_path, ca_cert_path in [node]\n"
             "f:5:1: node.peers: needs a [[node.listeners]] with TLS: one of two nodes comes in to the other\n");
}

BOOST_AUTO_TEST_CASE(an_address_to_listen_at_is_in_numbers) {
  for (const std::string good : {"127.0.0.1:4100", "[::1]:4100", "[fe80::1%eth0]:1", ":4100", "0.0.0.0:0"})
    BOOST_TEST(problem_of("address = \"" + good + "\"\n") == "", good);
  for (const std::string bad : {"4100", "127.0.0.1", "::1:4100", "[::1]", "127.0.0.1:65536", "127.0.0.1:",
                                "localhost:1", "[127.0.0.1]:1", "/run/node", "/run/node:1", "127.0.0.1:1x"})
    BOOST_TEST(problem_of("address = \"" + bad + "\"\n").find(", not \"" + bad + '"') != std::string::npos, bad);
  BOOST_TEST(problem_of("permission = \"write\"\n") ==
             "node.listeners[0].address: is required: where it listens, as 0.0.0.0:4100");
  BOOST_TEST(problem_of("address = \"127.0.0.1:1\"\npermission = \"all\"\n") ==
             "node.listeners[0].permission: must be read, write or admin, not \"all\"");
}

BOOST_AUTO_TEST_CASE(listeners_are_an_array_of_tables_at_different_addresses) {
  BOOST_TEST(pool_errors(ldap + "[node.listeners]\naddress = \"127.0.0.1:1\"\n") ==
             "f:3:7: node.listeners: must be an array of tables, one [[node.listeners]] an address, not a table\n");
  BOOST_TEST(pool_errors(ldap + "[node]\nlisteners = [1]\n") ==
             "f:4:14: node.listeners[0]: must be a table, not an integer\n");
  BOOST_TEST(pool_errors(ldap + "[\"node.listeners\"]\n").find("unknown section") != std::string::npos);
  BOOST_TEST(pool_errors(ldap + "[pool]\npermission = \"read\"\n") ==
             "f:4:1: pool.permission: unknown key; it belongs in [[node.listeners]]\n");
  BOOST_TEST(secured("[[node.listeners]]\naddress = \"[::]:4100\"\n[[node.listeners]]\naddress = \":4100\"\n") ==
             "f:9:1: node.listeners[1]: is at the address of node.listeners[0]: :4100\n");
  const auto beside = [](const std::string& first, const std::string& second) {
    return secured("[[node.listeners]]\naddress = \"" + first + "\"\n[[node.listeners]]\naddress = \"" + second +
                   "\"\n");
  };
  // What includes the other one leaves it nothing to listen at.
  BOOST_TEST(beside("127.0.0.1:4100", "0.0.0.0:4100") ==
             "f:9:1: node.listeners[1]: is at the address of node.listeners[0]: 0.0.0.0:4100\n");
  BOOST_TEST(beside(":4100", "127.0.0.1:4100") != "");
  BOOST_TEST(beside(":4100", "0.0.0.0:4100") != "");
  BOOST_TEST(beside("[::1]:4100", "[0:0:0:0:0:0:0:1]:4100") != "");
  BOOST_TEST(beside("127.0.0.1:4100", "[::1]:4100") == "");
  BOOST_TEST(beside("0.0.0.0:4100", "[::1]:4100") == "");
  BOOST_TEST(beside("127.0.0.1:4100", "0.0.0.0:4101") == "");
  BOOST_TEST(secured("[[node.listeners]]\naddress = \"[::1]:0\"\n[[node.listeners]]\naddress = \"[::1]:0\"\n") == "");
}

BOOST_AUTO_TEST_CASE(an_empty_path_does_not_open_a_listener) {
  BOOST_TEST(problem_of("address = \"127.0.0.1:1\"\nca_cert_path = \"\"\n") ==
             "node.listeners[0].ca_cert_path: must not be empty; remove the key");
  BOOST_TEST(
      pool_errors(ldap + "[node]\nca_cert_path = \"${CA}\"\n", {{"CA", ""}}).find("node.ca_cert_path: is empty") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(nodes_made_in_code_obey_the_same_rules) {
  settings all;
  all.servers.resize(1);
  all.servers[0].host = "a";
  all.node.listeners.resize(2);
  all.node.listeners[0].address = "0.0.0.0:4100";
  all.node.listeners[1].address = "0.0.0.0:4100";
  all.node.listeners[1].insecure_loopback = true;
  all.node.listeners[1].max_peers = 0;
  all.node.cert_path = "/nowhere";
  const auto text = joined(lines_of(validate(all)));
  for (const auto* part : {"node.cert_path: needs key_path", "node.cert_path: \"/nowhere\" cannot be read",
                           "node.listeners[0].address: needs TLS: set key_path in [node], ca_cert_path\n",
                           "node.listeners[1].max_peers: must be 1 to 100000, not 0\n",
                           "node.listeners[1].insecure_loopback: allows plain",
                           "node.listeners[1]: is at the address of node.listeners[0]: 0.0.0.0:4100\n"})
    BOOST_TEST(text.find(part) != std::string::npos, part << " is missing in\n" << text);
}

BOOST_AUTO_TEST_CASE(a_node_is_dialled_by_a_name_or_an_address_and_listens_at_an_address) {
  std::string problem;
  BOOST_TEST(parse_node_address("node2.example.com:4100", problem)->host == "node2.example.com");
  BOOST_TEST(parse_node_address("[2001:db8::1]:1", problem)->port == 1);
  BOOST_TEST(parse_listening_address(":0", problem)->host == "::");
  BOOST_TEST(parse_listening_address("[fe80::1%eth0]:1", problem)->host == "fe80::1%eth0");
  BOOST_TEST(problem == "");
  for (const auto* bad : {"", ":", "a", "a:b", "2001:db8::1:1", "[a]:1", "a b:1", "[]:1", "a:0", "/run/a:1"}) {
    problem.clear();
    BOOST_TEST(!parse_node_address(bad, problem).has_value(), bad);
    BOOST_TEST((problem.starts_with("must ") || problem.starts_with("its port ")), bad << ": " << problem);
  }
  for (const auto* bad : {"", ":", "node2.example.com:1", "localhost:1", "[fe80::1%]:1", "/run/a:1", "127.0.0.1"}) {
    problem.clear();
    BOOST_TEST(!parse_listening_address(bad, problem).has_value(), bad);
    BOOST_TEST((problem.starts_with("must ") || problem.starts_with("its port ")), bad << ": " << problem);
  }
}
