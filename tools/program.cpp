// The command line as a whole: finds the command, runs it, turns what it throws into exit codes.
#include "understudy/config/problem.hpp"
#include "understudy/config/text.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <iostream>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 done; 1 the directory answered no (or with an LDAP error); 2 the command line, the configuration or "
    "the input is wrong;\n3 no answer could be had. Data goes to standard output, everything else to standard error.";

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const auto near = config::nearest(word, {known.begin(), known.end()});
  return near.empty() ? std::string{} : ": did you mean \"" + std::string{near} + "\"?";
}

std::vector<std::string> commands_of(const CLI::App& program) {
  std::vector<std::string> names;
  for (const auto* each : program.get_subcommands({})) names.push_back(each->get_name());
  return names;
}

// The long ones that are shown.
std::vector<std::string> options_of(const CLI::App& sub) {
  std::vector<std::string> names;
  for (const auto* each : sub.get_options())
    if (!each->get_group().empty())
      for (const auto& name : each->get_lnames()) names.push_back("--" + name);
  return names;
}

// What CLI11 found, in our words where it has none that help. Values are not repeated: one may be a password.
std::string problem_of(const CLI::App& program, const CLI::ParseError& e) {
  const auto chosen = program.get_subcommands();
  const auto words = program.remaining(true);
  if (chosen.empty() && !words.empty()) {
    return "unknown command or option \"" + words.front() + "\"" + did_you_mean(words.front(), commands_of(program)) +
           "; understudy --help lists them";
  }
  if (chosen.empty()) return "which command? understudy --help lists them";
  const auto help = "understudy " + chosen.front()->get_name() + " --help";
  std::string what = e.what();
  if (!words.empty()) {
    const auto option = std::find_if(words.begin(), words.end(), [](auto& word) { return word.substr(0, 1) == "-"; });
    if (option == words.end()) {
      what = "unexpected argument \"" + words.front() + "\"";
    } else {
      const auto name = option->substr(0, option->find('='));
      what = "unknown option \"" + name + "\"" + did_you_mean(name, options_of(*chosen.front()));
    }
  }
  return what + "; " + help + " says more";
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

void declare_commands(CLI::App& program, command& chosen) {
  program.description("Keeps LDAP connections alive: pools, health checks, failover between servers.");
  program.require_subcommand(1);
  program.footer(exit_codes);
  program.set_version_flag("--version", "understudy " UNDERSTUDY_VERSION);
  declare_init(program, chosen);
  declare_check(program, chosen);
  declare_search(program, chosen);
  declare_compare(program, chosen);
  declare_modify(program, chosen);
  declare_whoami(program, chosen);
  declare_authenticate(program, chosen);
  declare_groups(program, chosen);
  declare_passwd(program, chosen);
  declare_health(program, chosen);
  declare_doctor(program, chosen);
  declare_serve(program, chosen);
  declare_status(program, chosen);
  declare_tap(program, chosen);
  declare_suspend(program, chosen);
  declare_resume(program, chosen);
  declare_drain(program, chosen);
  declare_reload(program, chosen);
  declare_bench(program, chosen);
  declare_demo(program, chosen);
}

int run_program(int argc, const char* const* argv) {
  keep_standard_descriptors();
  CLI::App program;
  command chosen;
  declare_commands(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) {
      complain(problem_of(program, e));
      return exit_usage;
    }
    program.exit(e, std::cout, std::cerr);
    if (std::cout.flush()) return exit_ok;
    complain("cannot write to standard output");
    return exit_runtime;
  }
  return guarded(chosen);
}

}  // namespace understudy::cli
