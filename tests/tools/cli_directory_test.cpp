// The program against a real directory server: what it prints, where, and how it exits.
#include "cli.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <csignal>

using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(search_prints_ldif, directory_fixture) {
  const auto result = run({"search", "-c", file, "(uid=user3)", "sn", "mail"});
  check_exit(result, 0);
  BOOST_TEST(result.output == "dn: " + user_dn(3) + "\nsn: 3\nmail: user3@example.com\n\n");
  BOOST_TEST(result.error_output == "");
}

BOOST_FIXTURE_TEST_CASE(search_keeps_to_base_and_scope, directory_fixture) {
  BOOST_TEST(run({"search", "-c", file, "-b", people_dn, "-s", "base", "(objectClass=*)", "1.1"}).output ==
             std::string{"dn: "} + people_dn + "\n\n");
  BOOST_TEST(run({"search", "-c", file, "-b", directory_suffix, "-s", "one", "(ou=people)", "1.1"}).output ==
             std::string{"dn: "} + people_dn + "\n\n");
  BOOST_TEST(run({"search", "-c", file, "-b", directory_suffix, "-s", "one", "(uid=user1)"}).output == "");
  BOOST_TEST(contains(run({"search", "-c", file, "-b", "", "-s", "base", "(objectClass=*)", "+"}).output,
                      std::string{"namingContexts: "} + directory_suffix));
}

BOOST_FIXTURE_TEST_CASE(an_empty_result_is_a_result, directory_fixture) {
  const auto result = run({"search", "-c", file, "(uid=nobody)"});
  check_exit(result, 0);
  BOOST_TEST(result.output == "");
}

BOOST_FIXTURE_TEST_CASE(an_ldap_error_exits_with_1_and_is_named, directory_fixture) {
  const auto result = run({"search", "-c", file, "-b", "dc=example,dc=org", "(uid=a)"});
  check_exit(result, 1);
  BOOST_TEST(result.output == "");
  BOOST_TEST(contains(result.error_output, "noSuchObject (32)"), result.error_output);
  const auto below = run({"search", "-c", file, "-b", std::string{"ou=x,"} + people_dn, "(uid=a)"});
  BOOST_TEST(contains(below.error_output, std::string{"matched DN \""} + people_dn), below.error_output);
}

BOOST_FIXTURE_TEST_CASE(errors_name_what_they_are_about, directory_fixture) {
  const auto there = run({"modify", "-c", file, "-a"},
                         "dn: " + user_dn(3) + "\nobjectClass: inetOrgPerson\nuid: user3\ncn: x\nsn: x\n");
  check_exit(there, 1);
  BOOST_TEST(contains(there.error_output, " refused the add of \"" + user_dn(3) + "\" with entryAlreadyExists (68)"),
             there.error_output);
  const auto nowhere = run({"search", "-c", file, "-b", "dc=example,dc=org", "(uid=a)"});
  BOOST_TEST(contains(nowhere.error_output, "search of \"dc=example,dc=org\" with noSuchObject (32)"),
             nowhere.error_output);
  const auto user = run({"authenticate", "-c", file, "user1"}, "wrong\n");
  BOOST_TEST(contains(user.error_output, "bind of \"" + user_dn(1) + "\" with invalidCredentials"), user.error_output);
  const auto wrong = config(directory.url(), {"tell-nobody", "", ""});
  const auto service = run({"search", "-c", wrong, "(uid=user1)"});
  // By the bind that was refused, or by the one that was not sent because of it: whichever ends first.
  BOOST_TEST(contains(service.error_output, "understudy: service_authentication_failed: "), service.error_output);
  BOOST_TEST(contains(service.error_output, std::string{" \""} + admin_dn + "\""), service.error_output);
}

BOOST_FIXTURE_TEST_CASE(a_size_limit_shows_what_was_found_and_says_so, directory_fixture) {
  const auto result = run({"search", "-c", file, "-z", "3", "(uid=*)", "1.1"});
  check_exit(result, 1);
  BOOST_TEST(result.output == "dn: " + user_dn(0) + "\n\ndn: " + user_dn(1) + "\n\ndn: " + user_dn(2) + "\n\n");
  BOOST_TEST(contains(result.error_output, "sizeLimitExceeded (4)"), result.error_output);
  BOOST_TEST(contains(result.error_output, "3 entries are shown"), result.error_output);
}

