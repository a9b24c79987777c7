// Other people's LDAP clients are told the same through a front door as by the directory itself.
#include "scenarios/front_door_clients.hpp"
#include "session_messages.hpp"
#include "support/installed_client.hpp"
#include "support/port_of.hpp"
#include "support/slapd_tree.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstdlib>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A script of `clients/`, and what of Debian's it needs.
struct other_client {
  std::string package;
  std::vector<std::string> probe, command;
  bool of_debian = true;
};

void check_same_answers(const other_client& client) {
  if (!is_installed(client.package, client.probe, client.of_debian)) return;
  leak_guard leaks;
  slapd direct, behind;
  served_clients door(with_front_door(quick_settings({server_at(behind.port())})));
  const auto play = [&](const std::string& uri) {
    child_process::options with;
    with.command = client.command;
    with.command.push_back(uri);
    with.environment = {std::string{"DIRECTORY_PASSWORD="} + admin_password, "LDAPNOINIT=1",
                        "UNDERSTUDY_NODE_MODULES=" UNDERSTUDY_NODE_MODULES};
    return run_program(std::move(with), 2 * patience);
  };
  const auto expected = play(direct.url()), got = play(door.uri());
  BOOST_TEST(expected.status == 0, expected.error_output);
  // It went through to the end.
  BOOST_TEST(expected.output.find("\ndelete again: ") != std::string::npos, expected.output);
  BOOST_TEST(got.status == expected.status, got.error_output);
  BOOST_TEST(got.output == expected.output);
  BOOST_TEST(door.all_gone());
  end_scenario(door.get(), {behind});
}

other_client script(const std::string& package, std::vector<std::string> probe, const std::string& interpreter,
                    const std::string& file) {
  return {package, std::move(probe), {interpreter, std::string{client_scripts()} + "/" + file}, true};
}

}  // namespace

BOOST_AUTO_TEST_CASE(client_openldap_is_told_the_same) {
  check_same_answers(script("ldap-utils", {"ldapwhoami", "-VV"}, "bash", "openldap.sh"));
}

BOOST_AUTO_TEST_CASE(client_python_ldap_is_told_the_same) {
  check_same_answers(script("python3-ldap", python_with("ldap"), debian_python, "python_ldap.py"));
}

BOOST_AUTO_TEST_CASE(client_python_ldap3_is_told_the_same) {
  check_same_answers(script("python3-ldap3", python_with("ldap3"), debian_python, "python_ldap3.py"));
}

BOOST_AUTO_TEST_CASE(client_perl_net_ldap_is_told_the_same) {
  check_same_answers(script("libnet-ldap-perl", {"perl", "-MNet::LDAP", "-e1"}, "perl", "net_ldap.pl"));
}

BOOST_AUTO_TEST_CASE(client_php_ldap_is_told_the_same) {
  check_same_answers(
      script("php-ldap", {"php", "-r", "exit(extension_loaded('ldap') ? 0 : 1);"}, "php", "php_ldap.php"));
}

BOOST_AUTO_TEST_CASE(client_ruby_net_ldap_is_told_the_same) {
  check_same_answers(script("ruby-net-ldap", {"ruby", "-rnet/ldap", "-e", "1"}, "ruby", "net_ldap.rb"));
}

BOOST_AUTO_TEST_CASE(client_node_ldapts_is_told_the_same) {
  auto client = script("npm's ldapts", {"test", "-d", UNDERSTUDY_NODE_MODULES "/ldapts"}, "node", "ldapts.mjs");
  client.of_debian = false;
  check_same_answers(client);
}

BOOST_AUTO_TEST_CASE(client_python_ldap_s_own_tests_come_to_the_same) {
  // Its sources, of the version that is installed, are in no package that is.
  const auto* folder = std::getenv("UNDERSTUDY_PYTHON_LDAP");
  const std::string sources = folder != nullptr ? folder : "";
  if (!is_installed("python-ldap's sources (UNDERSTUDY_PYTHON_LDAP=FOLDER)",
                    {"sh", "-c", "test -d \"$1/Tests\" && " + std::string{debian_python} + " -c 'import slapdtest'",
                     "sh", sources},
                    false))
    return;
  const auto got = run_program(
      {{debian_python, std::string{client_scripts()} + "/python_ldap_suite.py", UNDERSTUDY_PROGRAM, sources},
       {},
       {},
       {}},
      6 * patience);
  BOOST_TEST(got.status == 0, got.output << got.error_output);
}

