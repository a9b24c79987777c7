// understudy demo: three directory servers, searches flowing, the primary killed, the takeover and the way back shown.
#include "understudy/messages/host_and_port.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/demo_front_door.hpp"
#include "understudy/tools/demo_nodes.hpp"
#include "understudy/tools/demo_script.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>

#include <functional>
#include <memory>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr int server_count = 3, callers = 8;
using clock = std::chrono::steady_clock;

/// The configuration file that this stands for is in the README.
settings settings_for(const std::vector<std::unique_ptr<demo_directory>>& servers, const demo_tree& tree) {
  settings all;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    connection_info server;
    server.host = "127.0.0.1";
    server.port = servers[i]->port();
    server.bind_dn = tree.admin_dn;
    server.password = secret{std::string_view{tree.admin_password}};
    server.timeout = seconds{2};
    server.priority = static_cast<int>(i) + 1;
    all.servers.push_back(std::move(server));
  }
  all.pool.min_connections = 2;
  all.failover.health_check_interval = seconds{1};
  all.failover.hold_down = seconds{2};
  all.failover.ramp = seconds{2};
  all.limits.operation_timeout = seconds{5};
  all.limits.drain_timeout = seconds{1};
  all.log.level = log_level::error;
  return all;
}

class demonstration {
 public:
  explicit demonstration(interrupt_watch& interrupts) : script_(interrupts) {}
  ~demonstration() {
    // What may take long goes first, while a hurried exit still removes the folder.
    callers_.reset();
    manager_.reset();
    servers_.clear();
  }
  demonstration(const demonstration&) = delete;
  demonstration& operator=(const demonstration&) = delete;
  int play();

 private:
  void start_servers();
  void run_load();
  void kill_primary();
  void show_takeover();
  void restart_primary();
  void start_beside_hung_primary();
  int report();
  const std::string primary() const { return servers_.front()->name(); }

  demo_script script_;
  demo_tree tree_;
  std::vector<std::unique_ptr<demo_directory>> servers_;
  std::unique_ptr<connection_manager> manager_;
  std::unique_ptr<demo_callers> callers_;
  std::string unserved_;  // why a service that started beside a hung primary was not served
  std::uint64_t redispatched_ = 0;
  std::optional<duration> takeover_, failback_, first_answer_;
};

void demonstration::start_servers() {
  tree_.admin_password = random_password();
  servers_ = cli::start_servers(script_, server_count, tree_);
  manager_ = std::make_unique<connection_manager>(settings_for(servers_, tree_));
  const auto state = manager_->connect();
  if (!state.connected)
    throw std::runtime_error("cannot connect: " +
                             (state.auth_error.empty() ? state.connection_error : state.auth_error));
  script_.tell("connected to " + internal::to_string(internal::host_and_port{state.host, state.port}));
}

void demonstration::run_load() {
  callers_ = std::make_unique<demo_callers>(*manager_, callers, "ou=people," + tree_.suffix, tree_.users);
  script_.tell(std::to_string(callers) + " callers search all the time");
  script_.pause(demo_script::observed_span);
  script_.tell(answers_of(script_.observe(*callers_)));
}

void demonstration::kill_primary() {
  const auto killed = clock::now();
  servers_.front()->kill();
  script_.tell("kill -9 " + primary() + ", under load");
  std::string successor;
  const bool seen = script_.wait_for([&] {
    for (const auto& [server, when] : callers_->so_far().first)
      if (server != primary() && when >= killed && (successor.empty() || when - killed < *takeover_)) {
        successor = server;
        takeover_ = when - killed;
      }
    return !successor.empty();
  });
  if (seen)
    script_.tell(successor + " answered " + milliseconds_text(*takeover_) + " after the kill: it has taken over");
}

void demonstration::show_takeover() {
  script_.pause(demo_script::observed_span);
  script_.tell(answers_of(script_.observe(*callers_)));
}

