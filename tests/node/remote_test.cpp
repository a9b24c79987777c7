// A client of nodes does with requests what a runtime here does: the same results, the same errors, and when links are
// lost nothing twice and nothing never.
#include "understudy/actors/node/remote_manager.hpp"

#include "remote_rig.hpp"
#include "understudy/actors/node/compression.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(operations_end_as_they_would_here, remote_rig) {
  link_to(0);
  for (const int code : {0, 5, 6, 10, 32, 49, 51, 68}) {
    for (auto& n : nodes) {
      directory_answer answer{.code = code, .matched_dn = "dc=x", .diagnostic = "said so"};
      answer.controls = {{"1.2.3", false, "v"}};
      for (const auto kind : {operation::compare, operation::modify, operation::remove, operation::bind,
                              operation::extended, operation::whoami, operation::password_modify})
        n->script->answers[kind] = answer;
      // What a busy server had found is lost on the way: it is asked for again as a whole.
      if (code != 51) answer.entries = {{"cn=a", {{"mail", {"x", "y"}}}}};
      if (code != 51) answer.references = {{"ldap://r/"}};
      n->script->answers[operation::search] = answer;
    }
    for (const auto& what : every_operation()) {
      const auto here = ask<result_ptr>(nodes[0]->node.router(), perform_atom_v, call_of(what));
      const auto there = ask<result_ptr>(router(), perform_atom_v, call_of(what));
      BOOST_TEST(text_of(there) == text_of(here), describe(what->op) << " with " << code);
    }
  }
}

namespace {

struct compressed_rig : remote_rig {
  compressed_rig() : remote_rig({}, true) {}

