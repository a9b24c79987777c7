// The log's thread and queue: see log_sink.hpp.
#include "understudy/runtime/platform/log_sink.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"
#include "understudy/runtime/platform/log_line.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"

#include <system_error>

namespace understudy::internal {
namespace {

constexpr std::size_t most_waiting = 4096;
constexpr milliseconds patience_at_stop{1000};

}  // namespace

log_sink::log_sink(const log_settings& how, log_listener instead)
    : format_(how.format), level_(how.level), writer_(how, std::move(instead)) {}

void log_sink::write(log_level level, std::string_view component, std::string_view text, const fields& more) {
  if (!enabled(level)) return;
  auto written = log_line(format_, std::chrono::system_clock::now(), level, component, text, more);
  std::lock_guard guard{mutex_};
  if (stopping_) return;
  if (waiting_.size() >= most_waiting) {
    ++overflowed_;
    return;
  }
  waiting_.push_back({level, std::string{component}, std::move(written)});
  // The thread starts with the first line: a service that logs nothing has none.
  try {
    if (!thread_.joinable()) thread_ = signal_masked_thread("us.log", [this] { run(); });
  } catch (const std::system_error&) {
    // The system has no thread left: the line waits until a later one finds one. Who writes a line is not to blame.
  }
  changed_.notify_one();
}

void log_sink::stop() {
  std::thread ending;
  {
    std::lock_guard guard{mutex_};
    if (!stopping_) last_call_ = std::chrono::steady_clock::now() + patience_at_stop;
    stopping_ = true;
    ending.swap(thread_);
  }
  changed_.notify_one();
  if (ending.joinable()) ending.join();
}

void log_sink::run() {
  const callback_thread whole{may_wait::for_requests};
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) break;
    std::deque<line> batch;
    batch.swap(waiting_);
    const auto overflowed = std::exchange(overflowed_, 0);
    lock.unlock();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (is_late()) {
        writer_.lose(batch.size() - i, not_read_in_time);
        break;
      }
      writer_.write(batch[i].level, batch[i].component, batch[i].text);
    }
    if (overflowed > 0) writer_.lose(overflowed, not_read_in_time);
    if (!is_late()) writer_.tell_lost();
    lock.lock();
  }
  writer_.end();
}

bool log_sink::is_late() const { return std::chrono::steady_clock::now() >= last_call_.load(); }

}  // namespace understudy::internal
