// A name server inside the test: messages by hand.
#include "support/name_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <system_error>

namespace understudy::test {
namespace {

constexpr std::size_t header_size = 12;

std::string two_bytes(std::uint32_t value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}

/// "a.b." or "a.b" as labels; "." is the root.
std::string labels(const std::string& name) {
  std::string encoded, label;
  for (const char c : name + ".") {
    if (c != '.') {
      label += c;
    } else if (!label.empty()) {
      encoded += static_cast<char>(label.size()) + label;
      label.clear();
    }
  }
  return encoded + '\0';
}

}  // namespace

std::string name_server_message(const std::string& query, const std::vector<service_record>& records, std::uint32_t ttl,
                                int code) {
  const auto end_of_name = query.find('\0', header_size);
  const std::string question = query.substr(header_size, end_of_name + 5 - header_size);
  std::string message = query.substr(0, 2) + two_bytes(0x8180u | static_cast<unsigned>(code)) + two_bytes(1) +
                        two_bytes(static_cast<std::uint32_t>(records.size())) + two_bytes(0) + two_bytes(0) + question;
  for (const auto& r : records) {
    const auto data = two_bytes(r.priority) + two_bytes(r.weight) + two_bytes(r.port) + labels(r.target);
    // The name is that of the question (a pointer to it), the type SRV, the class IN.
    message += two_bytes(0xc000u | header_size) + two_bytes(33) + two_bytes(1) + two_bytes(ttl >> 16) +
               two_bytes(ttl & 0xffff) + two_bytes(static_cast<std::uint32_t>(data.size())) + data;
  }
  return message;
}

name_server::name_server() {
  fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof own;
  if (fd_ < 0 || ::bind(fd_, reinterpret_cast<const sockaddr*>(&own), size) != 0 ||
      ::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size) != 0)
    throw std::system_error(errno, std::generic_category(), "name server");
  port_ = ntohs(own.sin_port);
  loop_.run([this] { loop_.watch(fd_, EPOLLIN, [this](std::uint32_t) { reply(); }); });
}

name_server::~name_server() {
  loop_.run([this] { loop_.forget(fd_); });
  ::close(fd_);
}

socket_address name_server::address() const {
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(port_);
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return {AF_INET, {reinterpret_cast<const char*>(&own), sizeof own}, "127.0.0.1:" + std::to_string(port_)};
}

void name_server::answer(std::vector<service_record> records, std::uint32_t ttl, int code) {
  const std::lock_guard lock(guard_);
  records_ = std::move(records);
  ttl_ = ttl;
  code_ = code;
}

void name_server::talk_nonsense(bool on) {
  const std::lock_guard lock(guard_);
  nonsense_ = on;
}

std::uint64_t name_server::questions() const {
  const std::lock_guard lock(guard_);
  return questions_;
}

void name_server::reply() {
  char bytes[512];
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const auto got = ::recvfrom(fd_, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&peer), &size);
  if (got < static_cast<ssize_t>(header_size)) return;
  const std::lock_guard lock(guard_);
  ++questions_;
  auto message = name_server_message({bytes, static_cast<std::size_t>(got)}, records_, ttl_, code_);
  // Past the question, so that the resolver takes it for the answer to what it asked.
  if (nonsense_) message.resize(message.size() - 3);
  ::sendto(fd_, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&peer), size);
}

}  // namespace understudy::test
