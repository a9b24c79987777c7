// The program where the system lets it start few threads, or none.
#include "cli.hpp"
#include "support/stub_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <unistd.h>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// `command` as a user who may have so many threads; nobody else is that user, and root has no limit.
std::vector<std::string> limited(int threads, std::vector<std::string> command) {
  std::vector<std::string> all{"setpriv", "--reuid=" + std::to_string(500'000 + ::getpid()), "--clear-groups",
                               "prlimit", "--nproc=" + std::to_string(threads),
                               // The search for leaks at the end takes a thread of its own, and exits with 1 without.
                               "env", "ASAN_OPTIONS=detect_leaks=0"};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(without_threads_the_program_says_so_and_ends) {
  const std::string program = UNDERSTUDY_PROGRAM;
  if (run_program({limited(100, {program, "--version"}), {}, {}, {}}).status != 0) {
    BOOST_TEST_MESSAGE("not tested: it takes root, setpriv, prlimit and a program that others may run");
    return;
  }
  stub_directory directory;
  int refused = 0, served = 0;
  for (int threads = 1; threads <= 16; ++threads) {
    const auto one =
        run_program({limited(threads, {program, "whoami", "-H", directory.url(), "--timeout", "3s"}), {}, {}, {}}, 30s);
    const auto seen = std::to_string(threads) + " threads: " + std::to_string(one.status) + " " + one.error_output;
    BOOST_TEST_CONTEXT(seen) {
      if (one.status == 0) {
        ++served;
        continue;
      }
      // A library may end the process before the program begins: GnuTLS does so, with 1.
      if (one.error_output.find("understudy: ") == std::string::npos) {
        BOOST_TEST_MESSAGE("not the program's own words: " << seen);
        BOOST_TEST((one.status > 0), seen);
        continue;
      }
      ++refused;
      BOOST_TEST(one.status == 3, seen);
      BOOST_TEST(contains(one.error_output, "local_resources"));
      BOOST_TEST(contains(one.error_output, "ulimit -u"));
    }
  }
  BOOST_TEST(refused >= 3);
  BOOST_TEST(served >= 3);
}