  /// Links to one that answers so: what became of a read and of a write.
  void check_broken_off(bool agrees, const answer_frame& with, const std::string& why) {
    for (const auto& what : {make_request(search_request{}), make_request(delete_request{"cn=a"})}) {
      tell_event({node_event::kind::linked, liar(agrees, with), "liar", 0, nullptr});
      const auto links = avoided.size();
      const auto got = ask<result_ptr>(router(), perform_atom_v, call_of(what));
      const bool write = is_write(what->op);
      BOOST_TEST((got.code() == (write ? errc::outcome_unknown : errc::connection_failed)), text_of(got));
      BOOST_TEST(text_of(got).find(why) != std::string::npos, text_of(got));
      // Its link is ended, and another is looked for, elsewhere if there is an elsewhere.
      BOOST_TEST(ways == 0);
      advance(seconds{2});
      BOOST_TEST(ways == 1);
      BOOST_TEST_REQUIRE(avoided.size() == links + 1);
      BOOST_TEST(avoided.back() == "liar");
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(results_that_cross_compressed_are_the_same, compressed_rig) {
  link_to(0);
  for (int i = 0; i < 500; ++i)
    nodes[0]->script->answers[operation::search].entries.push_back(
        {"cn=" + std::to_string(i), {{"mail", {"user@example.com"}}}});
  const auto what = make_request(search_request{});
  BOOST_TEST(text_of(ask<result_ptr>(router(), perform_atom_v, call_of(what))) ==
             text_of(ask<result_ptr>(nodes[0]->node.router(), perform_atom_v, call_of(what))));
  nodes[0]->script->entries_of_stream = 5000;
  const auto read = stream(take_lease(), 6000);
  BOOST_TEST(read->end.ok(), (read->end.error ? describe(*read->end.error) : ""));
  BOOST_TEST(read->entries == 5000U);
}

BOOST_FIXTURE_TEST_CASE(what_is_no_compressed_answer_ends_the_link, compressed_rig) {
  answer_frame bad;
  bad.kind = answer_kind::compressed;
  bad.body = "garbage";
  bad.size = 10'000;
  check_broken_off(true, bad, "A compressed answer cannot be read");
  compressor with;
  bad.body = *with.compress(std::string(64 * 1024 * 1024, 'x'));
  bad.size = 64 * 1024 * 1024;
  check_broken_off(true, bad, "are taken at the most");
  answer_frame good;
  good.kind = answer_kind::messages;
  good.messages = std::string(10'000, 'x');
  const auto fine = decode_answer(with.compress_answer(encode(good)));
  check_broken_off(false, *fine.value, "which was not agreed");
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_sent_is_refused_as_here, remote_rig) {
  link_to(0);
  search_request bad;
  bad.filter = "(uid=";
  for (const auto& what :
       {make_request(bad), make_request(bind_request{"", "x"}), make_request(add_request{"cn=x", {}})}) {
    const auto got = ask<result_ptr>(router(), perform_atom_v, call_of(what));
    BOOST_TEST((got.code() == errc::invalid_request));
  }
  BOOST_TEST(nodes[0]->script->seen.empty());
}

BOOST_FIXTURE_TEST_CASE(the_deadline_and_the_cancel_cross, remote_rig) {
  link_to(0);
  nodes[0]->script->hold = true;
  auto what = call_of(make_request(search_request{}), milliseconds{700});
  what.token = std::make_shared<cancel_token>();
  const auto cancelled = start<result_ptr>(router(), perform_atom_v, what);
  run();
  BOOST_TEST((nodes[0]->script->seen.at(0).deadline == now() + milliseconds{700}));
  what.token->cancel();
  tell(router(), cancel_atom_v, what.token);
  BOOST_TEST((cancelled->code() == errc::cancelled));
  BOOST_TEST(nodes[0]->script->cancelled.size() == 1U);

  const auto late =
      start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}), milliseconds{500}));
  const auto write =
      start<result_ptr>(router(), perform_atom_v, call_of(make_request(delete_request{"cn=x"}), milliseconds{500}));
  nodes[0]->script->deaf_to_cancel = true;
  run();
  deaf = true;  // the node's answers do not arrive either
  advance(milliseconds{600});
  BOOST_TEST((late->code() == errc::operation_timeout));
  BOOST_TEST((write->code() == errc::outcome_unknown));
  deaf = false;
}

BOOST_FIXTURE_TEST_CASE(with_a_lost_link_a_read_goes_to_the_next_node_and_a_write_is_unknown, remote_rig) {
  link_to(0);
  nodes[0]->script->hold = true;
  const auto read = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
  const auto write = start<result_ptr>(router(), perform_atom_v, call_of(make_request(delete_request{"cn=x"})));
  run();
  cut();
  BOOST_TEST(!read->done());
  BOOST_TEST((write->code() == errc::outcome_unknown));
  BOOST_TEST(write->error->message.find("delete of \"cn=x\"") != std::string::npos);
  BOOST_TEST(write->error->server == "node0");
  // Not sent to any node yet: it waits for the next.
  const auto later = start<result_ptr>(router(), perform_atom_v, call_of(make_request(delete_request{"cn=y"})));
  run();
  BOOST_TEST(!later->done());
  link_to(1);
  BOOST_TEST(read->ok());
  BOOST_TEST(later->ok());
  BOOST_TEST(nodes[1]->script->done["cn=x"] == 0);
  BOOST_TEST(nodes[1]->script->done["cn=y"] == 1);
  // What the lost node's gateway was told: its requests were given up.
  BOOST_TEST(nodes[0]->script->cancelled.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(while_no_node_is_there_requests_fail_at_once_with_the_cause, remote_rig) {
  const auto waits = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
  run();
  BOOST_TEST(!waits->done());
  tell_event(
      {node_event::kind::unreachable, {}, {}, 0, make_failure(errc::ssl_error, stage::secure, "bad certificate")});
  BOOST_TEST((waits->code() == errc::connection_failed));
  BOOST_TEST((waits->error->cause_code == errc::ssl_error));
  BOOST_TEST((ask<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}))).code() ==
              errc::connection_failed));
  const auto before = env->returns->load();
  link_to(0);
  BOOST_TEST(env->returns->load() == before + 1);
  BOOST_TEST(ask<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}))).ok());
}

BOOST_FIXTURE_TEST_CASE(no_more_is_under_way_than_the_node_grants, remote_rig) {
  link_to(0);
  nodes[0]->script->hold = true;
  std::vector<answer_ptr<result_ptr>> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}))));
  run();
  // The rest of it is for leases.
  BOOST_TEST(nodes[0]->script->seen.size() == 3U);
  nodes[0]->script->hold = false;
  nodes[0]->node.answer_held();
  run();
  for (const auto& one : all) BOOST_TEST(one->ok());
}

