// Serves its directory to nodes' clients from a service of one's own: serving DIRECTORY.toml, with [[node.listeners]].
#include <csignal>
#include <iostream>
#include <understudy/config/load.hpp>
#include <understudy/runtime/exceptions.hpp>
#include <understudy/runtime/runtime.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument("usage: serving DIRECTORY.toml");
  auto loaded = understudy::load_file(argv[1]);
  if (!loaded.ok()) throw understudy::config_error(loaded.problems);
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);  // before the runtime has threads

  understudy::runtime_options options;
  options.serve_nodes.emplace();  // without orders: a client may not have this service reload or end
  understudy::runtime directory{std::make_shared<const understudy::settings>(std::move(loaded.value)),
                                std::move(options)};
  for (const auto& address : directory.node_addresses()) std::cout << "listens at " << address << std::endl;

  int signal = 0;
  sigwait(&ending, &signal);
  // Clients are told to go elsewhere, and what they have asked is answered.
  return directory.stop(std::chrono::seconds{5}) ? 0 : 1;
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
