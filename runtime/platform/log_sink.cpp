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
constexpr const char* listener_threw = "a listener of events threw";

}  // namespace

log_sink::log_sink(const log_settings& how, log_listener instead, std::shared_ptr<event_history> events,
                   event_listener on_event)
    : format_(how.format),
      level_(how.level),
      writer_(how, std::move(instead)),
      events_(std::move(events)),
      on_event_(std::move(on_event)) {}

void log_sink::write(log_level level, std::string_view component, std::string_view text, const fields& more) {
  const bool for_log = enabled(level);
  const bool is_event = events_ && level <= log_level::info;
  if (!for_log && !is_event) return;
  const auto now = std::chrono::system_clock::now();
  line made{level, std::string{component}, for_log ? log_line(format_, now, level, component, text, more) : ""};
  if (is_event) {
    auto event = events_->note(level, component, text, more, now);
    if (on_event_) made.event = std::move(event);
  }
  if (!for_log && !made.event) return;
  std::lock_guard guard{mutex_};
  if (stopping_) return;
  if (waiting_.size() >= most_waiting) {
    ++overflowed_;
    return;
  }
  waiting_.push_back(std::move(made));
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
        writer_.note_lost(batch.size() - i, not_read_in_time);
        break;
      }
      if (!batch[i].text.empty()) writer_.write(batch[i].level, batch[i].component, batch[i].text);
      if (batch[i].event) tell(*batch[i].event);
    }
    if (overflowed > 0) writer_.note_lost(overflowed, not_read_in_time);
    if (!is_late()) writer_.tell_lost();
    lock.lock();
  }
  writer_.end();
}

/// It must not throw; when it does, nobody else is to suffer.
void log_sink::tell(const runtime_event& event) {
  try {
    on_event_(event);
  } catch (...) {
    writer_.note_lost(1, listener_threw);
  }
}

bool log_sink::is_late() const { return std::chrono::steady_clock::now() >= last_call_.load(); }

}  // namespace understudy::internal