BOOST_FIXTURE_TEST_CASE(a_node_that_speaks_no_version_of_ours_is_left_for_another, remote_rig) {
  const auto waits = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
  tell_event({node_event::kind::linked, stranger(), "old", 0, nullptr, 2});
  BOOST_TEST(!waits->done());
  BOOST_TEST((avoided == std::vector<std::string>{"", "old"}));
  link_to(1);
  BOOST_TEST(waits->ok());
  BOOST_TEST(ask<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}))).ok());
}

BOOST_FIXTURE_TEST_CASE(when_every_node_refuses_each_is_named_and_tried_again_with_pauses, remote_rig) {
  const auto waits = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
  tell_event({node_event::kind::linked, stranger(), "old", 0, nullptr, 2});
  tell_event({node_event::kind::linked, stranger(), "older", 0, nullptr, 2});
  BOOST_TEST((waits->code() == errc::connection_failed));
  BOOST_TEST((waits->error->cause_code == errc::invalid_request));
  for (const auto* part : {"version 9", "node old: ", "node older: "})
    BOOST_TEST(waits->error->message.find(part) != std::string::npos, waits->error->message);
  BOOST_TEST((ask<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}))).code() ==
              errc::connection_failed));
  const auto lines = log->lines().size();
  for (int second = 0; second < 59; ++second) {
    const auto before = avoided.size();
    advance(seconds{1});
    if (avoided.size() > before)
      tell_event({node_event::kind::linked, stranger(), second % 2 == 0 ? "old" : "older", 0, nullptr, 2});
  }
  BOOST_TEST(avoided.size() < 50U);
  BOOST_TEST(log->lines().size() <= lines + 1);
  advance(seconds{11});
  link_to(1);
  BOOST_TEST(ask<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}))).ok());
}

BOOST_FIXTURE_TEST_CASE(a_node_that_does_not_say_its_terms_is_left_for_another, remote_rig) {
  const auto waits = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
  deaf = true;
  link_to(0);
  advance(milliseconds{900});
  BOOST_TEST(avoided.size() == 1U);
  advance(milliseconds{100});
  BOOST_TEST((avoided == std::vector<std::string>{"", "node0"}));
  deaf = false;
  link_to(1);
  BOOST_TEST(waits->ok());
}

BOOST_FIXTURE_TEST_CASE(a_node_has_one_deadline_for_the_dial_and_its_terms, remote_rig) {
  const auto waits = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}), seconds{60}));
  deaf = true;
  connect_timeout = milliseconds{400};  // what the dial has left of it
  link_to(0);
  advance(milliseconds{399});
  BOOST_TEST(avoided.size() == 1U);
  advance(milliseconds{1});
  BOOST_TEST((avoided == std::vector<std::string>{"", "node0"}));
  link_to(1);
  advance(milliseconds{400});
  BOOST_TEST((waits->code() == errc::connection_failed));
  // When no node speaks with us, each has all of it.
  advance(seconds{2});
  const auto begun = avoided.size();
  connect_timeout = seconds{9};
  link_to(0);
  advance(milliseconds{8'999});
  BOOST_TEST(avoided.size() == begun);
  advance(milliseconds{1});
  BOOST_TEST(avoided.size() == begun + 1);
  BOOST_TEST(avoided.back() == "node0");
}

BOOST_FIXTURE_TEST_CASE(a_deadline_that_passes_while_a_node_is_silent_names_it, remote_rig) {
  const auto waits = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}), seconds{2}));
  tell_event({node_event::kind::silent,
              {},
              {},
              0,
              make_failure(errc::connection_timeout, stage::connect, "node0:1 says nothing")});
  advance(seconds{3});
  BOOST_TEST_REQUIRE(waits->error);
  BOOST_TEST(describe(*waits->error).find("node0:1 says nothing") != std::string::npos, describe(*waits->error));
}

BOOST_FIXTURE_TEST_CASE(a_lease_never_waits_behind_those_who_wait_for_one, remote_rig) {
  link_to(0);
  const auto grant = take_lease();
  nodes[0]->script->hold = true;
  std::vector<answer_ptr<lease_grant>> wishes;
  for (int i = 0; i < 4; ++i) wishes.push_back(ask_for_lease(seconds{60}));
  for (int i = 0; i < 4; ++i) start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
  const auto seen = nodes[0]->script->seen.size();
  const auto found =
      start<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(search_request{})));
  run();
  BOOST_TEST(nodes[0]->script->seen.size() == seen + 1);
  BOOST_TEST(nodes[0]->script->seen_leases.back() != 0U);
}

