// Shows metrics and state by HTTP on this machine, and prints events: monitoring DIRECTORY.toml PORT
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <iostream>
#include <string_view>
#include <system_error>
#include <understudy/understudy.hpp>

namespace {

// What follows stands for the HTTP server that a service has anyway: one request at a time, a second for each.
int listen_at(int port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  socklen_t size = sizeof at;
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::bind(fd, address, size) != 0 || ::listen(fd, 16) != 0 || ::getsockname(fd, address, &size) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot listen");
  std::cout << "listens at 127.0.0.1:" << ntohs(at.sin_port) << std::endl;
  return fd;
}
std::string path_asked_for(int client) {
  const timeval second{1, 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
  std::string head(8192, '\0');
  const auto got = ::recv(client, head.data(), head.size(), 0);
  head.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return head.rfind("GET ", 0) == 0 ? head.substr(4, head.find(' ', 4) - 4) : std::string{};
}
void reply(int client, std::string_view status, std::string_view type, const std::string& body) {
  const auto text = "HTTP/1.1 " + std::string{status} + "\r\nContent-Type: " + std::string{type} +
                    "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
  std::size_t sent = 0;
  for (ssize_t n = 1; n > 0 && sent < text.size(); sent += static_cast<std::size_t>(n > 0 ? n : 0))
    n = ::send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
}

void answer(int client, const understudy::connection_manager& directory) try {
  const auto path = path_asked_for(client);
  if (path == "/metrics")
    reply(client, "200 OK", understudy::metrics_content_type, understudy::metrics_text(directory.snapshot()));
  else if (path == "/directory")
    reply(client, "200 OK", "application/json", understudy::state_json(directory.snapshot()));
  else
    reply(client, "404 Not Found", "text/plain", "ask for /metrics or /directory\n");
} catch (const understudy::ldap_exception& e) {
  reply(client, "503 Service Unavailable", "text/plain", std::string{e.what()} + "\n");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument("usage: monitoring DIRECTORY.toml PORT");
  const auto file = understudy::load_file(argv[1]);
  if (!file.ok()) throw understudy::config_error(file.problems);
  understudy::connection_manager directory(file.value);
  directory.set_events([](const understudy::runtime_event& event) {
    std::cerr << to_string(event.kind) << ": " << event.text << std::endl;  // or to the service's own journal
  });
  directory.connect();
  const int listener = listen_at(std::stoi(argv[2]));
  while (true) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0 && errno != EINTR && errno != ECONNABORTED)
      throw std::system_error(errno, std::generic_category(), "accept4");
    if (client < 0) continue;
    answer(client, directory);
    ::close(client);
  }
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
