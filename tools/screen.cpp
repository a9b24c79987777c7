// Counting rows, and the few control sequences that it takes.
#include "understudy/tools/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace understudy::cli {
namespace {

/// Without its end.
std::string_view first_line(std::string_view of) { return of.substr(0, of.find('\n')); }

/// That a line takes. Bytes that continue a character of UTF-8 take no column.
std::size_t rows_of(std::string_view line, std::size_t columns) {
  const auto width = static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
  return columns == 0 || width == 0 ? 1 : (width + columns - 1) / columns;
}

}  // namespace

bool is_screen() {
  const char* const kind = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && kind != nullptr && *kind != '\0' && std::string_view{kind} != "dumb";
}

screen_size size_of_screen() {
  winsize now{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) != 0) return {};
  return {now.ws_row, now.ws_col};
}

std::string fitted(std::string_view lines, screen_size to) {
  if (to.rows < 2) return std::string{lines};
  // The cursor stands on the last row.
  const auto room = to.rows - 1;
  std::size_t taken = 0, kept = 0, hidden = 0, rows = 0;
  for (auto rest = lines; !rest.empty();) {
    const auto line = first_line(rest);
    const auto size = std::min(line.size() + 1, rest.size());
    rows += rows_of(line, to.columns);
    if (hidden == 0 && rows + 1 <= room) {
      kept += size;
      taken = rows;
    } else {
      ++hidden;
    }
    rest.remove_prefix(size);
  }
  if (rows <= room) return std::string{lines};
  std::string last = "… " + std::to_string(hidden) + (hidden == 1 ? " line" : " lines") + " more; all without --watch";
  // Cut behind a character of one byte, or before the first one, which has three.
  if (to.columns > 0 && rows_of(last, to.columns) > room - taken) last.resize(to.columns < 2 ? 0 : to.columns + 2);
  return std::string{lines.substr(0, kept)} + last + "\n";
}

std::string over_the_last(std::string_view lines) {
  std::string screen = "\x1b[H";
  for (const char c : lines) screen += c == '\n' ? std::string{"\x1b[K\n"} : std::string{c};
  return screen + "\x1b[J";
}

}  // namespace understudy::cli
