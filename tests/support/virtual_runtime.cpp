// Running actors step by step on virtual time.
#include "support/virtual_runtime.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <caf/actor.hpp>
#include <caf/actor_registry.hpp>
#include <caf/send.hpp>
#include <stdexcept>

namespace understudy::test {

using namespace internal;
namespace {

constexpr int busy_limit = 100'000;

environment_ptr make_environment(const virtual_runtime& from, std::uint64_t seed) {
  environment made;
  made.clock = from.clock;
  made.poller = from.poller;
  made.resolver = from.resolver;
  made.workers = from.workers;
  made.log = from.log;
  made.metrics = from.metrics;
  made.seed = seed;
  return std::make_shared<const environment>(std::move(made));
}

}  // namespace

virtual_runtime::config::config() {
  set("scheduler.policy", caf::atom("testing"));
  configure(*this);
}

virtual_runtime::virtual_runtime(std::uint64_t seed)
    : env(make_environment(*this, seed)),
      scheduler(dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())) {}

virtual_runtime::~virtual_runtime() {
  // Children end after their parents were told, in later turns.
  for (const auto& actor : owned_) end(actor);
  owned_.clear();
  try {
    run();
  } catch (const std::exception& e) {
    BOOST_ERROR(e.what());
  }
  BOOST_CHECK_MESSAGE(system.registry().running() == 0, "actors left at the end: " << system.registry().running());
  system.await_actors_before_shutdown(false);
}

void virtual_runtime::run() {
  for (int round = 0; round < busy_limit; ++round) {
    const bool worked = scheduler.run(busy_limit) > 0;
    const bool timed = poller->fire_due() > 0;
    const bool helped = !workers->held() && workers->run_all() > 0;
    if (!worked && !timed && !helped && !scheduler.has_job()) return;
  }
  throw std::runtime_error("the actors do not come to rest");
}

void virtual_runtime::settle() {
  for (int round = 0; round < busy_limit; ++round) {
    run();
    if (poller->fire_ready() == 0) return;
  }
  throw std::runtime_error("the descriptors do not come to rest");
}

void virtual_runtime::advance(duration span) {
  run();
  const time_point end = now() + span;
  for (;;) {
    time_point next = std::min(end, poller->next_timer());
    const auto& timeouts = scheduler.clock().schedule();
    if (!timeouts.empty()) next = std::min(next, now() + (timeouts.begin()->first - scheduler.clock().now()));
    const duration step = std::max(next - now(), duration::zero());
    clock->advance(step);
    scheduler.advance_time(step);
    run();
    if (now() >= end) return;
  }
}

server_context_ptr virtual_runtime::context(connection_info server, settings all, server_id id) const {
  server_context made;
  made.id = id;
  made.name = server.host + ":" + std::to_string(server.port);
  made.server = std::move(server);
  made.all = std::make_shared<const settings>(std::move(all));
  made.env = env;
  return std::make_shared<const server_context>(std::move(made));
}

void virtual_runtime::end(const caf::strong_actor_ptr& actor) {
  caf::anon_send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::kill);
}

}  // namespace understudy::test
