// Connections, pools and a breaker that do as the test says.
#include "monitor_fixture.hpp"

#include "understudy/actors/ports/guard.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

#include <algorithm>

namespace understudy::test {

using namespace internal;
namespace {

using server_ptr = std::shared_ptr<played_server>;

failure_ptr why(errc code, std::string text) {
  failure f;
  f.code = code;
  f.where = stage::connect;
  f.message = std::move(text);
  return std::make_shared<const failure>(std::move(f));
}

caf::error unused() { return to_error(why(errc::no_server, "not part of this test")); }

void announce(const connection_spec& spec, connection_event::kind kind, failure_ptr cause) {
  if (const auto owner = caf::actor_cast<health_monitor_actor>(spec.owner)) {
    caf::anon_send(owner, event_atom_v, connection_event{spec.id, kind, std::move(cause)});
  }
}

void connect(const server_ptr& server, const connection_spec& spec) {
  if (server->connects == played_server::manner::works) {
    announce(spec, connection_event::kind::ready, nullptr);
  } else if (server->connects == played_server::manner::refuses) {
    const auto cause = server->connect_error ? server->connect_error : why(errc::connection_failed, "refused");
    announce(spec, connection_event::kind::failed, cause);
  }
}

caf::result<probe_report> check(connection_actor::pointer self, const server_ptr& server,
                                std::vector<caf::typed_response_promise<probe_report>>& open) {
  ++server->checks;
  probe_report found;
  found.took = milliseconds{2};
  found.steps.push_back({stage::operation, milliseconds{2}, true});
  switch (server->answers) {
    case played_server::manner::works:
      found.ok = true;
      return found;
    case played_server::manner::refuses:
      found.error = why(errc::connection_failed, "reset");
      return found;
    default:
      open.push_back(self->make_response_promise<probe_report>());
      return open.back();
  }
}

connection_actor::behavior_type play_connection(connection_actor::pointer self, server_ptr server,
                                                connection_spec spec) {
  install_default_handlers(*self);
  auto unanswered = std::make_shared<std::vector<caf::typed_response_promise<probe_report>>>();
  connect(server, spec);
  return {
      [](perform_atom, const call&) -> caf::result<result_ptr> { return unused(); },
      [](perform_atom, lease_id, const call&) -> caf::result<result_ptr> { return unused(); },
      [](stream_atom, lease_id, const call&, std::uint64_t, std::uint32_t) -> caf::result<result_ptr> {
        return unused();
      },
      [](credit_atom, lease_id, std::uint64_t, std::uint32_t) {},
      [](credit_atom, std::int32_t, std::uint64_t) {},
      [](cancel_atom, const cancel_token_ptr&) {},
      [](lease_atom, lease_id) {},
      [](reset_atom, lease_id) {},
      [](drain_atom) {},
      [=](close_atom) { announce(spec, connection_event::kind::closed, nullptr); },
      [=](removed_atom) {
        auto& alive = server->connections;
        alive.erase(std::remove(alive.begin(), alive.end(), connection_actor{self}), alive.end());
        unanswered->clear();
        self->quit();
      },
      [=](check_atom, time_point) { return check(self, server, *unanswered); },
      [](status_atom) {
        connection_snapshot s;
        s.steps = {{stage::connect, milliseconds{4}, true}, {stage::bind, milliseconds{5}, true}};
        return s;
      },
      [](io_atom, std::uint64_t, std::uint32_t) {},
      [](tick_atom, std::uint64_t) {},
      [](flush_atom) {},
      [](resolved_atom, std::uint64_t, const resolution&) {},
  };
}

pool_actor::behavior_type play_pool(pool_actor::pointer self, server_ptr server) {
  install_default_handlers(*self);
  return {
      [](perform_atom, const call&) -> caf::result<result_ptr> { return unused(); },
      [](lease_atom, const lease_request&) -> caf::result<lease_grant> { return unused(); },
      [](claim_atom, lease_id) {},
      [](release_atom, lease_id) { return true; },
      [](cancel_atom, const cancel_token_ptr&) {},
      [](event_atom, const connection_event&) {},
      [](load_atom, connection_id) {},
      [](breaker_atom, breaker_state) {},
      [=](slot_atom, bool take) {
        if (!take) {
          --server->slots_out;
          ++server->free_slots;
          return true;
        }
        ++server->slots_asked;
        if (server->free_slots == 0) return false;
        --server->free_slots;
        ++server->slots_out;
        return true;
      },
      [=](check_atom, time_point) {
        ++server->pool_checks;
        return server->pool_found;
      },
      [](cleanup_atom) { return std::uint32_t{0}; },
      [](status_atom) { return pool_snapshot{}; },
      [](drain_atom, time_point) { return true; },
      [](removed_atom, time_point) { return true; },
      [](reload_atom, const server_context_ptr&) {},
      [](resume_atom) {},
      [](tick_atom, std::uint64_t) {},
  };
}

circuit_breaker_actor::behavior_type play_breaker(circuit_breaker_actor::pointer self,
                                                  std::shared_ptr<std::vector<probe_report>> reports) {
  install_default_handlers(*self);
  return {
      [](perform_atom, const call&) -> caf::result<result_ptr> { return unused(); },
      [](lease_atom, const lease_request&) -> caf::result<lease_grant> { return unused(); },
      [](cancel_atom, const cancel_token_ptr&) {},
      [](report_atom, const outcome_report&) {},
      [=](probe_atom, const probe_report& report) { reports->push_back(report); },
      [](suspect_atom, server_id) {},
      [](suspend_atom, server_id, std::uint32_t) { return true; },
      [](resume_atom, server_id) { return true; },
      [](status_atom) { return std::vector<server_snapshot>{}; },
      [](servers_atom, const std::vector<routed_server>&) {},
      [](servers_atom, const failure_ptr&) {},
      [](discover_atom, const caf::actor_addr&) {},
      [](health_atom, const caf::actor_addr&) {},
      [](drain_atom) {},
      [](tick_atom, std::uint64_t) {},
  };
}

}  // namespace

monitor_fixture::monitor_fixture(std::size_t count, int max_connections) {
  all.pool.max_connections = max_connections;
  for (std::size_t i = 0; i < count; ++i) {
    connection_info info;
    info.host = "ldap" + std::to_string(i);
    all.servers.push_back(info);
    servers.push_back(std::make_shared<played_server>());
    states.push_back(breaker_state::closed);
    servers.back()->pool = own(system.spawn(play_pool, servers.back()));
  }
  breaker = own(system.spawn(play_breaker, reports));
}

monitor_fixture::~monitor_fixture() {
  if (monitor) {
    tell(monitor, drain_atom_v);
    for (const auto& s : servers) {
      BOOST_TEST(s->connections.empty());
      BOOST_TEST(s->slots_out == 0);
    }
    kill(monitor);
    monitor = nullptr;
  }
  for (const auto& s : servers) {
    s->pool = nullptr;
    s->connections.clear();
  }
  breaker = nullptr;
  run();
  BOOST_TEST(poller->timers() == 0U);
}

std::vector<routed_server> monitor_fixture::table() const {
  std::vector<routed_server> result;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    result.push_back({context(all.servers[i], all, static_cast<server_id>(i)), servers[i]->pool});
  }
  return result;
}

