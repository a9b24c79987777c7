// understudy drain: has a running node finish what it has and end.
#include "understudy/tools/commands.hpp"
#include "understudy/tools/node_command.hpp"

namespace understudy::cli {

void declare_drain(CLI::App& program, command& chosen) {
  declare_order(program, chosen, "drain", "Have a running node take nothing new, finish what it has, and end",
                internal::request_kind::drain);
}

}  // namespace understudy::cli
