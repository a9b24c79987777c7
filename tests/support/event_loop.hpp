// One thread with epoll and timers, for servers and proxies that live inside a test.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace understudy::test {

/// Runs callbacks on a thread of its own. post() and run() may be called from anywhere, all else only from callbacks.
/// Who watches descriptors forgets them before the loop ends.
class event_loop {
 public:
  using callback = std::function<void()>;
  using io_callback = std::function<void(std::uint32_t events)>;
  using duration = std::chrono::steady_clock::duration;

  event_loop();
  ~event_loop();
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// Runs `work` on the loop's thread, soon.
  void post(callback work);
  /// Runs `work` on the loop's thread and waits for its end; its exceptions arrive here.
  void run(const callback& work);

  /// Calls `told` while `fd` has one of those epoll events (level-triggered); replaces an earlier watch of `fd`.
  void watch(int fd, std::uint32_t events, io_callback told);
  /// Changes the events of a watched descriptor; does nothing to others.
  void change(int fd, std::uint32_t events);
  void forget(int fd);
  /// Calls `told` once after `span`; in order of time, then of setting.
  void after(duration span, callback told);

 private:
  struct watched {
    std::uint64_t id = 0;  ///< tells events of this watch from those of an earlier one with the same number
    std::uint32_t events = 0;
    std::shared_ptr<const io_callback> told;
  };
  using time_point = std::chrono::steady_clock::time_point;

  void loop();
  int time_to_next() const;
  void run_timers();
  void run_posted();

  int epoll_ = -1, wake_ = -1;
  std::mutex guard_;
  std::vector<callback> posted_;
  bool ending_ = false;
  std::uint64_t last_id_ = 0;
  std::map<int, watched> watched_;
  std::multimap<time_point, callback> timers_;
  std::thread thread_;
};

}  // namespace understudy::test
