// Giving each kind of actor an environment of its own.
#include "scenarios/sabotage.hpp"

#include "understudy/actors/circuit_breaker/circuit_breaker_actor.hpp"
#include "understudy/actors/connection/connection_actor.hpp"
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"
#include "understudy/actors/health_monitor/health_monitor_actor.hpp"
#include "understudy/actors/pool/pool_actor.hpp"

namespace understudy::test {

using namespace internal;
namespace {

class trapped_clock final : public clock_port {
 public:
  trapped_clock(std::shared_ptr<clock_port> real, std::shared_ptr<trap> in)
      : real_(std::move(real)), trap_(std::move(in)) {}
  time_point now() const override {
    trap_->step();
    return real_->now();
  }
  wall_time wall_now() const override { return real_->wall_now(); }

 private:
  std::shared_ptr<clock_port> real_;
  std::shared_ptr<trap> trap_;
};

/// What may fail in a kernel: watching and timing. What takes back cannot.
class trapped_poller final : public poller_port {
 public:
  trapped_poller(std::shared_ptr<poller_port> real, std::shared_ptr<trap> in)
      : real_(std::move(real)), trap_(std::move(in)) {}
  io_id add(int fd, caf::actor_addr owner) override {
    trap_->step();
    return real_->add(fd, std::move(owner));
  }
  void arm(io_id id, std::uint32_t interest) override {
    trap_->step();
    real_->arm(id, interest);
  }
  void remove(io_id id) override { real_->remove(id); }
  timer_id add_timer(caf::actor_addr owner) override { return real_->add_timer(std::move(owner)); }
  void set_timer(timer_id id, time_point when) override {
    trap_->step();
    real_->set_timer(id, when);
  }
  void clear_timer(timer_id id) override { real_->clear_timer(id); }
  void remove_timer(timer_id id) override { real_->remove_timer(id); }

 private:
  std::shared_ptr<poller_port> real_;
  std::shared_ptr<trap> trap_;
};

environment_ptr trapped(const environment& real, const std::shared_ptr<trap>& in) {
  auto made = std::make_shared<environment>(real);
  made->clock = std::make_shared<trapped_clock>(real.clock, in);
  made->poller = std::make_shared<trapped_poller>(real.poller, in);
  return made;
}

server_context_ptr with_env(const server_context& known, environment_ptr env) {
  auto made = std::make_shared<server_context>(known);
  made->env = std::move(env);
  return made;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, victim target) {
  static constexpr std::array<const char*, 4> names{"pool", "health monitor", "breaker", "connection"};
  return out << names[static_cast<std::size_t>(target)];
}

void trap::set(int skip, int times) {
  const std::lock_guard lock(guard_);
  skip_ = skip;
  times_ = times;
}

int trap::sprung() const {
  const std::lock_guard lock(guard_);
  return sprung_;
}

void trap::step() {
  const std::lock_guard lock(guard_);
  if (times_ == 0 || skip_-- > 0) return;
  skip_ = 0;
  --times_;
  ++sprung_;
  throw std::runtime_error("sprung by the test");
}

sabotaged_runtime::sabotaged_runtime(settings all) {
  for (auto& one : *traps_) one = std::make_shared<trap>();
  replaced_parts with;
  with.on_log = [log = log_](log_level, std::string_view, const std::string& text) {
    const std::lock_guard lock(log->guard);
    log->all.push_back(text);
  };
  with.manager = [traps = traps_](caf::actor_system& system, settings_ptr s, environment_ptr env,
                                  connection_factory connect) {
    const auto env_of = [&](victim target) { return trapped(*env, traps->at(static_cast<std::size_t>(target))); };
    const auto for_pools = env_of(victim::pool), for_connections = env_of(victim::connection);
    const connection_factory trapping = [connect, for_connections](caf::actor_system& in, connection_spec spec) {
      spec.context = with_env(*spec.context, for_connections);
      return connect(in, std::move(spec));
    };
    auto parts = make_manager_dependencies(s, env, trapping);
    parts.breaker = [s, env = env_of(victim::breaker)](caf::actor_system& in) {
      return spawn_circuit_breaker(in, env, s);
    };
    parts.pool = [for_pools, trapping](caf::actor_system& in, server_context_ptr context,
                                       const caf::actor_addr& breaker, const caf::actor_addr& gate) {
      return spawn_pool(in, with_env(*context, for_pools), trapping, breaker, gate);
    };
    parts.monitor = [s, trapping, env = env_of(victim::health_monitor)](
                        caf::actor_system& in, const std::vector<routed_server>& servers,
                        const caf::actor_addr& breaker, const caf::actor_addr& gate) {
      return spawn_health_monitor(in, env, s, servers, trapping, breaker, gate);
    };
    return spawn_connection_manager(system, s, env, std::move(parts));
  };
  runtime_ = std::make_unique<bare_runtime>(std::move(all), std::move(with));
}

std::size_t sabotaged_runtime::log_lines(const std::string& text, const std::string& other) const {
  const std::lock_guard lock(log_->guard);
  return static_cast<std::size_t>(std::count_if(log_->all.begin(), log_->all.end(), [&](const std::string& line) {
    return line.find(text) != std::string::npos && line.find(other) != std::string::npos;
  }));
}

std::string sabotaged_runtime::log() const {
  const std::lock_guard lock(log_->guard);
  std::string text;
  for (const auto& line : log_->all) text += line + "\n";
  return text;
}

}  // namespace understudy::test
