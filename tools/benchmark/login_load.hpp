// Logins that come at a fixed rate, however many of the earlier ones still wait.
#pragma once
#include "arguments.hpp"
#include "measure.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace understudy::benchmark {

/// A service's worker threads and its queue. Each login's time runs from the moment it came, waiting for a worker
/// included: with a fixed number of callers in place of a rate, a client that hangs would be asked less and look fast.
class login_load {
 public:
  /// Tries to log that user in; false when that failed, or could not be begun until then, when nobody waits for it any
  /// more. Called by several threads at once.
  using login = std::function<bool(int user, clock::time_point until)>;

  /// `rate` (200) a second on `threads` (64), for `warmup` and then `seconds`; what is not logged in `patience` (10)
  /// seconds after it came has failed, and is not tried any more when no worker was free until then.
  explicit login_load(const arguments& given);

  /// Runs it to the end of the last login, and prints a line of JSON: of the logins that came within the window.
  void run(meter& m, const login& try_login);

 private:
  struct arrival {
    int user = 0;
    clock::time_point at;
    bool counts = false, settled = false;
  };
  /// Of all logins of the window, or of those in its second half, when a fault in the first has been dealt with or not.
  struct tally {
    latency_histogram succeeded;
    std::atomic<std::uint64_t> came{0}, failed{0};
  };

  void send_for_all();
  void work(meter& m, const login& try_login);
  void note(meter& m, const arrival& of, bool ok);

  const double rate_, warm_up_, seconds_;
  const int threads_;
  const duration patience_;
  std::mutex guard_;
  std::condition_variable came_;
  std::deque<arrival> waiting_;
  bool over_ = false;
  tally all_, settled_;
};

}  // namespace understudy::benchmark
