// The program tells what is wrong with a command line or a configuration, and exits as documented.
#include "cli.hpp"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "support/stub_directory.hpp"

using namespace understudy::test;

namespace {

// Exit 2, nothing on standard output, the reason on standard error.
void check_usage(const program_result& result, const std::string& reason) {
  check_exit(result, 2);
  BOOST_TEST(result.output == "");
  BOOST_TEST(contains(result.error_output, reason), result.error_output);
  // Every line is a complaint of ours.
  std::istringstream lines(result.error_output);
  for (std::string line; std::getline(lines, line);) BOOST_TEST(line.find("understudy: ") == 0u, line);
}

const std::string good = "[ldap]\nhost = \"127.0.0.1\"\n";

}  // namespace

BOOST_FIXTURE_TEST_CASE(help_and_version_are_data, command_line) {
  const auto help = run({"--help"});
  check_exit(help, 0);
  for (const auto* name : {"init", "doctor", "check", "search", "compare", "modify", "whoami", "authenticate", "groups",
                           "passwd", "health", "serve", "bench", "demo"})
    BOOST_TEST(contains(help.output, name), name);
  BOOST_TEST(help.error_output == "");
  check_exit(run({"search", "--help"}), 0);
  BOOST_TEST(contains(run({"--version"}).output, "understudy 0."));
}

BOOST_FIXTURE_TEST_CASE(wrong_command_lines_exit_with_2, command_line) {
  const auto file = write(good);
  check_usage(run({}), "which command?");
  check_usage(run({"dance"}), "unknown command or option \"dance\"");
  check_usage(run({"search", "-c", file}), "FILTER");
  check_usage(run({"search", "(cn=a)"}), "--config");
  check_usage(run({"search", "-c", file, "--fast", "(cn=a)"}), "--fast");
  check_usage(run({"search", "-c", file, "-s", "deep", "(cn=a)"}),
              "--scope: \"deep\" is none of base, one, sub, children");
  check_usage(run({"search", "-c", file, "-z", "-1", "(cn=a)"}), "-1");
  check_usage(run({"search", "-c", file, "--timeout", "soon", "(cn=a)"}), "soon");
  check_usage(run({"bench", "-c", file, "--range", "9:0"}), "9:0");
  check_usage(run({"bench", "-c", file, "--concurrency", "0"}), "0");
  check_usage(run({"bench", "-c", file, "--operation", "juggle"}),
              "--operation: \"juggle\" is none of search, authenticate, whoami");
  check_usage(run({"bench", "-c", file, "--duration", "0s"}), "0s");
  check_usage(run({"compare", "-c", file, "cn=a", "cn"}), "needs a value");
  check_usage(run({"compare", "-c", file, "cn=a", "cn::?"}), "base64");
  check_usage(run({"authenticate", "-c", file, "--attribute", "a b", "user"}, "x\n"), "a b");
}

BOOST_FIXTURE_TEST_CASE(what_was_meant_is_suggested, command_line) {
  const auto file = write(good);
  check_usage(run({"serch", "-c", file, "(cn=a)"}), "unknown command or option \"serch\": did you mean \"search\"?");
  check_usage(run({"whomai"}), "did you mean \"whoami\"?");
  BOOST_TEST(!contains(run({"juggling"}).error_output, "did you mean"));
  check_usage(run({"search", "-c", file, "--timeuot", "5s", "(cn=a)"}),
              "unknown option \"--timeuot\": did you mean \"--timeout\"?");
  check_usage(run({"whoami", "-c", file, "more"}), "unexpected argument \"more\"");
  check_usage(run({"bench", "-c", file, "--operation", "authenticate"}), "needs the users' password");
}

BOOST_FIXTURE_TEST_CASE(check_accepts_a_good_file, command_line) {
  const auto file = write(good);
  const auto result = run({"check", file});
  check_exit(result, 0);
  BOOST_TEST(result.output == file + ": ok, 1 server\n");
  BOOST_TEST(result.error_output == "");
}