BOOST_FIXTURE_TEST_CASE(malformed_filters_exit_with_2_and_names_are_for_the_server_to_judge, directory_fixture) {
  for (const auto* filter : {"(uid=a", "uid=a)", "", "(uid)", "((uid=a))(", "(&(uid=a)"}) {
    const auto result = run({"search", "-c", file, filter});
    check_exit(result, 2);
    BOOST_TEST(result.error_output != "", filter);
  }
  check_exit(run({"search", "-c", file, "-b", "no dn", "(uid=a)"}), 1);
  check_exit(run({"compare", "-c", file, "no dn", "cn", "a"}), 1);
}

BOOST_FIXTURE_TEST_CASE(compare_answers_by_exit_code, directory_fixture) {
  const auto yes = run({"compare", "-c", file, user_dn(2), "sn", "2"});
  check_exit(yes, 0);
  BOOST_TEST(yes.output == "TRUE\n");
  const auto no = run({"compare", "-c", file, user_dn(2), "sn:3"});
  check_exit(no, 1);
  BOOST_TEST(no.output == "FALSE\n");
  check_exit(run({"compare", "-c", file, user_dn(2), "sn::Mg=="}), 0);
  const auto missing = run({"compare", "-c", file, user_dn(99), "sn", "2"});
  check_exit(missing, 1);
  BOOST_TEST(missing.output == "");
  BOOST_TEST(contains(missing.error_output, "noSuchObject"), missing.error_output);
}

BOOST_FIXTURE_TEST_CASE(whoami_prints_the_identity, directory_fixture) {
  BOOST_TEST(run({"whoami", "-c", file}).output == std::string{"dn:"} + admin_dn + "\n");
  const auto anonymous = write("[ldap]\nuri = \"" + directory.url() + "\"\n");
  BOOST_TEST(run({"whoami", "-c", anonymous}).output == "anonymous\n");
}

BOOST_FIXTURE_TEST_CASE(a_wrong_service_password_exits_with_3_and_is_not_shown, directory_fixture) {
  const auto wrong = config(directory.url(), {"tell-nobody", "", ""});
  const auto result = run({"search", "-c", wrong, "(uid=user1)"});
  check_exit(result, 3);
  BOOST_TEST(result.output == "");
  BOOST_TEST(result.error_output != "");
  BOOST_TEST(!contains(result.error_output, "tell-nobody"), result.error_output);
}

BOOST_FIXTURE_TEST_CASE(modify_carries_out_every_kind_of_change, directory_fixture) {
  const std::string changes =
      "version: 1\n# a new one\ndn: uid=new,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: inetOrgPerson\n"
      "uid: new\ncn:: w7w=\nsn: one\n  and two\n\n"
      "dn: uid=new,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: sn\nsn: three\n-\nadd: mail\n"
      "mail: a@example.com\nmail: b@example.com\n-\ndelete: mail\nmail: a@example.com\n-\n\n"
      "dn: uid=new,ou=people,dc=example,dc=com\nchangetype: modrdn\nnewrdn: uid=newer\ndeleteoldrdn: 1\n"
      "newsuperior: ou=groups,dc=example,dc=com\n\n"
      "dn: " +
      user_dn(5) + "\nchangetype: delete\n";
  const auto result = run({"modify", "-c", file}, changes);
  check_exit(result, 0);
  BOOST_TEST(result.output == "");
  BOOST_TEST(contains(result.error_output, "4 changes done"), result.error_output);
  const std::string moved = "uid=newer,ou=groups,dc=example,dc=com";
  BOOST_TEST(directory.values(moved, "sn") == std::vector<std::string>{"three"}, boost::test_tools::per_element());
  BOOST_TEST(directory.values(moved, "cn") == std::vector<std::string>{"ü"}, boost::test_tools::per_element());
  BOOST_TEST(directory.values(moved, "mail") == std::vector<std::string>{"b@example.com"},
             boost::test_tools::per_element());
  BOOST_TEST(directory.values(user_dn(5), "sn").empty());
}

