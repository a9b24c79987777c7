// Opens the configured directory for a command.
#include "understudy/tools/session.hpp"

#include "understudy/config/text.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>

namespace understudy::cli {
namespace {

std::vector<std::string> values_of(const entry& e, std::string_view name) {
  const auto* found = e.find(name);
  return found == nullptr ? std::vector<std::string>{} : found->values;
}

// Whatever is under way when a command ends is of no use to anybody any more.
settings quick_to_stop(settings all) {
  all.limits.drain_timeout = std::min<duration>(all.limits.drain_timeout, milliseconds{200});
  return all;
}

}  // namespace

duration span_argument(const std::string& option, const std::string& text) {
  const auto span = config::parse_span(text, seconds{1});
  if (!span || *span <= duration{}) throw CLI::ValidationError(option, "\"" + text + "\" is no span of time");
  return *span;
}

void target::declare(CLI::App& command) {
  command.add_option("-c,--config", config, "The configuration (TOML, or JSON if it ends in .json)")
      ->required()
      ->type_name("FILE");
  command
      .add_option_function<std::string>(
          "--timeout", [this](const std::string& text) { timeout = span_argument("--timeout", text); },
          "How long each request may take (5s, 250ms …); default: as configured")
      ->type_name("TIME");
  command.add_flag("-v,--verbose", verbose, "Log as configured; default: errors only");
}

settings read_settings(const target& where) {
  auto loaded = load_file(where.config);
  if (!loaded.ok()) throw config_error(std::move(loaded.problems));
  if (!where.verbose && loaded.value.log.file.empty()) loaded.value.log.level = log_level::error;
  return std::move(loaded.value);
}

settings one_shot_settings(const target& where) {
  auto all = read_settings(where);
  all.pool.min_connections = std::min(all.pool.min_connections, 1);
  all.pool.preload_connections = false;
  all.recovery.reconnect_attempts = 1;
  all.monitoring.enable_monitoring = false;
  return all;
}

session::session(settings all, const target& where, interrupt_watch& interrupts)
    : manager_(quick_to_stop(std::move(all))), timeout_(where.timeout), interrupts_(interrupts) {}

interrupt_action session::stop_on_interrupt() {
  return {interrupts_, [this] { manager_.disconnect(); }};
}

bool session::connect() {
  const auto stopping = stop_on_interrupt();
  const auto state = manager_.connect();
  if (interrupts_.tripped()) throw interrupted();
  if (state.connected) return true;
  complain(state.auth_error.empty() ? state.connection_error : state.auth_error);
  return false;
}

outcome session::perform(request_ptr what) {
  cancel_source cancel;
  const interrupt_action on_signal(interrupts_, [&cancel] { cancel.cancel(); });
  call_options options;
  options.timeout = timeout_;
  options.cancel = &cancel;
  return manager_.perform(std::move(what), options);
}

std::string session::base_or_default(const std::optional<std::string>& base) {
  if (base) return *base;
  search_request root;
  root.scope = search_scope::base;
  root.attributes = {"defaultNamingContext", "namingContexts"};
  const auto found = perform(make_request(std::move(root)));
  const auto& entries = found.value().entries;
  auto contexts = entries.empty() ? std::vector<std::string>{} : values_of(entries.front(), "defaultNamingContext");
  if (contexts.empty() && !entries.empty()) contexts = values_of(entries.front(), "namingContexts");
  if (contexts.size() == 1) return contexts.front();
  std::string names;
  for (const auto& context : contexts) names += " \"" + context + "\"";
  throw usage_error(names.empty() ? "the directory does not say what it holds: give a base with -b"
                                  : "the directory holds several trees: give one with -b:" + names);
}

}  // namespace understudy::cli
