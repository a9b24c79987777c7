// A terminal that is written over again and again.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace understudy::cli {

/// Rows and columns; 0 where they are not known.
struct screen_size {
  std::size_t rows = 0, columns = 0;
};

/// Standard output can be written over: a terminal that understands how.
bool is_screen();
/// Of standard output, as it is now.
screen_size size_of_screen();
/// As much of these lines as stands on the screen, long ones wrapped; when that is not all, a last line that says how
/// many are hidden. All of them when the size is not known.
std::string fitted(std::string_view lines, screen_size to);
/// From the top, each line to its end, nothing of before below.
std::string over_the_last(std::string_view lines);

}  // namespace understudy::cli
