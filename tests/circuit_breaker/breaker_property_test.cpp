// The breaker beside its model: thousands of random sequences of reports, probes, orders and time lead both to the
// same.
#include "breaker_model.hpp"
#include "support/property.hpp"

#include <array>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

/// One event. `a`: of a report, whose generation (0 the present one, 1 unknown, more: an earlier one).
enum class event : std::uint8_t {
  good,
  bad,
  lost,
  ready,
  admit,
  trial_good,
  trial_bad,
  trial_unused,
  probe,
  suspect,
  suspend,
  resume,
  pass
};
using command = command_of<event>;

constexpr std::array<const char*, 13> names(event) {
  return {"good",         "bad",   "lost",    "ready",   "admit",  "trial_good", "trial_bad",
          "trial_unused", "probe", "suspect", "suspend", "resume", "pass"};
}

struct shape {
  int threshold = 1, base = 1, cap = 1, permits = 1, probes = 1, seed = 1;
  bool probed = false;

  breaker_options options() const {
    breaker_options o;
    o.threshold = threshold;
    o.minimum_calls = 8;
    o.window = seconds{5};
    o.open_base = seconds{base};
    o.open_cap = seconds{cap * 10};
    o.permits = static_cast<std::size_t>(permits);
    o.probes_to_close = static_cast<std::uint32_t>(probes);
    return o;
  }
};

std::ostream& operator<<(std::ostream& out, const shape& s) {
  return out << "threshold " << s.threshold << " base " << s.base << " s cap " << s.cap * 10 << " s permits "
             << s.permits << " probes " << s.probes << " seed " << s.seed << (s.probed ? " probed" : "");
}

rc::Gen<shape> shapes() {
  using rc::gen::inRange;
  using rc::gen::set;
  return rc::gen::build<shape>(set(&shape::threshold, inRange(1, 6)), set(&shape::base, inRange(1, 4)),
                               set(&shape::cap, inRange(1, 4)), set(&shape::permits, inRange(1, 4)),
                               set(&shape::probes, inRange(1, 4)), set(&shape::seed, inRange(1, 1000)),
                               set(&shape::probed));
}

rc::Gen<std::vector<command>> commands() {
  using kind = command::kind;
  const auto what = rc::gen::weightedElement<kind>({{8, kind::good},
                                                    {10, kind::bad},
                                                    {6, kind::lost},
                                                    {2, kind::ready},
                                                    {8, kind::admit},
                                                    {4, kind::trial_good},
                                                    {2, kind::trial_bad},
                                                    {2, kind::trial_unused},
                                                    {6, kind::probe},
                                                    {2, kind::suspect},
                                                    {1, kind::suspend},
                                                    {1, kind::resume},
                                                    {10, kind::pass}});
  return commands_of(what, 5, 12);
}

/// What keeps the breaker right, switched off between it and the world.
struct weakness {
  std::function<void(breaker_options&)> options;
  std::function<void(outcome_report&)> reports;
  bool good_probes_unheard = false;
};

class comparison {
 public:
  comparison(const shape& s, weakness w)
      : options_(s.options()),
        probed_(s.probed),
        weak_(std::move(w)),
        real_(weakened(options_), make_random(static_cast<std::uint64_t>(s.seed))),
        model_(options_, s.probed) {
    real_.set_probed(s.probed);
  }

  void run(const std::vector<command>& all) {
    for (const auto& c : all) {
      step(c);
      advance();
    }
    become_well();
  }

 private:
  using kind = command::kind;
  struct trial {
    std::uint32_t generation = 0;
    time_point expires{};
  };

  breaker_options weakened(breaker_options o) const {
    if (weak_.options) weak_.options(o);
    return o;
  }
  moment now() const { return at(ms_); }

  void step(const command& c) {
    switch (c.what) {
      case kind::good:
        return report(succeeded(generation(c.a), 1 + static_cast<std::uint32_t>(c.b) / 3));
      case kind::bad:
        return report(failed(generation(c.a), static_cast<failure_class>(c.b % 6)));
      case kind::lost:
        return report(lost(generation(c.a)));
      case kind::ready:
        return report(ready());
      case kind::admit:
        return admit(c.b);
      case kind::trial_good:
      case kind::trial_bad:
      case kind::trial_unused:
        return end_trial(c);
      case kind::probe:
        return probe(c.b, c.a == 0);
      case kind::suspect:
        return must(real_.suspect(now().now) == model_.suspect(now().now), "suspicion is as it should be");
      case kind::suspend:
        real_.suspend(seconds{c.b}, now().now);
        return model_.suspend(seconds{c.b}, now().now);
      case kind::resume:
        real_.resume(now().now);
        return model_.resume(now().now);
      case kind::pass:
        return pass(c.b * c.b * c.b * 4);
    }
  }

