// understudy_soak MINUTES [SEED]: load with a random fault every few seconds; says what became of every request, what
// was left behind, and whether memory grew. Exit code 0: nothing lost, nothing leaked, memory flat.
#include "soak/memory_trend.hpp"
#include "soak/soak_load.hpp"
#include "soak/soak_servers.hpp"
#include "support/leak_check.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::soak;
using namespace std::chrono_literals;

namespace {

settings settings_for(fault_plan& plan) {
  settings all;
  int number = 0;
  for (auto& one : plan.servers) {
    connection_info server;
    server.host = "127.0.0.1";
    server.port = one.gate.port();
    server.bind_dn = test::admin_dn;
    server.password = secret{test::admin_password};
    server.timeout = 3s;
    server.retry_delay = 200ms;
    server.max_retries = 5;
    server.priority = ++number <= 2 ? 1 : 2;  // two that share the load, one that takes over
    all.servers.push_back(std::move(server));
  }
  all.pool.min_connections = 2;
  all.pool.max_connections = 12;
  all.pool.max_lifetime = 60s;
  all.failover.health_check_interval = 1s;
  all.failover.hold_down = 1s;
  all.failover.ramp = 1s;
  all.breaker.open_base = 500ms;
  all.breaker.open_cap = 4s;
  all.limits.operation_timeout = 20s;
  all.limits.drain_timeout = 5s;
  all.log.level = log_level::error;
  return all;
}

request_ptr read_request(std::int64_t number) {
  search_request search;
  search.base = test::people_dn;
  search.filter = "(uid=user" + std::to_string(number % 10) + ")";
  if (number % 10 == 1) return make_request(compare_request{test::user_dn(1), "cn", "User 1"});
  if (number % 10 == 2) return make_request(whoami_request{});
  return make_request(std::move(search));
}

request_ptr write_request(std::int64_t number) {
  modify_request change;
  change.dn = test::user_dn(static_cast<int>(number % 10));
  change.changes.push_back({modification::kind::replace, {"description", {"soak " + std::to_string(number)}}});
  return make_request(std::move(change));
}

request_ptr right_login(std::int64_t number) {
  const int user = static_cast<int>(number % 10);
  return make_request(bind_request{test::user_dn(user), secret{test::user_password(user)}});
}

request_ptr wrong_login(std::int64_t number) {
  return make_request(bind_request{test::user_dn(static_cast<int>(number % 10)), secret{"another password"}});
}

std::string listed(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [name, n] : counts) text += (text.empty() ? "" : ", ") + name + " " + std::to_string(n);
  return text.empty() ? "none" : text;
}

/// Collects what is wrong in the end.
class verdict {
 public:
  void require(bool holds, const std::string& otherwise) {
    if (holds) return;
    std::printf("WRONG: %s\n", otherwise.c_str());
    good_ = false;
  }
  bool good() const noexcept { return good_; }

 private:
  bool good_ = true;
};

class soak_run {
 public:
  soak_run(duration span, std::uint64_t seed) : span_(span), plan_(seed) {}

  bool play() {
    before_ = test::count_resources();
    {
      connection_manager manager(settings_for(plan_));
      const auto connected = manager.connect();
      judge_.require(connected.connected, "could not connect: " + connected.connection_error + connected.auth_error);
      if (judge_.good()) load(manager);
      check_rest(manager);
      judge_.require(manager.disconnect(), "the last stop had to cut something off");
    }
    check_leaks();
    report_memory();
    std::printf("faults: %s\n%s\n", listed(plan_.played()).c_str(), judge_.good() ? "SOAK PASSED" : "SOAK FAILED");
    return judge_.good();
  }

 private:
  void load(connection_manager& manager) {
    loads_.push_back(std::make_unique<soak_load>("reads", manager, 32, read_request));
    loads_.push_back(std::make_unique<soak_load>("writes", manager, 4, write_request));
    loads_.push_back(std::make_unique<soak_load>("logins", manager, 4, right_login));
    loads_.push_back(std::make_unique<soak_load>("wrong logins", manager, 2, wrong_login, errc::authentication_failed));
    for (auto& one : loads_) one->start(span_);
    lease_load leases(manager, 2);
    drive(manager);
    plan_.heal_all();
    for (auto& one : loads_) report(*one);
    leases.finish();
    std::printf("leases: %llu borrowed, %llu searches, errors: %s\n",
                static_cast<unsigned long long>(leases.borrowed()), static_cast<unsigned long long>(leases.searches()),
                listed(leases.errors()).c_str());
    judge_.require(leases.wrong_identity() == 0, "a lease was handed on with another identity");
  }

  void drive(connection_manager& manager) {
    const auto end = soak::clock::now() + span_;
    auto next_sample = soak::clock::now(), next_line = next_sample;
    while (soak::clock::now() < end) {
      plan_.advance(soak::clock::now(), [&](const soak_server& victim) { return another_serves(manager, victim); });
      if (soak::clock::now() >= next_sample) {
        resident_.sample(resident_kib());
        heap_.sample(heap_kib());
        next_sample += 1s;
      }
      if (soak::clock::now() >= next_line) {
        say_state(end);
        next_line += 10s;
      }
      std::this_thread::sleep_for(50ms);
    }
  }

