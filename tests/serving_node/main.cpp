// A whole node in a process of its own: serving_node CERTIFICATE KEY CA PORT PERMISSION BIND_DN PASSWORD URI… Says
// where it listens, and what it is told.
#include "runtime/serving_node.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace {

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** argument) {
  using namespace understudy;
  if (count < 9) return 2;
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  test::serving_node_options options;
  options.certificate = argument[1];
  options.key = argument[2];
  options.ca = argument[3];
  options.port = static_cast<std::uint16_t>(std::atoi(argument[4]));
  const std::string permission = argument[5];
  options.permission = permission == "admin"   ? internal::node_permission::admin
                       : permission == "write" ? internal::node_permission::write
                                               : internal::node_permission::read;
  options.bind_dn = argument[6];
  options.password = argument[7];
  options.uris.assign(argument + 8, argument + count);
  options.on_reload = []() -> failure_ptr {
    say("reload");
    return nullptr;
  };
  options.on_drain = []() -> failure_ptr {
    say("drain");
    ::kill(::getpid(), SIGTERM);
    return nullptr;
  };
  const test::serving_node node{std::move(options)};
  say(std::to_string(node.port()));
  int signal = 0;
  sigwait(&ending, &signal);
  // The answer to the order is on its way.
  ::usleep(100'000);
  return 0;
}
