// The outside world by hand: time, readiness, names, workers and a log that tests move and read.
#pragma once
#include "understudy/actors/ports/ports.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>

namespace understudy::test {

/// Time that stands still until it is moved. Starts at an hour past zero, so that earlier points exist too.
class manual_clock final : public clock_port {
 public:
  time_point now() const override {
    if (fails_.exchange(false)) throw std::runtime_error("the clock fails, as the test wants it");
    return time_point{duration{now_.load()}};
  }
  wall_time wall_now() const override;

  /// The next look at it throws.
  void fail_once() noexcept { fails_ = true; }
  /// Moves both clocks forward.
  void advance(duration span);
  /// Moves only the wall clock, in either direction.
  void step_wall(duration span) { wall_offset_ += span.count(); }

 private:
  mutable std::atomic<bool> fails_{false};
  std::atomic<duration::rep> now_{duration{std::chrono::hours{1}}.count()};
  std::atomic<duration::rep> wall_offset_{duration{std::chrono::hours{24 * 365 * 50}}.count()};
};

/// Readiness and timers that happen when the test says so. Keeps to the contract of poller_port: an answer for each
/// arm(), none after remove(), no strong reference to owners.
class manual_poller final : public poller_port {
 public:
  explicit manual_poller(std::shared_ptr<const manual_clock> clock) : clock_(std::move(clock)) {}

  io_id add(int fd, caf::actor_addr owner) override;
  void arm(io_id id, std::uint32_t interest) override;
  void remove(io_id id) override;
  timer_id add_timer(caf::actor_addr owner) override;
  void set_timer(timer_id id, time_point when) override;
  void clear_timer(timer_id id) override;
  void remove_timer(timer_id id) override;

  /// Tells the owner that `events` can be done, if it waits for one of them; whether it did. Disarms.
  bool fire(io_id id, std::uint32_t events);
  /// Fires every armed descriptor that the kernel says is ready; how many.
  std::size_t fire_ready();
  /// Fires every timer whose time has come, in order of time, then of setting; how many.
  std::size_t fire_due();
  /// When the next timer is due; time_point::max() when none is set.
  time_point next_timer() const;

  /// The registration of `fd`, or 0.
  io_id find(int fd) const;
  /// What a registration waits for; 0 when disarmed or unknown.
  std::uint32_t interest(io_id id) const;
  /// Registrations and timers that were not removed: zero at the end, or something leaks.
  std::size_t registrations() const;
  std::size_t timers() const;
  /// How many of the timers are set.
  std::size_t timers_set() const;

 private:
  struct registration {
    int fd = -1;
    caf::actor_addr owner;
    std::uint32_t interest = 0;
  };
  struct timer {
    caf::actor_addr owner;
    std::optional<std::pair<time_point, std::uint64_t>> due;  ///< when, and the number of the setting
  };

  mutable std::recursive_mutex guard_;
  std::shared_ptr<const manual_clock> clock_;
  std::map<io_id, registration> registrations_;
  std::map<timer_id, timer> timers_;
  std::uint64_t last_id_ = 0, settings_ = 0;
};

/// The socket address of a literal IPv4 or IPv6 address; throws std::invalid_argument when it is none.
socket_address socket_address_of(const std::string& address, std::uint16_t port);

/// Names as the test wrote them. Literal addresses and "localhost" (127.0.0.1) are known; other names are not found.
class scripted_resolver final : public resolver_port {
 public:
  void resolve(const std::string& host, std::uint16_t port, time_point deadline, caf::actor_addr owner,
               std::uint64_t number) override;

  void find_services(const std::string& name, caf::actor_addr owner, std::uint64_t number) override;

  /// From now on these are the SRV records of `name`; unknown names have a problem. hold() keeps these look-ups too.
  void set_services(const std::string& name, service_answer answer) { services_[name] = std::move(answer); }
  /// From now on `host` has these literal addresses, in that order.
  void set(const std::string& host, std::vector<std::string> addresses);
  /// From now on looking `host` up fails with that text.
  void fail(const std::string& host, std::string why);
  /// True: look-ups are kept until release().
  void hold(bool keep) { held_ = keep; }
  void release();
  std::size_t waiting() const { return waiting_.size(); }
  /// How often `host` was looked up.
  int look_ups(const std::string& host) const;

 private:
  resolution find(const std::string& host, std::uint16_t port) const;

  std::map<std::string, std::vector<std::string>> known_;
  std::map<std::string, service_answer> services_;
  std::map<std::string, std::string> failing_;
  std::map<std::string, int> asked_;
  std::vector<std::function<void()>> waiting_;
  bool held_ = false;
};

/// Jobs run when the test (or virtual_runtime::run) says so, on its thread.
class manual_workers final : public workers_port {
 public:
  bool run(std::function<void()> job) override;

  /// True: every further job is refused, as when too many wait.
  void refuse(bool all) { refusing_ = all; }
  /// True: virtual_runtime::run leaves jobs alone, as if the workers were busy.
  void hold(bool keep) { held_ = keep; }
  bool held() const { return held_; }
  std::size_t waiting() const { return jobs_.size(); }
  /// Runs what waits; how many.
  std::size_t run_all();

 private:
  std::deque<std::function<void()>> jobs_;
  bool refusing_ = false, held_ = false;
};

/// Remembers every line. Thread-safe.
class recording_log final : public log_port {
 public:
  struct line {
    log_level level = log_level::info;
    std::string component, text;
    std::vector<std::pair<std::string, std::string>> more;
  };

  bool enabled(log_level) const override { return true; }
  void write(log_level level, std::string_view component, std::string_view text, const fields& more) override;

  std::vector<line> lines() const;
  /// Everything as text, a line each: "warning pool: text key=value".
  std::string text() const;
  /// True when `part` stands anywhere in it.
  bool contains(std::string_view part) const { return text().find(part) != std::string::npos; }
  /// How many lines contain `part`.
  std::size_t count(std::string_view part) const;
  void clear();

 private:
  mutable std::recursive_mutex guard_;
  std::vector<line> lines_;
};

}  // namespace understudy::test