  bool another_serves(connection_manager& manager, const soak_server& victim) const {
    for (const auto& seen : manager.snapshot().servers)
      for (const auto& one : plan_.servers)
        if (&one != &victim && one.fault.empty() && one.gate.port() == seen.port &&
            seen.breaker == breaker_state::closed && seen.state == server_state::healthy)
          return true;
    return false;
  }

  void say_state(soak::clock::time_point end) const {
    std::uint64_t requests = 0, outcomes = 0;
    for (const auto& one : loads_) requests += one->counted().requests, outcomes += one->counted().outcomes;
    std::printf("%5lld s left: %llu requests, %llu outcomes, %zu KiB resident\n",
                static_cast<long long>(std::chrono::duration_cast<seconds>(end - soak::clock::now()).count()),
                static_cast<unsigned long long>(requests), static_cast<unsigned long long>(outcomes), resident_kib());
    std::fflush(stdout);
  }

  void report(soak_load& load) {
    const auto& r = load.finish();
    const auto& n = load.counted();
    std::printf("%s: %llu requests, %llu outcomes; errors: %s; p50 %lld us, p99.9 %lld us, max %lld ms\n",
                load.name().c_str(), static_cast<unsigned long long>(n.requests),
                static_cast<unsigned long long>(n.outcomes), listed(r.errors).c_str(), in<std::micro>(r.p50),
                in<std::micro>(r.p999), in<std::milli>(r.max));
    judge_.require(n.requests == n.outcomes, load.name() + ": a request was lost");
    judge_.require(n.doubled == 0, load.name() + ": a request had two outcomes");
    if (load.name() == "reads") judge_.require(r.errors.empty(), "reads failed although a server was always there");
  }

  template <class Unit>
  static long long in(duration d) {
    return static_cast<long long>(std::chrono::duration_cast<std::chrono::duration<std::int64_t, Unit>>(d).count());
  }

  void check_rest(connection_manager& manager) {
    const bool well = test::eventually([&] {
      const auto now = manager.snapshot();
      return now.requests_in_flight == 0 && now.active_priority == 1 &&
             std::all_of(now.servers.begin(), now.servers.end(), [](const server_snapshot& s) {
               return s.breaker == breaker_state::closed && s.pool.leased == 0 &&
                      s.pool.dispatched == s.pool.completed && s.pool.acquired == s.pool.released;
             });
    });
    judge_.require(well, "not every server serves again, or counters do not add up");
    for (auto& one : plan_.servers) {
      const auto agree = test::eventually([&] {
        for (const auto& seen : manager.snapshot().servers)
          if (seen.port == one.gate.port()) return seen.pool.now.size == one.directory.connections().size();
        return false;
      });
      judge_.require(agree, "server and runtime count different connections");
    }
  }

  void check_leaks() {
    for (auto& one : plan_.servers)
      judge_.require(test::eventually([&] { return one.directory.connections().empty(); }),
                     "a server still has connections after the end");
    test::resource_counts after;
    const bool same = test::eventually([&] {
      after = test::count_resources();
      return after.threads <= before_.threads && after.sockets <= before_.sockets;
    });
    std::printf("left behind: %zd threads, %zd sockets\n", static_cast<ssize_t>(after.threads - before_.threads),
                static_cast<ssize_t>(after.sockets - before_.sockets));
    judge_.require(same, "threads or sockets were left behind");
  }

  void report_memory() {
    report_memory("resident", resident_);
    report_memory("heap in use", heap_);
  }

  void report_memory(const std::string& memory, const memory_trend& seen) {
    std::printf("%s: %.0f KiB in the second quarter, %.0f KiB in the last, slope %.2f KiB/min\n", memory.c_str(),
                seen.median_of_quarter(1), seen.median_of_quarter(3), seen.slope() * 60);
    judge_.require(seen.flat(), "memory grew: " + memory);
  }

  duration span_;
  fault_plan plan_;
  test::resource_counts before_;
  std::vector<std::unique_ptr<soak_load>> loads_;
  memory_trend resident_, heap_;
  verdict judge_;
};

}  // namespace

int main(int argc, char** argv) try {
  const double minutes = argc > 1 ? std::atof(argv[1]) : 0;
  if (minutes <= 0 || argc > 3) {
    std::fprintf(stderr, "usage: understudy_soak MINUTES [SEED]\n");
    return 2;
  }
  const auto seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device{}();
  std::printf("soak: %.1f minutes, seed %llu\n", minutes, static_cast<unsigned long long>(seed));
  return soak_run(std::chrono::duration_cast<duration>(std::chrono::duration<double>(minutes * 60)), seed).play() ? 0
                                                                                                                  : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "soak: %s\n", e.what());
  return 1;
}
