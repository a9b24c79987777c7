// What callers through a node are measured against: node_server node port=N [cert=FILE key=FILE], or node_server echo,
// which is CAF's own network layer alone; or what LDAP clients come through: node_server door port=N[,N…]. Prints its
// port and runs until it is killed.
#include "arguments.hpp"
#include "our_settings.hpp"

#include "understudy/runtime/platform/front_door_service.hpp"
#include "understudy/runtime/platform/node_service.hpp"
#include "understudy/runtime/runtime.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

namespace {

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::benchmark;

[[noreturn]] void run_at(const std::string& port) {
  std::printf("%s\n", port.c_str());
  std::fflush(stdout);
  for (;;) ::pause();
}

void run_node(const arguments& given) {
  auto all = settings_from(given);
  node_listener_settings at;
  at.address = "127.0.0.1:0";
  at.insecure_loopback = given.text("cert").empty();
  if (!at.insecure_loopback) {
    all.node.ca_cert_path = all.node.cert_path = given.text("cert");
    all.node.key_path = given.text("key");
  }
  all.node.listeners = {at};
  runtime_options how;
  how.serve_nodes.emplace();
  const runtime running{std::make_shared<const settings>(std::move(all)), std::move(how)};
  const auto address = running.nodes()->places().at(0).address;
  run_at(address.substr(address.rfind(':') + 1));
}

/// True once a connection is ready: then the directory has accepted the service's password, and clients may have it.
bool is_ready(const runtime& running) {
  const auto now = running.snapshot();
  if (!now) return false;
  for (const auto& server : now.value->servers)
    if (server.pool.now.idle > 0) return true;
  return false;
}

void run_door(const arguments& given) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  auto all = settings_from(given);
  client_listener_settings at;
  at.address = "127.0.0.1:0";
  // A tenth of them may come from one address.
  at.max_clients = 100000;
  all.front_door.listeners = {at};
  runtime_options how;
  how.serve_clients = true;
  const runtime running{std::make_shared<const settings>(std::move(all)), std::move(how)};
  for (int i = 0; !is_ready(running); ++i) {
    if (i == 1000) throw std::runtime_error("node_server: no directory answers");
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  const auto address = running.front_door()->addresses().at(0);
  run_at(address.substr(address.rfind(':') + 1));
}

void run_echo() {
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};
  const auto echo = system.spawn(
      [](caf::event_based_actor*) -> caf::behavior { return {[](std::string& text) { return std::move(text); }}; });
  const auto port = system.middleman().publish(echo, 0, "127.0.0.1");
  if (!port) throw std::runtime_error("node_server: " + system.render(port.error()));
  run_at(std::to_string(*port));
}

}  // namespace

int main(int argc, char** argv) try {
  const arguments given(argc, argv);
  if (given.mode() == "node")
    run_node(given);
  else if (given.mode() == "door")
    run_door(given);
  else if (given.mode() == "echo")
    run_echo();
  else
    throw std::invalid_argument(
        "usage: node_server node port=N [cert=FILE key=FILE] | node_server door port=N | node_server echo");
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
