// understudy modify: carries out LDIF change records from standard input, in order.
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/ldif_lines.hpp"
#include "understudy/tools/ldif_reader.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

struct modify_options {
  target where;
  bool add = false;
};

std::string count_of(std::size_t n) { return std::to_string(n) + (n == 1 ? " change" : " changes"); }

int carry_out(session& directory, std::vector<ldif_change> changes) {
  std::size_t done = 0;
  for (auto& change : changes) {
    const auto what = "line " + std::to_string(change.line) + ": " + std::string{operation_name(change.op)} + " \"" +
                      change.dn + "\"";
    const auto answer = directory.perform(make_request(std::move(change.op), std::move(change.controls)));
    if (!answer) {
      complain(what + " failed after " + count_of(done) + " done; nothing after it was sent");
      return report(*answer.error(), directory.given());
    }
    ++done;
  }
  complain(count_of(done) + " done");
  return exit_ok;
}

int modify(interrupt_watch& interrupts, const modify_options& options) {
  command_time time{options.where.timeout};
  const auto all = one_shot_settings(options.where, time, interrupts);
  std::vector<ldif_change> changes;
  try {
    changes = read_ldif_changes(time.waiting_for_input([&] { return read_input(interrupts); }), options.add);
  } catch (const ldif_error& e) {
    throw usage_error(std::string{e.what()} + "; nothing was sent");
  }
  for (const auto& change : changes)
    if (const auto why = check_request({change.op, change.controls}))
      throw usage_error("line " + std::to_string(change.line) + ": " + why->message + " Nothing was sent.");
  session directory(all, options.where, time, interrupts);
  if (!directory.connect()) return exit_runtime;
  return carry_out(directory, std::move(changes));
}

}  // namespace

void declare_modify(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("modify", "Carry out LDIF change records from standard input, in order");
  auto options = std::make_shared<modify_options>();
  options->where.declare(*sub);
  sub->add_flag("-a,--add", options->add, "Records without a changetype are entries to add");
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return modify(interrupts, *options); }; });
}

}  // namespace understudy::cli
