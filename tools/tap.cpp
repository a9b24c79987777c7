// understudy tap: requests of a running node, each as it ends.
#include "understudy/messages/printable.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/node_command.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>

#include <poll.h>

#include <nlohmann/json.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

// More often than operation_tap::watched_for, and before more than it keeps have ended.
constexpr std::chrono::milliseconds asked_every{250};

struct tap_options {
  target where;
  bool json = false;
  std::uint64_t count = 0;  ///< 0: until interrupted
};

std::int64_t microseconds_of(duration span) {
  return std::chrono::duration_cast<std::chrono::microseconds>(span).count();
}

/// "0", or why there was no answer, behind the code that stood for it where one did: "3 operation_timeout".
std::string outcome_of(const operation_sample& sample) {
  if (sample.error.empty()) return std::to_string(sample.code);
  return (sample.code != 0 ? std::to_string(sample.code) + " " : "") + printable(sample.error);
}

/// "2026-05-17T09:30:00Z  search  0  127.0.0.1:389  412 us"
std::string text_of(const operation_sample& sample) {
  return (sample.at ? utc(*sample.at) : "-") + "  " + printable(sample.operation) + "  " + outcome_of(sample) + "  " +
         (sample.server.empty() ? "-" : printable(sample.server)) + "  " +
         std::to_string(microseconds_of(sample.took)) + " us\n";
}

std::string json_of(const operation_sample& sample) {
  const nlohmann::json line{{"at", sample.at ? nlohmann::json(utc(*sample.at)) : nlohmann::json(nullptr)},
                            {"operation", sample.operation},
                            {"code", sample.code},
                            {"error", sample.error.empty() ? nlohmann::json(nullptr) : nlohmann::json(sample.error)},
                            {"server", sample.server.empty() ? nlohmann::json(nullptr) : nlohmann::json(sample.server)},
                            {"microseconds", microseconds_of(sample.took)}};
  return line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

/// False when it was interrupted.
bool pause(const interrupt_watch& interrupts) {
  pollfd one{interrupts.descriptor(), POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(asked_every.count())) == 0;
}

int watch(node_session& node, interrupt_watch& interrupts, const tap_options& options) {
  auto seen = node.ended(std::nullopt);
  std::uint64_t told = 0;
  while (pause(interrupts)) {
    seen = node.ended(seen.next);
    std::string text;
    for (const auto& sample : seen.samples) {
      text += options.json ? json_of(sample) : text_of(sample);
      if (++told == options.count) break;
    }
    if (!text.empty()) put(text);
    if (options.count != 0 && told >= options.count) break;
    if (seen.dropped > 0) complain(std::to_string(seen.dropped) + " more requests ended and are not shown");
  }
  return exit_ok;
}

int tap(interrupt_watch& interrupts, const tap_options& options) {
  return for_one_node(options.where, interrupts, [&](node_session& node) {
    try {
      return watch(node, interrupts, options);
    } catch (const interrupted&) {
      return exit_ok;
    }
  });
}

}  // namespace

void declare_tap(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand(
      "tap", "Print requests of a running node as they end: operation, result code, server, time; until interrupted");
  auto options = std::make_shared<tap_options>();
  options->where.declare_node(*sub, true);
  options->where.declare_limits(*sub, "all of it");
  sub->add_flag("--json", options->json, "Print JSON, a line each");
  sub->add_option("--count", options->count, "End after so many requests")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("COUNT");
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return tap(interrupts, *options); }; });
}

}  // namespace understudy::cli