  std::uint32_t generation(int which) const {
    const auto g = real_.generation();
    if (which == 1) return 0;
    return which == 0 || g < static_cast<std::uint32_t>(which) ? g : g - static_cast<std::uint32_t>(which) + 1;
  }

  void report(outcome_report r) {
    model_.report(r, now().now);
    if (weak_.reports) weak_.reports(r);
    real_.on_report(r, now());
    compare();
  }

  void probe(int b, bool needed) {
    auto r = probed(b > 4);
    failure f = *refused();
    if (b == 0) f.code = errc::cancelled;  // a reason of ours
    r.answers_others = b == 2 || b == 3;
    if (b == 1) f.code = errc::service_authentication_failed, f.where = stage::bind, f.ldap_code = 49;
    if (!r.ok) r.error = std::make_shared<const failure>(f);
    model_.probe(r, now().now, needed);
    if (!weak_.good_probes_unheard || verdict(r) != probe_verdict::alive) real_.on_probe(r, now(), needed);
    compare();
  }

  /// A connection's end, with requests.
  outcome_report lost(std::uint32_t generation) const {
    auto r = failed(generation, failure_class::transport);
    r.open_since = now().now;
    return r;
  }

  std::size_t out(bool expired_too) const {
    return static_cast<std::size_t>(std::count_if(trials_.begin(), trials_.end(), [&](const trial& t) {
      return t.generation == model_.generation() && (expired_too || t.expires > now().now);
    }));
  }

  void admit(int b) {
    const bool half_open = model_.state() == breaker_state::half_open;
    const bool ready = model_.state() == breaker_state::closed || (half_open && (!probed_ || model_.has_good_probe()));
    const bool usable = real_.usable(now().now);
    if (!ready) return must(!usable, "nothing passes that should not");
    if (half_open && out(false) >= model_.permits()) return must(!usable, "no more trials at a time than permits");
    // One that expired may still be counted until its own outcome comes; nothing else holds a permit back.
    if (!half_open || out(true) < model_.permits()) must(usable, "permits come back");
    if (!usable) return;
    const auto deadline = now().now + seconds{1 + b};
    must(real_.admit(now().now, deadline) == half_open, "what passes while half open is a trial");
    if (half_open) trials_.push_back({model_.generation(), std::min(deadline, now().now + options_.permit_expiry)});
  }

  void end_trial(const command& c) {
    if (trials_.empty()) return;
    const auto at = trials_.begin() + c.b % static_cast<std::ptrdiff_t>(trials_.size());
    outcome_report r = c.what == kind::trial_good ? succeeded(at->generation) : failed(at->generation);
    if (c.what == kind::trial_unused) r.failed.reset(), r.cause = nullptr;
    trials_.erase(at);
    report(trial_report(r));
  }
  static outcome_report trial_report(outcome_report r) { return understudy::test::trial(std::move(r)); }

  void pass(std::int64_t span) {
    const auto end = ms_ + span;
    while (ms_ < end) {
      ms_ = std::min(end, ms_ + 100);
      advance();
    }
  }

  void advance() {
    real_.advance(now());
    model_.advance(now().now);
    compare();
    const auto next = real_.next_event();
    must(next > now().now, "it is told of time only when it asked for that");
  }

  void compare() {
    must(real_.generation() == model_.generation() || weak_.reports || weak_.good_probes_unheard,
         "each change is a generation, and nothing else is");
    must(real_.state() == model_.state(), "the state is what it should be",
         std::string{to_string(real_.state())} + ", not " + std::string{to_string(model_.state())});
    must(real_.flaps(now().now) == model_.flaps(now().now), "flaps are counted", real_.flaps(now().now));
    if (model_.state() != breaker_state::open || generation_ == model_.generation()) return;
    generation_ = model_.generation();
    const double span = static_cast<double>((real_.next_event() - now().now).count());
    const double due = static_cast<double>(model_.open_time().count());
    must(span >= due * 0.799 && span <= due * 1.201, "it stays open for as long as it should, more or less by a fifth",
         span / due);
    model_.stays_open_until(real_.next_event());
  }

