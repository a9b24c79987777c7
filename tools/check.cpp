// understudy check FILE: is this configuration one that works?
#include "understudy/config/load.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {

void declare_check(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("check", "Validate a configuration file; print every problem");
  auto file = std::make_shared<std::string>();
  sub->add_option("FILE", *file, "The configuration (TOML, or JSON if it ends in .json)")->required();
  sub->callback([file, &chosen] {
    chosen = [file](interrupt_watch&) {
      const auto loaded = load_file(*file);
      if (!loaded.ok()) throw config_error(loaded.problems);
      for (const auto& doubtful : loaded.warnings) complain("warning: " + describe(doubtful));
      const auto& servers = loaded.value.servers;
      const auto count = servers.size();
      if (count == 1 && !servers.front().srv.empty()) {
        put(*file + ": ok, the servers that DNS lists for " + servers.front().srv + "\n");
        return exit_ok;
      }
      put(*file + ": ok, " + std::to_string(count) + (count == 1 ? " server\n" : " servers\n"));
      return exit_ok;
    };
  });
}

}  // namespace understudy::cli
