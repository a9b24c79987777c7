// Reads standard input so that Ctrl-C can end it and no password stays in memory or on the screen.
#include "understudy/tools/input.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

namespace understudy::cli {
namespace {

constexpr std::size_t max_password_bytes = 4096;
constexpr std::size_t max_input_bytes = 256 * 1024 * 1024;

[[noreturn]] void fail(const std::string& what) {
  throw input_error(what + " cannot be read: " + std::generic_category().message(errno));
}

// Turns the terminal's echo off for a while.
class silence {
 public:
  silence() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) fail("the terminal");
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) != 0) fail("the terminal");
  }
  ~silence() { ::tcsetattr(STDIN_FILENO, TCSANOW, &before_); }
  silence(const silence&) = delete;
  silence& operator=(const silence&) = delete;

 private:
  termios before_{};
};

// 0 at the end of the input.
std::size_t read_some(char* to, std::size_t size, interrupt_watch& interrupts) {
  std::array<pollfd, 2> fds{{{STDIN_FILENO, POLLIN, 0}, {interrupts.descriptor(), POLLIN, 0}}};
  while (true) {
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) fail("standard input");
    if (interrupts.tripped()) throw interrupted();
    if (fds[0].revents == 0) continue;
    const auto got = ::read(STDIN_FILENO, to, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR && errno != EAGAIN) fail("standard input");
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

// Byte by byte: what follows the line is not ours.
secret read_line(interrupt_watch& interrupts) {
  password_buffer line;
  while (read_some(&line.bytes[line.size], 1, interrupts) == 1 && line.bytes[line.size] != '\n')
    if (++line.size == line.bytes.size())
      throw input_error("the password is longer than " + std::to_string(max_password_bytes - 1) + " bytes");
  if (line.size > 0 && line.bytes[line.size - 1] == '\r') --line.size;
  return secret{std::string_view{line.bytes.data(), line.size}};
}

void show(std::string_view text) { (void)!::write(STDERR_FILENO, text.data(), text.size()); }

}  // namespace

std::string read_input(interrupt_watch& interrupts) {
  std::string all;
  std::array<char, 65536> chunk{};
  while (const auto got = read_some(chunk.data(), chunk.size(), interrupts)) {
    all.append(chunk.data(), got);
    if (all.size() > max_input_bytes)
      throw input_error("standard input is longer than " + std::to_string(max_input_bytes) + " bytes; split it");
  }
  return all;
}

secret read_password(const std::string& prompt, interrupt_watch& interrupts) {
  if (::isatty(STDIN_FILENO) == 0) return read_line(interrupts);
  const silence quiet;
  show(prompt);
  struct newline {
    ~newline() { show("\n"); }
  } const at_the_end;
  return read_line(interrupts);
}

}  // namespace understudy::cli
