// The program's commands: each declares its options on the command line and says what to run when it was chosen.
#pragma once
#include "understudy/tools/interrupt.hpp"

#include <functional>

namespace CLI {
class App;
}

namespace understudy::cli {

/// Runs the chosen command; returns the exit code. Failures come out as exceptions: config_error, usage_error,
/// ldap_exception, interrupted, output_error.
using command = std::function<int(interrupt_watch&)>;

// Each adds one subcommand; parsing it sets `chosen`.
void declare_init(CLI::App& program, command& chosen);
void declare_check(CLI::App& program, command& chosen);
void declare_search(CLI::App& program, command& chosen);
void declare_compare(CLI::App& program, command& chosen);
void declare_modify(CLI::App& program, command& chosen);
void declare_whoami(CLI::App& program, command& chosen);
void declare_authenticate(CLI::App& program, command& chosen);
void declare_groups(CLI::App& program, command& chosen);
void declare_passwd(CLI::App& program, command& chosen);
void declare_health(CLI::App& program, command& chosen);
void declare_doctor(CLI::App& program, command& chosen);
void declare_serve(CLI::App& program, command& chosen);
void declare_status(CLI::App& program, command& chosen);
void declare_tap(CLI::App& program, command& chosen);
void declare_suspend(CLI::App& program, command& chosen);
void declare_resume(CLI::App& program, command& chosen);
void declare_drain(CLI::App& program, command& chosen);
void declare_reload(CLI::App& program, command& chosen);
void declare_bench(CLI::App& program, command& chosen);
void declare_demo(CLI::App& program, command& chosen);

/// All of them, with what holds for all.
void declare_commands(CLI::App& program, command& chosen);

/// Carries out a command line; returns the exit code.
int run_program(int argc, const char* const* argv);

}  // namespace understudy::cli
