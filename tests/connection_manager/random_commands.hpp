// The steps of random histories of a whole runtime.
#pragma once
#include "support/property.hpp"

#include <initializer_list>
#include <ostream>
#include <utility>
#include <vector>

namespace understudy::test {

/// One step: its kind, and two numbers that mean what the kind makes of them. Printed by `name_of(Kind)`, which
/// argument dependent look-up finds.
template <class Kind>
struct random_command {
  Kind what{};
  int a = 0, b = 0;
};

template <class Kind>
std::ostream& operator<<(std::ostream& out, const random_command<Kind>& c) {
  return out << name_of(c.what) << "(" << c.a << "," << c.b << ")";
}

/// Lists of them; each kind is as frequent as its weight says.
template <class Kind>
rc::Gen<std::vector<random_command<Kind>>> random_commands(
    std::initializer_list<std::pair<std::size_t, Kind>> weights) {
  using command = random_command<Kind>;
  return list_of(rc::gen::build<command>(rc::gen::set(&command::what, rc::gen::weightedElement<Kind>(weights)),
                                         rc::gen::set(&command::a, rc::gen::inRange(0, 12)),
                                         rc::gen::set(&command::b, rc::gen::inRange(0, 12))));
}

}  // namespace understudy::test
