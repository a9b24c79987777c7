// The README's example is the one that is compiled here, and it works.
#include "cli.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::test;

BOOST_AUTO_TEST_CASE(the_readme_shows_the_example_as_it_is) {
  const std::filesystem::path source = UNDERSTUDY_SOURCE_DIR;
  BOOST_TEST(contains(read_file(source / "README.md"),
                      "```cpp\n" + read_file(source / "tools/examples/embedding.cpp") + "```\n"));
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
