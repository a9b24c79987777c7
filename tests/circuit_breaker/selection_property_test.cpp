// Selection on random servers and requests: whom it takes, said as what it would never do.
#include "moments.hpp"
#include "support/property.hpp"
#include "understudy/actors/circuit_breaker/server_selection.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

/// One server, as small numbers that shrink well.
struct drawn {
  int priority = 1, in_flight = 0, latency = 0;
  bool read_only = false, usable = true, trial = false, suspected = false, full = false, held = false;
};

std::ostream& operator<<(std::ostream& out, const drawn& d) {
  return out << "{level " << d.priority << (d.read_only ? " read_only" : "") << (d.usable ? "" : " unusable")
             << (d.trial ? " trial" : "") << (d.suspected ? " suspected" : "") << (d.full ? " full" : "")
             << (d.held ? " held" : "") << " load " << d.latency << "x" << d.in_flight << "}";
}

rc::Gen<std::vector<drawn>> servers() {
  using rc::gen::inRange;
  using rc::gen::set;
  return list_of(rc::gen::build<drawn>(set(&drawn::priority, inRange(1, 4)), set(&drawn::in_flight, inRange(0, 4)),
                                       set(&drawn::latency, inRange(0, 3)), set(&drawn::read_only), set(&drawn::usable),
                                       set(&drawn::trial), set(&drawn::suspected), set(&drawn::full),
                                       set(&drawn::held)));
}

std::vector<candidate> candidates(const std::vector<drawn>& all) {
  std::vector<candidate> made;
  for (const auto& d : all) {
    candidate c;
    c.id = static_cast<server_id>(made.size());
    c.priority = d.priority;
    c.read_only = d.read_only;
    c.usable = d.usable;
    c.trial = d.trial;
    c.suspected = d.suspected;
    c.full = d.full;
    c.share = d.held ? 0 : 1;
    c.latency = d.latency;
    c.in_flight = d.in_flight;
    made.push_back(c);
  }
  return made;
}

/// What would make one server a better choice than another, the weightiest first.
std::vector<int> demerits(const candidate& c, const selection_query& q, bool spill) {
  return {q.tried.contains(c.id) ? 1 : 0,
          c.trial                               ? 2
          : (c.share <= 0 || (spill && c.full)) ? 1
                                                : 0,
          c.priority, c.suspected ? 1 : 0, q.prefer_writable && c.read_only ? 1 : 0};
}

double load(const candidate& c) { return c.latency * (c.in_flight + 1); }

/// What selection is told, tampered with.
using weakness = std::function<void(std::vector<candidate>&, selection_query&)>;

auto any_choice(weakness weak = {}) {
  return [weak] {
    const auto all = candidates(*servers().as("servers"));
    const bool spill = *rc::gen::arbitrary<bool>().as("spill");
    selection_query q;
    q.write = *rc::gen::arbitrary<bool>().as("write");
    q.prefer_writable = *rc::gen::arbitrary<bool>().as("prefers a writable one");
    const auto tried = *list_of(rc::gen::inRange(0U, 6U)).as("tried");
    for (const auto id : tried) q.tried.insert(id);

    server_selection selection{make_random(*any(rc::gen::inRange(1U, 1000U)).as("seed"))};
    selection.configure(true, spill);
    auto shown = all;
    auto asked = q;
    if (weak) weak(shown, asked);
    const auto chosen = selection.choose(shown, asked);

    std::vector<const candidate*> able;
    for (const auto& c : all)
      if (c.usable && !(q.write && c.read_only)) able.push_back(&c);
    must(chosen.has_value() || able.empty(), "a request goes somewhere while any server can take it");
    if (!chosen) return;
    const auto& it = all.at(*chosen);
    must(it.usable, "nothing goes to a server whose breaker holds it back");
    must(!(q.write && it.read_only), "no write goes to a read_only server");
    std::vector<const candidate*> equals;
    for (const auto* c : able) {
      must(demerits(*c, q, spill) >= demerits(it, q, spill), "no server is passed over for a worse one", c->id);
      if (demerits(*c, q, spill) == demerits(it, q, spill)) equals.push_back(c);
    }
    // The better of two: never the worst of several.
    bool worst = equals.size() > 1;
    for (const auto* c : equals)
      worst = worst && (c == &it || (c->latency > 0 && it.latency > 0 && load(*c) < load(it)));
    must(!worst, "the most loaded of equals is not taken");
  };
}

void expect_broken(const char* promise, weakness weak) {
  expect_counterexample(promise, {1000, 6}, any_choice(std::move(weak)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_better_server_is_ever_passed_over) { check_property("selection", {6000, 6}, any_choice()); }

BOOST_AUTO_TEST_CASE(selection_that_does_not_know_what_it_should_chooses_wrongly) {
  expect_broken("nothing goes to a server whose breaker holds it back", [](auto& all, auto&) {
    for (auto& c : all) c.usable = true;
  });
  expect_broken("no write goes to a read_only server", [](auto&, auto& q) { q.write = false; });
  expect_broken("a request goes somewhere while any server can take it", [](auto& all, auto& q) {
    for (auto& c : all) c.usable = c.usable && !q.tried.contains(c.id);
  });
}

BOOST_AUTO_TEST_CASE(selection_that_knows_no_preference_passes_over_a_better_server) {
  const char* promise = "no server is passed over for a worse one";
  expect_broken(promise, [](auto&, auto& q) { q.tried = {}; });
  expect_broken(promise, [](auto& all, auto&) {
    for (auto& c : all) c.priority = 1;
  });
  expect_broken(promise, [](auto& all, auto&) {
    for (auto& c : all) c.share = 1;
  });
  expect_broken(promise, [](auto& all, auto&) {
    for (auto& c : all) c.trial = false;
  });
  expect_broken("the most loaded of equals is not taken", [](auto& all, auto&) {
    for (auto& c : all) c.latency = c.in_flight = 0;
  });
}