void monitor_fixture::start_monitor_of(std::vector<routed_server> monitored) {
  auto factory = [played = servers](caf::actor_system& in, connection_spec spec) {
    const auto& server = played.at(spec.context->id);
    ++server->opened;
    server->specs.push_back(spec);
    server->connections.push_back(in.spawn(play_connection, server, spec));
    return server->connections.back();
  };
  monitor = own(spawn_health_monitor(system, env, std::make_shared<const settings>(all), std::move(monitored), factory,
                                     breaker.address(), breaker.address()));
  tell(monitor, breaker_atom_v, stand_ins{std::min(static_cast<std::uint32_t>(servers.size()), 2U), 0});
}

void monitor_fixture::breaker_says(server_id server, breaker_state state) {
  states[server] = state;
  stand_ins found;
  for (std::size_t i = states.size(); i-- > 0;)
    if (states[i] == breaker_state::closed) found = {std::min(found.count + 1, 2U), static_cast<server_id>(i)};
  tell(monitor, breaker_atom_v, server, state);
  tell(monitor, breaker_atom_v, found);
}

void monitor_fixture::tell_servers() { tell(monitor, servers_atom_v, table()); }

void monitor_fixture::happens(const connection_spec& spec, connection_event::kind kind, failure_ptr cause) {
  tell(monitor, event_atom_v, connection_event{spec.id, kind, std::move(cause)});
}

void monitor_fixture::cut(server_id server) {
  happens(servers[server]->specs.back(), connection_event::kind::closed, why(errc::connection_failed, "EOF"));
}

std::vector<probe_report> monitor_fixture::told(server_id server) const {
  std::vector<probe_report> result;
  std::copy_if(reports->begin(), reports->end(), std::back_inserter(result),
               [&](const probe_report& r) { return r.server == server; });
  return result;
}

}  // namespace understudy::test
