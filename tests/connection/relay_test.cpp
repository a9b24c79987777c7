// Answers to somebody else's searches, handed on part by part, and readers who do not keep up.
#include "connection/state_harness.hpp"
#include "rig.hpp"
#include "support/contains.hpp"
#include "support/relayed.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

constexpr std::size_t much = 300 * 1024;   // more than a reader may have
constexpr std::size_t enough = 20 * 1024;  // more than is kept back for others to answer

struct relaying : state_harness {
  relaying() { become_ready(); }
  reply_id relay_with_parts(std::size_t bytes, duration limit = seconds{30}) {
    const auto reply = relay(limit);
    write();
    part_of(reply, bytes);
    return reply;
  }
  void cancel(reply_id reply) {
    turn([&] { state().cancel(asked.at(reply).token); });
  }
  bool sent_elsewhere(reply_id reply) const { return outcome(reply).what == told::kind::sent_elsewhere; }
  std::size_t failures() const {
    return static_cast<std::size_t>(
        std::count_if(reports.begin(), reports.end(), [](const outcome_report& r) { return r.failed.has_value(); }));
  }
  std::size_t bytes_of(reply_id reply) {
    std::size_t sum = 0;
    for (const auto& p : parts[reply]) sum += p.messages.size();
    return sum;
  }
};

}  // namespace

// ---- parts ----

BOOST_FIXTURE_TEST_CASE(a_part_goes_when_it_comes_and_the_rest_with_the_answer, relaying) {
  const auto search = relay_with_parts(enough);
  part_of(search, 50);
  BOOST_REQUIRE(parts[search].size() == 2u);
  BOOST_TEST(parts[search][0].messages.size() == enough);
  BOOST_TEST(parts[search][1].messages.size() == 50u);
  BOOST_TEST(waits(search));
  answer(search);
  BOOST_TEST((outcome(search).what == told::kind::answer));
  BOOST_TEST(outcome(search).answer->messages.empty());
}

BOOST_FIXTURE_TEST_CASE(an_answer_that_comes_at_once_goes_at_once, relaying) {
  const auto search = relay();
  write();
  result entry;
  entry.messages = "an entry";
  wire.arrive(id_of(search), pdu_op::search_entry, decoded_pdu::part, entry);
  answer(search);
  BOOST_TEST(parts[search].empty());
  BOOST_TEST(outcome(search).answer->messages == "an entry");
}

BOOST_FIXTURE_TEST_CASE(only_an_opaque_search_is_answered_in_parts, relaying) {
  call c;
  c.what = some_write();
  c.deadline = now + seconds{30};
  c.parts = 99;
  asked[99] = c;
  turn([&] { state().accept(c, 0, 99); });
  BOOST_TEST((code(99) == errc::invalid_request));
}