BOOST_FIXTURE_TEST_CASE(check_warns_and_accepts, command_line) {
  const auto file = write("[ldap]\nhost = \"ldap.example.com\"\nuse_ssl = true\nvalidate_cert = false\n");
  const auto result = run({"check", file});
  check_exit(result, 0);
  BOOST_TEST(result.output == file + ": ok, 1 server\n");
  BOOST_TEST(contains(result.error_output, "understudy: warning: " + file + ":4:"), result.error_output);
  BOOST_TEST(contains(result.error_output, "validate_cert"), result.error_output);
}

BOOST_FIXTURE_TEST_CASE(check_prints_every_problem_with_its_place, command_line) {
  const auto file = write("[ldap]\nhots = \"a\"\nhost = \"a\"\n[pool]\nmax_connections = \"many\"\n");
  const auto result = run({"check", file});
  check_usage(result, file + ":2:1: ");
  BOOST_TEST(contains(result.error_output, file + ":5:"), result.error_output);
  BOOST_TEST(contains(result.error_output, "max_connections"));
}

BOOST_FIXTURE_TEST_CASE(a_wrong_configuration_stops_every_command, command_line) {
  const auto file = write("[ldap]\nhots = \"a\"\n");
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"search", "-c", file, "(cn=a)"},
                                                                     {"compare", "-c", file, "cn=a", "cn", "a"},
                                                                     {"modify", "-c", file},
                                                                     {"whoami", "-c", file},
                                                                     {"authenticate", "-c", file, "a"},
                                                                     {"health", "-c", file},
                                                                     {"serve", "-c", file},
                                                                     {"bench", "-c", file}})
    check_usage(run(arguments, "x\n"), file + ":2:1: ");
  check_usage(run({"whoami", "-c", "/does/not/exist.toml"}), "/does/not/exist.toml");
}

BOOST_FIXTURE_TEST_CASE(an_unreachable_server_exits_with_3, command_line) {
  const auto file = config("ldap://127.0.0.1:" + std::to_string(free_port()));
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"search", "-c", file, "-b", "", "(cn=a)"},
                                                                     {"compare", "-c", file, "cn=a", "cn", "a"},
                                                                     {"whoami", "-c", file},
                                                                     {"authenticate", "-c", file, "-b", "", "a"},
                                                                     {"bench", "-c", file, "-b", ""}}) {
    const auto result = run(arguments, "x\n");
    check_exit(result, 3);
    BOOST_TEST(result.output == "");
    BOOST_TEST(contains(result.error_output, "127.0.0.1"), result.error_output);
  }
  check_exit(run({"modify", "-c", file}, "dn: cn=a\nchangetype: delete\n"), 3);
  check_exit(run({"health", "-c", file}), 1);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_can_never_be_sent_reaches_nobody, command_line) {
  stub_directory directory;
  const auto file = config(directory.url());
  const std::string modify_two = "dn: cn=a\nchangetype: delete\n\ndn:: Y249AGE=\nchangetype: delete\n";
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"search", "-c", file, "(uid=x"},
           {"search", "-c", file, "-b", "dc=example,dc=com", "(&(uid=x)"},
           {"search", "-c", file, "(cn=a)", ""},
           {"compare", "-c", file, "cn=a", "", "a"},
           {"authenticate", "-c", file, "--attribute", "a=b", "user1"},
           {"bench", "-c", file, "--filter", "(uid=user%d"},
           {"bench", "-c", file, "--operation", "authenticate", "--filter", "uid=user%d)"}})
    check_usage(run(arguments, "x\n"), "");
  check_usage(run({"modify", "-c", file}, modify_two), "line 4: ");
  BOOST_TEST(directory.connections() == 0u);
}

BOOST_FIXTURE_TEST_CASE(malformed_ldif_sends_nothing, command_line) {
  const auto file = config("ldap://127.0.0.1:" + std::to_string(free_port()));
  check_usage(run({"modify", "-c", file}, "dn: cn=a\nchangetype: delete\n\ndn: cn=b\nchangetype: dance\n"),
              "line 5: unknown changetype \"dance\"");
}
