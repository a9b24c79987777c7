// `understudy serve` as a node, in a process of its own, with a directory behind it.
#pragma once
#include "remote_client.hpp"
#include "support/child_process.hpp"
#include "support/notify_socket.hpp"
#include "support/stub_directory.hpp"

namespace understudy::test {

std::string quoted(const std::filesystem::path& path);

/// "[node]" with its certificate, or with another of the same authority.
std::string node_section(const certificate_files& shown = node_certificates().server);

/// At 127.0.0.1, or at another address of this machine.
std::string listener_at(std::uint16_t port, const std::string& more = "permission = \"write\"\n",
                        const std::string& address = "127.0.0.1");

/// The program UNDERSTUDY_PROGRAM with a directory behind it.
class served_node {
 public:
  /// `pool`: lines of that section.
  explicit served_node(const std::string& sections, std::string pool = "");

  void write(const std::string& sections);
  /// Of the files that are written from now on.
  void use_directory(const std::string& url) { url_ = url; }
  void start();
  void await_ready();
  bool says(const std::string& part, milliseconds limit = patience) const;
  /// SIGHUP; waits until the service says what came of it.
  void reload(const std::string& sections, const std::string& then = "the configuration was read again and applied");
  /// How often it has said that.
  std::size_t times(const std::string& part) const;
  /// The first port that it has said to listen at.
  std::uint16_t port() const;
  void stop();

  stub_directory directory;
  notify_socket manager;
  std::unique_ptr<child_process> process;

 private:
  temporary_folder folder_;
  const std::string pool_;
  std::string url_ = directory.url();
};

search_request find_user();

/// Requests that went out by several threads, each with its one outcome.
struct outcomes {
  std::atomic<int> begun{0}, ok{0}, unknown{0}, refused{0}, strange{0};
  std::mutex mutex;
  std::string first_strange;

  void note(const answer<result_ptr>& got);
};

}  // namespace understudy::test
