// The router through random failures, recoveries and orders: no request goes where it should not.
#include "breaker_model.hpp"
#include "support/property.hpp"
#include "understudy/actors/circuit_breaker/router.hpp"

#include <array>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

/// `a`: which server, or whether the request is a write; `b`: the rest.
enum class event : std::uint8_t {
  send,
  send_again,
  answer,
  fail,
  burst,
  unsent,
  probe,
  suspend,
  resume,
  reorder,
  come_and_go,
  pass
};
using command = command_of<event>;

constexpr std::array<const char*, 12> names(event) {
  return {"send",  "send_again", "answer", "fail",    "burst",       "unsent",
          "probe", "suspend",    "resume", "reorder", "come_and_go", "pass"};
}

struct shape {
  std::vector<int> levels{1};
  int read_only = 0;  ///< bits
  int seed = 1;
  bool automatic = true, probed = false;
};

std::ostream& operator<<(std::ostream& out, const shape& s) {
  return out << "levels " << rc::toString(s.levels) << " read_only " << s.read_only << " seed " << s.seed
             << (s.automatic ? "" : " failback by hand") << (s.probed ? " probed" : "");
}

rc::Gen<shape> shapes() {
  using rc::gen::inRange;
  using rc::gen::set;
  return rc::gen::build<shape>(set(&shape::levels, rc::gen::container<std::vector<int>>(3, inRange(1, 4))),
                               set(&shape::read_only, inRange(0, 8)), set(&shape::seed, inRange(1, 1000)),
                               set(&shape::automatic), set(&shape::probed));
}

rc::Gen<std::vector<command>> commands() {
  using kind = command::kind;
  const auto what = rc::gen::weightedElement<kind>({{16, kind::send},
                                                    {4, kind::send_again},
                                                    {8, kind::answer},
                                                    {4, kind::fail},
                                                    {5, kind::burst},
                                                    {1, kind::unsent},
                                                    {8, kind::probe},
                                                    {1, kind::suspend},
                                                    {1, kind::resume},
                                                    {1, kind::reorder},
                                                    {2, kind::come_and_go},
                                                    {8, kind::pass}});
  return commands_of(what, 12, 12);
}

struct weakness {
  std::function<void(router_options&)> options;
  std::function<void(selection_query&)> query;
  std::function<void(outcome_report&)> reports;
};

class traffic {
 public:
  traffic(const shape& s, weakness w) : shape_(s), weak_(std::move(w)), real_(weakened(), make_random(seed())) {
    real_.set_probed(s.probed);
    while (models_.size() < s.levels.size()) add_server();
    tell_servers();
  }

  void run(const std::vector<command>& all) {
    for (const auto& c : all) {
      step(c);
      advance();
    }
  }

 private:
  using kind = command::kind;
  struct flight {
    route on;
    time_point expires{};
  };

  std::uint64_t seed() const { return static_cast<std::uint64_t>(shape_.seed); }
  router_options weakened() {
    // As much change as can be; thresholds and expiry are the breaker's own property.
    options_.breaker.threshold = 1;
    options_.breaker.probes_to_close = 1;
    options_.breaker.permit_expiry = std::chrono::hours{1};
    options_.failback.automatic = shape_.automatic;
    options_.failback.hold_down = seconds{5};
    options_.failback.ramp = seconds{5};
    auto o = options_;
    if (weak_.options) weak_.options(o);
    return o;
  }
  bool read_only(std::size_t i) const { return (shape_.read_only >> i & 1) != 0; }
  void tell_servers() {
    std::vector<server_facts> facts;
    for (std::size_t i = 0; i < levels_.size(); ++i)
      facts.push_back({static_cast<server_id>(i), "ldap" + std::to_string(i), "ldap" + std::to_string(i), 389,
                       levels_[i], 1, read_only(i), 0});
    real_.update(std::move(facts), now().now);
    serving_.reset();
  }
  void add_server() {
    const auto i = models_.size();
    models_.emplace_back(options_.breaker, shape_.probed);
    whole_at_.emplace_back();
    settled_at_.emplace_back();
    levels_.push_back(shape_.levels[i]);
    seen_.at(i) = 1;
    before_.at(i) = breaker_state::closed;
  }
  void take_server_out() {
    models_.pop_back();
    whole_at_.pop_back();
    settled_at_.pop_back();
    levels_.pop_back();
    std::erase_if(open_, [&](const flight& f) { return f.on.index == models_.size(); });
  }
  moment now() const { return at(ms_); }
  std::size_t server(int a) const { return static_cast<std::size_t>(a) % models_.size(); }