BOOST_FIXTURE_TEST_CASE(a_grant_is_claimed_although_all_credit_is_taken, remote_rig) {
  link_to(0);
  const auto slot = ask_for_lease(seconds{5});
  BOOST_TEST_REQUIRE(slot->ok());
  nodes[0]->script->hold = true;
  for (int i = 0; i < 2; ++i)
    start<result_ptr>(slot->value->connection, perform_atom_v, slot->value->id,
                      call_of(make_request(search_request{}), seconds{60}));
  for (int i = 0; i < 8; ++i)
    start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}), seconds{60}));
  run();
  tell(manager, claim_atom_v, slot->value->server, slot->value->id);
  advance(seconds{6});
  BOOST_TEST(nodes[0]->script->released.empty());
}

BOOST_FIXTURE_TEST_CASE(a_write_whose_answer_cannot_be_read_is_unknown, remote_rig) {
  link_to(0);
  for (const auto on_lease : {false, true}) {
    garbled = false;
    const auto grant = take_lease();
    garbled = true;
    const auto write = call_of(make_request(delete_request{"cn=x"}));
    const auto fate = on_lease ? ask<result_ptr>(grant.connection, perform_atom_v, grant.id, write)
                               : ask<result_ptr>(router(), perform_atom_v, write);
    BOOST_TEST((fate.code() == errc::outcome_unknown));
    BOOST_TEST(fate.error->message.find("delete of \"cn=x\"") != std::string::npos);
    const auto lost = ask<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
    BOOST_TEST((lost.code() != errc::outcome_unknown));
    BOOST_TEST(!lost.ok());
  }
  garbled = false;
}

BOOST_FIXTURE_TEST_CASE(an_answer_of_another_kind_to_a_write_is_unknown, remote_rig) {
  link_to(0);
  answer_frame other;
  other.kind = answer_kind::text;
  replaced = encode(other);
  BOOST_TEST((ask<result_ptr>(router(), perform_atom_v, call_of(make_request(delete_request{"cn=x"}))).code() ==
              errc::outcome_unknown));
  replaced.clear();
}

BOOST_FIXTURE_TEST_CASE(a_node_that_is_drained_loses_nothing, remote_rig) {
  link_to(0);
  nodes[0]->script->hold = true;
  const auto runs = start<result_ptr>(router(), perform_atom_v, call_of(make_request(delete_request{"cn=x"})));
  run();
  tell(nodes[0]->gateway, drain_atom_v);
  const auto next = start<result_ptr>(router(), perform_atom_v, call_of(make_request(delete_request{"cn=y"})));
  run();
  BOOST_TEST(!next->done());
  // What runs there holds up nobody.
  BOOST_TEST((avoided == std::vector<std::string>{"", "node0"}));
  link_to(1);
  BOOST_TEST(next->ok());
  BOOST_TEST(nodes[1]->script->done["cn=y"] == 1);
  BOOST_TEST(ways == 2);
  BOOST_TEST(!runs->done());
  nodes[0]->script->hold = false;
  nodes[0]->node.answer_held();
  run();
  BOOST_TEST(runs->ok());
  BOOST_TEST(nodes[0]->script->done["cn=x"] == 1);
  // Nothing is left there to be waited for.
  BOOST_TEST(ways == 1);
}

BOOST_FIXTURE_TEST_CASE(a_lease_goes_on_at_a_node_that_is_drained_until_that_ends, remote_rig) {
  link_to(0);
  const auto grant = take_lease();
  tell(nodes[0]->gateway, drain_atom_v);
  const auto next = start<result_ptr>(router(), perform_atom_v, call_of(make_request(delete_request{"cn=y"})));
  run();
  link_to(1);
  BOOST_TEST(next->ok());
  const auto on_lease = [&] {
    return ask<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(search_request{})));
  };
  // Longer than a silent holder keeps one: that he is there is said to both nodes.
  const auto at_second = take_lease();
  advance(seconds{60});
  BOOST_TEST(on_lease().ok());
  BOOST_TEST(nodes[0]->script->released.empty());
  BOOST_TEST(nodes[1]->script->released.empty());
  nodes[0]->script->hold = true;
  const auto write =
      start<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(delete_request{"cn=x"})));
  run();
  cut(1);
  BOOST_TEST((write->code() == errc::outcome_unknown));
  BOOST_TEST(write->error->server == "node0");
  BOOST_TEST((on_lease().code() == errc::connection_unhealthy));
  BOOST_TEST(ways == 1);
  BOOST_TEST(
      ask<result_ptr>(at_second.connection, perform_atom_v, at_second.id, call_of(make_request(search_request{})))
          .ok());
}