  /// From any state, once the server is well and somebody tries it.
  void become_well() {
    real_.resume(now().now);
    model_.resume(now().now);
    const auto limit = ms_ + 1500 * (options_.open_cap / seconds{1}) + 10'000;
    while (real_.state() != breaker_state::closed && ms_ < limit) {
      pass(100);
      if (probed_ && real_.state() == breaker_state::half_open) probe(11, false);
      const bool tried = !probed_ || model_.loses_requests();
      if (tried && real_.usable(now().now) && real_.state() == breaker_state::half_open) {
        admit(1);
        if (!trials_.empty()) end_trial({kind::trial_good, 0, static_cast<int>(trials_.size()) - 1});
      }
    }
    must(real_.state() == breaker_state::closed, "it is never stuck");
    must(real_.usable(now().now), "it is never stuck");
  }

  breaker_options options_;
  bool probed_;
  weakness weak_;
  breaker real_;
  breaker_model model_;
  std::vector<trial> trials_;
  std::uint32_t generation_ = 0;  ///< whose open time was checked
  std::int64_t ms_ = 0;
};

auto both(weakness w = {}) {
  return [w] {
    const auto s = *any(shapes()).as("breaker");
    comparison{s, w}.run(*commands().as("commands"));
  };
}

void expect_broken(const char* promise, weakness w) { expect_counterexample(promise, {1000, 80}, both(std::move(w))); }

}  // namespace

BOOST_AUTO_TEST_CASE(the_breaker_is_what_its_model_says) { check_property("breaker", {10'000, 100}, both()); }

BOOST_AUTO_TEST_CASE(without_generations_late_results_change_the_state) {
  weakness w;
  w.reports = [](outcome_report& r) { r.generation = 0; };
  expect_broken("the state is what it should be", w);
}

BOOST_AUTO_TEST_CASE(permits_that_are_not_given_back_are_missed) {
  weakness w;
  w.reports = [](outcome_report& r) { r.trial = false; };
  expect_broken("permits come back", w);
}

BOOST_AUTO_TEST_CASE(permits_without_limit_let_too_many_trials_through) {
  weakness w;
  w.options = [](breaker_options& o) { o.permits = 1000; };
  expect_broken("no more trials at a time than permits", w);
}

BOOST_AUTO_TEST_CASE(permits_that_expire_too_early_let_too_many_trials_through) {
  weakness w;
  w.options = [](breaker_options& o) { o.permit_expiry = milliseconds{1}; };
  expect_broken("no more trials at a time than permits", w);
}

BOOST_AUTO_TEST_CASE(an_open_time_that_does_not_double_is_too_short) {
  weakness w;
  w.options = [](breaker_options& o) { o.open_cap = o.open_base; };
  expect_broken("it stays open for as long as it should, more or less by a fifth", w);
}

BOOST_AUTO_TEST_CASE(an_open_time_without_bounds_to_its_jitter_is_noticed) {
  weakness w;
  w.options = [](breaker_options& o) { o.open_jitter = 0.5; };
  expect_broken("it stays open for as long as it should, more or less by a fifth", w);
}

BOOST_AUTO_TEST_CASE(a_breaker_that_hears_of_no_good_probe_is_stuck) {
  weakness w;
  w.good_probes_unheard = true;
  expect_broken("the state is what it should be", w);
}

BOOST_AUTO_TEST_CASE(a_breaker_that_takes_no_bind_for_an_answer_opens_beside_answers) {
  weakness w;
  w.reports = [](outcome_report& r) { r.ready = false; };
  expect_broken("the state is what it should be", w);
}

BOOST_AUTO_TEST_CASE(a_breaker_that_takes_lost_requests_for_any_failure_opens_too_late) {
  weakness w;
  w.reports = [](outcome_report& r) { r.open_since.reset(); };
  expect_broken("the state is what it should be", w);
}

BOOST_AUTO_TEST_CASE(a_breaker_that_counts_the_callers_failures_opens_for_nothing) {
  weakness w;
  w.reports = [](outcome_report& r) {
    if (r.failed) r.failed = failure_class::transport;
  };
  expect_broken("the state is what it should be", w);
}
