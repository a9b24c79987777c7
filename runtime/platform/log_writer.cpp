// Writes lines and counts what was lost: see log_writer.hpp.
#include "understudy/runtime/platform/log_writer.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/text.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/platform/log_line.hpp"

#include <cerrno>
#include <system_error>

namespace understudy::internal {
namespace {

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

log_file log_opened(const std::string& path) try { return log_file{path}; } catch (const std::system_error& e) {
  fail_to_open(path, e.code().value());
}

std::string lines_were_lost(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " line was lost" : " lines were lost");
}

}  // namespace

log_writer::log_writer(const log_settings& how, log_listener instead)
    : how_(how), listener_(std::move(instead)), file_(log_opened(listener_ ? std::string{} : how.file)) {}

void log_writer::write(log_level level, std::string_view component, const std::string& line) {
  const std::lock_guard guard{mutex_};
  if (!told_lost() || !put_out(level, component, line)) count_lost(1);
}

void log_writer::note_lost(std::uint64_t lines, const std::string& problem) {
  const std::lock_guard guard{mutex_};
  problem_ = problem;
  count_lost(lines);
}

void log_writer::tell_lost() {
  const std::lock_guard guard{mutex_};
  told_lost();
}

void log_writer::end() {
  const std::lock_guard guard{mutex_};
  if (lost_ > 0) sound_alarm(lines_were_lost(lost_) + " at the end");
}

void log_writer::reopen() {
  try {
    file_.reopen();  // it has a lock of its own: a slow reader of the earlier file holds nobody up for longer
  } catch (const std::system_error& e) {
    fail_to_open(how_.file, e.code().value());
  }
}

/// The log says so as soon as it can be written, standard error now.
void log_writer::count_lost(std::uint64_t lines) {
  const auto now = std::chrono::steady_clock::now();
  if (lost_.fetch_add(lines) > 0 || now < next_alarm_) return;
  next_alarm_ = now + between_alarms;
  sound_alarm("it cannot be written; lines are lost until it can");
}

/// False while it cannot be said.
bool log_writer::told_lost() {
  if (lost_ == 0) return true;
  const auto text = lines_were_lost(lost_) + ": " + problem_;
  if (!put_out(log_level::warning, "log", own_line(log_level::warning, text))) return false;
  lost_ = 0;
  return true;
}

/// False when it was not written whole; `problem_` says why.
bool log_writer::put_out(log_level level, std::string_view component, const std::string& line) {
  if (listener_) try {
      listener_(level, component, line);
      return true;
    } catch (...) {
      // It must not; the line shall be seen all the same.
      file_.write("a log listener threw: " + line);
      return true;
    }
  auto problem = file_.write(line);
  const bool written = problem.empty();
  if (!written) problem_ = std::move(problem);
  return written;
}

std::string log_writer::own_line(log_level level, const std::string& text, const log_port::fields& more) const {
  return log_line(how_.format, std::chrono::system_clock::now(), level, "log", text, more);
}

/// On standard error, which is all that is left; not where the log goes there itself, or to the host program.
void log_writer::sound_alarm(const std::string& text) const {
  if (listener_ || how_.file.empty()) return;
  log_file{}.write(own_line(log_level::error, text, {{"file", how_.file}, {"cause", problem_}}));
}

}  // namespace understudy::internal
