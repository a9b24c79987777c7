// Properties: what must hold for every sequence of events, tried on many random ones by rapidcheck, with a failing one
// cut down to the shortest that still fails.
#pragma once
#include <rapidcheck.h>
#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace understudy::test {

/// What a property throws when something that was promised does not hold.
class broken_promise : public std::runtime_error {
 public:
  explicit broken_promise(const std::string& promise) : std::runtime_error(promise) {}
};

/// `promise` must hold; `more` is said when it does not. Does not use Boost.Test: while rapidcheck looks for the
/// shortest case many fail that are not worth a word.
inline void must(bool holds, const char* promise) {
  if (!holds) throw broken_promise(promise);
}
template <class More>
void must(bool holds, const char* promise, const More& more) {
  if (!holds) throw broken_promise(std::string{promise} + ": " + rc::toString(more));
}

/// How large random cases get and how many there are.
struct property_size {
  int cases = 1000;   ///< fewer in an instrumented build; UNDERSTUDY_PROPERTY_CASES=200 runs that many percent of them
  int longest = 100;  ///< the most commands in one case; they grow up to that
};

/// From its whole range at once: rapidcheck keeps numbers of small cases small, and lets their lists grow.
template <class T>
rc::Gen<T> any(rc::Gen<T> gen) {
  return rc::gen::resize(rc::kNominalSize, std::move(gen));
}
/// A list of such; as long as the case is large.
template <class T>
rc::Gen<std::vector<T>> list_of(rc::Gen<T> element) {
  return rc::gen::container<std::vector<T>>(any(std::move(element)));
}

/// One event of a random story: its kind, and two numbers that pick among what is there at that moment, so that every
/// list of events makes sense.
template <class Kind>
struct command_of {
  using kind = Kind;
  Kind what{};
  int a = 0, b = 0;
};
/// As a counterexample shows it: `names(Kind)`, beside the kinds, has a name for each.
template <class Kind>
std::ostream& operator<<(std::ostream& out, const command_of<Kind>& c) {
  return out << names(Kind{}).at(static_cast<std::size_t>(c.what)) << '(' << c.a << ',' << c.b << ')';
}
/// A story of such kinds; the numbers are below `a` and `b`.
template <class Kind>
rc::Gen<std::vector<command_of<Kind>>> commands_of(rc::Gen<Kind> kinds, int a, int b) {
  using command = command_of<Kind>;
  return list_of(rc::gen::build<command>(rc::gen::set(&command::what, std::move(kinds)),
                                         rc::gen::set(&command::a, rc::gen::inRange(0, a)),
                                         rc::gen::set(&command::b, rc::gen::inRange(0, b))));
}

namespace detail {
void check(const std::string& name, const property_size& size, const rc::detail::Property& property);
void expect_counterexample(const std::string& name, const property_size& size, const rc::detail::Property& property);
}  // namespace detail

/// Fails the test, with the shortest counterexample and how to repeat it, unless `property` (a callable whose arguments
/// are generated, or which draws from generators with `*gen`) returns for every case. RC_PARAMS="seed=…" repeats a run.
template <class Property>
void check_property(const std::string& name, const property_size& size, Property property) {
  detail::check(name, size, rc::detail::toProperty(std::move(property)));
}

/// The opposite: the same property on a subject that was weakened on purpose. Fails the test unless a case is found in
/// which just that promise is broken: a property that holds without the mechanism that it is about says nothing.
template <class Property>
void expect_counterexample(const std::string& promise, const property_size& size, Property property) {
  detail::expect_counterexample(promise, size, rc::detail::toProperty([property, promise] {
                                  try {
                                    property();
                                  } catch (const broken_promise& broken) {
                                    if (std::string_view{broken.what()}.starts_with(promise)) throw;
                                  }
                                }));
}

}  // namespace understudy::test
