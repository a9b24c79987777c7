// One gathering of the state for all who ask within a tenth of a second.
#include "understudy/actors/http/state_actor.hpp"

#include "support/virtual_runtime.hpp"
#include "understudy/actors/http/state_sharing.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

using told_source = state_source_actor::extend<
    // The state of that number, to who asked as that.
    caf::reacts_to<tick_atom, std::uint64_t>,
    // An error in its place.
    caf::reacts_to<reset_atom, std::uint64_t>>;

/// A manager that answers when it is told to. Each state has its number as requests in flight.
struct state_source : virtual_runtime {
  state_source() {
    source = own(system.spawn([this](told_source::pointer self) -> told_source::behavior_type {
      return {[this, self](status_atom) -> caf::result<runtime_snapshot> {
                auto asker = self->make_response_promise<runtime_snapshot>();
                asked.push_back(asker);
                return asker;
              },
              [this](tick_atom, std::uint64_t which) {
                runtime_snapshot state;
                state.requests_in_flight = which + 1;
                asked.at(which).deliver(state);
              },
              [this](reset_atom, std::uint64_t which) {
                asked.at(which).deliver(caf::make_error(caf::sec::runtime_error));
              }};
    }));
    shared = own(spawn_http_state(system, env, source));
  }
  ~state_source() { asked.clear(); }

  answer_ptr<runtime_snapshot> look() {
    auto slot = start<runtime_snapshot>(shared, status_atom_v);
    run();
    return slot;
  }
  void deliver(std::uint64_t which) {
    tell(source, tick_atom_v, which);
    run();
  }
  static std::uint64_t number(const answer_ptr<runtime_snapshot>& seen) {
    return seen->value ? seen->value->requests_in_flight : 0;
  }

  std::vector<caf::typed_response_promise<runtime_snapshot>> asked;
  told_source source;
  http_state_actor shared;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_gathering_is_shared_from_its_beginning_on_and_not_longer) {
  const time_point begin{1h};
  state_sharing all;
  BOOST_TEST(all.ask(begin).begins);
  BOOST_TEST(!all.ask(begin + 99ms).begins);
  BOOST_TEST(all.ask(begin + 99ms).gathering == all.latest());
  BOOST_TEST(all.ask(begin + 100ms).begins);
  BOOST_TEST(all.latest() == 2U);
  BOOST_TEST(!all.ask(begin + 199ms).begins);  // counted from its own beginning
  all.forget();
  BOOST_TEST(all.ask(begin + 199ms).begins);
}

BOOST_FIXTURE_TEST_CASE(many_who_ask_at_once_cost_one_gathering, state_source) {
  std::vector<answer_ptr<runtime_snapshot>> seen;
  for (int i = 0; i < 50; ++i) seen.push_back(look());
  BOOST_TEST(asked.size() == 1U);
  deliver(0);
  for (const auto& each : seen) BOOST_TEST(number(each) == 1U);
  BOOST_TEST(number(look()) == 1U);  // nor does who comes a little later
  BOOST_TEST(asked.size() == 1U);
  advance(100ms);
  const auto later = look();
  BOOST_TEST(!later->done());
  deliver(1);
  BOOST_TEST(number(later) == 2U);
}

BOOST_FIXTURE_TEST_CASE(who_asks_while_a_slow_gathering_lasts_begins_another, state_source) {
  const auto first = look();
  advance(150ms);
  const auto second = look();
  BOOST_TEST(asked.size() == 2U);
  deliver(1);
  BOOST_TEST(number(second) == 2U);
  BOOST_TEST(!first->done());
  deliver(0);
  BOOST_TEST(number(first) == 1U);
  BOOST_TEST(number(look()) == 2U);  // an older one that comes late is nobody's any more
}

BOOST_FIXTURE_TEST_CASE(after_an_order_nobody_sees_what_was_before_it, state_source) {
  const auto before = look();
  tell(shared, reset_atom_v);
  const auto after = look();
  BOOST_TEST(asked.size() == 2U);
  deliver(0);
  BOOST_TEST(number(before) == 1U);
  BOOST_TEST(!after->done());
  deliver(1);
  BOOST_TEST(number(after) == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_gathering_that_failed_is_nobodys_but_of_those_who_waited, state_source) {
  const auto first = look(), second = look();
  tell(source, reset_atom_v, std::uint64_t{0});
  run();
  BOOST_TEST((first->done() && !first->ok()));
  BOOST_TEST((second->done() && !second->ok()));
  const auto next = look();
  BOOST_TEST(asked.size() == 2U);
  deliver(1);
  BOOST_TEST(number(next) == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_source_that_says_nothing_is_waited_for_within_bounds, state_source) {
  const auto first = look();
  advance(state_patience + 1ms);
  BOOST_TEST((first->done() && !first->ok()));
}
