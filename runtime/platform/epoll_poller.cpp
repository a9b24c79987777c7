// The epoll thread behind poller_port: see epoll_poller.hpp.
#include "understudy/runtime/platform/epoll_poller.hpp"

#include "understudy/runtime/platform/adaptive_spin.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/runtime/platform/poller_scheduler.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"
#include "understudy/runtime/platform/timer_queue.hpp"
#include "understudy/runtime/platform/yield_limiter.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <thread>

namespace understudy::internal {
namespace {

// Numbers of the loop's own descriptors; registrations count up from above them.
constexpr std::uint64_t wake_number = 0, timer_number = 1, first_number = 2;

std::uint32_t to_epoll(std::uint32_t interest) {
  std::uint32_t events = 0;
  if (interest & poller_port::readable) events |= EPOLLIN | EPOLLRDHUP;
  if (interest & poller_port::writable) events |= EPOLLOUT;
  return events;
}

std::uint32_t from_epoll(std::uint32_t events) {
  std::uint32_t result = 0;
  if (events & (EPOLLIN | EPOLLRDHUP)) result |= poller_port::readable;
  if (events & EPOLLOUT) result |= poller_port::writable;
  if (events & (EPOLLERR | EPOLLHUP)) result |= poller_port::readable | poller_port::writable;
  return result;
}

template <class... Ts>
void tell(const caf::strong_actor_ptr& owner, Ts... xs) {
  owner->get()->eq_impl(caf::make_message_id(), nullptr, nullptr, xs...);
}

}  // namespace

/// What the thread and the callers share. The thread holds it too, so that it survives a poller that is destroyed by
/// the last actor, on the poller's own thread.
class epoll_poller::loop : public std::enable_shared_from_this<loop> {
 public:
  explicit loop(caf::actor_system* system) {
    // Edges only: nobody has to read it empty.
    watch(wake_.get(), wake_number, EPOLLIN | EPOLLET);
    watch(timer_.get(), timer_number, EPOLLIN);
    if (system != nullptr) actors_.emplace(*system, [this] { eventfd_write(wake_.get(), 1); });
  }

  void start() {
    thread_ = signal_masked_thread("us.poller", [self = shared_from_this()] { self->run(); });
  }

  void stop() {
    std::thread ending;
    {
      std::lock_guard guard{mutex_};
      stopped_ = true;
      ending.swap(thread_);
    }
    if (!ending.joinable()) return;
    stopping_ = true;
    eventfd_write(wake_.get(), 1);
    if (ending.get_id() == std::this_thread::get_id())
      ending.detach();
    else
      ending.join();
  }

  io_id add(int fd, caf::actor_addr owner) {
    std::lock_guard guard{mutex_};
    auto id = next_number_++;
    files_.emplace(id, file{fd, 0, 0, std::move(owner)});
    return id;
  }

  void arm(io_id id, std::uint32_t interest) {
    std::lock_guard guard{mutex_};
    auto it = files_.find(id);
    if (stopped_ || it == files_.end()) return;
    it->second.armed = interest;
    // What the kernel watches for already costs no call.
    if ((interest & ~it->second.watched) != 0) watch_for(id, it->second, interest);
  }

  void remove(io_id id) {
    std::lock_guard guard{mutex_};
    auto it = files_.find(id);
    if (it == files_.end()) return;
    watch_for(id, it->second, 0);
    files_.erase(it);
  }

  timer_id add_timer(caf::actor_addr owner) {
    std::lock_guard guard{mutex_};
    auto id = next_number_++;
    timers_.add(id);
    timer_owners_.emplace(id, std::move(owner));
    return id;
  }

  void set_timer(timer_id id, time_point when) {
    std::lock_guard guard{mutex_};
    timers_.set(id, when);
    wake_at_next();
  }

  void clear_timer(timer_id id) {
    std::lock_guard guard{mutex_};
    timers_.clear(id);
  }

  void remove_timer(timer_id id) {
    std::lock_guard guard{mutex_};
    timers_.remove(id);
    timer_owners_.erase(id);
  }

  /// Null when it runs no actors.
  poller_scheduler* scheduler() noexcept { return actors_ ? &*actors_ : nullptr; }

 private:
  struct file {
    int fd = -1;
    std::uint32_t armed = 0;    // what its owner waits for
    std::uint32_t watched = 0;  // what the kernel looks out for: at least that, and at times what was waited for before
    caf::actor_addr owner;
  };

