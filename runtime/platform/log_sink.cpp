// The log's thread and queue: see log_sink.hpp.
#include "understudy/runtime/platform/log_sink.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/platform/callback_thread.hpp"
#include "understudy/runtime/platform/signal_masked_thread.hpp"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <system_error>

namespace understudy::internal {
namespace {

constexpr std::size_t most_waiting = 4096;
constexpr milliseconds patience_at_stop{1000};

std::string_view level_name(log_level level) {
  switch (level) {
    case log_level::error:
      return "error";
    case log_level::warning:
      return "warning";
    case log_level::info:
      return "info";
    case log_level::debug:
      break;
  }
  return "debug";
}

// RFC 3339 in UTC, with milliseconds.
std::string timestamp(wall_time at) {
  auto since = std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count();
  auto whole = static_cast<std::time_t>(since / 1000);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  char day[32], text[48];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s.%03dZ", day, static_cast<int>(since % 1000));
  return text;
}

// A value that came from outside must not be able to start a line of its own.
void append_value(std::string& out, std::string_view value) {
  if (!value.empty() && value.find_first_of(" \"=\\") == std::string_view::npos) return append_printable(out, value);
  out += '"';
  for (std::size_t begin = 0; begin < value.size();) {
    const auto end = std::min(value.find_first_of("\"\\", begin), value.size());
    append_printable(out, value.substr(begin, end - begin));
    if (end < value.size()) out.append("\\").append(1, value[end]);
    begin = end + 1;
  }
  out += '"';
}

}  // namespace

log_sink::log_sink(const log_settings& how, log_listener instead)
    : how_(how), level_(how.level), listener_(std::move(instead)), file_(listener_ ? std::string{} : how.file) {}

void log_sink::write(log_level level, std::string_view component, std::string_view text, const fields& more) {
  if (!enabled(level)) return;
  auto format = how_.format == log_format::json ? json_line : text_line;
  auto written = format(std::chrono::system_clock::now(), level, component, text, more);
  std::lock_guard guard{mutex_};
  if (stopping_) return;
  if (waiting_.size() >= most_waiting) {
    ++lost_;
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
    if (waiting_.empty()) return;
    std::deque<line> batch;
    batch.swap(waiting_);
    auto lost = std::exchange(lost_, 0);
    lock.unlock();
    if (lost > 0)
      batch.push_back({log_level::warning, "log",
                       text_line(std::chrono::system_clock::now(), log_level::warning, "log",
                                 std::to_string(lost) + " lines were lost: the log was not read fast enough", {})});
    for (auto& l : batch) {
      if (std::chrono::steady_clock::now() >= last_call_.load()) return;
      put_out(l);
    }
    lock.lock();
  }
}

void log_sink::put_out(const line& l) {
  if (listener_) try {
      listener_(l.level, l.component, l.text);
    } catch (...) {
      // It must not; the line shall be seen all the same.
      file_.write("a log listener threw: " + l.text);
    }
  else
    file_.write(l.text);
}

// ---- lines of the log ----

std::string text_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more) {
  auto line = timestamp(at);
  line.append(" ").append(level_name(level)).append(" ").append(component).append(": ");
  append_printable(line, text);
  for (auto& [key, value] : more) {
    line.append(" ").append(key).append("=");
    append_value(line, value);
  }
  return line;
}

std::string json_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more) {
  nlohmann::ordered_json line;
  line["time"] = timestamp(at);
  line["level"] = level_name(level);
  line["component"] = component;
  line["text"] = text;
  for (auto& [key, value] : more)
    if (!line.contains(key)) line[std::string{key}] = value;
  // Names from a directory need not be UTF-8, and a terminal may show this: ASCII alone leaves it nothing to obey.
  return line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace understudy::internal
