// Signals, taken from a signalfd by one thread.
#include "understudy/tools/interrupt.hpp"

#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"
#include "understudy/runtime/platform/thread_reserve.hpp"
#include "understudy/tools/exit_code.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <system_error>
#include <utility>

namespace understudy::cli {
namespace {

constexpr std::chrono::seconds grace{3};
// What an action ends may just be about to begin: then it has no effect, and has to come again.
constexpr int again_ms = 50;

// What was ignored when the program started (nohup, a shell's background job) stays ignored: a signalfd would be told
// of it all the same.
sigset_t not_ignored(std::initializer_list<int> numbers) noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : numbers) {
    struct sigaction action {};
    if (::sigaction(s, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&set, s);
  }
  return set;
}

sigset_t our_signals() noexcept { return not_ignored({SIGINT, SIGTERM, SIGHUP}); }
sigset_t signals_of_a_service() noexcept { return not_ignored({SIGINT, SIGTERM, SIGHUP, SIGUSR1}); }

int checked(int fd, const char* call) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), call);
  return fd;
}

void raise_event(int fd) {
  const std::uint64_t increment = 1;
  // The counter cannot overflow: each descriptor is raised once.
  (void)!::write(fd, &increment, sizeof increment);
}

}  // namespace

interrupt_watch::interrupt_watch() {
  // First of all, so that no signal comes too early to be heard.
  const auto set = our_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (auto why = internal::refused_threads(1)) {
    restore_signals();
    throw_failure(std::move(why));
  }
  signal_fd_ = checked(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
  tripped_fd_ = checked(::eventfd(0, EFD_CLOEXEC), "eventfd");
  stop_fd_ = checked(::eventfd(0, EFD_CLOEXEC), "eventfd");
  // It takes none itself, those of a service neither.
  thread_ = internal::signal_masked_thread("us.signals", [this] { watch(); });
}

interrupt_watch::~interrupt_watch() {
  raise_event(stop_fd_);
  thread_.join();
  for (const int fd : {signal_fd_, tripped_fd_, stop_fd_}) ::close(fd);
  restore_signals();
}

void interrupt_watch::on_interrupt(std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  action_ = std::move(action);
  if (tripped_ && action_) action_();
}

void interrupt_watch::deliver_to(std::function<void(int)> listener) {
  const auto set = signals_of_a_service();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  {
    const std::lock_guard lock(mutex_);
    // One that has come already is not to be lost.
    if (tripped_) throw interrupted();
    listener_ = std::move(listener);
  }
  checked(::signalfd(signal_fd_, &set, 0), "signalfd");
}

bool interrupt_watch::delivered(int signal) {
  const std::lock_guard lock(mutex_);
  if (listener_)
    listener_(signal);
  else
    tripped_ = true;
  return listener_ != nullptr;
}

void interrupt_watch::on_hurried_exit(std::function<void()> last) {
  const std::lock_guard lock(last_mutex_);
  last_ = std::move(last);
}

void interrupt_watch::exit_now() {
  const std::lock_guard lock(last_mutex_);
  if (last_) last_();
  ::_exit(exit_runtime);
}

void interrupt_watch::act() {
  const std::lock_guard lock(mutex_);
  if (action_) action_();
}

void interrupt_watch::watch() {
  using clock = std::chrono::steady_clock;
  std::array<pollfd, 2> fds{{{signal_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}}};
  auto forced = clock::time_point::max();
  while (true) {
    const int ready = ::poll(fds.data(), fds.size(), tripped_ ? again_ms : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info{};
    const bool signalled = ready > 0 && ::read(signal_fd_, &info, sizeof info) == sizeof info;
    const bool tripped_before = tripped_;
    if (signalled && delivered(static_cast<int>(info.ssi_signo))) continue;
    // Either the grace has passed or somebody is impatient. Nothing of ours outlives the process.
    if (tripped_before && (signalled || clock::now() >= forced)) exit_now();
    if (!tripped_) continue;
    if (!tripped_before) {
      forced = clock::now() + grace;
      raise_event(tripped_fd_);
    }
    act();
  }
}

void restore_signals() noexcept {
  const auto set = signals_of_a_service();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace understudy::cli
