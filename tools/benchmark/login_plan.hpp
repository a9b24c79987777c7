// What is measured of logins while servers are away, and beside what.
#pragma once
#include "plan.hpp"

namespace understudy::benchmark {

/// 200 logins a second against three servers: all well, and then, in the middle of it, one that nothing reaches and
/// nothing comes from any more, and one that is paused. `small` numbers for a check that everything works.
std::vector<series> login_plan(bool small);

}  // namespace understudy::benchmark