void demonstration::restart_primary() {
  const auto started = clock::now();
  servers_.front()->start();
  script_.tell("server " + primary() + " is up again; it is trusted after a hold-down of 2 s, then step by step");
  const bool seen = script_.wait_for([&] {
    const auto now = callers_->so_far();
    const auto first = now.first.find(primary());
    if (first != now.first.end()) failback_ = first->second - started;
    return failback_.has_value();
  });
  if (!seen) return;
  script_.tell(primary() + " answers again " + milliseconds_text(*failback_) + " after its start");
  script_.pause(demo_script::observed_span);
  script_.tell(answers_of(script_.observe(*callers_)));
  script_.pause(demo_script::observed_span / 2);
  script_.tell(answers_of(script_.observe(*callers_)));
}

/// A service that starts now: nothing of it has ever seen the primary answer.
void demonstration::start_beside_hung_primary() {
  script_.observe(*callers_);
  callers_.reset();
  redispatched_ = manager_->snapshot().operations.recast;
  manager_->disconnect();
  servers_.front()->pause();
  const auto began = clock::now();
  connection_manager other(settings_for(servers_, tree_));
  other.connect();
  search_request what;
  what.base = "ou=people," + tree_.suffix;
  what.filter = "(uid=user1)";
  const auto found = other.try_search(what);
  if (!found) {
    unserved_ = describe(*found.error());
    return;
  }
  first_answer_ = clock::now() - began;
  script_.tell(primary() + " hangs (SIGSTOP), and a service starts: " + found->server +
               " answers its first search after " + milliseconds_text(*first_answer_));
}

int demonstration::report() {
  script_.tell("in all: " + std::to_string(script_.searches()) + " searches, " + std::to_string(script_.failed()) +
               " failed; " + std::to_string(redispatched_) + " lost their server and were given to another");
  if (takeover_ && failback_ && first_answer_ && script_.failed() == 0) {
    script_.tell("takeover in " + milliseconds_text(*takeover_) + ", and no caller noticed");
    return exit_ok;
  }
  if (!takeover_) complain("no other server took over within " + milliseconds_text(demo_script::patience));
  if (!failback_) complain(primary() + " did not answer again within " + milliseconds_text(demo_script::patience));
  if (!first_answer_) complain("a service that started beside the hung " + primary() + " was not served: " + unserved_);
  if (script_.failed() != 0) complain("the last failure: " + script_.last_failure());
  return exit_runtime;
}

int demonstration::play() try {
  start_servers();
  run_load();
  kill_primary();
  show_takeover();
  restart_primary();
  start_beside_hung_primary();
  return report();
} catch (const interrupted&) {
  // Callers that wait for a server which hangs, or to return, would be waited for: there is no need to be polite.
  for (const auto& server : servers_) server->kill();
  if (manager_) manager_->disconnect();
  throw;
}

}  // namespace

void declare_demo(CLI::App& program, command& chosen) {
  struct given {
    int nodes = 0;
    bool front_door = false;
  };
  auto options = std::make_shared<given>();
  auto* sub = program.add_subcommand("demo", "Three throwaway servers, the primary killed under load: watch (25 s)");
  auto* nodes = sub->add_option("--nodes", options->nodes,
                                "So many nodes between callers and two servers; a node is killed, then a server (15 s)")
                    ->check(CLI::Range(2, 9).description(""))
                    ->type_name("COUNT");
  sub->add_flag("--front-door", options->front_door,
                "Clients that know one URL; the primary hangs, then two servers are killed (20 s)")
      ->excludes(nodes);
  sub->callback([&chosen, options] {
    chosen = [options](interrupt_watch& interrupts) {
      if (options->front_door) return demonstrate_front_door(interrupts);
      return options->nodes == 0 ? demonstration(interrupts).play() : demonstrate_nodes(interrupts, options->nodes);
    };
  });
}

}  // namespace understudy::cli
