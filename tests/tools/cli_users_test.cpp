// The commands about users: authenticate, groups, passwd.
#include "cli.hpp"
#include "support/stub_directory.hpp"
#include "understudy/tools/user_command.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::test;

namespace {

using words = std::vector<std::string>;

/// A directory with a group of groups.
struct groups_fixture : command_line {
  groups_fixture() {
    directory.change("dn: cn=staff," + groups + "\nobjectClass: groupOfNames\ncn: staff\nmember: " + user_dn(1) +
                     "\n\ndn: cn=company," + groups + "\nobjectClass: groupOfNames\ncn: company\nmember: cn=staff," +
                     groups + "\n");
  }
  const std::string groups = "ou=groups,dc=example,dc=com";
  slapd directory;
  std::string file = config(directory.url());
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(authenticate_prints_its_outcome_as_json, directory_fixture) {
  const auto right = run({"authenticate", "-c", file, "--json", "user6"}, user_password(6) + "\n");
  check_exit(right, 0);
  const auto login = nlohmann::json::parse(right.output);
  BOOST_TEST(login["outcome"].get<std::string>() == "ok");
  BOOST_TEST(login["dn"].get<std::string>() == user_dn(6));
  const auto wrong = run({"authenticate", "-c", file, "--json", "user6"}, "tell-nobody\n");
  check_exit(wrong, 1);
  BOOST_TEST(nlohmann::json::parse(wrong.output)["outcome"].get<std::string>() == "bad_credentials");
  BOOST_TEST(!contains(wrong.output + wrong.error_output, "tell-nobody"));
  BOOST_TEST(nlohmann::json::parse(run({"authenticate", "-c", file, "--json", "nobody"}, "x\n").output)["outcome"] ==
             "no_such_user");
  BOOST_TEST(nlohmann::json::parse(run({"authenticate", "-c", file, "--json", "user6"}, "\n").output)["outcome"] ==
             "bad_credentials");
}

BOOST_AUTO_TEST_CASE(an_outcome_is_printed_as_json_when_there_is_no_directory_too) {
  command_line line;
  auto directory = std::make_unique<slapd>();
  const auto url = directory->url();
  const auto wrong_service = line.config(url, {"not the service's", "", ""});
  const auto refused = line.run({"authenticate", "-c", wrong_service, "--json", "user6"}, user_password(6) + "\n");
  check_exit(refused, 3);
  BOOST_TEST(nlohmann::json::parse(refused.output)["outcome"] == "service_identity_rejected");
  const auto file = line.config(url);
  directory.reset();
  for (const auto* command : {"authenticate", "groups", "passwd"}) {
    const auto gone = line.run({command, "-c", file, "--json", "user6"}, "old\nnew\n");
    check_exit(gone, 3);
    const auto said = nlohmann::json::parse(gone.output);
    BOOST_TEST(said["outcome"] == "unavailable", command);
    BOOST_TEST(said["retryable"] == true, command);
    BOOST_TEST(said["detail"].get<std::string>() != "", command);
  }
}

BOOST_AUTO_TEST_CASE(an_outcome_as_json_says_when_to_come_again) {
  failure why;
  why.code = errc::breaker_open;
  why.message = "The breaker is open.";
  why.retry_after = milliseconds{750};
  const auto said = cli::to_json(cli::answer_without_directory(why));
  BOOST_TEST(said["outcome"] == "unavailable");
  BOOST_TEST(said["retryable"] == true);
  BOOST_TEST(said["retry_after_ms"] == 750);
  BOOST_TEST(cli::to_json(user_answer{}).at("retry_after_ms").is_null());
}

BOOST_FIXTURE_TEST_CASE(in_chain_at_a_directory_that_does_not_know_it_is_no_empty_list, groups_fixture) {
  const auto asked = run({"groups", "-c", file, "--json", "--by", "in_chain", "user1"});
  BOOST_TEST(nlohmann::json::parse(asked.output)["outcome"] == "unavailable");
  BOOST_TEST(contains(asked.error_output, "1.2.840.113556.1.4.1941"), asked.error_output);
  BOOST_TEST(contains(asked.error_output, "nested"), asked.error_output);
  check_exit(asked, 3);
}

BOOST_FIXTURE_TEST_CASE(the_section_authenticator_says_how_users_log_in, directory_fixture) {
  const auto by_template =
      config(directory.url(),
             {admin_password, "", "[authenticator]\ndn_templates = [\"uid={user},ou=people,dc=example,dc=com\"]\n"});
  check_exit(run({"authenticate", "-c", by_template, "user6"}, user_password(6) + "\n"), 0);
  check_exit(run({"authenticate", "-c", by_template, "user6"}, "wrong\n"), 1);
  const auto by_mail = config(
      directory.url(),
      {admin_password, "", "[authenticator]\nbase = \"" + std::string{people_dn} + "\"\nfilter = \"(mail={user})\"\n"});
  check_exit(run({"authenticate", "-c", by_mail, "user6@example.com"}, user_password(6) + "\n"), 0);
  check_exit(run({"authenticate", "-c", by_mail, "user6"}, user_password(6) + "\n"), 1);
  check_exit(run({"authenticate", "-c", by_mail, "--attribute", "uid", "user6"}, user_password(6) + "\n"), 0);
}

BOOST_FIXTURE_TEST_CASE(groups_prints_the_groups_of_a_user, groups_fixture) {
  const auto own = run({"groups", "-c", file, "user1"});
  check_exit(own, 0);
  BOOST_TEST(own.output == "cn=staff," + groups + "\n");
  const auto all = run({"groups", "-c", file, "--by", "nested", "--group-base", groups, "user1"});
  BOOST_TEST(all.output == "cn=staff," + groups + "\ncn=company," + groups + "\n");
  const auto tree = nlohmann::json::parse(run({"groups", "-c", file, "--json", "--by", "nested", "user1"}).output);
  BOOST_TEST(tree["groups"].size() == 2U);
  BOOST_TEST(tree["groups"][1]["name"].get<std::string>() == "company");
  BOOST_TEST(tree["complete"].get<bool>());
  check_exit(run({"groups", "-c", file, "nobody"}), 1);
  const auto way = run({"groups", "-c", file, "--by", "magic", "user1"});
  check_exit(way, 2);
  BOOST_TEST(contains(way.error_output, "--by: \"magic\" is none of auto, member_of"), way.error_output);
  const auto login = run({"authenticate", "-c", file, "--groups", "user1"}, user_password(1) + "\n");
  check_exit(login, 0);
  BOOST_TEST(login.output == "cn=staff," + groups + "\n");
  const auto both = run({"authenticate", "-c", file, "--groups", "--json", "user1"}, user_password(1) + "\n");
  BOOST_TEST(nlohmann::json::parse(both.output)["groups"]["groups"][0]["name"].get<std::string>() == "staff");
}

BOOST_AUTO_TEST_CASE(groups_that_the_directory_cut_off_are_said_to_be_missing) {
  slapd_options with;
  with.database_config = {"limits * size.soft=2 size.hard=2"};
  for (const auto* name : {"a", "b", "c"})
    with.extra_ldif += std::string{"dn: cn="} + name +
                       ",ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: " + name +
                       "\nmember: " + user_dn(1) + "\n\n";
  const slapd server(with);
  const command_line shell;
  const auto file = shell.write("[ldap]\nuri = \"" + server.url() + "\"\n");
  const auto cut = shell.run({"groups", "-c", file, "--json", "user1"});
  check_exit(cut, 0);
  const auto said = nlohmann::json::parse(cut.output);
  BOOST_TEST(!said["complete"].get<bool>());
  BOOST_TEST(said["groups"].size() == 2U);
  BOOST_TEST(contains(cut.error_output, "there are more groups"), cut.error_output);
  BOOST_TEST(contains(cut.error_output, "a limit of the directory's"), cut.error_output);
}

BOOST_FIXTURE_TEST_CASE(passwd_changes_a_password_that_is_known, directory_fixture) {
  check_exit(run({"passwd", "-c", file, "user2"}, "wrong\nanother one\n"), 1);
  check_exit(run({"authenticate", "-c", file, "user2"}, user_password(2) + "\n"), 0);
  const auto changed = run({"passwd", "-c", file, "user2"}, user_password(2) + "\nanother one\n");
  check_exit(changed, 0);
  BOOST_TEST(!contains(changed.error_output, "another one"));
  check_exit(run({"authenticate", "-c", file, "user2"}, "another one\n"), 0);
  check_exit(run({"authenticate", "-c", file, "user2"}, user_password(2) + "\n"), 1);
  check_exit(run({"passwd", "-c", file, "--reset", "user2"}, "a third one\n"), 0);
  check_exit(run({"authenticate", "-c", file, "user2"}, "a third one\n"), 0);
  check_exit(run({"passwd", "-c", file, "user2"}, "\n"), 1);
  check_exit(run({"passwd", "-c", file, "nobody"}, "a\nb\n"), 1);
}

BOOST_FIXTURE_TEST_CASE(the_commands_about_users_exit_with_3_when_no_directory_is_there, command_line) {
  std::string url;
  {
    const stub_directory gone;
    url = gone.url();
  }
  const auto file = config(url);
  for (const auto& command : {words{"groups", "-c", file, "user1"}, words{"passwd", "-c", file, "user1"}})
    check_exit(run(command, "a\nb\n"), 3);
}

BOOST_FIXTURE_TEST_CASE(the_example_of_logins_is_the_documents_and_prints_roles, groups_fixture) {
  const std::filesystem::path source = UNDERSTUDY_SOURCE_DIR;
  BOOST_TEST(contains(read_file(source / "docs/logins.md"),
                      "```cpp\n" + read_file(source / "tools/examples/4_login.cpp") + "```\n"));
  directory.change("dn: cn=app-reader," + groups +
                   "\nobjectClass: groupOfNames\ncn: app-reader\nmember: " + user_dn(1) + "\n");
  const auto with = config(
      directory.url(), {admin_password, "",
                        "[authenticator]\nbase = \"ou=people,dc=example,dc=com\"\ngroup_base = \"" + groups + "\"\n"});
  const auto right = run_program({{UNDERSTUDY_LOGIN_EXAMPLE, with, "user1"}, user_password(1) + "\n", {}, {}},
                                 std::chrono::seconds{60});
  check_exit(right, 0);
  BOOST_TEST(right.output == "You are logged in.\nreader\n");
  const auto wrong = run_program({{UNDERSTUDY_LOGIN_EXAMPLE, with, "user1"}, "x\n", {}, {}}, std::chrono::seconds{60});
  check_exit(wrong, 1);
  BOOST_TEST(contains(wrong.error_output, "bad_credentials"), wrong.error_output);
  BOOST_TEST(wrong.output ==
             run_program({{UNDERSTUDY_LOGIN_EXAMPLE, with, "nobody"}, "x\n", {}, {}}, std::chrono::seconds{60}).output);
  // Whose groups could not be read has no roles that anybody knows of, and is not logged in.
  const auto lost = config(directory.url(), {admin_password, "",
                                             "[authenticator]\nbase = \"ou=people,dc=example,dc=com\"\n"
                                             "group_base = \"ou=nowhere,dc=example,dc=com\"\n"});
  const auto unknown = run_program({{UNDERSTUDY_LOGIN_EXAMPLE, lost, "user1"}, user_password(1) + "\n", {}, {}},
                                   std::chrono::seconds{60});
  check_exit(unknown, 1);
  BOOST_TEST(!contains(unknown.output, "logged in"), unknown.output);
  BOOST_TEST(contains(unknown.error_output, "unavailable"), unknown.error_output);
}

BOOST_FIXTURE_TEST_CASE(the_example_in_c_is_the_documents_and_prints_groups, groups_fixture) {
  const std::filesystem::path source = UNDERSTUDY_SOURCE_DIR;
  BOOST_TEST(contains(read_file(source / "docs/c-interface.md"),
                      "```c\n" + read_file(source / "tools/examples/6_login_in_c.c") + "```\n"));
  const auto with = config(
      directory.url(), {admin_password, "",
                        "[authenticator]\nbase = \"ou=people,dc=example,dc=com\"\ngroup_base = \"" + groups + "\"\n"});
  const auto run_c = [](const std::string& file, const std::string& user, const std::string& password) {
    return run_program({{UNDERSTUDY_C_EXAMPLE, file, user}, password + "\n", {}, {}}, std::chrono::seconds{60});
  };
  const auto right = run_c(with, "user1", user_password(1));
  check_exit(right, 0);
  BOOST_TEST(right.output == "You are logged in.\nstaff\n");
  const auto wrong = run_c(with, "user1", "x");
  check_exit(wrong, 1);
  BOOST_TEST(contains(wrong.error_output, "bad_credentials"), wrong.error_output);
  BOOST_TEST(wrong.output == run_c(with, "nobody", "x").output);
  check_exit(run_c("/nowhere/directory.toml", "user1", "x"), 2);
}

BOOST_FIXTURE_TEST_CASE(the_example_in_c_says_what_the_stub_directory_says, command_line) {
  stub_directory there;
  const auto file = config(there.url(), {admin_password, "", "[authenticator]\nbase = \"dc=example,dc=com\"\n"});
  const auto ask = [&] { return run_program({{UNDERSTUDY_C_EXAMPLE, file, "jane"}, "secret\n", {}, {}}); };
  there.set_entries({{"uid=jane,dc=example,dc=com", {{"memberOf", {"cn=admins,dc=example,dc=com"}}}}});
  const auto right = ask();
  check_exit(right, 0);
  BOOST_TEST(right.output == "You are logged in.\nadmins\n");
  BOOST_TEST(there.binds().back().password == "secret");
  there.on(operation::bind, [&](const directory_request& request) {
    auto answer = there.usual(request);
    if (request.dn == "uid=jane,dc=example,dc=com")
      answer = reply{{.code = 49, .diagnostic = "comment: x, data 533, v1"}, {}};
    return answer;
  });
  const auto closed = ask();
  check_exit(closed, 1);
  BOOST_TEST(contains(closed.error_output, "account_disabled"), closed.error_output);
  BOOST_TEST(!contains(closed.output, "disabled"), closed.output);
}
