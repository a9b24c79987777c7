// Cells in processes of their own: what one leaks, or how it dies, is nobody else's matter.
#pragma once
#include "matrix/played_cell.hpp"

namespace understudy::matrix {

/// Plays all of them, `jobs` at a time, and tells `done` of each, in the order of their ends. A cell whose process
/// dies, or does not end in time, is broken. To be called while this process has one thread.
void play_in_processes(const std::vector<cell>& cells, std::size_t jobs, const test::certificate_set& certificates,
                       const std::function<void(const cell&, const played&)>& done);

}  // namespace understudy::matrix
