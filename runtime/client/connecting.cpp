// What connection_manager finds out about connections: connect(), is_connected(), health_check(), probe_all().
#include "understudy/config/endpoint.hpp"
#include "understudy/runtime/client/manager_state.hpp"
#include "understudy/runtime/client/recovery_plan.hpp"

#include <algorithm>
#include <limits>
#include <thread>
#include <tuple>

namespace understudy {
namespace {

constexpr seconds small_question{2};
constexpr seconds probe_time{10};

double in_milliseconds(duration span) { return std::chrono::duration<double, std::milli>(span).count(); }

void describe_server(connection_result& result, const connection_info& info) {
  auto at = endpoint_of(info);
  result.host = info.srv.empty() ? at.host : info.srv;
  result.port = at.port;
  result.auth_method = binds_externally(info) ? "external" : info.bind_dn.empty() ? "anonymous" : "simple";
}

void describe_failure(connection_result& result, failure_ptr why) {
  (why->code == errc::service_authentication_failed ? result.auth_error : result.connection_error) = describe(*why);
  result.failed = std::move(why);
}

// One attempt of connect() is one at each server; a request may be re-cast more often, with pauses in between.
std::uint16_t attempts_used(const std::vector<connection_info>& servers) {
  int most = 0;
  for (auto& server : servers) most = std::max(most, server.max_retries);
  int wanted = static_cast<int>(servers.size()) - 1;
  return static_cast<std::uint16_t>(std::max(0, most - wanted));
}

// The time that one attempt may take: a connection to each server in turn, if need be.
duration attempt_time(const settings& all) {
  duration longest{};
  for (auto& server : all.servers) longest = std::max(longest, server.timeout);
  return longest + all.failover.failover_timeout;
}

// Of what was found out: a server that is well, of the level that serves if there is one; else why that level is not.
const probe_report* most_telling(const std::vector<probe_report>& reports, const runtime_snapshot& now) {
  const auto rank = [&](const probe_report& report) {
    const auto server = std::find_if(now.servers.begin(), now.servers.end(),
                                     [&](const server_snapshot& s) { return s.id == report.server; });
    const bool known = server != now.servers.end();
    const bool serves = known && now.active_priority == server->priority;
    return std::tuple{!report.ok, !serves, known ? server->priority : std::numeric_limits<int>::max()};
  };
  const auto best =
      std::min_element(reports.begin(), reports.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return best == reports.end() ? nullptr : &*best;
}

}  // namespace

connection_result connection_manager::state::describe_first() const {
  connection_result result;
  const auto first = servers().front();
  describe_server(result, first);
  if (forked()) return result;
  result.encryption = encryption_of(first);
  return result;
}

connection_result connection_manager::state::try_connect(runtime& there, time_point until, failure_ptr& why) {
  // Zero would mean a default.
  const auto at_most = [&](duration span) {
    return std::clamp<duration>(until - there.env()->clock->now(), duration{1}, span);
  };
  auto result = describe_first();
  lease_options options;
  options.timeout = at_most(attempt_time(*all()));
  options.holder = "connect()";
  auto got = there.client().acquire_anew(options, attempts_used(servers()));
  if (!got) {
    why = got.error;
    describe_failure(result, why);
    return result;
  }
  auto& connection = *got.value;
  if (auto found = find(connection.server())) describe_server(result, found->server);
  if (auto seen = there.client().inspect(connection, at_most(small_question))) {
    result.connection_time = in_milliseconds(seen.value->connect_time);
    result.encryption = seen.value->encryption;
    result.auth_method = seen.value->auth_method;
    note_encryption(connection.server(), seen.value->encryption);
  }
  auto read = there.client().check(connection, at_most(small_question));
  if (read && read.value->ok) {
    result.response_time = in_milliseconds(read.value->took);
    // A breaker that was open need not wait for a probe of its own.
    there.client().tell(*read.value);
  }
  // Waited for: the caller's next request shall find the connection, and not open another one beside it. An answer that
  // stays away changes nothing, the lease is on its way back.
  static_cast<void>(there.client().give_back(connection));
  result.connected = true;
  result.last_activity = there.env()->clock->wall_now();
  return result;
}

connection_result connection_manager::connect(duration timeout) {
  const auto began = std::chrono::steady_clock::now();
  const auto until = began + std::min<duration>(timeout, time_point::max() - began);
  failure_ptr why;
  connection_result result;
  if (!state_) {
    describe_failure(result, absence());
    return result;
  }
  try {
    auto there = state_->start();
    there->client().resume();
    connect_plan plan{state_->all()->recovery};
    for (;;) {
      why = nullptr;
      result = state_->try_connect(*there, until, why);
      if (result.connected) break;
      const auto now = std::chrono::steady_clock::now();
      const auto pause = plan.next(*why, until - now);
      if (!pause) there->client().count_failed(why, now - began);
      if (!pause || state_->wait_for_stop(*pause)) break;
    }
  } catch (const ldap_exception& e) {
    result = state_->describe_first();
    describe_failure(result, std::make_shared<const failure>(e.reason()));
  } catch (const std::exception& e) {
    result = state_->describe_first();
    // No thread or descriptor for the runtime itself.
    describe_failure(result, make_failure(errc::local_resources, stage::queue, e.what()));
  }
  return result;
}

bool connection_manager::is_connected() const {
  if (!state_ || !state_->current()) return false;
  auto now = state_->snapshot();
  return std::any_of(now.servers.begin(), now.servers.end(), [](auto& server) {
    bool usable = server.breaker == breaker_state::closed || server.breaker == breaker_state::half_open;
    bool ready = server.pool.now.idle + server.pool.now.in_use > 0;
    // A pool may be empty for want of work; it serves if what it had came and went without trouble.
    bool on_demand = server.state == server_state::healthy && server.pool.opened > 0;
    return usable && (ready || on_demand);
  });
}

std::vector<probe_report> connection_manager::probe_all(duration timeout) {
  held().check_waiting();
  auto there = state_->current();
  if (!there) return {};
  timeout = as_limit(timeout);
  auto deadline = there->env()->clock->now() + timeout;
  auto got = there->client().ask<std::vector<probe_report>>(there->manager(), timeout + small_question, health_atom_v,
                                                            deadline);
  if (!got) throw_failure(got.error);
  return std::move(*got.value);
}

connection_result connection_manager::health_check() try {
  if (!state_) {
    connection_result moved;
    describe_failure(moved, absence());
    return moved;
  }
  auto result = state_->describe_first();
  auto there = state_->current();
  if (!there) {
    describe_failure(result, state_->absence());
    return result;
  }
  const auto now = state_->snapshot();
  state_->check_waiting();
  const auto deadline = there->env()->clock->now() + probe_time;
  auto got = there->client().ask<std::vector<probe_report>>(there->manager(), probe_time + small_question,
                                                            health_atom_v, now.active_priority.value_or(0), deadline);
  if (!got) throw_failure(got.error);
  const auto* chosen = most_telling(*got.value, now);
  if (!chosen) {
    describe_failure(result, make_failure(errc::connection_timeout, stage::queue, "no server could be probed in time"));
    return result;
  }
  state_->describe_probe(result, *chosen);
  // Not the check itself: what was done before it.
  result.last_activity = there->client().last_success();
  return result;
} catch (const ldap_exception& e) {
  auto result = state_->describe_first();
  describe_failure(result, std::make_shared<const failure>(e.reason()));
  return result;
}

void connection_manager::state::describe_probe(connection_result& result, const probe_report& probe) const {
  if (auto found = find(probe.server)) {
    describe_server(result, found->server);
    result.encryption = encryption_of(found->server);
  }
  result.connected = probe.ok;
  for (auto& step : probe.steps)
    (step.what == stage::operation ? result.response_time : result.connection_time) += in_milliseconds(step.took);
  if (probe.error) describe_failure(result, probe.error);
}

}  // namespace understudy