  void step(const command& c) {
    const auto i = server(c.a);
    switch (c.what) {
      case kind::send:
        return send(c.a % 4 == 0, {}, c.b);
      case kind::send_again:
        return send(c.a % 4 == 0, c.b % 7, c.b);
      case kind::answer:
      case kind::fail:
      case kind::unsent:
        return end(c);
      case kind::burst:
        return report(failed(models_[i].generation(), failure_class::transport, static_cast<server_id>(i)));
      case kind::probe: {
        const bool needed = !any_settled();
        const auto r = probed(c.b > 3, static_cast<server_id>(i));
        models_[i].probe(r, now().now, needed);
        return real_.on_probe(r, now()), compare();
      }
      case kind::suspend:
        models_[i].suspend(seconds{c.b}, now().now);
        return (void)real_.suspend(static_cast<server_id>(i), seconds{c.b}, now()), compare();
      case kind::resume:
        models_[i].resume(now().now);
        return (void)real_.resume(static_cast<server_id>(i), now()), compare();
      case kind::reorder:
        std::rotate(levels_.begin(), levels_.begin() + 1, levels_.end());
        return tell_servers();
      case kind::come_and_go:
        return come_and_go(c.a % 2 == 0);
      case kind::pass:
        for (const auto end = ms_ + c.b * c.b * c.b * 4; ms_ < end;) {
          ms_ = std::min(end, ms_ + 200);
          advance();
        }
    }
  }

  /// The last one leaves, or another one takes its place: of that nothing is known.
  void come_and_go(bool go) {
    if (go ? models_.size() == 1 : models_.size() == shape_.levels.size()) return;
    if (go)
      take_server_out();
    else
      add_server();
    tell_servers();
    if (!any_settled()) nobody_is_held_down();
  }

  void report(outcome_report r) {
    models_[r.server].report(r, now().now);
    if (weak_.reports) weak_.reports(r);
    real_.on_report(r, now());
    compare();
  }

  void end(const command& c) {
    if (open_.empty()) return;
    const auto it = open_.begin() + c.b % static_cast<std::ptrdiff_t>(open_.size());
    const auto on = it->on;
    open_.erase(it);
    if (c.what == kind::unsent) {
      // Only at once, before anything else has happened.
      if (on.generation == models_[on.index].generation()) real_.take_back(on);
      return;
    }
    auto r = c.what == kind::answer ? succeeded(on.generation, 1, on.server)
                                    : failed(on.generation, failure_class::transport, on.server);
    r.trial = on.trial;
    report(r);
  }

  std::size_t trials(std::size_t i, bool expired_too) const {
    return static_cast<std::size_t>(std::count_if(open_.begin(), open_.end(), [&](const flight& f) {
      return f.on.index == i && f.on.trial && f.on.generation == models_[i].generation() &&
             (expired_too || f.expires > now().now);
    }));
  }
  /// Whether it takes requests; of a half-open one, at the most.
  bool usable(const breaker_model& m) const {
    if (m.state() != breaker_state::half_open) return m.state() == breaker_state::closed;
    const auto i = static_cast<std::size_t>(&m - models_.data());
    return (!shape_.probed || m.has_good_probe()) && trials(i, false) < options_.breaker.permits;
  }
  bool closed(std::size_t i) const { return models_[i].state() == breaker_state::closed; }
  bool whole(std::size_t i) const { return closed(i) && now().now >= whole_at_[i]; }

  void send(bool write, int tried, int patience) {
    selection_query q;
    q.write = write;
    for (int i = 0; i < 3; ++i)
      if ((tried >> i & 1) != 0) q.tried.insert(static_cast<server_id>(i));
    auto shown = q;
    if (weak_.query) weak_.query(shown);
    const auto deadline = now().now + std::chrono::hours{1 + patience};
    const auto chosen = real_.choose(shown, deadline, now().now);
    std::vector<std::size_t> able;
    for (std::size_t i = 0; i < models_.size(); ++i)
      if (closed(i) && !(write && read_only(i))) able.push_back(i);
    must(chosen || able.empty(), "a request goes somewhere while any server can take it");
    if (!chosen) return;
    look_at(*chosen, q, able);
    open_.push_back({*chosen, std::min(deadline, now().now + options_.breaker.permit_expiry)});
  }

  void look_at(const route& chosen, const selection_query& q, const std::vector<std::size_t>& able) {
    const auto i = chosen.index;
    must(usable(models_[i]), "nothing goes to a server whose breaker holds it back", i);
    must(!(q.write && read_only(i)), "no write goes to a read_only server");
    must(chosen.generation == models_[i].generation(), "a request carries the generation of its server");
    must(chosen.trial == !closed(i), "what passes while half open is a trial");
    const bool tried = q.tried.contains(chosen.server);
    const bool fresh = q.tried.empty();
    for (const auto other : able) {
      if (q.tried.contains(static_cast<server_id>(other))) continue;
      must(!tried, "no server is tried again while another can take it", other);
      must(closed(i), "no trial is made while another server serves", other);
      if (!shape_.automatic) continue;
      must(!whole(other) || now().now >= held_until(i), "a server that returns is held down while another serves",
           std::vector<std::size_t>{i, other});
      must(!(whole(other) && levels_[other] < levels_[i]), "no level is passed over for a worse one");
    }
    if (shape_.automatic || q.write || !fresh) return;
    const bool stays =
        serving_ && std::any_of(able.begin(), able.end(), [&](auto a) { return levels_[a] == *serving_; });
    must(!stays || levels_[i] == *serving_, "by hand, the level that serves goes on serving");
    serving_ = levels_[i];
  }

