// The faults of the matrix on a stub directory.
#pragma once
#include "matrix/cell.hpp"
#include "support/stub_directory.hpp"

namespace understudy::matrix {

/// From now on `server` has that fault; what is open has it too, or has ended.
void begin(fault kind, test::stub_directory& server);
/// It is well again.
void repair(fault kind, test::stub_directory& server);

}  // namespace understudy::matrix
