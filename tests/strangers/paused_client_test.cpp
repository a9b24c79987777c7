// Not a server but the process is strange: it is stopped and continued, as by a debugger, a laptop's lid or a
// hypervisor.
#include "scenarios/scenario.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

std::uint64_t users_searches(const stub_directory& server) {
  const auto all = server.requests(operation::search);
  return static_cast<std::uint64_t>(
      std::count_if(all.begin(), all.end(), [](const directory_request& r) { return !r.dn.empty(); }));
}

std::string section(const stub_directory& server, int priority) {
  return "[[ldap.servers]]\nuri = \"" + server.url() + "\"\npriority = " + std::to_string(priority) + "\n";
}

}  // namespace

/// The answers that came meanwhile are read before anything is said of silence.
BOOST_AUTO_TEST_CASE(stranger_to_a_process_that_was_stopped_for_a_while_is_not_blamed_for_it) {
  leak_guard leaks;
  stub_directory a, b;
  a.disturb(operation::search, {.delay = 20ms});
  const temporary_folder folder;
  const auto file =
      folder.write("directory.toml", "[ldap]\nbind_dn = \"" + std::string{admin_dn} + "\"\npassword = \"" +
                                         admin_password + "\"\n" + section(a, 1) + section(b, 2));
  child_process client({{UNDERSTUDY_PROGRAM, "bench", "-c", file.string(), "-b", people_dn, "--filter", "(uid=user1)",
                         "--concurrency", "16", "--duration", "15s", "--json"},
                        {},
                        {},
                        {}});
  BOOST_TEST_REQUIRE(eventually([&] { return a.count(operation::search) > 100; }), client.error_output());
  for (int i = 0; i < 3; ++i) {
    client.stop();
    std::this_thread::sleep_for(2500ms);
    const auto before = a.count(operation::search);
    client.resume();
    BOOST_TEST(eventually([&] { return a.count(operation::search) > before + 100; }), client.error_output());
  }
  BOOST_TEST(users_searches(b) == 0u);
  BOOST_TEST(client.wait(60s).value_or(-1) == 0, client.error_output());
  BOOST_TEST(client.output().find("\"errors\":{}") != std::string::npos, client.output());
  BOOST_TEST(users_searches(b) == 0u);
  BOOST_TEST(eventually([&] { return a.open_connections() == 0u && b.open_connections() == 0u; }));
}
