// understudy resume: has a running node use a suspended server again.
#include "understudy/messages/printable.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/node_command.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

struct resume_options {
  target where;
  std::string server;
};

int resume_server(interrupt_watch& interrupts, const resume_options& options) {
  return for_one_node(options.where, interrupts, [&](node_session& node) {
    if (node.manager().resume(options.server)) return exit_ok;
    complain("the node has no server \"" + printable(options.server) + "\"; it has " +
             printable(names_of(node.state())));
    return exit_runtime;
  });
}

}  // namespace

void declare_resume(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand(
      "resume", "Have a running node use a suspended server again, and try a refused service password again");
  auto options = std::make_shared<resume_options>();
  options->where.declare_node(*sub, true);
  options->where.declare_limits(*sub);
  sub->add_option("SERVER", options->server, "The server, as host:port")->required();
  sub->callback([options, &chosen] {
    chosen = [options](interrupt_watch& interrupts) { return resume_server(interrupts, *options); };
  });
}

}  // namespace understudy::cli
