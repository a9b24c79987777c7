// A pool actor among fake connections, on virtual time.
#pragma once
#include "pool/fake_connections.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>

namespace understudy::test {

using namespace internal;

/// A clock that fails when told to.
class faulty_clock final : public clock_port {
 public:
  explicit faulty_clock(std::shared_ptr<manual_clock> real) : real_(std::move(real)) {}
  time_point now() const override {
    if (std::exchange(fail_once, false)) throw std::runtime_error("the clock fell off the wall");
    return real_->now();
  }
  wall_time wall_now() const override { return real_->wall_now(); }
  mutable bool fail_once = false;

 private:
  std::shared_ptr<manual_clock> real_;
};

struct pool_fixture : virtual_runtime {
  std::shared_ptr<fake_server> server = std::make_shared<fake_server>();
  std::shared_ptr<fake_router> router = std::make_shared<fake_router>();
  std::shared_ptr<faulty_clock> time = std::make_shared<faulty_clock>(clock);
  circuit_breaker_actor breaker = own(spawn_fake_router(system, router));
  settings all;
  pool_actor pool;

  pool_fixture() {
    server->connect_error.code = errc::connection_failed;
    server->connect_error.where = stage::connect;
    server->connect_error.message = "refused by the test";
    all.pool.min_connections = 1;
    all.pool.max_connections = 3;
  }
  ~pool_fixture() {
    router->back_to = nullptr;
    if (pool) caf::anon_send_exit(pool, caf::exit_reason::user_shutdown);
    run();
    for (const auto& fake : server->made) BOOST_TEST(fake->removed);
    BOOST_TEST(poller->timers() == 0U);
  }

  void begin() {
    connection_info one;
    one.host = "ldap1";
    if (all.servers.empty()) all.servers = {one};
    auto environment_with_faults = *env;
    environment_with_faults.clock = time;
    auto context_with_faults = *context(one, all);
    context_with_faults.env = std::make_shared<const environment>(std::move(environment_with_faults));
    pool = spawn_pool(system, std::make_shared<const server_context>(std::move(context_with_faults)),
                      fake_factory(server), breaker.address(), {});
    run();
  }
  call search(duration patience = seconds{30}) const {
    call c;
    c.what = make_request(search_request{});
    c.deadline = clock->now() + patience;
    return c;
  }
  lease_request wish(duration patience = seconds{30}) const {
    lease_request w;
    w.deadline = clock->now() + patience;
    w.holder = "tester";
    return w;
  }
  void complete(const fake_ptr& fake, std::uint64_t count) {
    if (auto it = caf::actor_cast<connection_actor>(fake->address)) tell(it, tick_atom_v, count);
  }
  pool_snapshot status() { return *ask<pool_snapshot>(pool, status_atom_v).value; }
  /// Events of connections, as they would send them.
  void say(const fake_ptr& fake, connection_event::kind kind, failure_ptr cause = nullptr) {
    tell(pool, event_atom_v, connection_event{fake->spec.id, kind, std::move(cause)});
  }
  void exact() {
    const auto s = status();
    BOOST_TEST(s.acquired == s.released + s.leased);
    BOOST_TEST(s.dispatched == s.completed + s.now.in_flight);
  }
};

/// Holds leases until it is told to end.
inline caf::behavior holding(caf::event_based_actor* self, pool_actor pool, lease_request wish,
                             std::shared_ptr<std::vector<lease_grant>> granted) {
  install_default_handlers(*self);
  self->request(pool, caf::infinite, lease_atom_v, wish).then([=](const lease_grant& grant) {
    granted->push_back(grant);
    self->send(pool, claim_atom_v, grant.id);
  });
  return {[=](std::uint64_t) {}};
}

}  // namespace understudy::test
