// Reads standard input so that Ctrl-C can end it and no password stays in memory or on the screen.
#include "understudy/tools/input.hpp"

#include "understudy/config/files.hpp"
#include "understudy/config/text.hpp"
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/tools/report.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr std::size_t max_password_bytes = 4096;
constexpr std::size_t max_input_bytes = 256 * 1024 * 1024;

[[noreturn]] void fail(const std::string& source) {
  throw input_error(source + " cannot be read: " + internal::config::errno_text(errno));
}

// Turns a terminal's echo off for a while.
class silence {
 public:
  explicit silence(int terminal) : terminal_(terminal) {
    if (::tcgetattr(terminal_, &before_) != 0) fail("the terminal");
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (::tcsetattr(terminal_, TCSAFLUSH, &quiet) != 0) fail("the terminal");
  }
  ~silence() { ::tcsetattr(terminal_, TCSANOW, &before_); }
  silence(const silence&) = delete;
  silence& operator=(const silence&) = delete;

 private:
  int terminal_;
  termios before_{};
};

/// Where input comes from.
struct source {
  int fd;
  const char* name;
};
constexpr source standard_input{STDIN_FILENO, "standard input"};

/// For poll(2): without end where there is no limit.
int milliseconds_until(std::optional<time_point> limit) {
  if (!limit) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*limit - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<milliseconds::rep>(left, 0, std::numeric_limits<int>::max()));
}

// 0 at the end of the input.
std::size_t read_some(const source& from, char* to, std::size_t size, interrupt_watch& interrupts,
                      std::optional<time_point> limit = {}) {
  std::array<pollfd, 2> fds{{{from.fd, POLLIN, 0}, {interrupts.descriptor(), POLLIN, 0}}};
  while (true) {
    if (::poll(fds.data(), fds.size(), milliseconds_until(limit)) < 0 && errno != EINTR) fail(from.name);
    if (interrupts.tripped()) throw interrupted();
    if (limit && std::chrono::steady_clock::now() >= *limit)
      throw input_error(std::string{from.name} + " did not come to its end within --timeout; somebody has to write it");
    if (fds[0].revents == 0) continue;
    const auto got = ::read(from.fd, to, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR && errno != EAGAIN) fail(from.name);
  }
}

// A password's bytes, wiped whichever way they go.
struct password_buffer {
  std::array<char, max_password_bytes> bytes{};
  std::size_t size = 0;
  password_buffer() = default;
  password_buffer(const password_buffer&) = delete;
  password_buffer& operator=(const password_buffer&) = delete;
  ~password_buffer() { ::explicit_bzero(bytes.data(), bytes.size()); }
};

[[noreturn]] void fail_too_long(const std::string& source) {
  throw input_error(source + " is longer than " + std::to_string(max_password_bytes - 1) + " bytes");
}

// Byte by byte: what follows the line is not ours.
secret read_line(const source& from, interrupt_watch& interrupts) {
  password_buffer line;
  while (read_some(from, &line.bytes[line.size], 1, interrupts) == 1 && line.bytes[line.size] != '\n')
    if (++line.size == line.bytes.size()) fail_too_long("the password");
  if (line.size > 0 && line.bytes[line.size - 1] == '\r') --line.size;
  return secret{std::string_view{line.bytes.data(), line.size}};
}

descriptor opened(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  return fd < 0 ? descriptor{} : descriptor{fd, "open"};
}

void show(int fd, std::string_view text) { (void)!::write(fd, text.data(), text.size()); }

// `terminal`: where it is read; `screen`: where the question is shown.
secret read_unseen(const source& terminal, int screen, const std::string& prompt, interrupt_watch& interrupts) {
  const silence quiet{terminal.fd};
  show(screen, prompt);
  struct newline {
    int screen;
    ~newline() { show(screen, "\n"); }
  } const at_the_end{screen};
  return read_line(terminal, interrupts);
}

}  // namespace

std::string read_input(interrupt_watch& interrupts) {
  std::string all;
  std::array<char, 65536> chunk{};
  while (const auto got = read_some(standard_input, chunk.data(), chunk.size(), interrupts)) {
    all.append(chunk.data(), got);
    if (all.size() > max_input_bytes)
      throw input_error("standard input is longer than " + std::to_string(max_input_bytes) + " bytes; split it");
  }
  return all;
}

secret read_password(const std::string& prompt, interrupt_watch& interrupts) {
  if (::isatty(STDIN_FILENO) == 0) return read_line(standard_input, interrupts);
  return read_unseen(standard_input, STDERR_FILENO, prompt, interrupts);
}

std::string ask_line(const std::string& prompt, interrupt_watch& interrupts) {
  show(STDERR_FILENO, prompt);
  std::string line;
  for (char each = 0; each != '\n';) {
    if (read_some(standard_input, &each, 1, interrupts) == 0)
      throw input_error("standard input ended before the question was answered: " + prompt);
    line.push_back(each);
    if (line.size() > max_password_bytes)
      throw input_error("an answer is longer than " + std::to_string(max_password_bytes) + " bytes");
  }
  line.pop_back();
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

secret ask_password(const std::string& prompt, interrupt_watch& interrupts) {
  const auto terminal = opened("/dev/tty", O_RDWR | O_NOCTTY);
  if (terminal.get() < 0)
    throw input_error("there is no terminal to ask on (-W): -y FILE takes the password from a file");
  return read_unseen({terminal.get(), "the terminal"}, terminal.get(), prompt, interrupts);
}

secret read_password_file(const std::string& path, std::optional<time_point> limit, interrupt_watch& interrupts) {
  const auto named = "the password file " + config::quote(path);
  // Opening a pipe that nobody writes to must not hold us up.
  const auto file = opened(path, O_RDONLY | O_NONBLOCK);
  struct stat about {};
  if (file.get() < 0 || ::fstat(file.get(), &about) != 0) fail(named);
  if (S_ISREG(about.st_mode) && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    complain("warning: others than you may read or change " + named);
  password_buffer content;
  const source from{file.get(), named.c_str()};
  while (const auto got =
             read_some(from, &content.bytes[content.size], content.bytes.size() - content.size, interrupts, limit)) {
    content.size += got;
    if (content.size == content.bytes.size()) fail_too_long(named);
  }
  // As read_secret_file() has it: who wrote the file with an editor or echo has one there.
  std::string_view text{content.bytes.data(), content.size};
  if (text.ends_with('\n')) text.remove_suffix(text.ends_with("\r\n") ? 2 : 1);
  return secret{text};
}

}  // namespace understudy::cli
