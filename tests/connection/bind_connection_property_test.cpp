// A bind connection stays bound as whoever used it last, and goes from hand to hand: whatever happens in whatever
// order, nobody's operation reaches the server under another one's identity.
#include "connection/state_harness.hpp"
#include "support/property.hpp"

#include <array>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

enum class hand : std::uint8_t {
  login,      ///< a bind of somebody who has no lease: it is over with its answer
  shared,     ///< an operation of somebody who has none
  take,       ///< somebody gets the connection as his own
  bind,       ///< he binds
  operate,    ///< he asks something
  give_back,  ///< he returns it
  late,       ///< who had it before asks something
  check,      ///< the pool asks whether it works
  flush,
  answer,
  pass,
};
using command = command_of<hand>;

constexpr std::array<const char*, 11> names(hand) {
  return {"login", "shared", "take", "bind", "operate", "give_back", "late", "check", "flush", "answer", "pass"};
}

rc::Gen<std::vector<command>> commands() {
  using kind = command::kind;
  const auto what = rc::gen::weightedElement<kind>({{5, kind::login},
                                                    {2, kind::shared},
                                                    {6, kind::take},
                                                    {8, kind::bind},
                                                    {12, kind::operate},
                                                    {5, kind::give_back},
                                                    {4, kind::late},
                                                    {2, kind::check},
                                                    {14, kind::flush},
                                                    {16, kind::answer},
                                                    {4, kind::pass}});
  return commands_of(what, 1000, 8);
}

/// What keeps holders apart, switched off.
enum class weakness : std::uint8_t {
  none,
  not_told,     ///< the connection is not told that another one has it
  told_of_old,  ///< it takes what it is given for the holder's, whose-ever it is
};

class story {
 public:
  explicit story(weakness w) : weak_(w) { open(); }

  /// How many operations of holders reached the server.
  int run(const std::vector<command>& commands) {
    for (const auto& c : commands) {
      step(c);
      look();
      if (h_->state().is_closed()) open();
    }
    return served_;
  }

 private:
  /// Another connection, in place of one that has ended.
  void open() {
    h_.emplace(connection_kind::bind);
    h_->become_ready();
    lease_ = holder_ = former_ = told_ = 0;
    seen_ = 0;
    owners_.clear();
    kept_.clear();
  }

  void step(const command& c) {
    using kind = command::kind;
    auto& state = h_->state();
    switch (c.what) {
      case kind::login:
        // The pool gives it nobody else while it is somebody's.
        if (lease_ == 0) ask(++last_, some_bind(), 0);
        break;
      case kind::shared:
        ask(++last_, operation_of(c), 0);
        break;
      case kind::take:
        if (lease_ != 0) break;
        lease_ = holder_ = ++last_;
        if (weak_ != weakness::not_told || told_ == 0) {
          told_ = lease_;
          h_->turn([&] { state.on_lease(told_); });
        }
        break;
      case kind::bind:
        if (lease_ != 0) ask(holder_, some_bind(), told_);
        break;
      case kind::operate:
        if (lease_ != 0) ask(holder_, operation_of(c), told_);
        break;
      case kind::give_back:
        if (lease_ == 0) break;
        if (weak_ != weakness::not_told) h_->turn([&] { state.on_reset(told_); });
        former_ = holder_;
        lease_ = 0;
        break;
      case kind::late:
        if (former_ != 0) ask(former_, operation_of(c), weak_ == weakness::told_of_old ? told_ : former_);
        break;
      case kind::check:
        h_->check();
        break;
      case kind::flush:
        h_->write();
        break;
      case kind::answer:
        answer(c);
        break;
      case kind::pass:
        h_->pass(milliseconds{c.a});
        break;
    }
  }

  static request_ptr operation_of(const command& c) { return c.b % 2 == 0 ? some_search(c.a) : some_write(c.a); }

  void ask(lease_id owner, request_ptr order, lease_id lease) {
    // Kept, so that no other request gets its place in memory.
    kept_.push_back(order);
    owners_[order.get()] = owner;
    h_->ask(std::move(order), milliseconds{100 + static_cast<int>(kept_.size() % 5) * 700}, lease);
  }

  void answer(const command& c) {
    std::vector<int> ids;
    for (const auto& [id, r] : h_->wire.requests)
      if (!r.answered && !r.discarded && !r.abandoned && h_->wire.may_have_left(id)) ids.push_back(id);
    if (ids.empty()) return;
    const int id = ids[static_cast<std::size_t>(c.a) % ids.size()];
    const bool bind = h_->wire.requests.at(id).answer_op == pdu_op::bind_response;
    h_->answer_id(id, bind && c.b == 0 ? result_code::invalid_credentials : result_code::success);
  }

  /// What has been written since the last time, in order.
  void look() {
    const auto& all = h_->wire.requests;
    for (auto at = all.upper_bound(seen_); at != all.end(); ++at) {
      const auto& [id, r] = *at;
      seen_ = id;
      const auto owner = r.what != nullptr ? owners_.find(r.what) : owners_.end();
      // Its own, for a check: whether it is answered, not what it says, is looked at.
      if (owner == owners_.end()) continue;
      if (r.answer_op == pdu_op::bind_response) {
        // RFC 4511, 4.2.1.
        for (auto before = all.begin(); before != at; ++before)
          must(before->second.answered || before->second.discarded || before->second.abandoned,
               "a bind has the connection to itself", id);
        continue;
      }
      ++served_;
      // As whom: the last bind that was not taken back unsent.
      auto bind = at;
      while (bind != all.begin() && (bind->second.answer_op != pdu_op::bind_response || bind->second.discarded)) --bind;
      const auto bound_by = bind->second.what != nullptr ? owners_.find(bind->second.what) : owners_.end();
      must(bound_by != owners_.end() && bound_by->second == owner->second,
           "nobody is served under another one's identity", id);
      must(bind->second.answered, "nobody is served before it is known as whom", id);
    }
  }

  const weakness weak_;
  std::optional<state_harness> h_;
  lease_id last_ = 100, lease_ = 0, holder_ = 0, former_ = 0, told_ = 0;
  std::vector<request_ptr> kept_;
  std::map<const request*, lease_id> owners_;
  int seen_ = 0, served_ = 0;
};

auto play(weakness w, int* served = nullptr) {
  return [w, served] {
    const auto script = *commands().as("commands");
    const int found = story{w}.run(script);
    if (served != nullptr) *served += found;
  };
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_operation_reaches_a_bind_connection_under_the_identity_of_another_holder) {
  int served = 0;
  check_property("bind connection", {3000, 300}, play(weakness::none, &served));
  // They were not all refused.
  BOOST_TEST(served > 100);
}

BOOST_AUTO_TEST_CASE(a_bind_connection_that_is_not_told_of_its_next_holder_serves_him_as_the_last_one) {
  expect_counterexample("nobody is served under another one's identity", {1500, 300}, play(weakness::not_told));
}

BOOST_AUTO_TEST_CASE(a_former_holder_who_is_taken_for_the_next_one_is_served_as_that) {
  expect_counterexample("nobody is served under another one's identity", {1500, 300}, play(weakness::told_of_old));
}
