// understudy serve: keeps the directory's connections alive until a signal ends it.
#include "understudy/config/load.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/served_directory.hpp"
#include "understudy/tools/service.hpp"
#include "understudy/tools/target.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <malloc.h>

#include <stdexcept>

namespace understudy::cli {

using namespace internal;
namespace {

service_notifier told_by_environment() try {
  return service_notifier{process_environment};
} catch (const std::invalid_argument& e) {
  throw usage_error(e.what());
}

settings read_again(const target& where) {
  if (where.config.empty())
    throw std::runtime_error("-H and the options beside it hold until the end: there is no file to read again");
  auto loaded = load_file(where.config);
  if (!loaded.ok()) throw config_error(std::move(loaded.problems));
  return std::move(loaded.value);
}

/// Where it listens beside what the settings say; empty: nowhere.
struct more_places {
  std::string front_door;  ///< for LDAP clients
  std::string http;        ///< in place of [http]'s
};

settings with_places(settings all, const more_places& more) {
  if (more.front_door.empty() && more.http.empty()) return all;
  if (!more.front_door.empty()) all.front_door.listeners.emplace_back().address = more.front_door;
  if (!more.http.empty()) all.http.listen = more.http;
  return checked(std::move(all));
}

/// Answers of megabytes go back to the system when they are gone. The allocator would take the first for a habit, keep
/// 64 MB free in each of its arenas from then on, and cut these up.
void have_large_blocks_given_back() {
#ifdef __GLIBC__
  constexpr int large = 256 * 1024, kept = 16 * 1024 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, large);
  ::mallopt(M_TRIM_THRESHOLD, kept);
#endif
}

int serve(interrupt_watch& interrupts, const target& where, const more_places& more) {
  have_large_blocks_given_back();
  command_time unlimited{duration::zero()};
  const auto all = with_places(read_settings(where, unlimited, interrupts), more);
  const auto manager = told_by_environment();
  service_plan plan;
  plan.log = all.log;
  plan.writer = std::make_shared<log_writer>(all.log);
  plan.drain = all.limits.drain_timeout;
  plan.read_again = [where, more] { return with_places(read_again(where), more); };
  plan.parts.push_back(std::make_unique<served_directory>(all, plan.writer, plan.orders));
  const auto log = plan.writer;
  const auto code = service{std::move(plan), manager, interrupts}.run();
  log->end();
  return code;
}

}  // namespace

void declare_serve(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand(
      "serve",
      "Keep the connections alive until SIGTERM; SIGHUP reads the configuration again, SIGUSR1 reopens the log");
  auto where = std::make_shared<target>();
  where->declare_directory(*sub);
  auto more = std::make_shared<more_places>();
  sub->add_option("--front-door", more->front_door,
                  "Serve LDAP clients at that address (127.0.0.1:3890), or at the path of a Unix socket")
      ->type_name("ADDRESS");
  sub->add_option("--http", more->http,
                  "Show health, metrics and a console at that address (127.0.0.1:9389), in place of http.listen")
      ->type_name("ADDRESS");
  // Its log is what it has to say.
  where->verbose = true;
  sub->callback([where, more, &chosen] {
    chosen = [where, more](interrupt_watch& interrupts) { return serve(interrupts, *where, *more); };
  });
}

}  // namespace understudy::cli
