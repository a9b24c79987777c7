// Playing a cell: what happens when, and what is observed of it.
#include "matrix/played_cell.hpp"

#include "matrix/faults.hpp"
#include "matrix/request_log.hpp"
#include "scenarios/scenario.hpp"
#include "support/stall_watch.hpp"
#include "understudy/config/settings_from.hpp"

#include <future>
#include <list>

namespace understudy::matrix {

using namespace internal;
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::holds_for;

constexpr std::size_t log_lines_kept = 400;
/// How long faults last after a request could have been served: time for a half-open moment or two.
constexpr duration watched = 1500ms;
/// How long an outage lasts before the fault, and how long idle servers have had theirs when requests come.
constexpr duration outage = 1s;
constexpr milliseconds unnoticed{400};
/// So many requests that are begun after the recovery are served, and what becomes of them counts as well.
constexpr std::size_t after_recovery = 20;
/// How slowly a server that is well sets a connection up while the pool fills, for the fault to come in between.
constexpr milliseconds slow_set_up{60};
constexpr duration patience = 8s, patience_alone = 2500ms;

time_point now() { return std::chrono::steady_clock::now(); }

class playing {
 public:
  playing(const cell& of, const test::certificate_set& certificates)
      : cell_(of), patience_(someone_serves(of) ? patience : patience_alone) {
    test::stub_options with;
    if (of.wire != security::plain) with.tls = {certificates.server.certificate, certificates.server.key};
    with.ldaps = of.wire == security::ldaps;
    std::vector<std::uint16_t> ports;
    for (int i = 0; i < server_count(of.servers); ++i) {
      servers_.emplace_back(with);
      ports.push_back(servers_.back().port());
      names_.push_back(test::name_of(ports.back()));
      (i < faulty_count(of.servers) ? faulty_ : well_).push_back(&servers_.back());
    }
    settings_ = settings_for(of, ports, certificates.ca.certificate());
    settings_.pool.preload_connections = of.when == moment::filling;
    serves_ = terms{settings_}.level * faulty_count(of.servers);
    manager_.emplace(settings_);
    manager_->set_log([this](log_level, const std::string& line) { log(line); });
    load_.emplace(*manager_, patience_);
    seen_.stalled = [this](time_point from, time_point to) { return stalls_.stalled(from, to); };
  }

  /// What has no outcome yet gets one when the runtime ends: the log of outcomes outlives it.
  ~playing() {
    if (load_) load_->stop();
    manager_.reset();
  }
  playing(const playing&) = delete;
  playing& operator=(const playing&) = delete;

  played operator()() {
    switch (cell_.when) {
      case moment::before_start:
        at_start([] {});
        break;
      case moment::filling:
        at_start([this] { await_filling(); });
        break;
      default:
        while_running();
    }
    if (cell_.when != moment::stop) {
      load_->outlast(now() + serves_ + watched);
      waited_ = test::longest_processor_wait();
      end_fault();
      recover();
    }
    played result;
    seen_.requests = load_->all();
    result.broken = broken_promises(cell_, terms{settings_}, seen_);
    result.stalled = std::max({stalls_.total(), waited_, test::longest_processor_wait()});
    const std::lock_guard lock(guard_);
    result.log.assign(log_.begin(), log_.end());
    return result;
  }

 private:
  void log(const std::string& line) {
    const std::lock_guard lock(guard_);
    log_.push_back(line);
    if (log_.size() > log_lines_kept) log_.pop_front();
  }

  std::uint64_t connects_to(std::size_t which) const {
    std::uint64_t made = faulty_.at(which)->connections();
    // Where nobody accepts only the runtime can count.
    for (const auto& one : manager_->snapshot().servers)
      if (one.port == faulty_.at(which)->port()) made = std::max(made, one.pool.opened + one.pool.connect_failures);
    return made;
  }

  void begin_fault() {
    for (std::size_t i = 0; i < faulty_.size(); ++i) seen_.faulty.push_back({names_.at(i), connects_to(i)});
    seen_.fault_began = now();
    if (seen_.trouble_began == time_point{}) seen_.trouble_began = seen_.fault_began;
    for (auto* one : faulty_) begin(cell_.what, *one);
  }
  void end_fault() {
    for (std::size_t i = 0; i < faulty_.size(); ++i)
      seen_.faulty.at(i).connects = connects_to(i) - seen_.faulty.at(i).connects;
    for (auto* one : faulty_) repair(cell_.what, *one);
    seen_.repaired = now();
  }

  // Moments.

  /// The runtime starts; the fault comes when `ready` says so.
  template <class Ready>
  void at_start(Ready ready) {
    if (cell_.when == moment::filling)
      for (auto* one : faulty_) one->disturb_all({.delay = slow_set_up});
    else
      begin_fault();
    connecting_ = std::async(std::launch::async, [this, from = now()] {
      const auto result = manager_->connect();
      return std::pair{result.connected, now() - from};
    });
    eventually([this] { return !manager_->snapshot().servers.empty(); });
    if (cell_.when == moment::filling) {
      ready();
      for (auto* one : faulty_) one->forget_rules();
      begin_fault();
    }
    load_->start();
  }

  void await_filling() {
    eventually([this] {
      return std::all_of(faulty_.begin(), faulty_.end(),
                         [](const auto* server) { return server->connections() > 0; }) ||
             connecting_.wait_for(0s) == std::future_status::ready;
    });
  }

