// Datagrams to the service manager: see service_notifier.hpp.
#include "understudy/runtime/platform/service_notifier.hpp"

#include "understudy/messages/number.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace understudy::internal {
namespace {

std::string address_of(const std::string& name) {
  sockaddr_un at{};
  if (name.size() < 2 || name.size() >= sizeof at.sun_path || (name.front() != '/' && name.front() != '@'))
    throw std::invalid_argument("NOTIFY_SOCKET is neither the path of a socket nor an abstract name (\"@…\")");
  at.sun_family = AF_UNIX;
  std::memcpy(at.sun_path, name.data(), name.size());
  if (name.front() == '@') at.sun_path[0] = '\0';
  // An abstract name is as long as the address says; a path ends with its NUL.
  const auto size = offsetof(sockaddr_un, sun_path) + name.size() + (name.front() == '/' ? 1 : 0);
  std::string bytes(size, '\0');
  std::memcpy(bytes.data(), &at, size);
  return bytes;
}

std::int64_t number_of(const std::string& variable, const std::string& text) {
  const auto number = parse_number<std::int64_t>(text);
  if (!number || *number <= 0) throw std::invalid_argument(variable + " is no positive number");
  return *number;
}

std::optional<duration> watchdog_of(const service_notifier::variables& environment) {
  const auto span = environment("WATCHDOG_USEC");
  if (!span) return std::nullopt;
  // Left over from the process that it was meant for, which started this one.
  if (const auto pid = environment("WATCHDOG_PID"); pid && number_of("WATCHDOG_PID", *pid) != ::getpid())
    return std::nullopt;
  const auto most = std::chrono::duration_cast<std::chrono::microseconds>(longest_wait);
  return std::min(most, std::chrono::microseconds{number_of("WATCHDOG_USEC", *span)});
}

}  // namespace

service_notifier::service_notifier(const variables& environment) {
  const auto name = environment("NOTIFY_SOCKET");
  if (!name || name->empty()) return;
  address_ = address_of(*name);
  socket_ = descriptor{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"};
  const timeval a_second{1, 0};
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &a_second, sizeof a_second) != 0)
    throw std::system_error(errno, std::generic_category(), "setsockopt");
  watchdog_ = watchdog_of(environment);
}

bool service_notifier::tell(std::string_view assignments) const {
  if (!wanted()) return true;
  sockaddr_un to{};
  std::memcpy(&to, address_.data(), address_.size());
  const auto sent = ::sendto(socket_.get(), assignments.data(), assignments.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&to), static_cast<socklen_t>(address_.size()));
  return sent == static_cast<ssize_t>(assignments.size());
}

}  // namespace understudy::internal
