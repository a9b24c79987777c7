// The log's thread and queue: see log_sink.hpp.
#include "understudy/runtime/platform/log_sink.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/exceptions.hpp"
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
// At most so often standard error is told that the file cannot be written.
constexpr seconds between_alarms{60};

[[noreturn]] void fail_to_open(const std::string& path, int code) {
  const auto named = "log.file " + config::quote(path);
  const bool ours = code == EMFILE || code == ENFILE || code == ENOMEM;
  throw_failure(make_failure(
      ours ? errc::local_resources : errc::invalid_config, stage::queue,
      code == ENXIO
          ? named + " is a FIFO (a named pipe), or a socket, that no program reads: start its reader before, or name a "
                    "regular file."
          : named + " cannot be opened: " + config::errno_text(code) + "."));
}

log_file opened(const std::string& path) try { return log_file{path}; } catch (const std::system_error& e) {
  fail_to_open(path, e.code().value());
}

std::string lines_were_lost(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " line was lost" : " lines were lost");
}

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
    : how_(how),
      level_(how.level),
      listener_(std::move(instead)),
      file_(opened(listener_ ? std::string{} : how.file)) {}

std::string log_sink::format(log_level level, std::string_view component, std::string_view text,
                             const fields& more) const {
  return log_line(how_.format, std::chrono::system_clock::now(), level, component, text, more);
}

void log_sink::write(log_level level, std::string_view component, std::string_view text, const fields& more) {
  if (!enabled(level)) return;
  auto written = format(level, component, text, more);
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
        lose(batch.size() - i, not_read_in_time);
        break;
      }
      if (!tell_lost() || !put_out(batch[i])) lose(1, problem_);
    }
    if (overflowed > 0) lose(overflowed, not_read_in_time);
    if (!is_late()) tell_lost();
    lock.lock();
  }
  if (lost_ > 0) sound_alarm(lines_were_lost(lost_) + " at the end");
}

bool log_sink::is_late() const { return std::chrono::steady_clock::now() >= last_call_.load(); }

/// Counts them; the log says so as soon as it can be written, standard error now.
void log_sink::lose(std::uint64_t lines, const std::string& problem) {
  problem_ = problem;
  const auto now = std::chrono::steady_clock::now();
  if (lost_.fetch_add(lines) > 0 || now < next_alarm_) return;
  next_alarm_ = now + between_alarms;
  sound_alarm("it cannot be written; lines are lost until it can");
}

/// On standard error, which is all that is left; not where the log goes there itself, or to the host program.
void log_sink::sound_alarm(const std::string& text) const {
  if (listener_ || how_.file.empty()) return;
  log_file{}.write(format(log_level::error, "log", text, {{"file", how_.file}, {"cause", problem_}}));
}

/// Says how many were lost, if any; false while that cannot be said.
bool log_sink::tell_lost() {
  if (lost_ == 0) return true;
  const auto text = lines_were_lost(lost_) + ": " + problem_;
  if (!put_out({log_level::warning, "log", format(log_level::warning, "log", text, {})})) return false;
  lost_ = 0;
  return true;
}

/// False when it was not written whole; `problem_` says why.
bool log_sink::put_out(const line& l) {
  if (listener_) try {
      listener_(l.level, l.component, l.text);
      return true;
    } catch (...) {
      // It must not; the line shall be seen all the same.
      file_.write("a log listener threw: " + l.text);
      return true;
    }
  auto problem = file_.write(l.text);
  const bool written = problem.empty();
  if (!written) problem_ = std::move(problem);
  return written;
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

std::string log_line(log_format as, wall_time at, log_level level, std::string_view component, std::string_view text,
                     const log_port::fields& more) {
  return as == log_format::json ? json_line(at, level, component, text, more)
                                : text_line(at, level, component, text, more);
}

}  // namespace understudy::internal
