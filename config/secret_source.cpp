// Reads passwords from files, commands and callbacks.
#include "understudy/config/secret_source.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

extern char** environ;

namespace understudy::internal {

using namespace config;

namespace {

/// The longest password that is read, with its newline.
constexpr std::size_t max_secret_bytes = 64 * 1024;

/// `text` without one newline at its end; empty text is a problem of `source`.
secret_reading secret_from(std::string&& text, const std::string& source) {
  if (!text.empty() && text.back() == '\n') {
    text.pop_back();
    if (!text.empty() && text.back() == '\r') text.pop_back();
  }
  secret_reading result;
  if (text.empty()) result.problem = source + " gives an empty password";
  if (result.ok()) result.value = secret{std::move(text)};
  return result;
}

secret_reading call(const std::function<std::string()>& callback, const std::string& key) {
  try {
    return secret_from(callback(), key);
  } catch (...) {
    return {{}, key + " threw an exception"};  // whose text might have the password in it
  }
}

// ---- commands ----

constexpr milliseconds look_interval{20};
// Between SIGTERM and SIGKILL. Who stops the runtime waits for it, and so does who has 100 ms beyond a deadline.
constexpr milliseconds grace_of_term{50};
constexpr milliseconds grace_of_kill{1000};

time_point now() { return std::chrono::steady_clock::now(); }

/// A pipe; both ends close by themselves. Neither is 0, 1 or 2, which the child needs, also when the host closed those.
struct pipe_ends {
  pipe_ends() {
    std::array<int, 2> low{-1, -1};
    if (::pipe2(low.data(), O_CLOEXEC) != 0) return;
    for (std::size_t end = 0; end < 2; ++end) fds[end] = ::fcntl(low[end], F_DUPFD_CLOEXEC, 3);
    ok = fds[0] >= 0 && fds[1] >= 0;
    for (const int each : low) ::close(each);
  }
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  ~pipe_ends() {
    close(0);
    close(1);
  }
  void close(std::size_t end) {
    if (fds[end] >= 0) ::close(fds[end]);
    fds[end] = -1;
  }
  std::array<int, 2> fds{-1, -1};
  bool ok = false;
};

/// What the child is started with.
class spawn_plan {
 public:
  explicit spawn_plan(int output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, 1);
    // Not the host's standard error: a tool that fails may print what it read.
    ::posix_spawn_file_actions_addopen(&actions_, 2, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    sigset_t signals;
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;
  ~spawn_plan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  /// An errno value, 0 when the child runs.
  int start(const std::vector<std::string>& argv, pid_t& child) const {
    std::vector<char*> words;
    words.reserve(argv.size() + 1);
    for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    return ::posix_spawnp(&child, words[0], &actions_, &attributes_, words.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// A running child, waited for by its pidfd alone: no other child's end is taken. It stays a zombie until it is
/// destroyed here, so that nobody else's process group gets its number and a signal of ours.
class child_process {
 public:
  /// Where the host ignores SIGCHLD the child may be gone already: then there is no pidfd, and no status.
  explicit child_process(pid_t id) : id_(id), handle_(static_cast<int>(::syscall(SYS_pidfd_open, id, 0))) {
    if (handle_ >= 0 || errno == ESRCH) return;
    problem_ = errno_text(errno);
    ::kill(-id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process() {
    if (handle_ < 0) return;
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(handle_), &info, WEXITED | WNOHANG);
    ::close(handle_);
  }

  int handle() const noexcept { return handle_; }

  bool running() {
    if (ended_) return false;
    siginfo_t info{};
    const int code = ::waitid(P_PIDFD, static_cast<id_t>(handle_), &info, WEXITED | WNOHANG | WNOWAIT);
    if (code != 0 && errno == EINTR) return true;
    if (code == 0 && info.si_pid == 0) return true;
    ended_ = true;
    if (code == 0) status_ = info;
    return false;
  }

  /// Ends its whole group and waits until it is gone: politely at first. What it started and left behind is killed too.
  void end() {
    if (!running()) return;
    ::kill(-id_, SIGTERM);
    wait(grace_of_term);
    ::kill(-id_, SIGKILL);
    wait(grace_of_kill);
  }

  /// Why what it wrote does not count, empty when it does.
  std::string problem() const {
    if (!problem_.empty()) return "cannot be waited for: " + problem_;
    if (!status_) return "ended, but nobody knows how: this program ignores SIGCHLD, or waits for every child itself";
    if (status_->si_code != CLD_EXITED) return "was killed by signal " + std::to_string(status_->si_status);
    if (status_->si_status == 0) return {};
    return "ended with status " + std::to_string(status_->si_status) +
           "; what it says is not shown: run it by hand to see it";
  }

 private:
  void wait(milliseconds at_most) {
    for (const auto until = now() + at_most; running() && now() < until;) {
      pollfd gone{handle_, POLLIN, 0};
      ::poll(&gone, 1, static_cast<int>(look_interval.count()));
    }
  }

  pid_t id_;
  int handle_;
  bool ended_ = false;
  std::string problem_;
  std::optional<siginfo_t> status_;
};

class output_reader {
 public:
  explicit output_reader(int fd) : fd_(fd) { ::fcntl(fd, F_SETFL, O_NONBLOCK); }
  ~output_reader() { ::explicit_bzero(buffer_.data(), buffer_.size()); }
  output_reader(const output_reader&) = delete;
  output_reader& operator=(const output_reader&) = delete;

  /// Takes what is there; when that is nothing, waits for `patience` or until `other` is readable.
  void read(milliseconds patience, int other) {
    std::array<pollfd, 2> wanted{{{at_end_ ? -1 : fd_, POLLIN, 0}, {other, POLLIN, 0}}};
    if (::poll(wanted.data(), wanted.size(), static_cast<int>(patience.count())) <= 0 || wanted[0].revents == 0) return;
    while (!full()) {
      const auto count = ::read(fd_, buffer_.data() + size_, buffer_.size() - size_);
      if (count < 0 && errno == EINTR) continue;
      if (count == 0) at_end_ = true;
      if (count <= 0) return;
      size_ += static_cast<std::size_t>(count);
    }
  }
  bool full() const noexcept { return size_ == buffer_.size(); }
  bool at_end() const noexcept { return at_end_; }
  std::string take() const { return {buffer_.data(), size_}; }

 private:
  int fd_;
  std::vector<char> buffer_ = std::vector<char>(max_secret_bytes + 1);
  std::size_t size_ = 0;
  bool at_end_ = false;
};

/// How long a command may take, and whether anybody waits for it.
struct patience {
  milliseconds limit;
  const still_wanted& wanted;
  time_point until = now() + limit;
};

/// Why a command that still runs is to be ended, empty when it may go on.
std::string why_end(const patience& allowed, const output_reader& output) {
  if (output.full()) return "writes too much";
  if (allowed.wanted && !allowed.wanted()) return "was ended: nobody waits for its password any more";
  if (now() < allowed.until) return {};
  return "did not finish within " + format_span(allowed.limit) +
         " and was ended; it is run without input: run it by hand (setsid … </dev/null) to see what it waits for";
}

/// Reads until the child is gone: a grandchild may hold the pipe open for ever. Says what went wrong.
std::string follow(child_process& child, output_reader& output, const patience& allowed) {
  while (child.running()) {
    if (auto why = why_end(allowed, output); !why.empty()) {
      child.end();
      return why;
    }
    output.read(look_interval, child.handle());
  }
  if (!output.at_end() && !output.full()) output.read(milliseconds::zero(), -1);
  return output.full() ? "writes too much" : child.problem();
}

}  // namespace

std::vector<std::string> secret_source::given() const {
  std::vector<std::string> names;
  const std::string name{key};
  if (!value.empty()) names.push_back(name);
  if (!file.empty()) names.push_back(name + "_file");
  if (!command.empty()) names.push_back(name + "_command");
  if (callback) names.push_back(name + "_callback");
  return names;
}

secret_source password_of(const connection_info& s) {
  return {"password", s.password, s.password_file, s.password_command, s.password_callback};
}

secret_source client_key_password_of(const connection_info& s) {
  return {"client_key_password", s.client_key_password, s.client_key_password_file, s.client_key_password_command,
          s.client_key_password_callback};
}

secret_reading read_source(const secret_source& source, milliseconds limit, const still_wanted& wanted) {
  const std::string key{source.key};
  if (!source.file.empty()) return read_secret_file(source.file, key + "_file");
  if (!source.command.empty()) return run_secret_command(source.command, limit, key + "_command", wanted);
  if (source.callback) return call(source.callback, key + "_callback");
  return {source.value, {}};
}

secret_reading read_secret(const connection_info& server, milliseconds limit, const still_wanted& wanted) {
  if (!binds_externally(server)) return read_source(password_of(server), limit, wanted);
  if (endpoint_of(server).local) return {secret{"user " + std::to_string(::geteuid())}, {}};
  return {secret{server.client_cert_path + ' ' + file_state(server.client_cert_path)}, {}};
}

secret_reading read_secret_file(const std::string& path, std::string_view key) {
  auto file = read_whole(path, max_secret_bytes);
  const std::string source = std::string{key} + ' ' + quote(path);
  if (!file.problem.empty()) return {{}, source + " cannot be read: " + file.problem};
  return secret_from(std::move(file.text), source);
}

secret_reading run_secret_command(const std::vector<std::string>& argv, milliseconds limit, std::string_view key,
                                  const still_wanted& wanted) {
  if (argv.empty() || argv.front().empty()) return {{}, std::string{key} + " names no program"};
  const std::string source = std::string{key} + ' ' + quote(argv.front());
  const patience allowed{limit, wanted};
  pipe_ends pipe;
  if (!pipe.ok) return {{}, source + " cannot be run: " + errno_text(errno)};
  pid_t id = 0;
  if (const int code = spawn_plan{pipe.fds[1]}.start(argv, id); code != 0)
    return {{}, source + " cannot be run: " + errno_text(code)};
  pipe.close(1);
  child_process child{id};
  output_reader output{pipe.fds[0]};
  if (auto problem = follow(child, output, allowed); !problem.empty()) return {{}, source + ' ' + problem};
  return secret_from(output.take(), source);
}

}  // namespace understudy::internal