  void while_running() {
    const auto result = manager_->connect();
    if (!result.connected) seen_.left_behind.push_back("connect() before the fault: " + result.connection_error);
    await_full_pool();
    switch (cell_.when) {
      case moment::idle:
        begin_fault();
        // Asked at once, and later.
        if (cell_.binds) holds_for([this] { return load_->all().empty(); }, unnoticed);
        return load_->start();
      case moment::reload:
        serve_for_a_while();
        begin_fault();
        return reload();
      case moment::failback:
        serve_for_a_while();
        fail_and_come_back();
        return begin_fault();
      case moment::stop:
        serve_for_a_while();
        begin_fault();
        return stop();
      default:
        serve_for_a_while();
        return begin_fault();
    }
  }

  void await_full_pool() {
    eventually([this] {
      const auto all = manager_->snapshot();
      return test::server_in(all, servers_.front().port()).pool.now.idle >=
             static_cast<std::uint32_t>(settings_.servers.front().pool_size);
    });
  }

  void serve_for_a_while() {
    load_->start();
    eventually([this] { return load_->served() > 20; });
  }

  void reload() {
    auto other = settings_;
    for (auto& one : other.servers) {
      ++one.max_pool_size;
      // All connections are replaced, one by one.
      if (cell_.binds) one.bind_dn = "cn=other," + one.bind_dn;
    }
    const auto from = now();
    manager_->reload(other);
    seen_.reload_took = now() - from;
  }

  void fail_and_come_back() {
    seen_.trouble_began = now();
    for (auto* one : faulty_) one->stop();
    load_->outlast(now() + outage);
    const auto from = now();
    std::vector<std::uint64_t> before;
    for (auto* one : faulty_) {
      before.push_back(one->connections());
      one->start();
    }
    // When its first connection comes, or when it serves again already.
    eventually([&] {
      return cell_.binds ? faulty_.front()->connections() > before.front()
                         : load_->first_served(names_.front(), from).has_value();
    });
  }

  void stop() {
    waited_ = test::longest_processor_wait();
    const auto from = now();
    manager_->disconnect();
    seen_.stop_took = now() - from;
    load_->stop();
    load_->settle();
    end_fault();
    for (auto& one : servers_)
      if (!eventually([&] { return one.open_connections() == 0; }))
        seen_.left_behind.push_back(test::name_of(one.port()) + " still has connections");
  }

  // Recovery.

  void recover() {
    eventually([this] {
      seen_.serves_again = load_->first_served(names_.front(), seen_.repaired);
      return seen_.serves_again.has_value();
    });
    if (connecting_.valid()) {
      const auto [connected, took] = connecting_.get();
      seen_.connected = connected;
      seen_.connect_took = took;
    }
    eventually([&, since = now()] { return load_->served(since) >= after_recovery; });
    waited_ = test::longest_processor_wait();
    load_->stop();
    load_->settle();
    std::vector<test::witness> all(servers_.begin(), servers_.end());
    test::running it{*manager_};
    it.stop = [this] {
      const auto from = now();
      const bool clean = manager_->disconnect();
      seen_.stop_took = now() - from;
      return clean;
    };
    for (auto& one : test::recovery_problems(it, all)) seen_.left_behind.push_back(std::move(one));
    for (auto& one : test::stop_problems(it, all)) seen_.left_behind.push_back(std::move(one));
  }

  const cell cell_;
  const duration patience_;
  test::stall_watch stalls_;
  std::list<test::stub_directory> servers_;
  std::vector<test::stub_directory*> faulty_, well_;
  std::vector<std::string> names_;
  settings settings_;
  duration serves_{};
  duration waited_{};  ///< for a processor, by a thread that may have ended since
  std::mutex guard_;
  std::deque<std::string> log_;
  observation seen_;
  std::optional<connection_manager> manager_;
  std::optional<request_log> load_;
  std::future<std::pair<bool, duration>> connecting_;
};

}  // namespace

settings settings_for(const cell& of, const std::vector<std::uint16_t>& ports, const std::string& ca_file) {
  std::vector<connection_info> servers;
  const auto levels = priorities(of.servers);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    auto one = test::server_at(ports[i], levels[i]);
    one.timeout = of.timeout;
    one.pool_size = 3;
    one.max_pool_size = 8;
    if (!of.binds) {
      one.bind_dn.clear();
      one.password = secret{};
    }
    one.use_ssl = of.wire == security::ldaps;
    one.use_tls = of.wire == security::start_tls;
    if (of.wire != security::plain) one.ca_cert_path = ca_file;
    servers.push_back(std::move(one));
  }
  auto all = test::quick_settings(servers);
  // Equal levels in code stand for an order (settings_from()); here they are meant.
  for (std::size_t i = 0; i < levels.size(); ++i) all.servers[i].priority = levels[i];
  all.failover.health_check_interval = 500ms;
  all.pool.max_connecting = 2;
  all.pool.bind_connections = 2;
  all.recovery.reconnect_attempts = 1;
  all.limits.drain_timeout = 2s;
  all.log.level = log_level::debug;
  return all;
}

played play(const cell& of, const test::certificate_set& certificates) {
  const test::resource_baseline before;
  auto result = playing{of, certificates}();
  if (const auto left = before.leaked(5s); !left.empty()) result.broken.push_back("leaked: " + left);
  return result;
}

}  // namespace understudy::matrix