BOOST_AUTO_TEST_CASE(client_openldap_s_slapd_tester_finds_no_error) {
  // It is in no package: OpenLDAP's tests/progs, compiled by who wants it.
  const auto* folder = std::getenv("UNDERSTUDY_SLAPD_TESTER");
  const std::string programs = folder != nullptr ? folder : "";
  if (!is_installed("OpenLDAP's slapd-tester (UNDERSTUDY_SLAPD_TESTER=FOLDER)",
                    {"test", "-x", programs + "/slapd-tester"}, false))
    return;
  leak_guard leaks;
  slapd direct, behind;
  served_clients door(with_front_door(quick_settings({server_at(behind.port())})));
  temporary_folder asked;
  const auto users = "ou=people,dc=example,dc=com\n";
  asked.write("do_search.0", std::string{users} + "(uid=user1)\n" + "dc=example,dc=com\n(cn=User*)\n");
  asked.write("do_read.0", user_dn(1) + "\n" + user_dn(2) + "\n" + users);
  asked.write("do_bind.0", user_dn(1) + "\n" + user_password(1) + "\n" + user_dn(2) + "\n" + user_password(2) + "\n");
  asked.write("do_modify.0", user_dn(3) + "\nmail: tester@example.com\n" + user_dn(4) + "\ndescription: tester\n");
  asked.write("do_modrdn.0", user_dn(5) + "\n");
  asked.write("do_add.0",
              "dn: uid=added,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: added\ncn: Added\nsn: A\n");
  // As many programs at once as it has, each with its connection; it fails when one of them gets an error.
  const auto play = [&](const std::string& uri) {
    return run_program({{programs + "/slapd-tester", "-P", programs, "-d", asked.path().string(), "-H", uri, "-D",
                         admin_dn, "-w", admin_password, "-l", "20"},
                        {},
                        {"LDAPNOINIT=1"},
                        {}},
                       4 * patience);
  };
  const auto expected = play(direct.url()), got = play(door.uri());
  BOOST_TEST(expected.status == 0, expected.error_output);
  BOOST_TEST(got.status == 0, got.error_output);
  BOOST_TEST(door.all_gone());
  end_scenario(door.get(), {behind});
}

BOOST_AUTO_TEST_CASE(client_go_ldap_is_told_the_same) {
  // A compiler of 450 MB, which tools/setup leaves to who wants it.
  const std::vector<std::string> probe{"sh", "-c",
                                       "go version && test -d /usr/share/gocode/src/github.com/go-ldap/ldap"};
  auto client = script("golang-go and golang-github-go-ldap-ldap-dev", probe, "sh", "go_ldap.sh");
  client.of_debian = false;
  if (!is_installed(client.package, probe, false)) return;
  child_process::options build;
  build.command = client.command;
  build.command.emplace_back("--build");
  BOOST_TEST_REQUIRE(run_program(std::move(build), 4 * patience).status == 0);
  check_same_answers(client);
}

BOOST_AUTO_TEST_CASE(client_389_directory_server_is_heard_the_same) {
  // In a mount namespace, since it knows one place for its files.
  if (!is_installed(
          "389-ds-base",
          {"sh", "-c", "test -x /usr/sbin/ns-slapd -a -x /usr/sbin/dscreate -a $(id -u) = 0 && unshare -m true"},
          false))
    return;
  leak_guard leaks;
  temporary_folder folder;
  const reserved_port port;
  auto tree = slapd_tree({});
  const std::string suffix_end = "o: Example\n";
  tree.insert(tree.find(suffix_end) + suffix_end.size(),
              "aci: (targetattr=\"*\")(version 3.0; acl \"service\"; allow (all) userdn=\"ldap:///" +
                  std::string{admin_dn} +
                  "\";)\naci: (targetattr!=\"userPassword\")(version 3.0; acl \"read\"; allow (read, search, compare) "
                  "userdn=\"ldap:///anyone\";)\n");
  folder.write("tree.ldif", tree + "dn: " + admin_dn +
                                "\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: admin\n"
                                "userPassword: " +
                                admin_password + "\n");
  child_process server{{"unshare", "-m", "bash", std::string{client_scripts()} + "/directory_389.sh",
                        folder.path().string(), std::to_string(port.number())}};
  const auto url = "ldap://127.0.0.1:" + std::to_string(port.number());
  const auto told = [&](const std::vector<std::string>& command) {
    child_process::options with;
    with.command = command;
    with.environment = {std::string{"DIRECTORY_PASSWORD="} + admin_password, "LDAPNOINIT=1"};
    return run_program(std::move(with), 2 * patience);
  };
  BOOST_TEST_REQUIRE(
      eventually(
          [&] {
            return told({"ldapwhoami", "-x", "-H", url, "-D", admin_dn, "-w", admin_password}).status == 0;
          },
          6 * patience),
      server.error_output());
  {
    served_clients door(with_front_door(quick_settings({server_at(port.number())})));
    for (const auto& command :
         {std::vector<std::string>{"bash", std::string{client_scripts()} + "/openldap.sh"},
          std::vector<std::string>{debian_python, std::string{client_scripts()} + "/python_ldap3.py"}}) {
      auto direct = command, through = command;
      direct.push_back(url);
      through.push_back(door.uri());
      const auto expected = told(direct), got = told(through);
      BOOST_TEST(expected.output.find("\ndelete again: ") != std::string::npos,
                 expected.output + expected.error_output);
      BOOST_TEST(got.status == expected.status, got.error_output);
      BOOST_TEST(got.output == expected.output);
    }
    BOOST_TEST(door.all_gone());
  }
  server.send_signal(SIGTERM);
  BOOST_TEST(server.wait().has_value());
}

