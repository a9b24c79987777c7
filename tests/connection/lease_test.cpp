// Leases and users' binds: who may use a connection, and whose identity it has afterwards.
#include "rig.hpp"
#include "understudy/messages/ber.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using kind = connection_event::kind;

namespace {

constexpr lease_id mine = 41, foreign = 42;

request_ptr user_bind(const std::string& password) {
  return make_request(bind_request{"uid=user1,ou=people,dc=example,dc=com", secret{password}});
}

struct lease_rig : connection_rig {
  stub_directory directory{{.tls = {},
                            .ldaps = false,
                            .passwords = {{"cn=service,dc=example,dc=com", "service-password"},
                                          {"uid=user1,ou=people,dc=example,dc=com", "right"}}}};
  lease_rig() { use(directory); }

  answer<result_ptr> leased(const connection_actor& to, request_ptr request) {
    const auto slot = perform_leased(to, mine, std::move(request));
    BOOST_REQUIRE(reaches([&] { return slot->done(); }));
    return *slot;
  }
  std::string identity(const connection_actor& of) {
    const auto who = outcome(of, make_request(whoami_request{}));
    return who.ok() ? (*who.value)->response_value.value_or("?") : describe(*who.error);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(serves_the_holder_of_its_lease_only, lease_rig) {
  auto one = open_ready();
  BOOST_TEST((leased(one, find_user()).code() == errc::invalid_lease));
  tell(one, lease_atom_v, mine);
  BOOST_TEST(leased(one, find_user()).ok());
  const auto theirs = perform_leased(one, foreign, find_user());
  run();
  BOOST_TEST((theirs->code() == errc::invalid_lease));
  tell(one, reset_atom_v, foreign);
  BOOST_TEST(seen->events.size() == 1u);
  tell(one, reset_atom_v, mine);
  BOOST_TEST(seen->events.size() == 2u);
  BOOST_TEST((seen->events.back().what == kind::ready));
  BOOST_TEST((leased(one, find_user()).code() == errc::invalid_lease));
  BOOST_TEST(outcome(one, find_user()).ok());
  // The pool counts what it dispatched itself.
  BOOST_TEST(load->completed.load() == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(takes_the_services_identity_again_when_a_lease_ends, lease_rig) {
  auto one = open_ready();
  for (const auto* password : {"right", "wrong"}) {
    tell(one, lease_atom_v, mine);
    const auto bound = leased(one, user_bind(password));
    if (std::string{password} == "wrong") {
      BOOST_TEST((bound.code() == errc::authentication_failed));
      BOOST_TEST(bound.error->ldap_code == 49);
    } else {
      BOOST_TEST(bound.ok());
      const auto who = leased(one, make_request(whoami_request{}));
      BOOST_TEST((*who.value)->response_value.value_or("") == "dn:uid=user1,ou=people,dc=example,dc=com");
    }
    const auto before = seen->events.size();
    tell(one, reset_atom_v, mine);
    BOOST_REQUIRE(reaches([&] { return seen->events.size() > before; }));
    BOOST_TEST((seen->events.back().what == kind::ready));
    BOOST_TEST(identity(one) == "dn:" + seen->secret.bind_dn);
  }
  BOOST_TEST(seen->verdicts.size() == 3u);
  BOOST_TEST(directory.connections() == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(becomes_anonymous_again_when_the_service_is, lease_rig) {
  server.bind_dn.clear();
  auto one = open_ready();
  tell(one, lease_atom_v, mine);
  BOOST_TEST(leased(one, user_bind("right")).ok());
  directory.on(operation::bind, reply{});
  tell(one, reset_atom_v, mine);
  BOOST_REQUIRE(reaches([&] { return seen->events.size() == 2u; }));
  BOOST_TEST((seen->events.back().what == kind::ready));
  BOOST_TEST(directory.binds().back().dn == "");
  BOOST_TEST(seen->credential_questions == 0);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(closes_when_it_cannot_take_its_identity_again, lease_rig) {
  auto one = open_ready();
  tell(one, lease_atom_v, mine);
  BOOST_TEST(leased(one, user_bind("right")).ok());
  directory.set_passwords({{"cn=service,dc=example,dc=com", "changed"}});
  tell(one, reset_atom_v, mine);
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST((cause().code == errc::service_authentication_failed));
  BOOST_TEST((seen->verdicts.back().what == credential_verdict::kind::refused));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(abandons_what_a_lease_left_open, lease_rig) {
  auto one = open_ready();
  tell(one, lease_atom_v, mine);
  const auto silence = directory.disturb(operation::search, {.silent = true});
  const auto left = perform_leased(one, mine, find_user());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
  tell(one, reset_atom_v, mine);
  BOOST_TEST((left->code() == errc::invalid_lease));
  BOOST_TEST((seen->events.back().what == kind::ready));
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
  directory.forget(silence);
  BOOST_TEST(outcome(one, find_user()).ok());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(keeps_no_connection_on_which_a_lease_did_unknown_things, lease_rig) {
  auto one = open_ready();
  tell(one, lease_atom_v, mine);
  // StartTransaction (RFC 5805) leaves a transaction open.
  static_cast<void>(leased(one, make_request(extended_request{"1.3.6.1.1.21.1", std::nullopt, false})));
  tell(one, reset_atom_v, mine);
  BOOST_TEST((seen->events.back().what == kind::closed));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(never_redispatches_what_a_lease_holder_sent, lease_rig) {
  auto one = open_ready();
  tell(one, lease_atom_v, mine);
  directory.disturb_all({.silent = true});
  const auto read = perform_leased(one, mine, find_user());
  const auto write = perform_leased(one, mine, change_mail());
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  directory.close_all();
  BOOST_REQUIRE(reaches([&] { return read->done() && write->done(); }));
  BOOST_TEST((read->code() == errc::connection_unhealthy));
  BOOST_TEST((write->code() == errc::outcome_unknown));
  const auto later = perform_leased(one, mine, find_user());
  run();
  BOOST_TEST((later->code() == errc::connection_unhealthy));
  BOOST_TEST(seen->redispatches.empty());
  BOOST_TEST(load->completed.load() == 0u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(lets_a_lease_finish_before_it_drains, lease_rig) {
  auto one = open_ready();
  tell(one, lease_atom_v, mine);
  tell(one, drain_atom_v);
  BOOST_TEST(leased(one, find_user()).ok());
  BOOST_TEST(status(one).state == "draining");
  tell(one, reset_atom_v, mine);
  BOOST_TEST((seen->events.back().what == kind::closed));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(gives_a_leases_bind_the_connection_to_itself, lease_rig) {
  auto one = open_ready();
  tell(one, lease_atom_v, mine);
  directory.disturb(operation::search, {.delay = std::chrono::milliseconds{20}}, 1);
  const auto before = perform_leased(one, mine, find_user(1));
  const auto bind = perform_leased(one, mine, user_bind("right"));
  const auto after = perform_leased(one, mine, find_user(2));
  BOOST_REQUIRE(reaches([&] { return before->done() && bind->done() && after->done(); }));
  BOOST_TEST(before->ok());
  BOOST_TEST(bind->ok());
  BOOST_TEST(after->ok());
  std::vector<operation> kinds;
  for (const auto& r : directory.requests()) kinds.push_back(r.kind);
  const std::vector<operation> expected{operation::bind, operation::search, operation::bind, operation::search};
  BOOST_TEST((kinds == expected));
  BOOST_TEST(directory.requests().back().identity == "uid=user1,ou=people,dc=example,dc=com");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(carries_users_binds_one_at_a_time, lease_rig) {
  auto one = open_ready(connection_kind::bind);
  BOOST_TEST(directory.binds().empty());
  BOOST_TEST(seen->credential_questions == 0);
  const auto right = perform(one, user_bind("right"));
  const auto wrong = perform(one, user_bind("wrong"));
  const auto again = perform(one, user_bind("right"));
  BOOST_REQUIRE(reaches([&] { return again->done(); }));
  BOOST_TEST(right->ok());
  BOOST_TEST((wrong->code() == errc::authentication_failed));
  BOOST_TEST(wrong->error->ldap_code == 49);
  BOOST_TEST(again->ok());
  BOOST_TEST(directory.protocol_errors() == 0u);
  BOOST_TEST((outcome(one, find_user()).code() == errc::invalid_request));
  BOOST_TEST((outcome(one, user_bind("")).code() == errc::invalid_request));
  BOOST_TEST(seen->reports.empty());
  BOOST_TEST(status(one).state == "ready");
  remove(one);
  for (const auto& r : seen->reports) BOOST_TEST(!r.failed.has_value());
}

BOOST_FIXTURE_TEST_CASE(never_repeats_a_users_bind_that_was_sent, lease_rig) {
  auto one = open_ready(connection_kind::bind);
  directory.disturb(operation::bind, {.silent = true});
  const auto bind = perform(one, user_bind("right"));
  const auto held = perform(one, user_bind("right"));
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::bind) == 1; }));
  directory.reset_all();
  BOOST_REQUIRE(reaches([&] { return bind->done() && held->done(); }));
  BOOST_TEST((bind->code() == errc::outcome_unknown));
  BOOST_TEST((held->code() == errc::no_server));
  BOOST_TEST(seen->redispatches.size() == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(closes_a_connection_whose_users_bind_is_never_answered, lease_rig) {
  auto one = open_ready(connection_kind::bind);
  directory.disturb(operation::bind, {.silent = true});
  const auto bind = perform(one, user_bind("right"), seconds{1});
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::bind) == 1; }));
  advance(seconds{1});
  BOOST_TEST((bind->code() == errc::outcome_unknown));
  BOOST_TEST((seen->events.back().what == kind::closed));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(takes_nothing_but_a_bind_from_whoever_gets_a_bind_connection_next, lease_rig) {
  auto one = open_ready(connection_kind::bind);
  for (const lease_id holder : {mine, mine + 1}) {
    tell(one, lease_atom_v, holder);
    const auto before = perform_leased(one, holder, find_user());
    BOOST_REQUIRE(reaches([&] { return before->done(); }));
    BOOST_TEST((before->code() == errc::invalid_lease));
    const auto bind = perform_leased(one, holder, user_bind("right"));
    const auto found = perform_leased(one, holder, find_user());
    BOOST_REQUIRE(reaches([&] { return bind->done() && found->done(); }));
    BOOST_TEST(bind->ok());
    BOOST_TEST(found->ok());
    const auto events = seen->events.size();
    tell(one, reset_atom_v, holder);
    BOOST_REQUIRE(reaches([&] { return seen->events.size() > events; }));
    BOOST_TEST((seen->events.back().what == kind::ready));
  }
  // One bind for each: nothing is sent to make nobody of who was there.
  BOOST_TEST(directory.count(operation::bind) == 2u);
  BOOST_TEST(directory.count(operation::search) >= 2u);
  for (const auto& each : directory.requests(operation::search))
    BOOST_TEST((each.identity.empty() || each.identity == "uid=user1,ou=people,dc=example,dc=com"));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(relays_a_bind_of_several_steps_to_who_has_the_connection_alone, lease_rig) {
  const auto step = [](const std::string& text) {
    const auto sasl = ber_element(0xa3, ber_octets("SCRAM-SHA-256") + ber_octets(text));
    return make_request(opaque_request{ber_element(0x60, ber_integer(3) + ber_octets("") + sasl), {}, 5});
  };
  auto one = open_ready(connection_kind::bind);
  BOOST_TEST((outcome(one, step("first")).code() == errc::invalid_request));
  tell(one, lease_atom_v, mine);
  reply more;
  more.what.code = result_code::sasl_bind_in_progress;
  directory.on(operation::bind, more, 1);
  const auto first = leased(one, step("first"));
  BOOST_REQUIRE(first.ok());
  BOOST_TEST((*first.value)->code == result_code::sasl_bind_in_progress);
  BOOST_TEST((*first.value)->messages.substr(0, 5) == std::string("\x30\x0c\x02\x01\x05", 5));
  directory.on(operation::bind, reply{}, 1);
  const auto second = leased(one, step("second"));
  BOOST_REQUIRE(second.ok());
  BOOST_TEST((*second.value)->code == result_code::success);
  tell(one, reset_atom_v, mine);
  BOOST_REQUIRE(reaches([&] { return seen->events.size() == 2u; }));
  BOOST_TEST((seen->events.back().what == kind::ready));
  // Left in the middle: what the directory remembers of it nobody else may find.
  tell(one, lease_atom_v, mine + 1);
  directory.on(operation::bind, more, 1);
  const auto begun = perform_leased(one, mine + 1, step("first"));
  BOOST_REQUIRE(reaches([&] { return begun->done(); }));
  tell(one, reset_atom_v, mine + 1);
  BOOST_REQUIRE(reaches_event(kind::closed));
  BOOST_TEST((seen->events.back().cause == nullptr));
  remove(one);
  // On one of the service's nobody binds like that.
  auto pooled = open_ready();
  tell(pooled, lease_atom_v, mine);
  BOOST_TEST((leased(pooled, step("first")).code() == errc::invalid_request));
  remove(pooled);
}
