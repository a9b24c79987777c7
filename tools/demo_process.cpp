// Starts and kills processes: see demo_process.hpp.
#include "understudy/tools/demo_process.hpp"

#include "understudy/config/files.hpp"
#include "understudy/tools/interrupt.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace understudy::cli {
namespace {

pid_t spawn(std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> argv;
  for (auto& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot start a process: " + internal::config::errno_text(errno));
  if (pid > 0) return pid;
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  restore_signals();
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in < 0 || out < 0 || ::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0) ::_exit(127);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

pid_t wait_for(pid_t pid, int flags, int& status) {
  pid_t got = 0;
  do got = ::waitpid(pid, &status, flags);
  while (got < 0 && errno == EINTR);
  return got;
}

}  // namespace

demo_process::demo_process(std::vector<std::string> command, std::filesystem::path log)
    : name_(std::filesystem::path{command.at(0)}.filename()), log_(std::move(log)), pid_(spawn(command, log_)) {}

demo_process::~demo_process() { kill(); }

void demo_process::wait_until(const std::function<bool()>& ready) {
  constexpr std::chrono::seconds patience{5};
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!ready()) {
    int status = 0;
    const bool ended = wait_for(pid_, WNOHANG, status) == pid_;
    if (ended) pid_ = -1;
    if (ended || std::chrono::steady_clock::now() > end)
      throw std::runtime_error(name_ + " did not start: " + end_of_log());
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

bool demo_process::succeeded() {
  int status = 0;
  const auto pid = std::exchange(pid_, -1);
  return wait_for(pid, 0, status) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void demo_process::pause() {
  if (pid_ >= 0) ::kill(pid_, SIGSTOP);
}

void demo_process::kill() {
  if (pid_ < 0) return;
  int status = 0;
  ::kill(pid_, SIGKILL);
  wait_for(pid_, 0, status);
  pid_ = -1;
}

std::string demo_process::end_of_log() const {
  constexpr std::size_t enough = 500;
  std::ifstream file(log_);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.size() > enough ? text.substr(text.size() - enough) : text;
}

}  // namespace understudy::cli