BOOST_FIXTURE_TEST_CASE(a_node_that_says_it_has_no_patience_is_told_once_a_second_that_a_holder_is_there, remote_rig) {
  const auto pings = std::make_shared<int>(0);
  const auto hasty = own(system.spawn([pings](caf::event_based_actor*) -> caf::behavior {
    return {[pings](const std::string& bytes) {
      const auto kind = internal::decode_request(bytes).value.value().kind;
      answer_frame f;
      if (kind == request_kind::hello) {
        f.kind = answer_kind::text;
        f.body = encode(node_terms{"hasty", node_permission::write, 4, 1 << 20, 1 << 20, milliseconds{1}, false});
      } else if (kind == request_kind::acquire) {
        f.kind = answer_kind::granted;
        f.grant = {5, 7, 2, "ldap1:389"};
      } else if (kind == request_kind::ping && ++*pings > 100) {
        throw std::runtime_error("it is asked without pause");
      }
      return encode(f);
    }};
  }));
  tell_event({node_event::kind::linked,
              caf::actor_cast<node_gateway_actor>(caf::actor_cast<caf::strong_actor_ptr>(hasty)), "hasty", 0, nullptr});
  take_lease();
  advance(seconds{10});
  BOOST_TEST(*pings >= 9);
  BOOST_TEST(*pings <= 10);
}

BOOST_FIXTURE_TEST_CASE(nodes_that_are_all_drained_are_not_tried_in_a_circle, remote_rig) {
  for (auto& n : nodes) tell(n->gateway, drain_atom_v);
  link_to(0);
  const auto waits = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
  run();
  for (int tenth = 0; tenth < 40; ++tenth) {
    const auto before = avoided.size();
    if (avoided.size() < 20U) link_to(avoided.size() % 2);
    advance(milliseconds{100});
    if (avoided.size() == before) continue;
  }
  BOOST_TEST(avoided.size() < 8U);
  BOOST_TEST((waits->code() == errc::draining));
}

BOOST_FIXTURE_TEST_CASE(a_lease_is_used_and_returned_as_here, remote_rig) {
  link_to(0);
  auto& script = *nodes[0]->script;
  const auto grant = take_lease();
  BOOST_TEST(grant.server_name == "ldap1:389");
  advance(seconds{6});
  BOOST_TEST(script.released.empty());
  const auto found =
      ask<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(search_request{})));
  BOOST_TEST_REQUIRE(found.ok());
  BOOST_TEST(script.seen_leases.back() != 0U);
  BOOST_TEST((
      ask<result_ptr>(grant.connection, perform_atom_v, lease_id{77}, call_of(make_request(search_request{}))).code() ==
      errc::invalid_lease));
  BOOST_TEST(ask<connection_snapshot>(grant.connection, status_atom_v).value->peer == "192.0.2.1:389");
  BOOST_TEST(ask<probe_report>(grant.connection, check_atom_v, now() + seconds{1}).value->ok);
  // Kept alive as long as it is held.
  advance(seconds{60});
  BOOST_TEST(script.released.empty());
  BOOST_TEST(ask<bool>(manager, release_atom_v, grant.server, grant.id).value.value());
  BOOST_TEST(script.released.size() == 1U);
  BOOST_TEST((ask<bool>(manager, release_atom_v, grant.server, grant.id).code() == errc::invalid_lease));
}

BOOST_FIXTURE_TEST_CASE(with_a_lost_link_a_lease_breaks_and_its_writes_are_unknown, remote_rig) {
  link_to(0);
  const auto grant = take_lease();
  nodes[0]->script->hold = true;
  const auto read =
      start<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(search_request{})));
  const auto write =
      start<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(delete_request{"cn=x"})));
  run();
  cut();
  BOOST_TEST((read->code() == errc::connection_unhealthy));
  BOOST_TEST((write->code() == errc::outcome_unknown));
  link_to(1);
  BOOST_TEST(
      (ask<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(search_request{}))).code() ==
       errc::connection_unhealthy));
  BOOST_TEST(nodes[0]->script->leases_open() == 0U);
  BOOST_TEST(nodes[1]->script->seen.empty());
  BOOST_TEST(ask<bool>(manager, release_atom_v, grant.server, grant.id).value.value());
}

