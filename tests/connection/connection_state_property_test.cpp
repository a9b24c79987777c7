// Whatever happens in whatever order: everybody who asked is told exactly once, in time, and no write is sent twice;
// and each of that breaks without the mechanism behind it.
#include "connection/state_harness.hpp"
#include "support/property.hpp"

#include <array>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

enum class event : std::uint8_t {
  search,
  change,
  relay,    ///< an opaque search, to be answered in parts
  part,     ///< one of them comes, large or small
  pass_on,  ///< their reader reads
  leased,   ///< a search or a change of the lease's holder
  flush,    ///< what is encoded leaves
  answer,   ///< one that left is answered; `b`: how
  cancel,   ///< the caller of `a` gives up
  check,
  lease,
  reset,
  goodbye,
  lose,
  drain,
  pass,
};
using command = command_of<event>;

constexpr std::array<const char*, 16> names(event) {
  return {"search", "change", "relay", "part",  "pass_on", "leased", "flush", "answer",
          "cancel", "check",  "lease", "reset", "goodbye", "lose",   "drain", "pass"};
}

rc::Gen<std::vector<command>> commands() {
  using kind = command::kind;
  // What ends everything is seldom; what asks and answers is the rule.
  const auto what = rc::gen::weightedElement<kind>({{12, kind::search},
                                                    {12, kind::change},
                                                    {6, kind::relay},
                                                    {8, kind::part},
                                                    {4, kind::pass_on},
                                                    {4, kind::leased},
                                                    {14, kind::flush},
                                                    {14, kind::answer},
                                                    {4, kind::cancel},
                                                    {2, kind::check},
                                                    {3, kind::lease},
                                                    {3, kind::reset},
                                                    {1, kind::goodbye},
                                                    {1, kind::lose},
                                                    {1, kind::drain},
                                                    {10, kind::pass}});
  return commands_of(what, 1000, 8);
}

/// What ensures a promise, switched off.
struct weakness {
  bool repeats_everything = false, nothing_has_left = false, no_ticks = false;
  std::function<void(std::vector<connection_action::any>&)> actions = [](auto&) {};
};

constexpr std::size_t large_part = 300 * 1024;

class storm {
 public:
  explicit storm(weakness w) : weak_(std::move(w)) {
    if (weak_.repeats_everything) h_.may_repeat = [](const any_operation&) { return true; };
    h_.on_actions = weak_.actions;
    h_.become_ready();
    h_.wire.claims_nothing_left = weak_.nothing_has_left;
  }

  void run(const std::vector<command>& commands) {
    for (const auto& c : commands) {
      step(c);
      hold(false);
    }
    h_.turn([this] { h_.state().give_up(errc::stopped, "The connection ended.", true); });
    hold(true);
  }

 private:
  void step(const command& c) {
    using kind = command::kind;
    auto& state = h_.state();
    switch (c.what) {
      case kind::search:
        h_.ask(some_search(c.a), limit(c));
        break;
      case kind::change:
        h_.ask(some_write(c.a), limit(c));
        break;
      case kind::relay:
        relayed_.push_back(h_.relay(limit(c)));
        break;
      case kind::part:
        part(c);
        break;
      case kind::pass_on:
        if (!relayed_.empty()) h_.pass_on(chosen(c), c.b % 2 == 0 ? large_part : 1);
        break;
      case kind::leased:
        h_.ask(c.b % 2 == 0 ? some_search(c.a) : c.b == 1 ? some_bind() : some_write(c.a), limit(c), lease_);
        break;
      case kind::flush:
        h_.write();
        break;
      case kind::answer:
        answer(c);
        break;
      case kind::cancel:
        if (!h_.asked.empty()) {
          auto at = h_.asked.begin();
          std::advance(at, c.a % static_cast<int>(h_.asked.size()));
          h_.turn([&] { state.cancel(at->second.token); });
        }
        break;
      case kind::check:
        checks_.push_back(h_.check(limit(c)));
        break;
      case kind::lease:
        if (lease_ == 0) h_.turn([&] { state.on_lease(lease_ = 11); });
        break;
      case kind::reset:
        if (lease_ != 0) h_.turn([&] { state.on_reset(std::exchange(lease_, 0)); });
        break;
      case kind::goodbye:
        if (!state.is_closed()) h_.say_goodbye();
        break;
      case kind::lose:
        if (!state.is_closed()) h_.end(c.b % 2 == 0);
        break;
      case kind::drain:
        h_.turn([&] { state.on_drain(); });
        break;
      case kind::pass:
        if (weak_.no_ticks)
          h_.now += milliseconds{c.a * 10};
        else
          h_.pass(milliseconds{c.a * 10});
        break;
    }
  }

  static duration limit(const command& c) { return milliseconds{100 + c.b * 700}; }

  /// Of those that may have left and were not answered, the abandoned ones too.
  void answer(const command& c) {
    if (h_.state().is_closed() || h_.wire.reading_held()) return;
    std::vector<int> ids;
    for (const auto& [id, r] : h_.wire.requests)
      if (!r.answered && !r.discarded && h_.wire.may_have_left(id) && !late_.count(id)) ids.push_back(id);
    if (ids.empty()) return;
    const int id = ids[static_cast<std::size_t>(c.a) % ids.size()];
    if (h_.wire.requests.at(id).abandoned) late_.insert(id);
    answered_.insert(h_.wire.requests.at(id).what);
    if (c.b == 1) refused_.insert(h_.wire.requests.at(id).what);
    h_.answer_id(id, c.b == 1 ? result_code::busy : c.b == 2 ? result_code::no_such_object : result_code::success);
  }

