// Standard output for data, standard error for everything else.
#include "understudy/tools/report.hpp"

#include "understudy/config/files.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/tools/exit_code.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace understudy::cli {

using namespace internal;
namespace {

// Returns 0 or the error's number.
int write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const auto written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      // Somebody else's end of the pipe or terminal was made non-blocking, and so is ours.
      pollfd room{fd, POLLOUT, 0};
      if (::poll(&room, 1, -1) < 0 && errno != EINTR) return errno;
      continue;
    }
    if (written < 0) return errno;
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

void keep_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // The wrong way round: reading and writing shall fail as they would have. The lowest free number is `fd`.
    (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

int exit_code_of(const failure& f, bool by_node) noexcept {
  switch (f.code) {
    case errc::none:
      return exit_ok;
    case errc::ldap_error:
      return exit_negative;
    case errc::invalid_request:
      return by_node ? exit_runtime : exit_usage;
    case errc::invalid_config:
      return exit_usage;
    default:
      return exit_runtime;
  }
}

std::string milliseconds_text(duration span) {
  std::array<char, 32> text{};
  const auto ms = std::chrono::duration<double, std::milli>(span).count();
  const auto size = std::snprintf(text.data(), text.size(), ms < 10 ? "%.1f ms" : "%.0f ms", ms);
  return {text.data(), static_cast<std::size_t>(size)};
}

void complain(std::string_view text) {
  // Nobody is left to tell when standard error itself fails.
  (void)write_all(STDERR_FILENO, "understudy: " + printable(text) + "\n");
}

int report(const failure& f, const given_options& given) {
  complain(explain(f, given));
  const auto shown = std::min(f.referrals.size(), most_quoted_items);
  for (std::size_t i = 0; i < shown; ++i) complain("referral: " + shortened(f.referrals[i]));
  if (const auto more = f.referrals.size() - shown; more > 0)
    complain("referral: and " + std::to_string(more) + " more");
  return exit_code_of(f, given.by_node);
}

void put(std::string_view data) {
  if (const int error = write_all(STDOUT_FILENO, data); error != 0)
    throw output_error("cannot write to standard output: " + internal::config::errno_text(error));
}

}  // namespace understudy::cli
