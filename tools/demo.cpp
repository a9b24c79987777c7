// understudy demo: three directory servers, searches flowing, the primary killed, the takeover and the way back shown.
#include "understudy/messages/text.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/demo_callers.hpp"
#include "understudy/tools/demo_directory.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"

#include <poll.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr int server_count = 3, callers = 8;
constexpr seconds observed_span{3};  // of each part
constexpr seconds patience{10};      // for a takeover or a failback
constexpr milliseconds glance{5};    // between two looks at what the callers see
constexpr std::uint16_t first_port = 10388;

using clock = std::chrono::steady_clock;

std::string random_password() {
  std::random_device source;
  std::string text;
  for (int i = 0; i < 4; ++i) text += std::to_string(source());
  return text;
}

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
  explicit demonstration(interrupt_watch& interrupts) : interrupts_(interrupts) {
    interrupts_.on_hurried_exit([this] { folder_.remove(); });
  }
  ~demonstration() {
    // What may take long goes first, while a hurried exit still removes the folder.
    callers_.reset();
    manager_.reset();
    servers_.clear();
    interrupts_.on_hurried_exit({});
  }
  demonstration(const demonstration&) = delete;
  demonstration& operator=(const demonstration&) = delete;
  int play();

 private:
  void tell(const std::string& text) const;
  void pause(duration span) const;
  bool wait_for(const std::function<bool()>& condition) const;
  void start_servers();
  void run_load();
  void kill_primary();
  void show_takeover();
  void restart_primary();
  void start_beside_hung_primary();
  int report();
  const demo_observation& take_observation();
  std::string answers_of(const demo_observation& seen) const;
  const std::string primary() const { return servers_.front()->name(); }

  interrupt_watch& interrupts_;
  clock::time_point begin_ = clock::now();
  demo_folder folder_;
  demo_tree tree_;
  std::vector<std::unique_ptr<demo_directory>> servers_;
  std::unique_ptr<connection_manager> manager_;
  std::unique_ptr<demo_callers> callers_;
  demo_observation observed_;
  std::uint64_t searches_ = 0, failed_ = 0;
  std::string last_failure_;
  std::uint64_t redispatched_ = 0;
  std::optional<duration> takeover_, failback_, first_answer_;
};

void demonstration::tell(const std::string& text) const {
  std::array<char, 32> time{};
  const auto size = std::snprintf(time.data(), time.size(), "%5.1f s  ",
                                  std::chrono::duration<double>(clock::now() - begin_).count());
  put(std::string{time.data(), static_cast<std::size_t>(size)} + text + "\n");
}

void demonstration::pause(duration span) const {
  pollfd fd{interrupts_.descriptor(), POLLIN, 0};
  const auto ms = std::chrono::duration_cast<milliseconds>(span).count();
  if (::poll(&fd, 1, static_cast<int>(ms)) > 0) throw interrupted();
}

bool demonstration::wait_for(const std::function<bool()>& condition) const {
  const auto end = clock::now() + patience;
  while (!condition() && clock::now() < end) pause(glance);
  return condition();
}

const demo_observation& demonstration::take_observation() {
  observed_ = callers_->next_observation();
  searches_ += observed_.total();
  failed_ += observed_.failed;
  if (observed_.failed != 0) last_failure_ = observed_.last_failure;
  return observed_;
}

std::string demonstration::answers_of(const demo_observation& seen) const {
  const auto text =
      joined(seen.answers, ", ", [](const auto& each) { return std::to_string(each.second) + " by " + each.first; });
  return std::to_string(seen.total()) + " searches (" + text + "), " + std::to_string(seen.failed) +
         " failed, slowest " + milliseconds_text(seen.slowest);
}

void demonstration::start_servers() {
  tree_.admin_password = random_password();
  for (int i = 0; i < server_count; ++i) {
    servers_.push_back(
        std::make_unique<demo_directory>(folder_.path() / std::to_string(i), loopback_port{first_port}, tree_));
    servers_.back()->start();
    tell("server " + servers_.back()->name() + " is up, priority " + std::to_string(i + 1));
  }
  manager_ = std::make_unique<connection_manager>(settings_for(servers_, tree_));
  const auto state = manager_->connect();
  if (!state.connected)
    throw std::runtime_error("cannot connect: " +
                             (state.auth_error.empty() ? state.connection_error : state.auth_error));
  tell("connected to " + internal::host_and_port(state.host, state.port));
}

void demonstration::run_load() {
  callers_ = std::make_unique<demo_callers>(*manager_, callers, "ou=people," + tree_.suffix, tree_.users);
  tell(std::to_string(callers) + " callers search all the time");
  pause(observed_span);
  tell(answers_of(take_observation()));
}

void demonstration::kill_primary() {
  const auto killed = clock::now();
  servers_.front()->kill();
  tell("kill -9 " + primary() + ", under load");
  std::string successor;
  const bool seen = wait_for([&] {
    for (const auto& [server, when] : callers_->so_far().first)
      if (server != primary() && when >= killed && (successor.empty() || when - killed < *takeover_)) {
        successor = server;
        takeover_ = when - killed;
      }
    return !successor.empty();
  });
  if (seen) tell(successor + " answered " + milliseconds_text(*takeover_) + " after the kill: it has taken over");
}

void demonstration::show_takeover() {
  pause(observed_span);
  tell(answers_of(take_observation()));
}

void demonstration::restart_primary() {
  const auto started = clock::now();
  servers_.front()->start();
  tell("server " + primary() + " is up again; it is trusted after a hold-down of 2 s, then step by step");
  const bool seen = wait_for([&] {
    const auto now = callers_->so_far();
    const auto first = now.first.find(primary());
    if (first != now.first.end()) failback_ = first->second - started;
    return failback_.has_value();
  });
  if (!seen) return;
  tell(primary() + " answers again " + milliseconds_text(*failback_) + " after its start");
  pause(observed_span);
  tell(answers_of(take_observation()));
  pause(observed_span / 2);
  tell(answers_of(take_observation()));
}

/// A service that starts now: nothing of it has ever seen the primary answer.
void demonstration::start_beside_hung_primary() {
  take_observation();
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
    last_failure_ = describe(*found.error());
    return;
  }
  first_answer_ = clock::now() - began;
  tell(primary() + " hangs (SIGSTOP), and a service starts: " + found->server + " answers its first search after " +
       milliseconds_text(*first_answer_));
}

int demonstration::report() {
  tell("in all: " + std::to_string(searches_) + " searches, " + std::to_string(failed_) + " failed; " +
       std::to_string(redispatched_) + " lost their server and were given to another");
  if (takeover_ && failback_ && first_answer_ && failed_ == 0) {
    tell("takeover in " + milliseconds_text(*takeover_) + ", and no caller noticed");
    return exit_ok;
  }
  if (!takeover_) complain("no other server took over within " + milliseconds_text(patience));
  if (!failback_) complain(primary() + " did not answer again within " + milliseconds_text(patience));
  if (!first_answer_) complain("a service that started beside the hung " + primary() + " was not served");
  if (failed_ != 0 || !first_answer_) complain("the last failure: " + last_failure_);
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
  auto* sub = program.add_subcommand("demo", "Three throwaway servers, the primary killed under load: watch (25 s)");
  sub->callback([&chosen] { chosen = [](interrupt_watch& interrupts) { return demonstration(interrupts).play(); }; });
}

}  // namespace understudy::cli