BOOST_FIXTURE_TEST_CASE(modify_stops_at_the_first_failure_and_names_its_line, directory_fixture) {
  const std::string changes = "dn: " + user_dn(1) +
                              "\nchangetype: modify\nreplace: sn\nsn: done\n-\n\n# gone\ndn: " + user_dn(77) +
                              "\nchangetype: delete\n\ndn: " + user_dn(2) + "\nchangetype: delete\n";
  const auto result = run({"modify", "-c", file}, changes);
  check_exit(result, 1);
  BOOST_TEST(contains(result.error_output, "line 8: delete \"" + user_dn(77) + "\" failed after 1 change"),
             result.error_output);
  BOOST_TEST(contains(result.error_output, "noSuchObject (32)"), result.error_output);
  BOOST_TEST(directory.values(user_dn(1), "sn") == std::vector<std::string>{"done"}, boost::test_tools::per_element());
  BOOST_TEST(directory.values(user_dn(2), "sn") == std::vector<std::string>{"2"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(what_search_prints_can_be_added_again, directory_fixture) {
  const auto before = run({"search", "-c", file, "(uid=user4)"}).output;
  check_exit(run({"modify", "-c", file}, "dn: " + user_dn(4) + "\nchangetype: delete\n"), 0);
  check_exit(run({"modify", "-c", file, "--add"}, before), 0);
  BOOST_TEST(run({"search", "-c", file, "(uid=user4)"}).output == before);
  check_exit(run({"modify", "-c", file}, "dn: " + user_dn(4) + "\nchangetype: delete\n"), 0);
  const auto added =
      run_program({{"ldapadd", "-x", "-H", directory.url(), "-D", admin_dn, "-w", admin_password}, before, {}, {}});
  check_exit(added, 0);
  BOOST_TEST(run({"search", "-c", file, "(uid=user4)"}).output == before);
}

BOOST_FIXTURE_TEST_CASE(authenticate_accepts_and_refuses, directory_fixture) {
  check_exit(run({"authenticate", "-c", file, "user6"}, user_password(6) + "\n"), 0);
  check_exit(run({"authenticate", "-c", file, "-b", people_dn, "user6"}, user_password(6)), 0);
  check_exit(run({"authenticate", "-c", file, "--attribute", "mail", "user6@example.com"}, user_password(6)), 0);
  const auto refused = run({"authenticate", "-c", file, "user6"}, "tell-nobody\n");
  check_exit(refused, 1);
  BOOST_TEST(refused.output == "");
  BOOST_TEST(contains(refused.error_output, "refused"), refused.error_output);
  BOOST_TEST(!contains(refused.error_output, "tell-nobody"), refused.error_output);
  check_exit(run({"authenticate", "-c", file, "nobody"}, "x\n"), 1);
  check_exit(run({"authenticate", "-c", file, "user6"}, "\n"), 1);
  check_exit(run({"authenticate", "-c", file, "user6"}, ""), 1);
}

BOOST_FIXTURE_TEST_CASE(authenticate_takes_a_name_as_a_name, directory_fixture) {
  check_exit(run({"authenticate", "-c", file, "*"}, user_password(6) + "\n"), 1);
  check_exit(run({"authenticate", "-c", file, "user6)(uid=*"}, user_password(6) + "\n"), 1);
  check_exit(run({"authenticate", "-c", file, "--attribute", "objectClass", "inetOrgPerson"}, "password1\n"), 1);
  // The name of another command is a name too.
  check_exit(run({"authenticate", "-c", file, "demo"}, "x\n"), 1);
}

BOOST_FIXTURE_TEST_CASE(authenticate_below_what_does_not_exist_exits_with_1, directory_fixture) {
  check_exit(run({"authenticate", "-c", file, "-b", "dc=example,dc=org", "user6"}, user_password(6)), 1);
}

BOOST_FIXTURE_TEST_CASE(health_tells_every_step, directory_fixture) {
  const auto result = run({"health", "-c", file});
  check_exit(result, 0);
  for (const auto* word : {"healthy", "connect ", "bind ", "operation "})
    BOOST_TEST(contains(result.output, word), result.output);
}

BOOST_FIXTURE_TEST_CASE(health_finds_the_server_that_is_down, directory_fixture) {
  const auto dead = free_port();
  const auto both = write("[ldap]\n[[ldap.servers]]\nuri = \"" + directory.url() +
                          "\"\npriority = 1\n[[ldap.servers]]\nhost = \"127.0.0.1\"\nport = " + std::to_string(dead) +
                          "\npriority = 2\n");
  const auto result = run({"health", "-c", both, "--json"});
  check_exit(result, 1);
  const auto tree = nlohmann::json::parse(result.output);
  const auto& servers = tree.at("servers");
  BOOST_REQUIRE_EQUAL(servers.size(), 2u);
  BOOST_TEST(servers[0].at("host") == "127.0.0.1");
  BOOST_TEST(servers[0].at("port") == directory.port());
  BOOST_TEST(servers[0].at("state") == "healthy");
  BOOST_TEST(servers[0].at("probe").at("ok") == true);
  BOOST_TEST(servers[1].at("port") == dead);
  BOOST_TEST(servers[1].at("priority") == 2);
  BOOST_TEST_CONTEXT(result.output) {
    BOOST_TEST(servers[1].at("state") == "down");
    BOOST_TEST(servers[1].at("last_error").is_string());
    BOOST_TEST(servers[1].at("last_error_at").is_string());
  }
  for (const auto* key : {"size", "idle", "in_use", "in_flight", "waiters"})
    BOOST_TEST(servers[0].at("pool").at(key).is_number_unsigned(), key);
  BOOST_TEST(servers[0].at("breaker") == "closed");
  BOOST_TEST(tree.at("active_priority") == 1);
}

BOOST_FIXTURE_TEST_CASE(bench_reports_exact_json, directory_fixture) {
  const auto result =
      run({"bench", "-c", file, "--duration", "500ms", "--concurrency", "8", "--range", "0:9", "--json"});
  check_exit(result, 0);
  const auto tree = nlohmann::json::parse(result.output);
  std::vector<std::string> keys;
  for (const auto& [key, value] : tree.items()) keys.push_back(key);
  BOOST_TEST(keys == (std::vector<std::string>{"errors", "latency_us", "operations", "ops_per_second", "seconds"}),
             boost::test_tools::per_element());
  BOOST_TEST(tree.at("operations").get<int>() > 0);
  BOOST_TEST(tree.at("errors").empty());
  BOOST_TEST(tree.at("errors").is_object());
  BOOST_TEST(tree.at("seconds").get<double>() >= 0.5);
  for (const auto* key : {"p50", "p99", "p999", "max"}) BOOST_TEST(tree.at("latency_us").at(key).get<double>() > 0);
}

BOOST_FIXTURE_TEST_CASE(bench_authenticates_and_asks_who, directory_fixture) {
  const auto logins = run({"bench", "-c", file, "--duration", "500ms", "--concurrency", "4", "--range", "0:9",
                           "--operation", "authenticate", "--json"},
                          "password%d\n");
  check_exit(logins, 0);
  BOOST_TEST(nlohmann::json::parse(logins.output).at("operations").get<int>() > 0, logins.output);
  BOOST_TEST(nlohmann::json::parse(logins.output).at("errors").empty(), logins.output);
  const auto refused = run({"bench", "-c", file, "--duration", "200ms", "--concurrency", "2", "--range", "0:9",
                            "--operation", "authenticate", "--json"},
                           "wrong\n");
  BOOST_TEST(nlohmann::json::parse(refused.output).at("errors").at("authentication_failed").get<int>() > 0);
  const auto who = run({"bench", "-c", file, "--duration", "200ms", "--operation", "whoami"});
  check_exit(who, 0);
  BOOST_TEST(contains(who.output, "errors      none"), who.output);
}

BOOST_FIXTURE_TEST_CASE(bench_ends_on_ctrl_c_with_what_it_has, directory_fixture) {
  const auto bench = start({"bench", "-c", file, "--duration", "60s", "--range", "0:9", "--json"});
  BOOST_REQUIRE(eventually([&] { return directory.counters().searches > 100; }));
  bench->send_signal(SIGINT);
  BOOST_TEST(bench->wait().value_or(-1) == 0);
  BOOST_TEST(nlohmann::json::parse(bench->output()).at("operations").get<int>() > 0, bench->output());
}

BOOST_FIXTURE_TEST_CASE(bench_goes_on_through_faults, directory_fixture) {
  const auto bench = start({"bench", "-c", file, "--duration", "4s", "--range", "0:9", "--json"});
  BOOST_REQUIRE(eventually([&] { return directory.counters().searches > 100; }));
  directory.kill9();
  directory.start();
  BOOST_REQUIRE(eventually([&] { return directory.counters().searches > 100; }));
  BOOST_TEST(bench->wait(std::chrono::seconds{30}).value_or(-1) == 0);
  BOOST_TEST(nlohmann::json::parse(bench->output()).at("operations").get<int>() > 200, bench->output());
}

BOOST_FIXTURE_TEST_CASE(a_search_in_flight_ends_on_ctrl_c, directory_fixture) {
  const auto bench = start({"bench", "-c", file, "--duration", "60s", "--range", "0:9"});
  BOOST_REQUIRE(eventually([&] { return directory.counters().searches > 10; }));
  bench->send_signal(SIGTERM);
  BOOST_TEST(bench->wait().has_value());
  directory.pause();
  const auto search = start({"search", "-c", file, "-b", "", "(uid=user1)"});
  BOOST_REQUIRE(eventually([&] { return search->running(); }));
  search->send_signal(SIGINT);
  const auto status = search->wait();
  directory.resume();
  BOOST_REQUIRE(status.has_value());
  BOOST_TEST((*status == 3 || *status == -SIGINT), "exit " << *status);
  BOOST_TEST(search->output() == "");
}
