// understudy health: probes every server, step by step.
#include "understudy/config/endpoint.hpp"
#include "understudy/config/load.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/manager_access.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/state_json.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr seconds default_patience{10};
/// A server that does not answer a probe for so long is down; as breaker.suspect_after by default.
constexpr seconds enough_to_judge{1};

struct health_options {
  target where;
  bool json = false;
};

struct findings {
  runtime_snapshot state;
  std::vector<probe_report> probes;
};

const probe_report* probe_of(const findings& all, const server_snapshot& server) {
  const auto found =
      std::find_if(all.probes.begin(), all.probes.end(), [&](const probe_report& p) { return p.server == server.id; });
  return found == all.probes.end() ? nullptr : &*found;
}

bool healthy(const findings& all) {
  return !all.state.servers.empty() &&
         std::all_of(all.state.servers.begin(), all.state.servers.end(), [&](const server_snapshot& s) {
           const auto* probe = probe_of(all, s);
           return probe != nullptr && probe->ok && s.warning.empty() && s.state != server_state::suspended;
         });
}

// The probe is newer than what the monitor concluded before it.
void apply_probes(findings& all) {
  for (auto& server : all.state.servers) {
    const auto* probe = probe_of(all, server);
    if (probe == nullptr || server.state == server_state::suspended) continue;
    // A probe that waited for something of ours says nothing about the server.
    if (verdict(*probe) == probe_verdict::nothing) continue;
    // One that ran out of what little time it was given is no evidence against what is known there.
    const bool cut_short = probe->hurried && probe->took < enough_to_judge;
    if (probe->ok || !cut_short)
      server.state = probe->ok ? server_state::healthy : server_state::down;
    else if (server.untried)
      server.state = server_state::suspect;
    server.untried = false;
    if (probe->ok) server.warning = probe->warning;
    if (!probe->error) continue;
    server.last_error = describe(*probe->error);
    server.last_error_at = std::chrono::system_clock::now();
  }
}

std::string line_of(const server_snapshot& server, const probe_report* probe, const given_options& given) {
  auto line = printable(internal::server_name(server)) + "  priority " + std::to_string(server.priority) + "  " +
              std::string{state_name(server)};
  if (probe == nullptr) return line + "  not probed\n";
  for (const auto& step : probe->steps)
    line +=
        "  " + std::string{to_string(step.what)} + (step.ok ? " " : " FAILED after ") + milliseconds_text(step.took);
  line += "\n";
  if (probe->error) line += "    " + printable(what_happened(*probe->error, given)) + "\n";
  if (!server.warning.empty()) line += "    warning: " + printable(server.warning) + "\n";
  return line;
}

void print_text(const findings& all, const given_options& given) {
  std::string text;
  for (const auto& server : all.state.servers) text += line_of(server, probe_of(all, server), given);
  put(text);
}

void print_json(const findings& all) {
  auto tree = to_json(all.state);
  for (std::size_t i = 0; i < all.state.servers.size(); ++i) {
    const auto* probe = probe_of(all, all.state.servers[i]);
    tree["servers"][i]["probe"] = probe == nullptr ? nlohmann::json(nullptr) : to_json(*probe);
  }
  put(tree.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n");
}

// What this command does itself, until there is something to probe, is no operation of a service.
runtime_snapshot state_of(session& directory) {
  if (!directory.given().by_node) {
    auto state = directory.manager().snapshot();
    state.operations = {};
    return state;
  }
  const auto there = manager_access::running(directory.manager());
  if (!there) throw_failure(make_failure(runtime_ended(stage::queue)));
  auto got = there->client().ask<runtime_snapshot>(there->manager(), directory.left(default_patience), status_atom_v);
  if (!got) throw_failure(std::move(got.error));
  return std::move(*got.value);
}

int health(interrupt_watch& interrupts, const health_options& options) {
  command_time time{options.where.timeout};
  const auto all_settings = one_shot_settings(options.where, time, interrupts);
  for (const auto& doubtful : warnings(all_settings)) complain("warning: " + describe(doubtful));
  session directory(all_settings, options.where, time, interrupts);
  const auto stopping = directory.stop_on_interrupt();
  const auto begun = directory.begin_probing(default_patience);
  directory.check_interrupt();
  session::require_a_start(begun);
  findings all;
  try {
    all.probes = directory.manager().probe_all(directory.left(default_patience));
    directory.check_interrupt();
    all.state = state_of(directory);
  } catch (const ldap_exception& e) {
    // Who interrupts ends the probes: that is no failure to tell of.
    directory.check_interrupt();
    if (!directory.given().by_node) throw;
    static_cast<void>(report(e.reason(), directory.given()));
    return exit_runtime;
  }
  directory.check_interrupt();
  apply_probes(all);
  options.json ? print_json(all) : print_text(all, directory.given());
  // DNS lists the servers and did not: there is nothing to probe, but a reason.
  if (all.state.servers.empty() && begun.failed) report(*begun.failed, directory.given());
  return healthy(all) ? exit_ok : exit_negative;
}

}  // namespace

void declare_health(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("health", "Probe every server step by step; exit 0 when all are healthy, else 1");
  auto options = std::make_shared<health_options>();
  options->where.declare(*sub);
  sub->add_flag("--json", options->json, "Print JSON");
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return health(interrupts, *options); }; });
}

}  // namespace understudy::cli