  reply_id chosen(const command& c) const { return relayed_[static_cast<std::size_t>(c.a) % relayed_.size()]; }

  void part(const command& c) {
    if (h_.state().is_closed() || h_.wire.reading_held() || relayed_.empty()) return;
    const auto of = chosen(c);
    const auto id = h_.id_of(of);
    if (id == 0 || h_.wire.requests.at(id).answered || h_.wire.requests.at(id).discarded ||
        !h_.wire.may_have_left(id) || late_.count(id) != 0)
      return;
    h_.part_of(of, c.b % 2 == 0 ? large_part : 100);
  }

  /// What was sent and waits for the server, while that is not read for a slow reader.
  void hold_nobody_up() const {
    if (h_.state_is_closed() || !h_.wire.reading_held()) return;
    for (const auto& [reply, order] : h_.asked)
      if (h_.waits(reply) && h_.wire.may_have_left(order.what.get()) && answered_.count(order.what.get()) == 0)
        must(order.parts != 0, "a slow reader holds up nobody else", reply);
  }

  void hold(bool over) {
    hold_nobody_up();
    for (const auto& [reply, order] : h_.asked) {
      const auto found = h_.outcomes.find(reply);
      const auto count = found == h_.outcomes.end() ? 0U : found->second.size();
      must(count <= 1, "everybody is told exactly once", reply);
      if (count == 0) {
        must(!over, "everybody is told exactly once", reply);
        must(order.deadline > h_.now, "nobody waits beyond the deadline", reply);
        continue;
      }
      look_at(found->second.front(), order);
      if (found->second.front().what == told::kind::sent_elsewhere)
        must(h_.parts.count(reply) == 0, "what was begun is not begun elsewhere", reply);
    }
    for (const auto& [reply, told] : h_.outcomes) must(h_.asked.count(reply) == 1, "nobody is told who did not ask");
    for (const auto reply : checks_) {
      const auto found = h_.checks.find(reply);
      const auto count = found == h_.checks.end() ? 0U : found->second.size();
      must(count <= 1 && (!over || count == 1), "everybody is told exactly once", reply);
    }
  }

  void look_at(const told& t, const call& order) const {
    const bool writes = !safe_to_repeat(order.what->op);
    if (t.what == told::kind::sent_elsewhere) {
      must(!writes || !t.had_left || refused_.count(order.what.get()) == 1, "no write is sent twice");
      must(t.order.attempts == order.attempts + 1, "an attempt is counted");
    }
    if (t.what == told::kind::failure && t.why->code == errc::outcome_unknown)
      must(writes && t.had_left, "unknown is only what may have been sent");
    if (t.what == told::kind::answer) must(answered_.count(order.what.get()) == 1, "an answer is the server's");
  }

  weakness weak_;
  state_harness h_;
  lease_id lease_ = 0;
  std::vector<reply_id> checks_, relayed_;
  std::set<int> late_;
  std::set<const request*> answered_;
  std::set<const request*> refused_;  ///< by a busy server, which has not done it
};

constexpr property_size size{3000, 100};

auto play(weakness w = {}) {
  return [w] {
    const auto script = *commands().as("commands");
    storm{w}.run(script);
  };
}

void expect_broken(const char* promise, weakness w) { expect_counterexample(promise, {1500, 100}, play(std::move(w))); }

}  // namespace

BOOST_AUTO_TEST_CASE(whatever_happens_in_whatever_order_everybody_is_told_exactly_once) {
  check_property("connection", size, play());
}

BOOST_AUTO_TEST_CASE(a_rule_that_lets_writes_be_repeated_sends_one_twice) {
  weakness w;
  w.repeats_everything = true;
  expect_broken("no write is sent twice", w);
}

BOOST_AUTO_TEST_CASE(a_wire_that_does_not_say_what_has_left_has_a_write_sent_twice) {
  weakness w;
  w.nothing_has_left = true;
  expect_broken("no write is sent twice", w);
}

BOOST_AUTO_TEST_CASE(a_connection_without_timers_keeps_somebody_beyond_the_deadline) {
  weakness w;
  w.no_ticks = true;
  expect_broken("nobody waits beyond the deadline", w);
}

BOOST_AUTO_TEST_CASE(an_action_that_gets_lost_or_doubled_is_noticed) {
  weakness lost, doubled;
  lost.actions = [](auto& actions) {
    std::erase_if(actions, [](const auto& a) { return std::holds_alternative<connection_action::redispatch>(a); });
  };
  doubled.actions = [](auto& actions) {
    for (std::size_t i = 0; i < actions.size(); ++i)
      if (std::holds_alternative<connection_action::refuse>(actions[i])) {
        const auto again = actions[i];
        actions.insert(actions.begin() + static_cast<std::ptrdiff_t>(i++), again);
      }
  };
  expect_broken("everybody is told exactly once", lost);
  expect_broken("everybody is told exactly once", doubled);
}
