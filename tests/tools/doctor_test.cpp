// `understudy doctor` as a process: what is wrong is found where it is, told in words, and nothing else.
#include "cli.hpp"
#include "runtime/serving_node.hpp"
#include "support/certificates.hpp"
#include "support/free_port.hpp"
#include "support/stub_directory.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::test;

namespace {

/// A configuration that nobody else may read.
struct doctor_fixture : command_line {
  std::string private_config(const std::string& text) const {
    const auto path = write(text);
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path;
  }
  /// The findings of that file, as JSON has them.
  nlohmann::json findings(const std::string& file) const {
    const auto said = run({"doctor", "-c", file, "--json"});
    check_exit(said, 1);
    return nlohmann::json::parse(said.output)["findings"];
  }
};

/// One of that area says so.
void check_found(const nlohmann::json& all, const std::string& area, const std::string& text) {
  for (const auto& each : all)
    if (each["area"] == area && contains(each["text"].get<std::string>(), text)) return;
  BOOST_TEST_ERROR("nothing about " << area << " says \"" << text << "\": " << all.dump(2));
}

std::string bound_to(const std::string& uri, const std::string& password = admin_password) {
  return "[ldap]\nuri = \"" + uri + "\"\nbind_dn = \"" + admin_dn + "\"\npassword = \"" + password + "\"\n";
}

/// The root DSE has that too.
void say_in_root_dse(stub_directory& directory, attribute more) {
  directory.when([](const directory_request& r) { return r.kind == operation::search && r.dn.empty(); },
                 [&directory, more](const directory_request& r) {
                   auto answer = directory.usual(r);
                   auto& has = answer.what.entries.at(0).attributes;
                   std::erase_if(has, [&](const attribute& each) { return each.name == more.name; });
                   has.push_back(more);
                   return answer;
                 });
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(doctor_finds_nothing_where_all_is_well, doctor_fixture) {
  const slapd directory;
  const auto file = private_config(bound_to(directory.url()));
  const auto well = run({"doctor", "-c", file});
  check_exit(well, 0);
  BOOST_TEST(contains(well.output, "nothing found; looked at configuration " + file), well.output);
  BOOST_TEST(contains(well.output, "server 127.0.0.1:" + std::to_string(directory.port())), well.output);
  BOOST_TEST(well.error_output == "");
  check_exit(run({"doctor", "-H", directory.url()}), 0);
}

BOOST_FIXTURE_TEST_CASE(doctor_tells_of_a_configuration_that_cannot_work_or_should_not, doctor_fixture) {
  const auto wrong = private_config("[ldap]\nhots = \"a\"\nhost = \"a\"\n");
  const auto said = run({"doctor", "-c", wrong});
  check_exit(said, 1);
  BOOST_TEST(contains(said.output, "wrong  configuration  " + wrong + ":2:1: "), said.output);
  BOOST_TEST(contains(said.output, "1 thing found"), said.output);
  const slapd directory;
  const auto doubtful = private_config(bound_to(directory.url()) + "[breaker]\nslow_call = \"40s\"\n");
  check_found(findings(doubtful), "configuration", "breaker.slow_call (40s) is not less than");
  // Readable by others, with the password in it.
  const auto open = write(bound_to(directory.url()));
  std::filesystem::permissions(open, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write |
                                         std::filesystem::perms::others_read);
  const auto read = run({"doctor", "-c", open});
  check_exit(read, 1);
  BOOST_TEST(contains(read.output, "wrong  secrets  "), read.output);
  BOOST_TEST(contains(read.output, "    do: chmod 600"), read.output);
  // The trap of a file that ends with more than a newline.
  const auto secret = folder().write("password", std::string{admin_password} + " \n");
  std::filesystem::permissions(secret, std::filesystem::perms::owner_read);
  const auto trapped = findings(private_config("[ldap]\nuri = \"" + directory.url() + "\"\nbind_dn = \"" + admin_dn +
                                               "\"\npassword_file = \"" + secret.string() + "\"\n"));
  check_found(trapped, "secrets", "ends with white space");
  check_found(trapped, "server", "fails at bind");
}

BOOST_FIXTURE_TEST_CASE(doctor_names_what_a_server_fails_at, doctor_fixture) {
  const auto gone = findings(private_config(bound_to("ldap://127.0.0.1:" + std::to_string(free_port()))));
  BOOST_TEST(gone.size() == 1U, gone.dump());
  check_found(gone, "server", "fails at TCP: ");
  BOOST_TEST(contains(gone[0]["advice"].get<std::string>(), "check host and port"));
  const slapd directory;
  const auto refused = findings(private_config(bound_to(directory.url(), "hunter2")));
  BOOST_TEST(refused.size() == 1U, refused.dump());
  check_found(refused, "server", "fails at bind: ");
  BOOST_TEST(!contains(refused.dump(), "hunter2"));
}

BOOST_FIXTURE_TEST_CASE(doctor_finds_servers_that_are_not_alike_and_clocks_that_are_wrong, doctor_fixture) {
  stub_directory first, second;
  const auto file = private_config("[[ldap.servers]]\nuri = \"" + first.url() + "\"\n[[ldap.servers]]\nuri = \"" +
                                   second.url() + "\"\npriority = 2\n");
  check_exit(run({"doctor", "-c", file}), 0);
  say_in_root_dse(second, {"namingContexts", {"dc=example,dc=org"}});
  check_found(findings(file), "server", "holds other trees than 127.0.0.1:" + std::to_string(first.port()));
  second.forget_rules();
  say_in_root_dse(second, {"vendorVersion", {"2.0"}});
  check_found(findings(file), "server", "another product or version");
  second.forget_rules();
  say_in_root_dse(first, {"currentTime", {"20200517093000.0Z"}});
  check_found(findings(file), "clock", "behind this machine's");
}

BOOST_FIXTURE_TEST_CASE(doctor_asks_a_global_catalog_as_every_other_server, doctor_fixture) {
  const slapd directory;
  const stub_directory catalog;
  const auto said =
      run({"doctor", "-c",
           private_config("[[ldap.servers]]\nuri = \"" + directory.url() + "\"\n[[ldap.servers]]\nuri = \"" +
                          catalog.url() + "\"\nrole = \"global_catalog\"\n")});
  BOOST_TEST(said.error_output == "");
  BOOST_TEST(contains(said.output, "server 127.0.0.1:" + std::to_string(catalog.port())), said.output);
}

BOOST_FIXTURE_TEST_CASE(doctor_tells_of_certificates_before_they_end, doctor_fixture) {
  certificate_set certificates;
  stub_options secure;
  secure.ldaps = true;
  secure.tls = tls_files{certificates.server.certificate, certificates.server.key};
  stub_directory directory{secure};
  const auto file = private_config("[ldap]\nuri = \"" + directory.url() + "\"\nca_cert_path = \"" +
                                   certificates.ca.certificate().string() + "\"\n");
  check_found(findings(file), "certificate", "the server's certificate ends in 2");
  const auto lasting = certificates.ca.issue(
      "lasting", {"localhost", {"localhost"}, {"127.0.0.1"}, std::chrono::hours{-24}, std::chrono::hours{24 * 400}});
  directory.set_tls({lasting.certificate, lasting.key});
  const auto said = run({"doctor", "-c", file, "--json"});
  const auto tree = nlohmann::json::parse(said.output);
  for (const auto& each : tree["findings"])
    BOOST_TEST(!contains(each["text"].get<std::string>(), "the server's certificate"), each.dump());
  BOOST_TEST(contains(tree["looked_at"].dump(), "certificate of 127.0.0.1"), tree.dump());
  // One that has ended shows in the step that fails, and by itself.
  directory.set_tls({certificates.expired.certificate, certificates.expired.key});
  const auto ended = findings(file);
  check_found(ended, "server", "fails at TLS");
  check_found(ended, "certificate", "the server's certificate ended");
}

BOOST_FIXTURE_TEST_CASE(doctor_reads_a_running_node, command_line) {
  stub_directory directory;
  auto options = serving_directory(directory.url());
  options.permission = internal::node_permission::read;
  serving_process node{UNDERSTUDY_SERVING_NODE, options};
  const auto ask = [&] {
    return run({"doctor", "--timeout", "5s", "--node", node.address(), "--node-ca",
                node_certificates().ca.certificate(), "--node-cert", caller_certificate().certificate, "--node-key",
                caller_certificate().key});
  };
  BOOST_TEST(eventually([&] { return ask().status == 0; }), ask().output);
  directory.stop();
  const auto said = ask();
  check_exit(said, 1);  // the node's probe finds it at once
  BOOST_TEST(contains(said.output, "for the node it fails at TCP"), said.output);
  node.process().kill9();
  check_exit(ask(), 3);
}

BOOST_FIXTURE_TEST_CASE(doctor_looks_at_a_file_from_here_and_at_a_node, doctor_fixture) {
  stub_directory directory, reached_by_nobody;
  auto options = serving_directory(directory.url());
  options.permission = internal::node_permission::read;
  serving_process node{UNDERSTUDY_SERVING_NODE, options};
  reached_by_nobody.stop();
  const auto file = private_config(
      "[ldap]\nuri = \"" + reached_by_nobody.url() + "\"\n[node]\nname = \"here\"\nca_cert_path = \"" +
      node_certificates().ca.certificate().string() + "\"\ncert_path = \"" + caller_certificate().certificate.string() +
      "\"\nkey_path = \"" + caller_certificate().key.string() + "\"\n");
  const auto both = run({"doctor", "-c", file, "--node", node.address()});
  check_exit(both, 1);
  BOOST_TEST(contains(both.output, "wrong  server  fails at TCP"), both.output);
  BOOST_TEST(contains(both.output, ":" + std::to_string(reached_by_nobody.port())), both.output);
  BOOST_TEST(contains(both.output, "looked at configuration " + file), both.output);
  BOOST_TEST(contains(both.output, "node " + node.address()), both.output);
  BOOST_TEST(!contains(both.output, "for the node it fails"), both.output);
  node.process().kill9();
  const auto alone = run({"doctor", "-c", file, "--timeout", "5s", "--node", node.address()});
  check_exit(alone, 3);
  BOOST_TEST(contains(alone.output, "fails at TCP"), alone.output);
}
