// Forking, and collecting what comes through pipes.
#include "matrix/cell_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <list>
#include <system_error>

namespace understudy::matrix {
namespace {

using namespace std::chrono_literals;

constexpr duration longest_cell = 120s;
constexpr int look_again_ms = 500;

// A report is lines: B a broken promise, L a line of the log, S nanoseconds of stalls, E its end.
constexpr char broken_line = 'B', log_line = 'L', stall_line = 'S', end_line = 'E';

void put(std::string& report, char kind, std::string text) {
  for (auto& c : text)
    if (c == '\n') c = ' ';
  report.append(1, kind).append(text).append("\n");
}

std::string encode(const played& result) {
  std::string report;
  for (const auto& one : result.broken) put(report, broken_line, one);
  for (const auto& one : result.log) put(report, log_line, one);
  put(report, stall_line, std::to_string(result.stalled.count()));
  put(report, end_line, "");
  return report;
}

played decode(const std::string& report) {
  played result;
  bool whole = false;
  for (std::size_t at = 0, end = 0; (end = report.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string text = report.substr(at + 1, end - at - 1);
    if (report[at] == broken_line) result.broken.push_back(text);
    if (report[at] == log_line) result.log.push_back(text);
    if (report[at] == stall_line) result.stalled = duration{std::stoll(text)};
    whole = whole || report[at] == end_line;
  }
  if (!whole) result.broken.emplace_back("its process died before its end");
  return result;
}

[[noreturn]] void play_in_child(const cell& of, const test::certificate_set& certificates, int out) {
  played result;
  try {
    result = play(of, certificates);
  } catch (const std::exception& e) {
    result.broken.emplace_back(std::string{"exception: "} + e.what());
  }
  const std::string report = encode(result);
  for (std::size_t at = 0; at < report.size();) {
    const auto n = ::write(out, report.data() + at, report.size() - at);
    if (n < 0 && errno != EINTR) break;
    at += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  ::_exit(0);
}

struct child {
  const cell* of;
  pid_t pid;
  int in;
  std::chrono::steady_clock::time_point until;
  std::string report = {};
};

child start(const cell& of, const test::certificate_set& certificates) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    ::close(ends[0]);
    play_in_child(of, certificates, ends[1]);
  }
  ::close(ends[1]);
  return {&of, pid, ends[0], std::chrono::steady_clock::now() + longest_cell};
}

/// False at its end.
bool read_more(child& from) {
  char bytes[4096];
  const auto n = ::read(from.in, bytes, sizeof bytes);
  if (n > 0) from.report.append(bytes, static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && errno == EINTR);
}

}  // namespace

void play_in_processes(const std::vector<cell>& cells, std::size_t jobs, const test::certificate_set& certificates,
                       const std::function<void(const cell&, const played&)>& done) {
  std::list<child> playing;
  auto next = cells.begin();
  while (next != cells.end() || !playing.empty()) {
    while (next != cells.end() && playing.size() < jobs) playing.push_back(start(*next++, certificates));
    std::vector<pollfd> readable;
    for (const auto& one : playing) readable.push_back({one.in, POLLIN, 0});
    ::poll(readable.data(), readable.size(), look_again_ms);
    std::size_t i = 0;
    for (auto it = playing.begin(); it != playing.end(); ++i) {
      const bool late = std::chrono::steady_clock::now() > it->until;
      if (late) ::kill(it->pid, SIGKILL);
      if (!late && (readable[i].revents == 0 || read_more(*it))) {
        ++it;
        continue;
      }
      ::waitpid(it->pid, nullptr, 0);
      ::close(it->in);
      auto result = decode(it->report);
      if (late) result.broken.emplace_back("it did not end in time");
      done(*it->of, result);
      it = playing.erase(it);
    }
  }
}

}  // namespace understudy::matrix
