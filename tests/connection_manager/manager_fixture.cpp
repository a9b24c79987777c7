// Children that do what a test says.
#include "manager_fixture.hpp"

#include "understudy/actors/ports/guard.hpp"

#include <boost/test/unit_test.hpp>

namespace understudy::test {

using namespace internal;
namespace {

failure unused() {
  failure f;
  f.code = errc::no_server;
  return f;
}

}  // namespace

circuit_breaker_actor::behavior_type scripted_children::fake_breaker(circuit_breaker_actor::pointer self,
                                                                     scripted_children* all) {
  install_default_handlers(*self);
  auto& s = all->breaker;
  return {
      [&s, self](perform_atom atom, call& c) -> caf::result<result_ptr> {
        s.told.push_back("perform");
        if (s.table.empty()) return to_error(unused());
        return self->delegate(s.table.front().pool, atom, std::move(c));
      },
      [&s](lease_atom, lease_request&) -> caf::result<lease_grant> {
        s.told.push_back("lease");
        return to_error(unused());
      },
      [&s](cancel_atom, const cancel_token_ptr&) { s.told.push_back("cancel"); },
      [](report_atom, const outcome_report&) {},
      [](probe_atom, const probe_report&) {},
      [](suspect_atom, server_id) {},
      [&s](suspend_atom, server_id id, std::uint32_t ttl) {
        s.told.push_back("suspend " + std::to_string(id) + " " + std::to_string(ttl));
        return true;
      },
      [&s](resume_atom, server_id id) {
        s.told.push_back("resume " + std::to_string(id));
        return true;
      },
      [&s, self](status_atom) -> caf::result<std::vector<server_snapshot>> {
        auto answer = self->make_response_promise<std::vector<server_snapshot>>();
        if (s.mute_status) return answer;
        std::vector<server_snapshot> found;
        for (const auto& server : s.table) {
          server_snapshot one;
          one.id = server.context->id;
          one.host = server.context->server.host;
          one.priority = server.context->server.priority;
          one.breaker = breaker_state::half_open;
          one.serving = one.id == 1;
          found.push_back(one);
        }
        answer.deliver(std::move(found));
        return answer;
      },
      [&s](servers_atom, std::vector<routed_server>& servers) {
        s.told.push_back("servers " + std::to_string(servers.size()));
        s.table = std::move(servers);
      },
      [&s](servers_atom, const failure_ptr& why) { s.no_server_reason = why; },
      [&s](discover_atom, const caf::actor_addr& finder) { s.finder = finder; },
      [&s](health_atom, const caf::actor_addr& monitor) { s.monitor = monitor; },
      [&s](drain_atom) { s.told.push_back("drain"); },
      [](tick_atom, std::uint64_t) {},
  };
}

pool_actor::behavior_type scripted_children::fake_pool(pool_actor::pointer self, scripted_children* all, server_id id) {
  install_default_handlers(*self);
  auto& s = all->pools[id];
  return {
      [id](perform_atom, const call&) {
        auto r = std::make_shared<result>();
        r->server = "pool " + std::to_string(id);
        return r;
      },
      [](lease_atom, const lease_request&) -> caf::result<lease_grant> { return to_error(unused()); },
      [&s](claim_atom, lease_id lease) { s.told.push_back("claim " + std::to_string(lease)); },
      [&s](release_atom, lease_id lease) {
        s.told.push_back("release " + std::to_string(lease));
        return true;
      },
      [](cancel_atom, const cancel_token_ptr&) {},
      [](event_atom, const connection_event&) {},
      [&s](load_atom, connection_id kept) { s.drains.at(kept).deliver(true); },
      [&s](breaker_atom, breaker_state state) { s.told.push_back("breaker " + std::string{to_string(state)}); },
      [](slot_atom, bool) { return true; },
      [id](check_atom, time_point) {
        pool_health found;
        found.healthy_connections = id + 10;
        return found;
      },
      [id](cleanup_atom) { return std::uint32_t{id + 20}; },
      [&s, self, id](status_atom) -> caf::result<pool_snapshot> {
        auto answer = self->make_response_promise<pool_snapshot>();
        pool_snapshot found;
        found.now.size = id + 30;
        if (!s.mute_status) answer.deliver(found);
        return answer;
      },
      [&s, self](drain_atom, time_point) -> caf::result<bool> {
        s.told.push_back("drain");
        auto answer = self->make_response_promise<bool>();
        if (s.drain == script::drain_mode::mute) {
          s.drains.push_back(answer);
        } else {
          answer.deliver(s.drain == script::drain_mode::clean);
        }
        return answer;
      },
      [&s, self](removed_atom, time_point) -> caf::result<bool> {
        s.told.push_back("removed");
        auto answer = self->make_response_promise<bool>();
        if (s.drain == script::drain_mode::mute) {
          s.drains.push_back(answer);
        } else {
          answer.deliver(s.drain == script::drain_mode::clean);
        }
        return answer;
      },
      [&s](reload_atom, const server_context_ptr& next) {
        s.told.push_back("reload");
        s.context = next;
      },
      [&s](resume_atom) { s.told.push_back("resume"); },
      [](tick_atom, std::uint64_t) {},
  };
}

health_monitor_actor::behavior_type scripted_children::fake_monitor(health_monitor_actor::pointer self,
                                                                    scripted_children* all) {
  install_default_handlers(*self);
  auto& s = all->monitor;
  return {
      [](probe_atom, server_id) {},
      [&s](health_atom, time_point) {
        s.told.push_back("health");
        return std::vector<probe_report>(2);
      },
      [&s](health_atom, int priority, time_point) {
        s.told.push_back("health of " + std::to_string(priority));
        return std::vector<probe_report>(1);
      },
      [](breaker_atom, server_id, breaker_state) {},
      [](breaker_atom, const stand_ins&) {},
      [](event_atom, const connection_event&) {},
      [](slot_atom, server_id) {},
      [&s](servers_atom, const std::vector<routed_server>& servers) {
        s.told.push_back("servers " + std::to_string(servers.size()));
      },
      [&s](drain_atom) { s.told.push_back("drain"); },
      [](tick_atom, std::uint64_t) {},
  };
}

manager_fixture::manager_fixture(std::size_t servers) {
  for (std::size_t i = 0; i < servers; ++i) {
    connection_info info;
    info.host = "ldap" + std::to_string(i + 1);
    info.priority = static_cast<int>(i + 1);
    info.bind_dn = "cn=service";
    info.password = secret{"hunter2"};
    all.servers.push_back(info);
  }
}

manager_fixture::~manager_fixture() {
  if (manager) {
    caf::anon_send_exit(manager, caf::exit_reason::user_shutdown);
  }
  manager = nullptr;
  run();
  children.let_go();
  run();
  BOOST_TEST(poller->timers() == 0U);
  BOOST_TEST(!log->contains("hunter2"));
}

void manager_fixture::start() {
  auto read = [this](const connection_info& info, milliseconds, const still_wanted&) -> secret_reading {
    const auto found = secrets.find(info.password_file);
    if (found == secrets.end()) return {{}, info.password_file + " is not there"};
    return {secret{std::string_view{found->second}}, {}};
  };
  manager = spawn_connection_manager(system, std::make_shared<const settings>(all), env, children.parts(read));
  run();
}

}  // namespace understudy::test
