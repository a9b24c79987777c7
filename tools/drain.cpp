// understudy drain: has a running node finish what it has and end.
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/node_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {

using namespace internal;

void declare_drain(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("drain", "Have a running node take nothing new, finish what it has, and end");
  auto where = std::make_shared<target>();
  where->declare_node(*sub, true);
  where->declare_limits(*sub);
  sub->callback([where, &chosen] {
    chosen = [where](interrupt_watch& interrupts) {
      return for_operators(*where, interrupts, [](node_session& node) {
        node.order(request_kind::drain);
        return exit_ok;
      });
    };
  });
}

}  // namespace understudy::cli
