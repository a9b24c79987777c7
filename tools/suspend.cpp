// understudy suspend: takes a server out of a running node.
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

struct suspend_options {
  target where;
  std::string server;
  duration span{};  ///< zero: until it is resumed
};

int suspend_server(interrupt_watch& interrupts, const suspend_options& options) {
  return for_one_node(options.where, interrupts, [&](node_session& node) {
    if (node.manager().suspend(options.server, std::chrono::ceil<seconds>(options.span))) return exit_ok;
    complain("the node has no server \"" + printable(options.server) + "\"; it has " +
             printable(names_of(node.state())));
    return exit_runtime;
  });
}

}  // namespace

void declare_suspend(CLI::App& program, command& chosen) {
  auto* sub =
      program.add_subcommand("suspend", "Have a running node send nothing to a server, until resume or for a while");
  auto options = std::make_shared<suspend_options>();
  options->where.declare_node(*sub, true);
  options->where.declare_limits(*sub);
  sub->add_option_function<std::string>(
         "--for", [options](const std::string& text) { options->span = span_argument("--for", text); },
         "How long; default: until understudy resume")
      ->type_name("TIME");
  sub->add_option("SERVER", options->server, "The server, as host:port")->required();
  sub->callback([options, &chosen] {
    chosen = [options](interrupt_watch& interrupts) { return suspend_server(interrupts, *options); };
  });
}

}  // namespace understudy::cli
