// Which LDAP clients and applications this machine has; a test of one that is missing says so and is skipped.
#pragma once
#include <string>
#include <vector>

namespace understudy::test {

/// Debian's own: modules that its packages install are not seen by another one.
inline constexpr const char* debian_python = "/usr/bin/python3";
/// The command that succeeds when that Python has `module`.
std::vector<std::string> python_with(const std::string& module);
/// The folder of the clients' scripts.
const char* client_scripts();

/// True when `probe` succeeds. Else says on standard error that `package` is missing, in the words by which ctest knows
/// a skipped test, and with UNDERSTUDY_ALL_CLIENTS in the environment fails the test, unless the package is none of
/// Debian's.
bool is_installed(const std::string& package, const std::vector<std::string>& probe, bool of_debian = true);
/// True with UNDERSTUDY_ALL_CLIENTS in the environment. Else says on standard error that the test is not run since it
/// needs `expense`, in the words by which ctest knows a skipped test.
bool is_asked_for(const std::string& expense);

}  // namespace understudy::test
