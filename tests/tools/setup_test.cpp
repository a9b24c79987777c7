// tools/setup says one line of its own, whatever apt says, unless apt fails.
#include "cli.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::test;

namespace {

/// A machine on which nothing is installed, and an apt-get that talks.
program_result set_up(const std::string& apt) {
  const temporary_folder commands;
  const auto command = [&](const char* name, const std::string& text) {
    const auto path = commands.write(name, "#!/bin/sh\n" + text + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  };
  command("dpkg-query", "echo not-installed");
  command("apt-get", "echo reading package lists; echo a warning >&2\n" + apt);
  command("sudo", "while [ \"$1\" = -n ]; do shift; done; exec \"$@\"");
  const std::string path = commands.path().string() + ":" + std::getenv("PATH");
  return run_program(
      {{"env", "PATH=" + path, (std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "tools/setup").string()}, {}, {}, {}});
}

}  // namespace

BOOST_AUTO_TEST_CASE(setup_is_quiet) {
  const auto done = set_up("exit 0");
  check_exit(done, 0);
  BOOST_TEST(done.output == "");
  BOOST_TEST(done.error_output.find("tools/setup: installing g++ ") == 0u, done.error_output);
  BOOST_TEST(done.error_output.find('\n') == done.error_output.size() - 1, done.error_output);
}

BOOST_AUTO_TEST_CASE(setup_shows_what_apt_said_when_it_fails) {
  const auto failed = set_up("echo no such package >&2; exit 100");
  check_exit(failed, 1);
  BOOST_TEST(contains(failed.error_output, "no such package"), failed.error_output);
}
