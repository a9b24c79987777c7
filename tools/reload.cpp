// understudy reload: has a running node read its configuration again.
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/node_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {

using namespace internal;

void declare_reload(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("reload", "Have a running node read its configuration again, as SIGHUP does");
  auto where = std::make_shared<target>();
  where->declare_node(*sub, true);
  where->declare_limits(*sub);
  sub->callback([where, &chosen] {
    chosen = [where](interrupt_watch& interrupts) {
      return for_operators(*where, interrupts, [](node_session& node) {
        node.order(request_kind::reload);
        return exit_ok;
      });
    };
  });
}

}  // namespace understudy::cli
