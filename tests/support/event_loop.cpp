// The loop of in-process servers and proxies.
#include "support/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <future>
#include <system_error>

namespace understudy::test {
namespace {

// An event's data: number of the watch above, descriptor below.
constexpr int fd_bits = 24;
constexpr std::uint64_t fd_mask = (std::uint64_t{1} << fd_bits) - 1;
constexpr std::uint64_t wake_mark = ~std::uint64_t{0};

int checked(int outcome, const char* call) {
  if (outcome < 0) throw std::system_error(errno, std::generic_category(), call);
  return outcome;
}

}  // namespace

event_loop::event_loop()
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = wake_mark;
  checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event), "epoll_ctl");
  thread_ = std::thread([this] { loop(); });
}

event_loop::~event_loop() {
  post([this] { ending_ = true; });
  thread_.join();
  ::close(wake_);
  ::close(epoll_);
}

void event_loop::post(callback work) {
  std::lock_guard lock(guard_);
  posted_.push_back(std::move(work));
  // The counter cannot overflow before the loop reads it; a failed write would only mean that it is awake already.
  static_cast<void>(::eventfd_write(wake_, 1));
}

void event_loop::run(const callback& work) {
  if (std::this_thread::get_id() == thread_.get_id()) return work();
  std::packaged_task<void()> task(work);
  auto done = task.get_future();
  post([&task] { task(); });
  done.get();
}

void event_loop::watch(int fd, std::uint32_t events, io_callback told) {
  const bool known = watched_.count(fd) != 0;
  watched& w = watched_[fd];
  w = {++last_id_, events, std::make_shared<const io_callback>(std::move(told))};
  epoll_event event{};
  event.events = events;
  event.data.u64 = w.id << fd_bits | static_cast<std::uint64_t>(fd);
  checked(::epoll_ctl(epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void event_loop::change(int fd, std::uint32_t events) {
  const auto found = watched_.find(fd);
  if (found == watched_.end() || found->second.events == events) return;
  found->second.events = events;
  epoll_event event{};
  event.events = events;
  event.data.u64 = found->second.id << fd_bits | static_cast<std::uint64_t>(fd);
  checked(::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event), "epoll_ctl");
}

void event_loop::forget(int fd) {
  if (watched_.erase(fd) != 0) checked(::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr), "epoll_ctl");
}

void event_loop::after(duration span, callback told) {
  timers_.emplace(std::chrono::steady_clock::now() + span, std::move(told));
}

void event_loop::loop() {
  std::array<epoll_event, 64> events{};
  while (!ending_) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), time_to_next());
    for (int i = 0; i < count; ++i) {
      const std::uint64_t mark = events[static_cast<std::size_t>(i)].data.u64;
      if (mark == wake_mark) continue;
      const auto found = watched_.find(static_cast<int>(mark & fd_mask));
      if (found == watched_.end() || found->second.id != mark >> fd_bits) continue;
      const auto told = found->second.told;  // Held: the callback may end its own watch.
      (*told)(events[static_cast<std::size_t>(i)].events);
    }
    run_timers();
    run_posted();
  }
}

int event_loop::time_to_next() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first - std::chrono::steady_clock::now();
  if (left <= duration::zero()) return 0;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

void event_loop::run_timers() {
  const auto now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const callback told = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    told();
  }
}

void event_loop::run_posted() {
  std::vector<callback> work;
  {
    std::lock_guard lock(guard_);
    eventfd_t ignored = 0;
    static_cast<void>(::eventfd_read(wake_, &ignored));  // Empty when nothing was posted.
    work.swap(posted_);
  }
  for (const auto& one : work) one();
}

}  // namespace understudy::test
