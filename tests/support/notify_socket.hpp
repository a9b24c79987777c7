// A service manager as sd_notify(3) sees it: a socket that receives datagrams.
#pragma once
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

#include <optional>
#include <string>
#include <vector>

namespace understudy::test {

/// Receives what a service tells its manager.
class notify_socket {
 public:
  /// With an abstract name, or at a path in a folder of its own.
  explicit notify_socket(bool abstract = false);
  ~notify_socket();
  notify_socket(const notify_socket&) = delete;
  notify_socket& operator=(const notify_socket&) = delete;

  /// What NOTIFY_SOCKET has to be.
  const std::string& name() const noexcept { return name_; }
  /// The next datagram, or "" when none comes within `timeout`.
  std::string next(std::chrono::milliseconds timeout = patience);
  /// Waits until one comes that has this line; false when it does not. Those before it are skipped; all are in seen().
  bool await(const std::string& line, std::chrono::milliseconds timeout = patience);
  /// Every datagram that was taken so far.
  const std::vector<std::string>& seen() const noexcept { return seen_; }
  /// Takes what has come and counts the datagrams, from the `from`th on, that have this line.
  std::size_t count(const std::string& line, std::size_t from = 0);

 private:
  temporary_folder folder_;
  std::string name_;
  int fd_ = -1;
  std::vector<std::string> seen_;
};

/// True when one of the lines of `datagram` is this, or begins with it when it ends in '='.
bool has_assignment(const std::string& datagram, const std::string& line);

}  // namespace understudy::test