  time_point held_until(std::size_t i) const { return whole_at_[i] - options_.failback.ramp; }

  void advance() {
    for (auto& m : models_) m.advance(now().now);
    real_.advance(now());
    compare();
  }

  void compare() {
    for (std::size_t i = 0; i < models_.size(); ++i) {
      auto& m = models_[i];
      must(real_.state_of(i) == m.state(), "each server's breaker is what it should be", i);
      if (m.generation() == seen_[i]) continue;
      seen_[i] = m.generation();
      if (m.state() == breaker_state::open) m.stays_open_until(now().now + *real_.snapshot(now().now)[i].retry_after);
      const bool fell = before_[i] == breaker_state::closed && m.state() != breaker_state::closed;
      const bool returned = m.state() == breaker_state::closed && before_[i] != breaker_state::suspended;
      before_[i] = m.state();
      if (m.state() == breaker_state::open) settled_at_[i] = time_point::max();
      if (returned) {
        // Only for the sake of one that was well for so long is another one made to wait.
        const auto waited = now().now + held_down(m.flaps(now().now)) + options_.failback.ramp;
        whole_at_[i] = any_settled() ? waited : now().now;
        settled_at_[i] = waited;
      }
      if (fell && !any_settled()) nobody_is_held_down();
    }
  }
  void nobody_is_held_down() {
    for (auto& whole : whole_at_) whole = std::min(whole, now().now);
  }
  bool any_settled() const {
    for (std::size_t i = 0; i < models_.size(); ++i)
      if (models_[i].heard() && before_[i] == breaker_state::closed && now().now >= settled_at_[i]) return true;
    return false;
  }
  duration held_down(int flaps) const {
    duration span = options_.failback.hold_down;
    for (int n = 1; n < flaps; ++n) span = std::min<duration>(2 * span, options_.failback.hold_down_cap);
    return span;
  }

  shape shape_;
  weakness weak_;
  router_options options_;
  router real_;
  std::vector<breaker_model> models_;
  std::vector<int> levels_;
  std::vector<time_point> whole_at_;            ///< when each has all of its share again
  std::vector<time_point> settled_at_;          ///< when each has been well for long
  std::array<std::uint32_t, 3> seen_{1, 1, 1};  ///< generations
  std::array<breaker_state, 3> before_{};
  std::vector<flight> open_;
  std::optional<int> serving_;  ///< the level, when failback is by hand
  std::int64_t ms_ = 0;
};

auto any_traffic(weakness w = {}) {
  return [w] {
    const auto s = *any(shapes()).as("servers");
    traffic{s, w}.run(*commands().as("commands"));
  };
}

void expect_broken(const char* promise, weakness w, int cases = 4000) {
  expect_counterexample(promise, {cases, 160}, any_traffic(std::move(w)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_request_goes_where_it_should_not) { check_property("router", {10'000, 100}, any_traffic()); }

BOOST_AUTO_TEST_CASE(without_damping_a_returning_server_is_used_at_once) {
  weakness none, flaps;
  none.options = [](router_options& o) { o.failback.hold_down = o.failback.ramp = duration::zero(); };
  flaps.options = [](router_options& o) { o.failback.hold_down_cap = o.failback.hold_down; };
  expect_broken("a server that returns is held down while another serves", none);
  // It has to fail twice while another one, which was well for long, goes on serving: that is rare.
  expect_broken("a server that returns is held down while another serves", flaps, 60'000);
}

BOOST_AUTO_TEST_CASE(with_automatic_failback_the_level_that_serves_is_left) {
  weakness w;
  w.options = [](router_options& o) { o.failback.automatic = true; };
  expect_broken("by hand, the level that serves goes on serving", w);
}

BOOST_AUTO_TEST_CASE(a_router_that_forgets_what_a_request_is_sends_it_wrongly) {
  weakness tried, write;
  tried.query = [](selection_query& q) { q.tried = {}; };
  write.query = [](selection_query& q) { q.write = false; };
  expect_broken("no server is tried again while another can take it", tried);
  expect_broken("no write goes to a read_only server", write);
}

BOOST_AUTO_TEST_CASE(a_router_that_hears_late_results_as_new_opens_a_breaker_for_nothing) {
  weakness w;
  w.reports = [](outcome_report& r) { r.generation = 0; };
  expect_broken("each server's breaker is what it should be", w);
}
