// Arrivals on one thread, logins on the others.
#include "login_load.hpp"

#include <thread>
#include <vector>

namespace understudy::benchmark {
namespace {

std::string field(const std::string& key, double value) { return ", \"" + key + "\": " + std::to_string(value); }
double microseconds(duration span) { return std::chrono::duration<double, std::micro>(span).count(); }

}  // namespace

login_load::login_load(const arguments& given)
    : rate_(given.real("rate", 200)),
      warm_up_(given.real("warmup", 0.2)),
      seconds_(given.real("seconds", 3)),
      threads_(given.number("threads", 64)),
      patience_(std::chrono::duration_cast<duration>(std::chrono::duration<double>(given.real("patience", 10)))) {}

void login_load::run(meter& m, const login& try_login) {
  std::vector<std::thread> workers;
  for (int i = 0; i < threads_; ++i) workers.emplace_back([&] { work(m, try_login); });
  m.start();
  send_for_all();
  for (auto& each : workers) each.join();
  m.stop();
  const auto came = static_cast<double>(all_.came.load()), failed = static_cast<double>(all_.failed.load());
  m.print("\"logins\": " + std::to_string(came) + field("failed_percent", came > 0 ? failed / came * 100 : 0) +
          field("settled_failed", static_cast<double>(settled_.failed.load())) +
          field("settled_p99_us", microseconds(settled_.succeeded.percentile(0.99))));
}

void login_load::send_for_all() {
  const auto began = clock::now();
  const auto until = [&](double seconds) {
    return began + std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
  };
  const auto total = static_cast<int>((warm_up_ + seconds_) * rate_);
  for (int i = 0; i < total; ++i) {
    const double when = i / rate_;
    const auto at = until(when);
    std::this_thread::sleep_until(at);
    const arrival next{scattered_user(static_cast<std::uint64_t>(i)), at, when >= warm_up_,
                       when >= warm_up_ + seconds_ / 2};
    {
      const std::lock_guard lock{guard_};
      waiting_.push_back(next);
    }
    came_.notify_one();
  }
  const std::lock_guard lock{guard_};
  over_ = true;
  came_.notify_all();
}

void login_load::work(meter& m, const login& try_login) {
  for (;;) {
    arrival next;
    {
      std::unique_lock lock{guard_};
      came_.wait(lock, [this] { return over_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      next = waiting_.front();
      waiting_.pop_front();
    }
    const auto until = next.at + patience_;
    note(m, next, clock::now() < until && try_login(next.user, until) && clock::now() < until);
  }
}

void login_load::note(meter& m, const arrival& of, bool ok) {
  if (!of.counts) return;
  if (ok)
    m.done(of.at);
  else
    m.failed();
  for (auto* each : {&all_, &settled_}) {
    if (each == &settled_ && !of.settled) continue;
    ++each->came;
    if (ok)
      each->succeeded.add(clock::now() - of.at);
    else
      ++each->failed;
  }
}

}  // namespace understudy::benchmark
