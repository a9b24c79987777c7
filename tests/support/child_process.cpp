// Starting, signalling and reaping other programs.
#include "support/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

extern char** environ;

namespace understudy::test {
namespace {

constexpr unsigned close_range_cloexec = 4;  // CLOSE_RANGE_CLOEXEC of <linux/close_range.h>

/// Everything the child needs, made before fork(): afterwards only async-signal-safe calls are allowed.
struct launch_plan {
  std::vector<std::string> texts;
  std::vector<char*> arguments, environment;
  std::string program, folder, in, out, err;
  pid_t parent = ::getpid();
};

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = ::getenv("PATH");
  // Servers live in sbin, which is not in everyone's PATH.
  std::string folders = std::string(path == nullptr ? "" : path) + ":/usr/sbin:/usr/bin:/sbin:/bin:";
  for (std::size_t begin = 0, end = 0; (end = folders.find(':', begin)) != std::string::npos; begin = end + 1) {
    const std::string candidate = folders.substr(begin, end - begin) + "/" + name;
    if (end > begin && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return name;
}

launch_plan plan(const child_process::options& with, const temporary_folder& folder) {
  launch_plan p;
  p.program = find_program(with.command.at(0));
  p.folder = with.working_folder.string();
  p.in = folder.write("in", with.input).string();
  p.out = folder.write("out", "").string();
  p.err = folder.write("err", "").string();
  p.texts = with.command;
  p.texts.insert(p.texts.end(), with.environment.begin(), with.environment.end());
  for (std::size_t i = 0; i < p.texts.size(); ++i)
    (i < with.command.size() ? p.arguments : p.environment).push_back(p.texts[i].data());
  p.arguments.push_back(nullptr);
  // A name set twice counts as first set: the test's own settings stand before the inherited ones.
  for (char** inherited = environ; *inherited != nullptr; ++inherited) p.environment.push_back(*inherited);
  p.environment.push_back(nullptr);
  return p;
}

bool redirect(const std::string& file, int flags, int target) {
  const int fd = ::open(file.c_str(), flags);
  return fd >= 0 && ::dup2(fd, target) >= 0;
}

/// Runs in the child; returns only by exec or with the reason why not.
int become(const launch_plan& p) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (::getppid() != p.parent) return ECHILD;
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (!redirect(p.in, O_RDONLY, 0) || !redirect(p.out, O_WRONLY | O_APPEND, 1) ||
      !redirect(p.err, O_WRONLY | O_APPEND, 2))
    return errno;
  if (!p.folder.empty() && ::chdir(p.folder.c_str()) != 0) return errno;
  // Whatever the test has open stays the test's.
  if (::syscall(SYS_close_range, 3u, ~0u, close_range_cloexec) != 0)
    for (int fd = 3; fd < 1024; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::execve(p.program.c_str(), p.arguments.data(), p.environment.data());
  return errno;
}

}  // namespace

child_process::child_process(options with) {
  if (with.command.empty()) throw std::invalid_argument("no program to run");
  // The death signal comes with the end of the thread that forked: a thread of its own forks, and stays until the end.
  keeper_ = std::thread([this, &with] { keep(with); });
  std::unique_lock lock(guard_);
  changed_.wait(lock, [this] { return started_; });
  lock.unlock();
  if (start_error_ == 0) return;
  keeper_.join();
  throw std::system_error(start_error_, std::generic_category(), "cannot start " + with.command[0]);
}

child_process::~child_process() {
  kill9();
  keeper_.join();
}

void child_process::keep(const options& with) {
  int report[2] = {-1, -1};
  pid_t child = -1;
  int failed = 0;
  try {
    const launch_plan p = plan(with, folder_);
    if (::pipe2(report, O_CLOEXEC) == 0) child = ::fork();
    if (child == 0) {
      const int reason = become(p);
      if (::write(report[1], &reason, sizeof reason) < 0) ::_exit(126);
      ::_exit(127);
    }
    failed = child < 0 ? errno : 0;
  } catch (const std::exception&) {
    failed = EIO;
  }
  if (report[1] >= 0) ::close(report[1]);
  // The pipe closes on exec; bytes in it are the reason why there was none.
  if (child > 0 && ::read(report[0], &failed, sizeof failed) == static_cast<ssize_t>(sizeof failed))
    ::waitpid(child, nullptr, 0);
  if (report[0] >= 0) ::close(report[0]);
  {
    std::lock_guard lock(guard_);
    start_error_ = failed;
    pid_ = child;
    started_ = true;
    if (failed != 0) status_ = -1;
    changed_.notify_all();
  }
  if (failed != 0) return;
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  // Reaped under the lock, so that nobody signals a number that has become somebody else's.
  std::lock_guard lock(guard_);
  int status = 0;
  ::waitpid(child, &status, 0);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  changed_.notify_all();
}

bool child_process::running() const {
  std::lock_guard lock(guard_);
  return !status_;
}

void child_process::send_signal(int number) {
  std::lock_guard lock(guard_);
  if (!status_ && pid_ > 0) ::kill(pid_, number);
}

bool child_process::handles(int number, const std::filesystem::path& program) const {
  const std::filesystem::path self = "/proc/" + std::to_string(pid_);
  std::error_code gone;
  if (!std::filesystem::equivalent(self / "exe", program, gone)) return false;
  std::ifstream status(self / "status");
  std::uint64_t handled = 0;
  for (std::string line; std::getline(status, line);)
    if (line.rfind("SigBlk:", 0) == 0 || line.rfind("SigCgt:", 0) == 0)
      handled |= std::stoull(line.substr(line.find(':') + 1), nullptr, 16);
  return (handled >> (number - 1) & 1) != 0;
}

void child_process::kill9() { send_signal(SIGKILL); }

bool child_process::stopped() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/stat");
  std::string line;
  std::getline(in, line);
  const auto name_end = line.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= line.size() || line[name_end + 2] == 'T';
}

void child_process::stop() {
  send_signal(SIGSTOP);
  eventually([this] { return !running() || stopped(); });
}

void child_process::resume() { send_signal(SIGCONT); }

std::optional<int> child_process::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(guard_);
  changed_.wait_for(lock, timeout, [this] { return status_.has_value(); });
  return status_;
}

std::string child_process::output() const { return read_file(folder_ / "out"); }
std::string child_process::error_output() const { return read_file(folder_ / "err"); }

program_result run_program(child_process::options with, std::chrono::milliseconds timeout) {
  const std::string name = with.command.empty() ? std::string{} : with.command[0];
  child_process program(std::move(with));
  const auto status = program.wait(timeout);
  if (!status) throw std::runtime_error(name + " did not end in time");
  return {*status, program.output(), program.error_output()};
}

}  // namespace understudy::test
