// The program reaches a directory without a configuration file: -H, -D, -y, -W, -Z as ldapsearch means them.
#include "cli.hpp"

#include <boost/test/unit_test.hpp>

#include "support/stub_directory.hpp"

using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

words operator+(words left, const words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

void check_usage(const program_result& result, const std::string& reason) {
  check_exit(result, 2);
  BOOST_TEST(result.output == "");
  BOOST_TEST(result.error_output.find("understudy: ") == 0u, result.error_output);
  BOOST_TEST(contains(result.error_output, reason), result.error_output);
}

struct slapd_fixture : command_line {
  slapd directory;
  std::string secret_file(const std::string& content) const {
    const auto path = folder().write("password", content);
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path.string();
  }
  words as_admin(const std::string& content = admin_password) const {
    return {"-H", directory.url(), "-D", admin_dn, "-y", secret_file(content)};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_command_talks_to_a_directory_without_a_file, slapd_fixture) {
  const auto admin = as_admin();
  const auto who = run(words{"whoami"} + admin);
  check_exit(who, 0);
  BOOST_TEST(who.output == std::string{"dn:"} + admin_dn + "\n");
  BOOST_TEST(who.error_output == "");
  const auto found = run(words{"search"} + admin + words{"-b", people_dn, "(uid=user7)", "uid"});
  check_exit(found, 0);
  BOOST_TEST(found.output == "dn: " + user_dn(7) + "\nuid: user7\n\n");
  check_exit(run(words{"compare"} + admin + words{user_dn(7), "uid:user7"}), 0);
  check_exit(run(words{"authenticate"} + admin + words{"user7"}, user_password(7) + "\n"), 0);
  check_exit(run(words{"modify"} + admin, "dn: " + user_dn(9) + "\nchangetype: delete\n"), 0);
  const auto health = run(words{"health"} + admin);
  check_exit(health, 0);
  BOOST_TEST(contains(health.output, "priority 1  healthy"), health.output);
  check_exit(run(words{"bench", "--duration", "100ms", "--concurrency", "2"} + admin), 0);
}

BOOST_FIXTURE_TEST_CASE(without_a_name_it_is_anonymous, slapd_fixture) {
  const auto who = run({"whoami", "-x", "-H", directory.url()});
  check_exit(who, 0);
  BOOST_TEST(who.output == "anonymous\n");
}

BOOST_FIXTURE_TEST_CASE(several_uris_are_tried_in_their_order, slapd_fixture) {
  const auto nobody = "ldap://127.0.0.1:" + std::to_string(free_port());
  stub_directory last;
  for (const auto* between : {",", " ", ", "}) {
    const auto who = run({"whoami", "-H", nobody + between + directory.url() + between + last.url()});
    check_exit(who, 0);
    BOOST_TEST(who.output == "anonymous\n");
  }
  BOOST_TEST(last.count(operation::extended) == 0u);
}

BOOST_FIXTURE_TEST_CASE(when_none_of_several_can_be_reached_each_one_is_told_of, command_line) {
  const auto one = "127.0.0.1:" + std::to_string(free_port()), other = "127.0.0.1:" + std::to_string(free_port());
  const auto who = run({"whoami", "-H", "ldap://" + one + ",ldap://" + other});
  check_exit(who, 3);
  for (const auto& name : {one, other}) {
    const auto told = "Cannot connect to " + name + " (connect): Connection refused";
    const auto at = who.error_output.find(told);
    BOOST_TEST(at != std::string::npos, who.error_output);
    BOOST_TEST(who.error_output.find(told, at + 1) == std::string::npos, who.error_output);
  }
}

BOOST_FIXTURE_TEST_CASE(one_newline_at_the_end_of_a_password_file_is_no_part_of_the_password, slapd_fixture) {
  for (const auto* ending : {"", "\n", "\r\n"}) {
    check_exit(run(words{"whoami"} + as_admin(admin_password + std::string{ending})), 0);
    // The same rule as in a configuration.
    const auto path = secret_file(admin_password + std::string{ending});
    check_exit(run({"whoami", "-c",
                    write("[ldap]\nuri = \"" + directory.url() + "\"\nbind_dn = \"" + admin_dn +
                          "\"\npassword_file = \"" + path + "\"\n")}),
               0);
  }
  // A second one is, and so is any other white space.
  for (const auto* ending : {"\n\n", " \n"})
    check_exit(run(words{"whoami"} + as_admin(admin_password + std::string{ending})), 3);
  const auto wrong = run(words{"whoami"} + as_admin("hunter2"));
  check_exit(wrong, 3);
  // One line, in the words of the command line.
  BOOST_TEST(wrong.error_output == "understudy: service_authentication_failed: 127.0.0.1:" +
                                       std::to_string(directory.port()) + " refused the bind as \"" + admin_dn +
                                       "\" with invalidCredentials (49); wrong name or password: the password is the "
                                       "content of \"" +
                                       secret_file("hunter2") + "\" (-y)\n");
  BOOST_TEST(!contains(wrong.error_output, "hunter2"), wrong.error_output);
}

BOOST_FIXTURE_TEST_CASE(a_password_may_come_from_a_pipe, slapd_fixture) {
  words command{"bash",
                "-c",
                "\"$@\" -y <(sleep 0.3; printf %s " + std::string{admin_password} + ")",
                "bash",
                UNDERSTUDY_PROGRAM,
                "whoami",
                "-H",
                directory.url(),
                "-D",
                admin_dn};
  const auto who = run_program({std::move(command), {}, {}, {}});
  check_exit(who, 0);
  BOOST_TEST(who.output == std::string{"dn:"} + admin_dn + "\n");
}

BOOST_FIXTURE_TEST_CASE(a_password_file_that_others_read_is_remarked_upon, slapd_fixture) {
  const auto admin = as_admin();
  std::filesystem::permissions(admin.back(), std::filesystem::perms::all);
  const auto who = run(words{"whoami"} + admin);
  check_exit(who, 0);
  BOOST_TEST(contains(who.error_output, "understudy: warning: others than you may read"), who.error_output);
}

BOOST_FIXTURE_TEST_CASE(the_password_is_asked_for_on_the_terminal, slapd_fixture) {
  const auto who = run_in_terminal(folder(), {"whoami", "-H", directory.url(), "-D", admin_dn, "-W"},
                                   {{"Enter LDAP Password: ", admin_password}});
  check_exit(who, 0);
  BOOST_TEST(contains(who.output, "Enter LDAP Password: "), who.output);
  BOOST_TEST(contains(who.output, std::string{"dn:"} + admin_dn), who.output);
  BOOST_TEST(!contains(who.output, admin_password), who.output);
  // No terminal at all.
  const auto nowhere = run_program(
      {{"setsid", "-w", UNDERSTUDY_PROGRAM, "whoami", "-H", directory.url(), "-D", admin_dn, "-W"}, {}, {}, {}});
  check_usage(nowhere, "no terminal to ask on");
}

BOOST_AUTO_TEST_CASE(start_tls_never_falls_back_to_plain_text) {
  command_line line;
  const auto files = make_certificates(line.folder());
  slapd_options with;
  with.certificate = files.certificate;
  with.key = files.key;
  with.ca = files.ca;
  const slapd secured{with};
  for (const auto* option : {"-Z", "-ZZ"}) {
    check_exit(line.run({"whoami", "-H", secured.url(), option, "--ca-cert", files.ca.string()}), 0);
    const auto unknown = line.run({"whoami", "-H", secured.url(), option});
    check_exit(unknown, 3);
    BOOST_TEST(contains(unknown.error_output, "ssl_error"), unknown.error_output);
  }
  check_exit(line.run({"whoami", "-H", secured.ldaps_url(), "--ca-cert", files.ca.string()}), 0);
  const slapd plain;
  const auto path = line.folder().write("password", admin_password).string();
  const auto refused = line.run({"whoami", "-H", plain.url(), "-Z", "-D", admin_dn, "-y", path});
  check_exit(refused, 3);
  BOOST_TEST(contains(refused.error_output, "StartTLS (-Z) was refused"), refused.error_output);
  BOOST_TEST(!contains(refused.error_output, "use_tls"), refused.error_output);
}

BOOST_FIXTURE_TEST_CASE(what_contradicts_itself_is_a_usage_error, slapd_fixture) {
  const auto file = config(directory.url());
  const auto url = directory.url();
  const auto password = secret_file("x");
  check_usage(run({"whoami"}), "-H URI");
  check_usage(run({"whoami", "-c", file, "-H", url}), "-c and -H");
  check_usage(run({"whoami", "-c", file, "-D", admin_dn}), "go with -H");
  check_usage(run({"whoami", "-c", file, "-Z"}), "go with -H");
  check_usage(run({"whoami", "-H", url, "-D", admin_dn}), "-D needs a password");
  check_usage(run({"whoami", "-H", url, "-y", password}), "needs -D");
  check_usage(run({"whoami", "-H", url, "-D", admin_dn, "-W", "-y", password}), "two sources");
  check_usage(run({"whoami", "-H", url, "-D", admin_dn, "-y", "/does/not/exist"}), "No such file");
  check_usage(run({"whoami", "-H", url, "-D", admin_dn, "-y", "/dev/zero"}), "is longer than");
  check_usage(run({"whoami", "-H", url, "-D", admin_dn, "-y", secret_file("")}), "empty password");
  check_usage(run({"whoami", "-H", ""}), "which directory");
  check_usage(run({"whoami", "-H", " , "}), "-H needs a URI");
  check_usage(run({"whoami", "-H", "http://127.0.0.1"}), "ldap://");
  check_usage(run({"whoami", "-H", "ldap://127.0.0.1:0"}), "port");
  check_usage(run({"whoami", "-H", "ldaps://127.0.0.1", "-Z"}), "-Z contradicts");
  check_usage(run({"whoami", "-H", url, "--ca-cert", "/does/not/exist"}), "--ca-cert");
  const auto with_user = run({"whoami", "-H", "ldap://me:s3cr3t@127.0.0.1"});
  check_usage(with_user, "must not name a user");
  BOOST_TEST(!contains(with_user.error_output, "s3cr3t"));
}

BOOST_FIXTURE_TEST_CASE(a_password_on_the_command_line_is_refused_and_not_repeated, slapd_fixture) {
  const std::vector<words> all{{"-w", "s3cr3t"},      {"-ws3cr3t"},           {"--password", "s3cr3t"},
                               {"--password=s3cr3t"}, {"--passwd", "s3cr3t"}, {"--pass=s3cr3t"}};
  for (const auto& given : all) {
    const auto result = run(words{"whoami", "-H", directory.url(), "-D", admin_dn} + given);
    check_exit(result, 2);
    BOOST_TEST(!contains(result.error_output, "s3cr3t"), result.error_output);
  }
  check_usage(run({"whoami", "-H", directory.url(), "-D", admin_dn, "-w", "s3cr3t"}), "give -y FILE, or -W");
}
