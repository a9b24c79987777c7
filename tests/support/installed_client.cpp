// Asking for a client, and saying that it is missing.
#include "support/installed_client.hpp"

#include "support/child_process.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace understudy::test {
namespace {

bool all_clients() { return std::getenv("UNDERSTUDY_ALL_CLIENTS") != nullptr; }

}  // namespace

std::vector<std::string> python_with(const std::string& module) { return {debian_python, "-c", "import " + module}; }

const char* client_scripts() { return UNDERSTUDY_CLIENT_SCRIPTS; }

bool is_installed(const std::string& package, const std::vector<std::string>& probe, bool of_debian) {
  try {
    if (run_program(child_process::options{probe, {}, {}, {}}).status == 0) return true;
  } catch (const std::system_error&) {
    // It cannot even be started.
  }
  if (of_debian && all_clients())
    BOOST_ERROR(package << " is missing, and UNDERSTUDY_ALL_CLIENTS asks for all: tools/setup --checks installs it");
  else
    std::fprintf(stderr, "NOT INSTALLED: %s; tools/setup --checks installs it\n", package.c_str());
  return false;
}

bool is_asked_for(const std::string& expense) {
  if (all_clients()) return true;
  std::fprintf(stderr, "NOT ASKED FOR: it needs %s; UNDERSTUDY_ALL_CLIENTS=1 runs it\n", expense.c_str());
  return false;
}

}  // namespace understudy::test
