// understudy whoami: which identity does the directory see?
#include "understudy/messages/printable.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

int whoami(interrupt_watch& interrupts, const target& where) {
  command_time time{where.timeout};
  session directory(one_shot_settings(where, time, interrupts), where, time, interrupts);
  if (!directory.connect()) return exit_runtime;
  const auto answer = directory.perform(make_request(whoami_request{}));
  if (!answer) return report(*answer.error(), directory.given());
  const auto identity = answer->response_value.value_or("");
  put((identity.empty() ? "anonymous" : printable(identity)) + "\n");
  return exit_ok;
}

}  // namespace

void declare_whoami(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("whoami", "Print the identity that the directory sees, or \"anonymous\"");
  auto where = std::make_shared<target>();
  where->declare(*sub);
  sub->callback(
      [where, &chosen] { chosen = [where](interrupt_watch& interrupts) { return whoami(interrupts, *where); }; });
}

}  // namespace understudy::cli
