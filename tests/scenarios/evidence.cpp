// Reading /proc, sockets and directory entries.
#include "scenarios/evidence.hpp"

#include "understudy/runtime/client/default_factories.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <fstream>

namespace understudy::test {

using namespace internal;
namespace {

constexpr int syn_sent = 2;  // TCP_SYN_SENT of the kernel's tcp_states.h
constexpr int users = 10;
constexpr const char* value_prefix = "write-";

}  // namespace

connection_factory learnt_paces::connections() {
  return [this, make = default_connections()](caf::actor_system& system, connection_spec spec) {
    {
      const std::lock_guard lock(guard_);
      paces_[spec.context->server.port] = spec.context->pace;
    }
    return make(system, std::move(spec));
  };
}

duration learnt_paces::patience(std::uint16_t port) const {
  const std::lock_guard lock(guard_);
  const auto found = paces_.find(port);
  return found == paces_.end() ? duration::zero() : found->second->patience(false);
}

std::size_t unanswered_connects(std::uint16_t port) {
  std::ifstream table("/proc/self/net/tcp");
  std::string line;
  std::getline(table, line);
  std::size_t found = 0;
  while (std::getline(table, line)) {
    unsigned remote_address = 0, remote_port = 0, state = 0;
    if (std::sscanf(line.c_str(), " %*d: %*8X:%*4X %8X:%4X %2X", &remote_address, &remote_port, &state) != 3) continue;
    if (remote_address == htonl(INADDR_LOOPBACK) && remote_port == port && state == syn_sent) ++found;
  }
  return found;
}

std::vector<int> sockets_to(std::uint16_t port) {
  std::vector<int> found;
  for (const auto& [fd, what] : open_descriptors()) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    const bool connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    if (connected && peer.sin_family == AF_INET && ntohs(peer.sin_port) == port) found.push_back(fd);
  }
  return found;
}

int socket_option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  BOOST_TEST(::getsockopt(fd, level, name, &value, &size) == 0, "getsockopt: errno " << errno);
  return value;
}

void set_socket_option(int fd, int level, int name, int value) {
  BOOST_TEST(::setsockopt(fd, level, name, &value, sizeof value) == 0, "setsockopt: errno " << errno);
}

request_ptr numbered_write(int number) {
  modify_request made;
  made.dn = user_dn(number % users);
  made.changes.push_back({modification::kind::add, {"description", {value_prefix + std::to_string(number)}}});
  return make_request(std::move(made));
}

void check_carried_out_once(const std::vector<slapd*>& servers, std::uint64_t succeeded, std::uint64_t unknown) {
  std::map<std::string, int> times;
  for (auto* server : servers)
    for (int user = 0; user < users; ++user)
      for (const auto& value : server->values(user_dn(user), "description"))
        if (value.find(value_prefix) == 0) ++times[value];
  for (const auto& [value, count] : times) BOOST_TEST(count == 1, value << " was carried out " << count << " times");
  BOOST_TEST(times.size() >= succeeded, times.size() << " writes are there, " << succeeded << " were answered");
  BOOST_TEST(times.size() <= succeeded + unknown,
             times.size() << " writes are there, " << succeeded << " were answered and " << unknown << " are unknown");
}

breaker_state breaker_of(const connection_manager& manager, std::uint16_t port) {
  return server_in(manager.snapshot(), port).breaker;
}

std::uint32_t ready_connections(const connection_manager& manager, std::uint16_t port) {
  const auto all = manager.snapshot();
  const auto& now = server_in(all, port).pool.now;
  return now.idle + now.in_use;
}

}  // namespace understudy::test
