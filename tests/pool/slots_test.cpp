// Which connection of a pool is chosen for what, and what all of them together say.
#include "understudy/actors/pool/slots.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

struct table {
  slot_table slots;
  time_point now{std::chrono::hours{1}};
  connection_id last = 0;

  /// One in that state, `load` operations on it.
  slot& add(slot_state state, std::uint32_t load = 0, connection_kind kind = connection_kind::pooled) {
    slot made;
    made.id = ++last;
    made.kind = kind;
    made.state = state;
    made.last_turn = last;
    made.dispatched = load;
    made.meter = {std::make_shared<std::atomic<std::uint64_t>>(0), std::make_shared<std::atomic<bool>>(false),
                  std::make_shared<std::atomic<bool>>(false), std::make_shared<std::atomic<bool>>(false),
                  std::make_shared<std::atomic<time_point>>(time_point::max())};
    return slots.add(std::move(made));
  }
  slot& add_bind(slot_state state, std::uint32_t load = 0) { return add(state, load, connection_kind::bind); }
};

void set_silent(slot& s) { s.meter.silent = std::make_shared<std::atomic<bool>>(true); }
void set_held_up(slot& s) { s.meter.held_up = std::make_shared<std::atomic<bool>>(true); }
void set_awaited(slot& s, time_point since) {
  s.meter.awaited_since = std::make_shared<std::atomic<time_point>>(since);
}
void set_completed(slot& s, std::uint64_t done) {
  s.meter.completed = std::make_shared<std::atomic<std::uint64_t>>(done);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_idle_connection_is_asked_before_a_busy_one, table) {
  add(slot_state::connecting);
  add(slot_state::draining);
  BOOST_TEST(slots.witness() == nullptr);
  // Each is a better witness than all before it.
  const auto& busy_bind = add_bind(slot_state::ready, 1);
  BOOST_TEST(slots.witness() == &busy_bind);
  const auto& leased = add(slot_state::leased);
  BOOST_TEST(slots.witness() == &leased);
  const auto& busy = add(slot_state::ready, 1);
  BOOST_TEST(slots.witness() == &busy);
  const auto& idle_bind = add_bind(slot_state::ready);
  BOOST_TEST(slots.witness() == &idle_bind);
  auto& idle = add(slot_state::ready);
  BOOST_TEST(slots.witness() == &idle);
  auto& used_later = add(slot_state::ready);
  BOOST_TEST(slots.witness() == &used_later);
  set_silent(used_later);
  BOOST_TEST(slots.witness() == &idle);
}

BOOST_FIXTURE_TEST_CASE(what_does_not_answer_is_as_good_as_none, table) {
  BOOST_TEST(slots.none_ready());
  add(slot_state::connecting);
  add(slot_state::draining);
  BOOST_TEST(slots.none_ready());
  auto& one = add(slot_state::reserved);
  BOOST_TEST(!slots.none_ready());
  BOOST_TEST(slots.none_ready(connection_kind::bind));
  set_silent(one);
  BOOST_TEST(slots.none_ready());
}

BOOST_FIXTURE_TEST_CASE(a_bind_connection_serves_when_its_first_bind_was_answered, table) {
  auto& one = add_bind(slot_state::ready, 1);
  BOOST_TEST(slots.none_ready(connection_kind::bind));
  one.dispatched = 2;
  set_completed(one, 1);
  BOOST_TEST(!slots.none_ready(connection_kind::bind));
  auto& idle = add_bind(slot_state::ready);
  slots.erase(one.id);
  BOOST_TEST(!slots.none_ready(connection_kind::bind), "nothing was asked of " << idle.id << " yet");
}

BOOST_FIXTURE_TEST_CASE(a_kind_is_held_up_when_all_that_is_set_up_waits_for_us, table) {
  BOOST_TEST(!slots.held_up(connection_kind::pooled));
  set_held_up(add(slot_state::connecting));
  add(slot_state::ready);
  add_bind(slot_state::connecting);
  BOOST_TEST(slots.held_up(connection_kind::pooled));
  BOOST_TEST(!slots.held_up(connection_kind::bind));
  add(slot_state::connecting);
  BOOST_TEST(!slots.held_up(connection_kind::pooled));
}

BOOST_FIXTURE_TEST_CASE(a_server_owes_a_step_since_the_first_that_it_owes, table) {
  BOOST_TEST((slots.owed_since() == time_point::max()));
  set_awaited(add(slot_state::ready), now);
  add(slot_state::connecting);
  BOOST_TEST((slots.owed_since() == time_point::max()));
  set_awaited(add(slot_state::connecting), now + seconds{2});
  set_awaited(add_bind(slot_state::connecting), now + seconds{1});
  BOOST_TEST((slots.owed_since() == now + seconds{1}));
}

BOOST_FIXTURE_TEST_CASE(the_connection_used_longest_ago_is_the_first_to_go, table) {
  auto& busy = add(slot_state::ready, 1);
  add_bind(slot_state::ready);
  add(slot_state::leased);
  BOOST_TEST(slots.least_recently_used(connection_kind::pooled, false) == &busy);
  BOOST_TEST(slots.least_recently_used(connection_kind::pooled, true) == nullptr);
  auto& idle = add(slot_state::ready);
  add(slot_state::ready);
  BOOST_TEST(slots.least_recently_used(connection_kind::pooled, true) == &idle);
  BOOST_TEST(slots.least_recently_used(connection_kind::pooled, false) == &busy);
}

BOOST_FIXTURE_TEST_CASE(the_connection_whose_time_ended_first_is_replaced_first, table) {
  add(slot_state::ready).expires = now + seconds{1};
  add(slot_state::leased).expires = now - seconds{9};
  add_bind(slot_state::ready).expires = now - seconds{9};
  BOOST_TEST(slots.first_expired(connection_kind::pooled, now) == nullptr);
  auto& now_due = add(slot_state::ready);
  now_due.expires = now;
  BOOST_TEST(slots.first_expired(connection_kind::pooled, now) == &now_due);
  auto& overdue = add(slot_state::ready);
  overdue.expires = now - seconds{1};
  BOOST_TEST(slots.first_expired(connection_kind::pooled, now) == &overdue);
}

BOOST_FIXTURE_TEST_CASE(the_load_of_every_ready_connection_of_a_kind_is_asked_for, table) {
  auto& busy = add(slot_state::ready, 1);
  auto& other = add(slot_state::ready, 2);
  auto& bind = add_bind(slot_state::ready, 1);
  auto& leased = add(slot_state::leased, 1);
  BOOST_TEST(!slots.ask_for_load(connection_kind::pooled));
  BOOST_TEST((busy.meter.wanted->load() && other.meter.wanted->load()));
  BOOST_TEST(!(bind.meter.wanted->load() || leased.meter.wanted->load()));
  set_completed(other, 2);
  BOOST_TEST(slots.ask_for_load(connection_kind::pooled), "it has just run empty");
}
