// The README's example is the one that is compiled here, and it works.
#include "cli.hpp"
#include "support/child_process.hpp"

#include <boost/test/unit_test.hpp>

#include <signal.h>

using namespace understudy::test;

BOOST_AUTO_TEST_CASE(the_readme_shows_the_examples_as_they_are) {
  const std::filesystem::path source = UNDERSTUDY_SOURCE_DIR;
  for (const auto* name : {"1_embedding", "2_actors"}) {
    const auto example = read_file(source / "tools/examples" / (std::string{name} + ".cpp"));
    BOOST_TEST(contains(read_file(source / "README.md"), "```cpp\n" + example + "```\n"), name);
  }
}

BOOST_FIXTURE_TEST_CASE(the_readme_example_with_actors_compares_and_ends, directory_fixture) {
  const auto ask = [&](const std::string& sn) {
    return run_program({{UNDERSTUDY_ACTORS_EXAMPLE, file, user_dn(7), "sn", sn}, {}, {}, {}});
  };
  const auto yes = ask("7"), no = ask("8");
  check_exit(yes, 0);
  BOOST_TEST(yes.output == "1\n");
  check_exit(no, 0);
  BOOST_TEST(no.output == "0\n");
  directory.stop();
  const auto nobody = ask("7");
  check_exit(nobody, 0);
  BOOST_TEST(nobody.output == "");
  BOOST_TEST(nobody.error_output != "");
}

BOOST_FIXTURE_TEST_CASE(the_readme_example_finds_a_user, directory_fixture) {
  const auto found = run_program({{UNDERSTUDY_EXAMPLE, file, "user7"}, {}, {}, {}});
  check_exit(found, 0);
  BOOST_TEST(found.output == user_dn(7) + " user7@example.com\n");
  const auto nobody = run_program({{UNDERSTUDY_EXAMPLE, file, "user7)(uid=*"}, {}, {}, {}});
  check_exit(nobody, 0);
  BOOST_TEST(nobody.output == "");
  directory.stop();
  check_exit(run_program({{UNDERSTUDY_EXAMPLE, file, "user7"}, {}, {}, {}}, std::chrono::seconds{60}), 1);
}

BOOST_FIXTURE_TEST_CASE(the_example_that_serves_its_directory_is_a_node, directory_fixture) {
  temporary_folder folder;
  const auto at = folder.write(
      "node.toml", read_file(file) + "[[node.listeners]]\naddress = \"127.0.0.1:0\"\ninsecure_loopback = true\n");
  child_process served{{UNDERSTUDY_SERVING_EXAMPLE, at.string()}};
  const std::string says = "listens at ";
  BOOST_TEST_REQUIRE(eventually([&] { return served.output().find('\n') != std::string::npos; }),
                     served.error_output());
  const auto line = served.output();
  BOOST_TEST_REQUIRE(line.find(says) == 0U, line);
  const auto address = line.substr(says.size(), line.find('\n') - says.size());
  const auto found = run_program(
      {{UNDERSTUDY_PROGRAM, "search", "--node", address, "-b", user_dn(7), "(uid=user7)", "mail"}, {}, {}, {}});
  check_exit(found, 0);
  BOOST_TEST(contains(found.output, "mail: user7@example.com"), found.output);
  served.send_signal(SIGTERM);
  BOOST_TEST((served.wait() == 0), served.error_output());
}