BOOST_FIXTURE_TEST_CASE(what_an_actor_held_returns_when_it_ends, remote_rig) {
  link_to(0);
  lease_request wish;
  wish.deadline = now() + seconds{5};
  const auto holder = system.spawn([to = router(), wish](caf::event_based_actor* self) -> caf::behavior {
    self->request(to, caf::infinite, lease_atom_v, wish).then([](const lease_grant&) {});
    return {[](close_atom) {}};
  });
  run();
  BOOST_TEST(nodes[0]->script->leases_open() == 1U);
  kill(holder);
  BOOST_TEST(nodes[0]->script->leases_open() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_stream_gives_its_reader_what_it_has_credits_for, remote_rig) {
  link_to(0);
  auto& script = *nodes[0]->script;
  script.entries_of_stream = 30'000;
  const auto grant = take_lease();
  auto reader = stream(grant, 100);
  BOOST_TEST(reader->entries == 100U);
  // Nobody reads: nothing more is sent, here or there.
  const auto sent = script.sent_entries;
  advance(seconds{10});
  BOOST_TEST(script.sent_entries == sent);
  BOOST_TEST(sent < 6000U);
  BOOST_TEST(
      (ask<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(search_request{}))).code() ==
       errc::invalid_request));
  while (!reader->end.done()) {
    const auto before = reader->entries;
    tell(grant.connection, credit_atom_v, grant.id, std::uint64_t{9}, std::uint32_t{1000});
    BOOST_TEST_REQUIRE((reader->end.done() || reader->entries == before + 1000));
  }
  BOOST_TEST(reader->end.ok());
  BOOST_TEST(reader->entries == 30'000U);
  BOOST_TEST(script.most_unread < 300U * 1024);
  // The lease is as good as before.
  BOOST_TEST(ask<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(search_request{}))).ok());
}

