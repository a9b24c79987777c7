// understudy reload: has a running node read its configuration again.
#include "understudy/tools/commands.hpp"
#include "understudy/tools/node_command.hpp"

namespace understudy::cli {

void declare_reload(CLI::App& program, command& chosen) {
  declare_order(program, chosen, "reload", "Have a running node read its configuration again, as SIGHUP does",
                internal::request_kind::reload);
}

}  // namespace understudy::cli
