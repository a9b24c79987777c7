// Pools and a monitor that note what they are told.
#include "breaker_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

namespace understudy::test {

using namespace internal;
namespace {

caf::error unused() {
  failure f;
  f.code = errc::pool_exhausted;
  return to_error(std::move(f));
}

pool_actor::behavior_type note_pool(pool_actor::pointer self, std::shared_ptr<noting_pool> notes) {
  install_default_handlers(*self);
  return {
      [=](perform_atom, const call& c) -> caf::result<result_ptr> {
        notes->calls.push_back(c);
        auto promise = self->make_response_promise<result_ptr>();
        if (notes->keeps) {
          notes->kept.push_back(promise);
        } else {
          promise.deliver(std::make_shared<result>());
        }
        return promise;
      },
      [=](lease_atom, const lease_request& r) -> caf::result<lease_grant> {
        notes->leases.push_back(r);
        return unused();
      },
      [](claim_atom, lease_id) {},
      [](release_atom, lease_id) { return true; },
      [=](cancel_atom, const cancel_token_ptr& token) { notes->cancels.push_back(token); },
      [](event_atom, const connection_event&) {},
      [](load_atom, connection_id) {},
      [=](breaker_atom, breaker_state state) { notes->states.push_back(state); },
      [](slot_atom, bool) { return true; },
      [](check_atom, time_point) { return pool_health{}; },
      [](cleanup_atom) { return std::uint32_t{0}; },
      [](status_atom) { return pool_snapshot{}; },
      [](drain_atom, time_point) { return true; },
      [](removed_atom, time_point) { return true; },
      [](reload_atom, const server_context_ptr&) {},
      [](resume_atom) {},
      [](tick_atom, std::uint64_t) {},
  };
}

health_monitor_actor::behavior_type note_monitor(health_monitor_actor::pointer self,
                                                 std::shared_ptr<noting_monitor> notes) {
  install_default_handlers(*self);
  return {
      [=](probe_atom, server_id server) {
        notes->probes.push_back(server);
        notes->replaceable_when_asked.push_back(notes->told.replace(server));
      },
      [](health_atom, time_point) { return std::vector<probe_report>{}; },
      [](health_atom, int, time_point) { return std::vector<probe_report>{}; },
      [=](breaker_atom, server_id server, breaker_state state) { notes->states.emplace_back(server, state); },
      [=](breaker_atom, const stand_ins& found) { notes->told = found; },
      [](event_atom, const connection_event&) {},
      [](slot_atom, server_id) {},
      [](servers_atom, const std::vector<routed_server>&) {},
      [](drain_atom) {},
      [](tick_atom, std::uint64_t) {},
  };
}

}  // namespace

breaker_fixture::breaker_fixture(std::vector<int> priorities) {
  for (const int priority : priorities) {
    connection_info info;
    info.host = "ldap" + std::to_string(pools.size());
    info.priority = priority;
    all.servers.push_back(info);
    pools.push_back(std::make_shared<noting_pool>());
    pools.back()->handle = own(system.spawn(note_pool, pools.back()));
  }
  monitor->handle = own(system.spawn(note_monitor, monitor));
  breaker = own(spawn_circuit_breaker(system, env, std::make_shared<const settings>(all)));
  tell_servers();
  tell(breaker, health_atom_v, monitor->handle.address());
}

breaker_fixture::~breaker_fixture() {
  for (const auto& p : pools) {
    p->kept.clear();
    p->handle = nullptr;
  }
  monitor->handle = nullptr;
  caf::anon_send_exit(breaker, caf::exit_reason::user_shutdown);
  breaker = nullptr;
  run();
  BOOST_TEST(poller->timers() == 0U);
}

void breaker_fixture::tell_servers() {
  std::vector<routed_server> servers;
  for (std::size_t i = 0; i < pools.size(); ++i) {
    servers.push_back({context(all.servers[i], all, static_cast<server_id>(i)), pools[i]->handle});
  }
  tell(breaker, servers_atom_v, servers);
}

call breaker_fixture::ask_for(any_operation op) const {
  call c;
  c.what = make_request(std::move(op));
  c.deadline = now() + seconds{30};
  return c;
}

void breaker_fixture::fail(server_id server, int times, failure_class kind) {
  for (int i = 0; i < times; ++i) report(failed(0, kind, server));
}

server_snapshot breaker_fixture::status(server_id server) {
  const auto all_of_them = ask<std::vector<server_snapshot>>(breaker, status_atom_v);
  for (const auto& one : *all_of_them.value)
    if (one.id == server) return one;
  throw std::runtime_error("the breaker knows no server " + std::to_string(server));
}

}  // namespace understudy::test