BOOST_FIXTURE_TEST_CASE(a_stream_ends_with_its_failure_its_link_its_cancel_or_its_reader, remote_rig) {
  link_to(0);
  auto& script = *nodes[0]->script;
  script.entries_of_stream = 2000;
  script.break_stream = make_failure(errc::connection_unhealthy, stage::operation, "it broke", "ldap1:389");
  const auto broken = take_lease();
  auto reader = stream(broken, 60'000);
  BOOST_TEST(reader->entries == 1000U);
  BOOST_TEST((reader->end.code() == errc::connection_unhealthy));
  BOOST_TEST(reader->end.error->message == "it broke");
  script.break_stream = nullptr;
  script.entries_of_stream = 100'000;

  const auto cancelled = take_lease();
  auto by_hand = stream(cancelled, 50);
  by_hand->token->cancel();
  const auto before = script.cancelled.size();
  tell(cancelled.connection, cancel_atom_v, by_hand->token);
  BOOST_TEST((by_hand->end.code() == errc::cancelled));
  BOOST_TEST(script.cancelled.size() == before + 1);

  const auto left = take_lease();
  auto gone = stream(left, 50);
  kill(gone->actor);
  BOOST_TEST(script.cancelled.size() == before + 2);

  const auto lost = take_lease();
  auto cut_off = stream(lost, 50);
  BOOST_TEST(cut_off->entries == 50U);
  cut();
  BOOST_TEST((cut_off->end.code() == errc::connection_unhealthy));
  BOOST_TEST(script.leases_open() == 0U);
}

BOOST_FIXTURE_TEST_CASE(what_the_directory_says_at_the_end_of_a_stream_is_its_outcome, remote_rig) {
  link_to(0);
  nodes[0]->script->entries_of_stream = 3;
  nodes[0]->script->end_of_stream = {.code = 4, .matched_dn = {}, .diagnostic = "enough"};
  const auto grant = take_lease();
  auto reader = stream(grant, 50);
  BOOST_TEST(reader->entries == 3U);
  BOOST_TEST((reader->end.code() == errc::ldap_error));
  BOOST_TEST(reader->end.error->ldap_code == 4);
  BOOST_TEST(reader->end.error->diagnostic == "enough");
}

BOOST_FIXTURE_TEST_CASE(a_manager_of_nodes_says_what_a_node_knows, remote_rig) {
  link_to(0);
  auto& script = *nodes[0]->script;
  server_snapshot one;
  one.id = 2;
  one.host = "ldap1";
  one.port = 389;
  script.state.servers = {one};
  BOOST_TEST(ask<runtime_snapshot>(manager, status_atom_v).value->servers.at(0).host == "ldap1");
  const auto servers = ask<std::vector<routed_server>>(manager, servers_atom_v);
  BOOST_TEST(servers.value->at(0).context->name == "ldap1:389");
  BOOST_TEST(servers.value->at(0).context->id == 2U);
  script.probes.resize(3);
  BOOST_TEST(ask<std::vector<probe_report>>(manager, health_atom_v, now() + seconds{1}).value->size() == 3U);
  BOOST_TEST(ask<std::vector<probe_report>>(manager, health_atom_v, 1, now() + seconds{1}).value->size() == 3U);
  BOOST_TEST(ask<bool>(manager, suspend_atom_v, server_id{2}, std::uint32_t{30}).value.value());
  BOOST_TEST((script.suspended.at(0) == std::pair<server_id, std::uint32_t>{2, 30}));
  BOOST_TEST(!ask<bool>(manager, resume_atom_v, server_id{3}).value.value());
  BOOST_TEST(
      (ask<reload_report>(manager, reload_atom_v, std::make_shared<const settings>(), std::make_shared<start_token>())
           .code() == errc::invalid_request));
}

BOOST_FIXTURE_TEST_CASE(a_drained_client_finishes_what_it_has_and_closes_its_link, remote_rig) {
  link_to(0);
  nodes[0]->script->hold = true;
  const auto runs = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{})));
  run();
  const auto drained = start<bool>(manager, drain_atom_v, now() + seconds{5});
  run();
  BOOST_TEST(
      (ask<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}))).code() == errc::draining));
  BOOST_TEST(!drained->done());
  nodes[0]->script->hold = false;
  nodes[0]->node.answer_held();
  run();
  BOOST_TEST(runs->ok());
  BOOST_TEST((drained->ok() && *drained->value));
  BOOST_TEST(ways == 0);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_cannot_finish_in_time_says_so, remote_rig) {
  link_to(0);
  nodes[0]->script->hold = true;
  const auto runs = start<result_ptr>(router(), perform_atom_v, call_of(make_request(search_request{}), seconds{60}));
  run();
  const auto drained = start<bool>(manager, drain_atom_v, now() + seconds{5});
  advance(seconds{5});
  BOOST_TEST((runs->code() == errc::stopped));
  BOOST_TEST((drained->ok() && !*drained->value));
}

BOOST_FIXTURE_TEST_CASE(what_runs_on_a_lease_that_is_returned_is_answered, remote_rig) {
  link_to(0);
  const auto grant = take_lease();
  nodes[0]->script->hold = true;
  const auto runs =
      start<result_ptr>(grant.connection, perform_atom_v, grant.id, call_of(make_request(delete_request{"cn=x"})));
  run();
  BOOST_TEST(ask<bool>(manager, release_atom_v, grant.server, grant.id).value.value());
  BOOST_TEST((runs->code() == errc::invalid_lease));
}

BOOST_FIXTURE_TEST_CASE(a_reader_without_credits_has_nothing_asked_for, remote_rig) {
  link_to(0);
  nodes[0]->script->entries_of_stream = 30'000;
  const auto grant = take_lease();
  auto reader = stream(grant, 1);
  const auto sent = nodes[0]->script->sent_entries;
  // The first part has ten entries: when the last of them is taken, and no credit is left, nothing is asked for.
  for (const std::uint32_t more : {5, 4}) {
    tell(grant.connection, credit_atom_v, grant.id, std::uint64_t{9}, more);
    BOOST_TEST(nodes[0]->script->sent_entries == sent);
  }
  BOOST_TEST(reader->entries == 10U);
  tell(grant.connection, credit_atom_v, grant.id, std::uint64_t{9}, std::uint32_t{1});
  BOOST_TEST(reader->entries == 11U);
  BOOST_TEST(nodes[0]->script->sent_entries > sent);
}
