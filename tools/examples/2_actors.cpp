// Compares a value by messages: actors DIRECTORY.toml DN ATTRIBUTE VALUE
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <iostream>
#include <understudy/config/load.hpp>
#include <understudy/runtime/exceptions.hpp>
#include <understudy/runtime/runtime.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  if (argc != 5) throw std::invalid_argument("usage: actors DIRECTORY.toml DN ATTRIBUTE VALUE");
  auto loaded = understudy::load_file(argv[1]);
  if (!loaded.ok()) throw understudy::config_error(loaded.problems);
  caf::actor_system_config config;
  understudy::configure(config);  // before the actor system is made
  caf::actor_system system{config};
  understudy::runtime directory{system, std::make_shared<const understudy::settings>(std::move(loaded.value))};

  understudy::call request;
  request.what = understudy::make_request(understudy::compare_request{argv[2], argv[3], argv[4]});
  request.deadline = std::chrono::steady_clock::now() + 3s;
  const auto asker = system.spawn([&directory, request](caf::event_based_actor* self) {
    self->request(directory.router(), 4s, understudy::perform_atom_v, request)
        .then([](const understudy::result_ptr& answer) { std::cout << answer->compare_matched() << "\n"; },
              [](const caf::error& e) { std::cerr << understudy::failure_of(e)->message << "\n"; });
  });
  caf::scoped_actor { system } -> wait_for(asker);
  // The runtime stops first, then the actor system has no actors left to wait for.
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