BOOST_FIXTURE_TEST_CASE(an_answer_that_comes_at_once_takes_no_more_than_who_asks_can_pass_on, relaying) {
  const auto answered_with = [&](std::uint32_t most, std::size_t bytes) {
    call c;
    c.what = some_relayed_search();
    c.deadline = now + seconds{30};
    c.most_answer_bytes = most;
    const auto reply = ask(c);
    write();
    part_of(reply, bytes / 2);
    if (waits(reply)) part_of(reply, bytes - bytes / 2);
    if (waits(reply)) answer(reply);
    return reply;
  };
  BOOST_TEST(outcome(answered_with(1000, 1000)).answer->messages.size() == 1000U);
  const auto refused = answered_with(1000, 1001);
  BOOST_TEST((code(refused) == errc::result_too_large));
  BOOST_TEST(contains(outcome(refused).why->message, "takes more than 1000 bytes"));
  BOOST_TEST(outcome(answered_with(0, 100'000)).answer->messages.size() == 100'000U);
}

BOOST_FIXTURE_TEST_CASE(answers_take_no_more_together_than_who_asked_has_room_for, relaying) {
  const auto meter = std::make_shared<answer_meter>(1500);
  const auto ask_metered = [&](std::size_t reserved = 0) {
    call c;
    c.what = some_relayed_search();
    c.deadline = now + seconds{30};
    c.metered = std::make_shared<metered_answer>(meter, reserved);
    return ask(c);
  };
  const auto first = ask_metered(), second = ask_metered();
  write();
  part_of(first, 700);
  part_of(second, 700);
  BOOST_TEST(meter->taken() == 1400U);
  part_of(second, 200);
  BOOST_TEST((code(second) == errc::queue_full));
  BOOST_TEST(wire.requests.at(id_of(second)).abandoned);
  BOOST_TEST(asked.at(second).metered->refused());
  // What was given up makes room, and the other comes to its end.
  asked.at(second).metered = nullptr;
  BOOST_TEST(meter->taken() == 700U);
  part_of(first, 800);
  answer(first);
  BOOST_TEST(outcome(first).answer->messages.size() == 1500U);
  BOOST_TEST(!asked.at(first).metered->refused());
  BOOST_TEST(failures() == 0U, "the reader's slowness was counted against the server");
  // Room that was taken before is the answer's own.
  asked.at(first).metered = nullptr;
  BOOST_TEST_REQUIRE(meter->take(1500));
  const auto reserved = ask_metered(1500);
  write();
  part_of(reserved, 1500);
  answer(reserved);
  BOOST_TEST(outcome(reserved).answer->messages.size() == 1500U);
}

BOOST_AUTO_TEST_CASE(who_asks_for_more_than_a_result_may_take_gets_no_more) {
  relaying h;
  h.all.limits.max_result_bytes = 2000;
  call c;
  c.what = some_relayed_search();
  c.deadline = h.now + seconds{30};
  c.most_answer_bytes = 100'000;
  const auto reply = h.ask(c);
  h.write();
  h.part_of(reply, 2001);
  BOOST_TEST((h.code(reply) == errc::result_too_large));
  BOOST_TEST(contains(h.outcome(reply).why->message, "max_result_bytes (2000)"));
}

BOOST_FIXTURE_TEST_CASE(what_was_begun_is_not_begun_again_elsewhere, relaying) {
  const auto begun = relay_with_parts(enough), not_begun = relay();
  write();
  end(false);
  BOOST_TEST(sent_elsewhere(not_begun));
  BOOST_TEST((code(begun) == errc::connection_failed));
}

BOOST_FIXTURE_TEST_CASE(a_small_answer_that_is_not_complete_can_be_given_by_another, relaying) {
  const auto search = relay_with_parts(100);
  part_of(search, 50);
  BOOST_TEST(parts[search].empty());
  end(false);
  BOOST_TEST(sent_elsewhere(search));
  BOOST_TEST(parts[search].empty());
}

BOOST_FIXTURE_TEST_CASE(a_small_answer_goes_whole_or_when_its_server_would_have_been_left, relaying) {
  const auto whole = relay_with_parts(100), begun = relay_with_parts(100);
  pass(milliseconds{900});
  part_of(whole, 50);
  part_of(begun, 50);
  answer(whole);
  BOOST_TEST(parts[whole].empty());
  BOOST_TEST(outcome(whole).answer->messages.size() == 150u);
  pass(milliseconds{900});
  BOOST_TEST(parts[begun].empty());
  BOOST_TEST(suspicions == 0);
  pass(milliseconds{300});
  BOOST_TEST(bytes_of(begun) == 150u);
  part_of(begun, 10);
  BOOST_TEST(bytes_of(begun) == 160u);
}

BOOST_FIXTURE_TEST_CASE(the_answers_first_part_is_what_the_server_is_judged_by, relaying) {
  const auto search = relay();
  write();
  pass(milliseconds{20});
  for (int i = 0; i < 20; ++i) {
    part_of(search, 100);
    pass(milliseconds{900});
  }
  answer(search);
  pass(seconds{1});
  BOOST_REQUIRE(!reports.empty());
  BOOST_TEST((reports.back().latency_total == milliseconds{20}));
}

// ---- readers ----

BOOST_FIXTURE_TEST_CASE(beside_a_slow_reader_others_are_read_to_their_ends_and_nothing_new_begins, relaying) {
  const auto other = ask(some_search());
  const auto slow = relay_with_parts(much);
  BOOST_TEST(load->reader_behind.load());
  BOOST_TEST(!wire.reading_held());
  BOOST_TEST(sent_elsewhere(ask(some_search(2))));
  answer(other);
  BOOST_TEST((outcome(other).what == told::kind::answer));
  BOOST_TEST(wire.reading_held());
  BOOST_TEST(waits(slow));

  load->wanted = true;
  pass_on(slow, much);
  BOOST_TEST(!wire.reading_held());
  BOOST_TEST(!load->reader_behind.load());
  BOOST_TEST(!load->wanted.load(), "the pool was not told");
  const auto next = ask(some_search(3));
  BOOST_TEST(id_of(next) != 0);
  BOOST_TEST(waits(next));
}

BOOST_FIXTURE_TEST_CASE(what_has_no_other_chance_waits_for_the_reader, relaying) {
  const auto slow = relay_with_parts(much);
  const auto last = relay(seconds{30}, 3);
  BOOST_TEST(waits(last));
  BOOST_TEST(wire.requests.size() == 2u);
  pass_on(slow, much);
  BOOST_TEST(wire.requests.size() == 3u);
}

BOOST_FIXTURE_TEST_CASE(while_the_reader_is_waited_for_the_servers_silence_says_nothing, relaying) {
  const auto slow = relay_with_parts(much, seconds{60});
  pass(seconds{20});
  BOOST_TEST(suspicions == 0);
  BOOST_TEST(failures() == 0u);
  const auto asked_now = check();
  BOOST_REQUIRE(checks[asked_now].size() == 1u);
  BOOST_TEST(checks[asked_now][0].ok);
  // From now on it is the server who is waited for.
  pass_on(slow, much);
  pass(all.breaker.suspect_after / 2);
  BOOST_TEST(suspicions == 0);
  pass(all.breaker.suspect_after);
  BOOST_TEST(suspicions == 1);
}

BOOST_FIXTURE_TEST_CASE(a_reader_who_gives_up_or_is_late_holds_nothing_up_any_more, relaying) {
  const auto slow = relay_with_parts(much);
  BOOST_TEST(wire.reading_held());
  cancel(slow);
  BOOST_TEST((code(slow) == errc::cancelled));
  BOOST_TEST(!wire.reading_held());
  BOOST_TEST(!load->reader_behind.load());

  const auto late = relay_with_parts(much, seconds{10});
  const auto id = id_of(late);
  BOOST_TEST(wire.reading_held());
  pass(seconds{10});
  BOOST_TEST((code(late) == errc::operation_timeout));
  BOOST_TEST(wire.requests.at(id).abandoned);
  BOOST_TEST(!wire.reading_held());
  BOOST_TEST(!load->reader_behind.load());
  BOOST_TEST(failures() == 0u, "the reader's slowness was counted against the server");
}

BOOST_FIXTURE_TEST_CASE(two_slow_readers_hold_it_up_until_one_of_them_reads, relaying) {
  const auto one = relay(), two = relay();
  write();
  part_of(one, much);
  BOOST_TEST(!wire.reading_held());
  part_of(two, much);
  BOOST_TEST(wire.reading_held());
  pass_on(one, much);
  BOOST_TEST(!wire.reading_held());
  BOOST_TEST(load->reader_behind.load());
  pass_on(two, much);
  BOOST_TEST(!load->reader_behind.load());
}

BOOST_AUTO_TEST_CASE(a_reader_who_is_too_far_behind_beside_others_loses_its_search_alone) {
  relaying h;
  h.all.limits.max_result_bytes = 1024 * 1024;
  const auto other = h.ask(some_search());
  const auto slow = h.relay();
  h.write();
  const auto id = h.id_of(slow);
  for (int i = 0; i < 3; ++i) h.part_of(slow, much);
  BOOST_TEST(h.waits(slow));
  h.pass_on(slow, much);
  h.part_of(slow, much);
  BOOST_TEST(h.waits(slow));
  h.part_of(slow, much);
  BOOST_TEST((h.code(slow) == errc::result_too_large));
  BOOST_TEST(h.wire.requests.at(id).abandoned);
  BOOST_TEST(h.bytes_of(slow) == 4 * much);
  BOOST_TEST(!h.load->reader_behind.load());
  h.answer(other);
  BOOST_TEST((h.outcome(other).what == told::kind::answer));
}

BOOST_FIXTURE_TEST_CASE(credit_for_what_is_over_is_ignored, relaying) {
  const auto search = relay_with_parts(100);
  answer(search);
  pass_on(search, 100);
  turn([&] { state().passed_on(4711, 100); });
  const auto typed = ask(some_search());
  pass_on(typed, 100);
  const auto next = relay_with_parts(enough);
  pass_on(next, 1'000'000);
  part_of(next, much);
  BOOST_TEST(load->reader_behind.load(), "what was never sent was counted as passed on");
}

// ---- on real sockets ----

namespace {

constexpr std::int32_t asker_id = 5;

request_ptr everybody_relayed() {
  search_request what;
  what.base = "ou=people,dc=example,dc=com";
  return relayed(what, asker_id);
}

std::vector<entry> many_people(std::size_t n) {
  std::vector<entry> all;
  for (std::size_t i = 0; i < n; ++i)
    all.push_back(
        {"uid=user" + std::to_string(i) + ",ou=people,dc=example,dc=com", {{"description", {std::string(1000, 'x')}}}});
  return all;
}

/// What a reader was sent.
struct relayed_answer {
  bool passes_on = true;
  std::string messages;
  std::size_t parts = 0, unread = 0;
  answer<result_ptr> end;
  std::function<void()> pass_all_on = [] {};
};

struct relay_rig : connection_rig {
  stub_directory directory;
  connection_actor one;
  relay_rig() {
    all.limits.max_result_bytes = 2 * 1024 * 1024;
    use(directory);
    one = open_ready();
  }
  ~relay_rig() { remove(one); }

  std::shared_ptr<relayed_answer> read(bool passes_on) {
    auto seen_by = std::make_shared<relayed_answer>();
    seen_by->passes_on = passes_on;
    auto what = order(everybody_relayed());
    what.parts = 77;
    own(system.spawn([=, to = one](caf::event_based_actor* self) -> caf::behavior {
      self->request(to, caf::infinite, perform_atom_v, what)
          .then([=](const result_ptr& value) { seen_by->end.value = value; },
                [=](const caf::error& e) { seen_by->end.error = failure_of(e); });
      return {[=](batch_atom, std::uint64_t number, const relayed_part& part) {
        BOOST_TEST(number == 77u);
        BOOST_TEST(!seen_by->end.done());
        ++seen_by->parts;
        seen_by->messages += part.messages;
        seen_by->unread += part.messages.size();
        // It is the answer's own: it must not keep that.
        seen_by->pass_all_on = [to, id = part.id, own = seen_by.get()] {
          caf::anon_send(to, credit_atom_v, id, std::uint64_t{std::exchange(own->unread, 0)});
        };
        if (seen_by->passes_on) seen_by->pass_all_on();
      }};
    }));
    return seen_by;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_large_answer_is_relayed_in_parts_without_a_loss, relay_rig) {
  directory.set_entries(many_people(5000));
  const auto r = read(true);
  BOOST_REQUIRE(reaches([&] { return r->end.done(); }));
  BOOST_TEST_REQUIRE(r->end.ok());
  BOOST_TEST(r->parts > 3u);
  BOOST_TEST(entries_in(r->messages + (*r->end.value)->messages, asker_id) == 5000u);
}

BOOST_FIXTURE_TEST_CASE(a_server_waits_for_a_slow_reader_and_goes_on_where_it_stopped, relay_rig) {
  directory.set_entries(many_people(5000));
  const auto r = read(false);
  BOOST_REQUIRE(reaches([&] { return load->reader_behind.load(); }));
  const auto then = r->messages.size();
  BOOST_TEST(then < 2'000'000u);
  advance(seconds{5});
  BOOST_TEST(r->messages.size() == then);
  BOOST_TEST(!r->end.done());
  r->passes_on = true;
  r->pass_all_on();
  BOOST_REQUIRE(reaches([&] { return r->end.done(); }));
  BOOST_TEST_REQUIRE(r->end.ok());
  BOOST_TEST(entries_in(r->messages + (*r->end.value)->messages, asker_id) == 5000u);
  BOOST_TEST(!load->reader_behind.load());
  BOOST_TEST(outcome(one, make_request(whoami_request{})).ok());
}
