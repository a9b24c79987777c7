// fork, exec, pipes.
#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace understudy::benchmark {
namespace {

// A client that says nothing for so long hangs.
constexpr int patience_ms = 180'000;

}  // namespace

child::child(const std::vector<std::string>& command) {
  for (const auto& word : command) name_ += (name_.empty() ? "" : " ") + word;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    // The machine's LDAP settings are nobody's business here.
    setenv("LDAPNOINIT", "1", 1);
    dup2(ends[1], 1);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  out_ = ends[0];
}

child::child(child&& other) noexcept
    : name_(std::move(other.name_)), pid_(std::exchange(other.pid_, -1)), out_(std::exchange(other.out_, -1)) {}

child::~child() {
  if (out_ >= 0) close(out_);
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string child::read_line() {
  std::string line;
  for (char c = 0;;) {
    pollfd ready{out_, POLLIN, 0};
    if (poll(&ready, 1, patience_ms) <= 0 || read(out_, &c, 1) != 1)
      throw std::runtime_error("no answer from: " + name_);
    if (c == '\n') return line;
    line += c;
  }
}

void child::signal(int number) { kill(pid_, number); }

void child::wait() {
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, 0);
  pid_ = -1;
  if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error("ended without success: " + name_);
}

}  // namespace understudy::benchmark
