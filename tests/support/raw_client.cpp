// A TCP client with deadlines, and LDAP requests as bytes.
#include "support/raw_client.hpp"

#include "support/ber.hpp"
#include "support/ldap_wire.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace understudy::test {
namespace {

using namespace ber_tag;

int poll_one(int fd, short events, std::chrono::milliseconds limit) {
  pollfd waiting{fd, events, 0};
  return ::poll(&waiting, 1, static_cast<int>(limit.count()));
}

std::string request(int id, std::uint8_t tag, std::string_view content) {
  return ber(sequence, ber_number(integer, id) + ber(tag, content));
}

std::string pair(std::string_view name, std::string_view value) { return ber(octets, name) + ber(octets, value); }

}  // namespace

raw_client::raw_client(std::uint16_t port, std::chrono::milliseconds limit) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "socket");
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) error_ = errno;
  bool answered = error_ == 0;
  if (error_ == EINPROGRESS) {
    answered = poll_one(fd, POLLOUT, limit) > 0;
    socklen_t size = sizeof error_;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_, &size);
  }
  if (answered && error_ == 0)
    fd_ = fd;
  else
    ::close(fd);
}

raw_client::~raw_client() {
  if (fd_ >= 0) ::close(fd_);
}

void raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    else if (errno != EAGAIN || poll_one(fd_, POLLOUT, patience) <= 0)
      throw std::system_error(errno, std::generic_category(), "send");
  }
}

std::string raw_client::read_some(std::chrono::milliseconds limit) {
  std::array<char, 65536> buffer;
  last_ = read_end::nothing;
  if (fd_ < 0) throw std::logic_error("not connected");
  if (poll_one(fd_, POLLIN, limit) <= 0) return {};
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
  last_ = got > 0 ? read_end::data : got == 0 ? read_end::end_of_stream : read_end::reset;
  return {buffer.data(), static_cast<std::size_t>(got > 0 ? got : 0)};
}

std::string raw_client::read_message(std::chrono::milliseconds limit) {
  for (;;) {
    const auto size = ber_size(in_);
    if (size && in_.size() >= *size) {
      last_ = read_end::data;
      std::string message = in_.substr(0, *size);
      in_.erase(0, *size);
      return message;
    }
    const std::string more = read_some(limit);
    if (more.empty()) return {};
    in_ += more;
  }
}

std::string bind_message(int id, std::string_view dn, std::string_view password) {
  return request(id, 0x60, ber_number(integer, 3) + ber(octets, dn) + ber(0x80, password));
}

std::string search_message(int id, std::string_view base, std::string_view uid) {
  return request(id, 0x63,
                 ber(octets, base) + ber_number(enumerated, 2) + ber_number(enumerated, 0) + ber_number(integer, 0) +
                     ber_number(integer, 0) + ber(boolean, std::string_view("\0", 1)) + ber(0xa3, pair("uid", uid)) +
                     ber(sequence, ""));
}

std::string compare_message(int id, std::string_view dn, std::string_view name, std::string_view value) {
  return request(id, 0x6e, ber(octets, dn) + ber(sequence, pair(name, value)));
}

std::string replace_message(int id, std::string_view dn, std::string_view name, std::string_view value) {
  const std::string target = ber(sequence, ber(octets, name) + ber(set, ber(octets, value)));
  return request(id, 0x66, ber(octets, dn) + ber(sequence, ber(sequence, ber_number(enumerated, 2) + target)));
}

std::string extended_message(int id, std::string_view oid) { return request(id, 0x77, ber(0x80, oid)); }

std::string abandon_message(int id, int abandoned) {
  return ber(sequence, ber_number(integer, id) + ber_number(0x50, abandoned));
}

std::string unbind_message(int id) { return request(id, 0x42, ""); }

raw_answer decode_answer(std::string_view message) {
  ber_reader parts(ber_reader(message).next(sequence));
  raw_answer answer;
  answer.id = static_cast<int>(parts.next(integer).number());
  const ber_item op = parts.next();
  answer.tag = op.tag;
  ber_reader fields(op);
  if (op.tag == 0x64) {
    answer.dn = fields.next(octets).text();
  } else if (op.tag != 0x73) {
    answer.code = static_cast<int>(fields.next(enumerated).number());
    fields.next(octets);
    answer.diagnostic = fields.next(octets).text();
  }
  return answer;
}

}  // namespace understudy::test
