// What is measured of the front door, and beside what.
#pragma once
#include "plan.hpp"

namespace understudy::benchmark {

/// LDAP clients that ask a directory directly, through our front door, through slapd's own proxy, and, with `other`,
/// through one more. `small` numbers for a check that everything works.
std::vector<series> front_door_plan(bool small, bool other);

}  // namespace understudy::benchmark