  void watch_for(io_id id, file& f, std::uint32_t interest) {
    epoll_event event{};
    event.events = to_epoll(interest);
    event.data.u64 = id;
    // epoll reports errors and hang-ups even with no interest at all: a descriptor is in the set only while somebody
    // waits for it.
    const int how = interest == 0 ? EPOLL_CTL_DEL : f.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (interest == 0 && f.watched == 0) return;
    f.watched = interest;
    if (epoll_ctl(epoll_.get(), how, f.fd, &event) != 0 && interest != 0) {
      f.watched = 0;
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
  }

  void watch(int fd, std::uint64_t number, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = number;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }

  // The kernel's timer wakes the thread: setting it costs the caller one call, and only when something became earlier.
  void wake_at_next() {
    const auto next = timers_.next();
    if (next >= wake_at_) return;
    wake_at_ = next;
    auto since_boot = std::max<std::chrono::nanoseconds>(next.time_since_epoch(), std::chrono::nanoseconds{1});
    auto whole = std::chrono::duration_cast<seconds>(since_boot);
    itimerspec at{};
    at.it_value.tv_sec = whole.count();
    at.it_value.tv_nsec = (since_boot - whole).count();
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
  }

  using event_buffer = std::array<epoll_event, 128>;

  int look(event_buffer& into, int timeout = 0) {
    return epoll_wait(epoll_.get(), into.data(), static_cast<int>(into.size()), timeout);
  }

  /// How many are ready; also returns, with none, when poller actors have something to do.
  int wait(event_buffer& into) {
    const auto began = std::chrono::steady_clock::now();
    if (spin_.length() > duration::zero() && yields_.may_yield(began)) {
      auto at = began;
      bool cheap = true;
      // Meanwhile the actors' thread counts as awake: a caller that lends its own would move all they work with to
      // another processor.
      do {
        if (const int count = look(into); count != 0) return count;
        if (actors_ && actors_->has_work()) return 0;
        // Whoever has work for this processor goes first: it may be the very one that is waited for.
        std::this_thread::yield();
        const auto before = std::exchange(at, std::chrono::steady_clock::now());
        cheap = yields_.yielded(at - before, at);
      } while (cheap && at - began < spin_.length());
    }
    if (actors_ && !actors_->may_sleep()) return 0;
    const int count = look(into, -1);
    spin_.slept(std::chrono::steady_clock::now() - began);
    return count;
  }

  void run() {
    const callback_thread whole{may_wait::for_nothing};
    event_buffer events;
    while (!stopping_) {
      const int count = run_actors() ? look(events) : wait(events);
      if (actors_) actors_->woke();
      if (count < 0 && errno != EINTR) break;
      bool timers_due = false;
      for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == timer_number)
          timers_due = true;
        else if (event.data.u64 != wake_number)
          ready_.push_back({event.data.u64, from_epoll(event.events), nullptr});
      }
      tell_ready();
      if (timers_due) tell_due();
    }
    if (actors_) actors_->close();
  }

  /// True when some have more to do: then sockets are only looked at, not waited for.
  bool run_actors() { return actors_ && actors_->run(); }

  void tell_ready() {
    if (ready_.empty()) return;
    {
      std::lock_guard guard{mutex_};
      for (auto& r : ready_) {
        const auto it = files_.find(r.id);
        if (it == files_.end()) continue;
        auto& f = it->second;
        if ((r.events & f.armed) == 0) {
          // Its owner has not got round to what it was told before; this would be said again and again.
          watch_for(r.id, f, f.armed);
          continue;
        }
        f.armed = 0;
        r.owner = caf::actor_cast<caf::strong_actor_ptr>(f.owner);
      }
    }
    for (auto& r : ready_)
      if (r.owner) tell(r.owner, io_atom_v, r.id, r.events);
    // Outside the lock: letting go of an actor's last handle destroys it here, and it calls remove().
    ready_.clear();
  }

  void tell_due() {
    std::uint64_t expirations = 0;
    if (::read(timer_.get(), &expirations, sizeof expirations) < 0 && errno != EAGAIN) return;
    std::vector<std::pair<timer_id, caf::strong_actor_ptr>> due;
    {
      std::lock_guard guard{mutex_};
      wake_at_ = time_point::max();
      for (auto id : timers_.take_due(std::chrono::steady_clock::now()))
        due.emplace_back(id, caf::actor_cast<caf::strong_actor_ptr>(timer_owners_.at(id)));
      wake_at_next();
    }
    for (auto& [id, owner] : due)
      if (owner) tell(owner, tick_atom_v, id);
  }

  struct readiness {
    io_id id;
    std::uint32_t events;
    caf::strong_actor_ptr owner;
  };

  descriptor epoll_{epoll_create1(EPOLL_CLOEXEC), "epoll_create1"};
  descriptor wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"};
  descriptor timer_{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create"};

  std::optional<poller_scheduler> actors_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  bool stopped_ = false;
  std::uint64_t next_number_ = first_number;
  std::unordered_map<io_id, file> files_;
  timer_queue timers_;
  std::unordered_map<timer_id, caf::actor_addr> timer_owners_;
  time_point wake_at_ = time_point::max();
  std::thread thread_;
  // Of the thread alone.
  std::vector<readiness> ready_;
  adaptive_spin spin_;
  yield_limiter yields_;
};

epoll_poller::epoll_poller() : loop_(std::make_shared<loop>(nullptr)) { loop_->start(); }
epoll_poller::epoll_poller(caf::actor_system& system) : loop_(std::make_shared<loop>(&system)) { loop_->start(); }
epoll_poller::~epoll_poller() { loop_->stop(); }
poller_port::io_id epoll_poller::add(int fd, caf::actor_addr owner) { return loop_->add(fd, std::move(owner)); }
void epoll_poller::arm(io_id id, std::uint32_t interest) { loop_->arm(id, interest); }
void epoll_poller::remove(io_id id) { loop_->remove(id); }
poller_port::timer_id epoll_poller::add_timer(caf::actor_addr owner) { return loop_->add_timer(std::move(owner)); }
void epoll_poller::set_timer(timer_id id, time_point when) { loop_->set_timer(id, when); }
void epoll_poller::clear_timer(timer_id id) { loop_->clear_timer(id); }
void epoll_poller::remove_timer(timer_id id) { loop_->remove_timer(id); }
caf::execution_unit* epoll_poller::unit() noexcept { return loop_->scheduler(); }
void epoll_poller::run_inline(const std::function<void()>& send) {
  if (auto* scheduler = loop_->scheduler()) return scheduler->run_inline(send);
  send();
}
bool epoll_poller::post(const std::function<void()>& job) {
  auto* scheduler = loop_->scheduler();
  return scheduler != nullptr && scheduler->post(job);
}
std::size_t epoll_poller::posted() const {
  const auto* scheduler = loop_->scheduler();
  return scheduler != nullptr ? scheduler->posted() : 0;
}
void epoll_poller::stop() { loop_->stop(); }

}  // namespace understudy::internal
