// An outsider's program that runs Understudy in an actor system of its own and speaks to its actors.
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <iostream>
#include <understudy/messages/actors.hpp>
#include <understudy/runtime/runtime.hpp>

namespace {

// Nobody listens on port 1 of loopback.
understudy::settings_ptr unreachable() {
  auto all = std::make_shared<understudy::settings>();
  understudy::connection_info server;
  server.host = "127.0.0.1";
  server.port = 1;
  all->servers.push_back(server);
  all->log.level = understudy::log_level::error;
  return all;
}

// The code of the failure that a search ends with.
understudy::errc search(caf::actor_system& system, const understudy::circuit_breaker_actor& router) {
  understudy::call request;
  request.what = understudy::make_request(understudy::search_request{});
  request.deadline = std::chrono::steady_clock::now() + understudy::seconds{2};
  auto code = understudy::errc::none;
  caf::scoped_actor self{system};
  self->request(router, understudy::seconds{5}, understudy::perform_atom_v, request)
      .receive([](const understudy::result_ptr&) {},
               [&](const caf::error& e) { code = understudy::failure_of(e)->code; });
  return code;
}

}  // namespace

int main() {
  caf::actor_system_config config;
  understudy::configure(config);
  caf::actor_system system(config);
  understudy::runtime there(system, unreachable());
  const auto code = search(system, there.router());
  const bool stopped = there.stop(understudy::seconds{1});
  std::cerr << "search: " << understudy::to_string(code) << ", stopped in time: " << stopped << "\n";
  return code != understudy::errc::none && code != understudy::errc::internal && stopped ? 0 : 1;
}
