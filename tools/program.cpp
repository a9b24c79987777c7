// The command line as a whole: finds the command, runs it, turns what it throws into exit codes.
#include "understudy/config/problem.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <iostream>

namespace understudy::cli {
namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 done; 1 the directory answered no (or with an LDAP error); 2 the command line, the configuration or "
    "the input is wrong;\n3 no answer could be had. Data goes to standard output, everything else to standard error.";

void declare_all(CLI::App& program, command& chosen) {
  program.require_subcommand(1);
  program.footer(exit_codes);
  program.set_version_flag("--version", "understudy " UNDERSTUDY_VERSION);
  declare_check(program, chosen);
  declare_search(program, chosen);
  declare_compare(program, chosen);
  declare_modify(program, chosen);
  declare_whoami(program, chosen);
  declare_authenticate(program, chosen);
  declare_health(program, chosen);
  declare_bench(program, chosen);
  declare_demo(program, chosen);
}

int complain_and_return(const std::exception& e, int code) {
  complain(e.what());
  return code;
}

int guarded(const command& chosen) try {
  interrupt_watch interrupts;
  return chosen(interrupts);
} catch (const config_error& e) {
  for (const auto& problem : e.problems()) complain(describe(problem));
  return exit_usage;
} catch (const ldap_exception& e) {
  return report(e.reason());
} catch (const usage_error& e) {
  return complain_and_return(e, exit_usage);
} catch (const input_error& e) {
  return complain_and_return(e, exit_usage);
} catch (const std::exception& e) {
  return complain_and_return(e, exit_runtime);
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  keep_standard_descriptors();
  CLI::App program{"Keeps LDAP connections alive: pools, health checks, failover between servers."};
  command chosen;
  declare_all(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const auto words = program.remaining();
    if (program.get_subcommands().empty() && !words.empty()) {
      complain("unknown command or option \"" + words.front() + "\"; understudy --help lists them");
      return exit_usage;
    }
    if (program.exit(e, std::cout, std::cerr) != 0) return exit_usage;
    if (std::cout.flush()) return exit_ok;
    complain("cannot write to standard output");
    return exit_runtime;
  }
  return guarded(chosen);
}

}  // namespace understudy::cli