BOOST_AUTO_TEST_CASE(client_openldap_binds_by_scram_in_several_steps) {
  if (!is_installed("libsasl2-modules", {"sh", "-c", "test -e /usr/lib/*/sasl2/libscram.so"})) return;
  leak_guard leaks;
  slapd_options with;
  with.global_config = {"authz-regexp \"^uid=([^,]+),.*cn=auth$\" \"uid=$1,ou=people,dc=example,dc=com\""};
  slapd server{with};
  auto all = quick_settings({server_at(server.port())});
  all.pool.min_connections = 1;
  all.pool.max_connections = 5;
  served_clients door(with_front_door(std::move(all)));
  const auto run = [&](std::vector<std::string> command) {
    child_process::options options;
    options.command = std::move(command);
    options.environment = {"LDAPNOINIT=1"};
    return run_program(std::move(options));
  };
  const auto whoami = [&](const std::string& mechanism, const std::string& password) {
    return run({"ldapwhoami", "-Q", "-Y", mechanism, "-U", "user1", "-w", password, "-H", door.uri()});
  };
  const auto offered =
      run({"ldapsearch", "-x", "-LLL", "-H", door.uri(), "-s", "base", "-b", "", "supportedSASLMechanisms"}).output;
  BOOST_TEST(offered.find("SCRAM-SHA-256\n") != std::string::npos, offered);
  BOOST_TEST(offered.find("DIGEST-MD5") == std::string::npos, offered);
  for (const std::string mechanism : {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"}) {
    const auto mine = whoami(mechanism, user_password(1));
    BOOST_TEST(mine.status == 0, mine.error_output);
    BOOST_TEST(mine.output == "dn:" + user_dn(1) + "\n");
    BOOST_TEST(whoami(mechanism, "wrong").status == 49);
  }
  // Bound to the name of a host that this is not.
  const auto refused = whoami("DIGEST-MD5", user_password(1));
  BOOST_TEST(refused.status == 7);
  BOOST_TEST(refused.error_output.find("host name") != std::string::npos, refused.error_output);
  const auto uri = door.uri();
  // Who goes in the middle leaves nothing behind.
  {
    raw_client client{port_of(uri)};
    client.send(sasl_bind_of(1, "SCRAM-SHA-256", "n,,n=user1,r=abcdefghijklmnopqrstuvwx"));
    BOOST_TEST(decode_answer(client.read_message()).code == 14);
  }
  BOOST_TEST(eventually([&] {
    const auto now = door.get().snapshot();
    return now.servers.front().pool.leased == 0 &&
           now.servers.front().pool.acquired == now.servers.front().pool.released;
  }));
  BOOST_TEST(whoami("SCRAM-SHA-256", user_password(1)).status == 0);
  // Binds that are only begun take one of five connections, and that goes to the next one who begins.
  {
    const auto number = port_of(uri);
    raw_client slow{number}, next{number};
    const std::string begin = "n,,n=user1,r=abcdefghijklmnopqrstuvwx";
    slow.send(sasl_bind_of(1, "SCRAM-SHA-256", begin));
    BOOST_TEST(decode_answer(slow.read_message()).code == 14);
    int id = 0, code = 0;
    BOOST_TEST(eventually([&] {
      next.send(sasl_bind_of(++id, "SCRAM-SHA-256", begin));
      code = decode_answer(next.read_message()).code;
      return code != 51;
    }));
    BOOST_TEST(code == 14);
    // One second at least it had.
    BOOST_TEST(id > 1);
    slow.send(sasl_bind_of(2, "SCRAM-SHA-256", "c=biws,r=abcdefghijklmnopqrstuvwxyz,p=AAAA"));
    BOOST_TEST(decode_answer(slow.read_message()).code != 0);
  }
  BOOST_TEST(door.all_gone());
  end_scenario(door.get(), {server});
}
