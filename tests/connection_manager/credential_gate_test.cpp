// The gate on injected time: one bind of an untried secret at a time, none of a refused one, no account locked.
#include "understudy/actors/connection_manager/credential_gate.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using std::chrono::minutes;

namespace {

using kind = credential_verdict::kind;

struct gate_fixture {
  gate_fixture() { accept_secret("right"); }

  void accept_secret(std::string_view value) { put(gate.set_secret(account, secret{value}, now)); }

  // Asks for `server`; what was answered to it at once: a version, 0 (refused), or nothing (waits).
  std::optional<std::uint64_t> ask(server_id server, credential_gate::account_id who = 0) {
    const auto ticket = ++tickets;
    put(gate.ask(ticket, who, server, now + seconds{30}, now));
    return answered(ticket);
  }

  std::optional<std::uint64_t> answered(std::uint64_t ticket) {
    const auto found = told.find(ticket);
    return found == told.end() ? std::nullopt : std::optional{found->second.version};
  }

  void on_verdict(std::uint64_t version, kind what, server_id server = 1) {
    credential_verdict v;
    v.server = server;
    v.version = version;
    v.what = what;
    if (what == kind::refused) {
      failure f;
      f.code = errc::service_authentication_failed;
      f.where = stage::bind;
      f.ldap_code = 49;
      f.server = "ldap1:389";
      v.cause = std::make_shared<const failure>(f);
    }
    put(gate.on_verdict(v, now, wall));
  }

  // The account gets each of them in turn, and each is refused.
  void refuse_each(std::initializer_list<std::string_view> values) {
    for (const auto value : values) {
      accept_secret(value);
      on_verdict(ask(1).value(), kind::refused);
    }
  }

  // Two binds of one secret under way, of which the earlier one is refused: the version of the other.
  std::uint64_t refuse_earlier_of_two() {
    const auto earlier = ask(1).value();
    advance(options.silence);
    const auto other = ask(2).value();
    on_verdict(earlier, kind::refused);
    return other;
  }

  void advance(duration by) {
    now += by;
    put(gate.tick(now));
  }

  void put(const gate_answers& answers) {
    for (const auto& a : answers) {
      BOOST_TEST(told.count(a.ticket) == 0U);  // nobody is answered twice
      BOOST_TEST((a.version == 0) == (a.refusal != nullptr));
      told[a.ticket] = a;
    }
  }

  const failure& refusal(std::uint64_t ticket) { return *told.at(ticket).refusal; }

  gate_options options;
  credential_gate gate{options};
  credential_gate::account_id account = gate.add_account("cn=service", "password_file /run/secret", minutes{1});
  time_point now{std::chrono::hours{1}};
  wall_time wall{std::chrono::hours{1}};
  std::uint64_t tickets = 0;
  std::map<std::uint64_t, gate_answer> told;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(first_bind_goes_alone, gate_fixture) {
  BOOST_TEST(ask(1).value_or(0) != 0U);
  BOOST_TEST(!ask(2).has_value());
  BOOST_TEST(!ask(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(accepted_secret_lets_all_go, gate_fixture) {
  const auto version = ask(1).value();
  ask(2);
  ask(3);
  on_verdict(version, kind::accepted);
  BOOST_TEST(answered(2).value_or(0) != 0U);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  BOOST_TEST(ask(1).value_or(0) != 0U);
  BOOST_TEST(ask(1).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(refused_secret_is_sent_by_nobody, gate_fixture) {
  const auto version = ask(1).value();
  ask(2);
  on_verdict(version, kind::refused);
  BOOST_TEST(answered(2).value_or(1) == 0U);
  for (int i = 0; i < 100; ++i) {
    advance(seconds{8});
    BOOST_TEST(ask(static_cast<server_id>(i % 3)).value_or(1) == 0U);
  }
  BOOST_TEST(gate.refused(account));
  BOOST_TEST(gate.any_refused());
}

BOOST_FIXTURE_TEST_CASE(refusal_says_who_when_and_what_to_do, gate_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  advance(minutes{5});
  ask(2);
  const auto& f = refusal(2);
  BOOST_TEST(static_cast<int>(f.code) == static_cast<int>(errc::service_authentication_failed));
  BOOST_TEST(static_cast<int>(classify(f)) == static_cast<int>(failure_class::credential));
  BOOST_TEST(f.ldap_code == 49);
  BOOST_TEST(f.server == "ldap1:389");
  BOOST_TEST(f.message.find("cn=service") != std::string::npos);
  BOOST_TEST(f.message.find("password_file /run/secret") != std::string::npos);
  BOOST_TEST(f.message.find("tried again in 600 s") != std::string::npos);
  BOOST_TEST((f.retry_after == std::optional<milliseconds>{minutes{1}}));
  BOOST_TEST((f.cause_at == std::optional<wall_time>{wall}));
}

BOOST_FIXTURE_TEST_CASE(hour_of_a_wrong_password_costs_one_bind_a_retry, gate_fixture) {
  int binds = 0;
  for (int second = 0; second < 3600; ++second) {
    for (server_id server = 0; server < 3; ++server) {
      if (const auto version = ask(server); version.value_or(0) != 0) {
        ++binds;
        on_verdict(*version, kind::refused, server);
      }
    }
    advance(seconds{1});
  }
  BOOST_TEST(binds == 4);
}

BOOST_FIXTURE_TEST_CASE(changed_secret_is_tried_at_once_and_alone, gate_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  accept_secret("new");
  BOOST_TEST(!gate.refused(account));
  const auto version = ask(2);
  BOOST_TEST(version.value_or(0) != 0U);
  BOOST_TEST(!ask(3).has_value());
  on_verdict(*version, kind::accepted);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  BOOST_TEST(!gate.any_refused());
}

BOOST_FIXTURE_TEST_CASE(same_bytes_are_no_change, gate_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  accept_secret("right");
  BOOST_TEST(ask(2).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(waiters_go_on_with_a_changed_secret, gate_fixture) {
  const auto old = ask(1).value();
  ask(2);
  accept_secret("new");
  BOOST_TEST(answered(2).value_or(0) != 0U);
  on_verdict(old, kind::refused);
  BOOST_TEST(!gate.refused(account));
  BOOST_TEST(!ask(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(stream_of_wrong_secrets_is_stopped, gate_fixture) {
  int binds = 0;
  for (int i = 0; i < 55; ++i) {
    accept_secret("guess " + std::to_string(i));
    if (const auto version = ask(1); version.value_or(0) != 0) {
      ++binds;
      on_verdict(*version, kind::refused);
    }
    advance(minutes{1});
  }
  BOOST_TEST(binds == 12);  // three each quarter of an hour
  accept_secret("another");
  ask(1);
  BOOST_TEST(refusal(tickets).message.find("last 3 passwords") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(secret_that_changes_while_its_bind_is_under_way_counts_all_the_same, gate_fixture) {
  std::vector<std::uint64_t> under_way;
  for (int i = 0; i < 10; ++i) {
    accept_secret("guess " + std::to_string(i));
    if (const auto version = ask(1); version.value_or(0) != 0) under_way.push_back(*version);
  }
  BOOST_TEST(under_way.size() == 3U);
  for (const auto version : under_way) on_verdict(version, kind::refused);
  advance(minutes{14});
  BOOST_TEST(ask(1).value_or(1) == 0U);
  advance(minutes{1});
  BOOST_TEST(ask(1).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(binds_that_bring_no_verdict_do_not_count_for_long, gate_fixture) {
  for (int i = 0; i < 10; ++i) {
    accept_secret("guess " + std::to_string(i));
    BOOST_TEST(ask(1).value_or(0) != 0U);
    advance(seconds{5});
  }
}

BOOST_FIXTURE_TEST_CASE(secret_that_returns_while_its_bind_is_under_way_does_not_go_twice, gate_fixture) {
  const auto version = ask(1).value();
  accept_secret("another");
  accept_secret("right");
  BOOST_TEST(!ask(2).has_value());
  on_verdict(version, kind::accepted);
  BOOST_TEST(answered(tickets).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(refusal_counts_also_when_a_later_bind_brings_no_verdict, gate_fixture) {
  const auto other = gate.add_account("cn=service", "another source", minutes{1});
  put(gate.set_secret(other, secret{"right"}, now));
  on_verdict(ask(1).value(), kind::refused);
  gate.retry_now(other);
  on_verdict(ask(1).value(), kind::unknown);
  for (int i = 0; i < 2; ++i) {
    accept_secret("guess " + std::to_string(i));
    on_verdict(ask(1).value(), kind::refused);
  }
  accept_secret("another");
  BOOST_TEST(ask(1).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(binds_refused_together_count_once, gate_fixture) {
  const auto version = ask(1).value();
  on_verdict(version, kind::accepted);
  for (server_id server = 0; server < 5; ++server) {
    ask(server);
  }
  for (server_id server = 0; server < 5; ++server) {
    on_verdict(version, kind::refused, server);
  }
  accept_secret("new");
  BOOST_TEST(ask(1).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(command_lifts_a_refusal, gate_fixture) {
  on_verdict(ask(1).value(), kind::refused);
  gate.retry_now(account);
  BOOST_TEST(ask(2).value_or(0) != 0U);
  BOOST_TEST(!ask(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(unknown_hands_the_turn_to_another_server_first, gate_fixture) {
  const auto version = ask(1).value();
  ask(1);
  ask(2);
  on_verdict(version, kind::unknown);
  BOOST_TEST(!answered(2).has_value());
  BOOST_TEST(answered(3).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(server_that_had_no_turn_goes_before_those_that_had_one, gate_fixture) {
  const auto first = ask(1).value();
  ask(2);
  on_verdict(first, kind::unknown);
  ask(1);
  ask(3);
  on_verdict(answered(2).value(), kind::unknown, 2);
  BOOST_TEST(!answered(3).has_value());
  BOOST_TEST_REQUIRE(answered(4).value_or(0) != 0U);
  ask(2);
  advance(options.silence);  // whose turn is longest ago
  BOOST_TEST(answered(3).value_or(0) != 0U);
  BOOST_TEST(!answered(5).has_value());
}

BOOST_FIXTURE_TEST_CASE(unknown_without_waiters_frees_the_turn, gate_fixture) {
  on_verdict(ask(1).value(), kind::unknown);
  BOOST_TEST(ask(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(late_unknown_does_not_end_the_turn_of_the_next, gate_fixture) {
  const auto first = ask(1).value();
  ask(2);
  ask(3);
  advance(options.silence);
  BOOST_TEST(answered(2).value_or(0) != 0U);
  on_verdict(first, kind::unknown);
  BOOST_TEST(!answered(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(silent_bind_keeps_other_servers_waiting_for_a_moment_only, gate_fixture) {
  ask(1);
  ask(2);
  advance(options.silence - milliseconds{1});
  BOOST_TEST(!answered(2).has_value());
  BOOST_TEST((gate.next_tick() == std::optional{now + milliseconds{1}}));
  advance(milliseconds{1});
  BOOST_TEST(answered(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(several_silent_servers_cost_a_moment_each, gate_fixture) {
  ask(1);
  ask(2);
  ask(3);
  advance(options.silence);
  BOOST_TEST(answered(2).value_or(0) != 0U);
  BOOST_TEST(!answered(3).has_value());
  advance(options.silence);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  on_verdict(*answered(3), kind::accepted, 3);
  BOOST_TEST(ask(4).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(who_asks_when_the_bind_is_silent_already_does_not_wait, gate_fixture) {
  ask(1);
  advance(options.silence);
  BOOST_TEST(ask(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(silent_server_gets_no_second_bind_before_the_turn_is_over, gate_fixture) {
  ask(1);
  ask(1);
  ask(2);
  advance(options.silence);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  advance(options.turn - options.silence - milliseconds{1});
  BOOST_TEST(!answered(2).has_value());
  advance(milliseconds{1});
  BOOST_TEST(answered(2).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(only_one_server_refuses_a_wrong_secret_beside_mute_ones, gate_fixture) {
  for (server_id server = 1; server <= 4; ++server) {
    ask(server);
  }
  advance(options.silence);
  on_verdict(answered(2).value(), kind::refused, 2);
  for (std::uint64_t ticket : {3, 4}) {
    BOOST_TEST(answered(ticket).value_or(1) == 0U);
  }
  advance(seconds{30});
  BOOST_TEST(ask(1).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(unknown_of_a_silent_bind_leaves_the_others_turns_alone, gate_fixture) {
  const auto first = ask(1).value();
  ask(2);
  advance(options.silence);
  on_verdict(first, kind::unknown);
  BOOST_TEST(!ask(3).has_value());
  BOOST_TEST(!ask(2).has_value());
  on_verdict(*answered(2), kind::unknown, 2);
  BOOST_TEST(answered(3).value_or(0) != 0U);
  BOOST_TEST(!answered(4).has_value());
}

BOOST_FIXTURE_TEST_CASE(late_refusal_counts, gate_fixture) {
  const auto first = ask(1).value();
  ask(2);
  advance(options.silence);
  on_verdict(first, kind::refused);
  BOOST_TEST(ask(3).value_or(1) == 0U);
}

// An account is as near to its lock with somebody else's bind under way as without.
BOOST_FIXTURE_TEST_CASE(secret_that_another_account_tries_is_blocked_all_the_same, gate_fixture) {
  const auto other = gate.add_account("cn=service", "password_file /run/other", minutes{1});
  put(gate.set_secret(other, secret{"shared"}, now));
  refuse_each({"wrong 1", "wrong 2", "wrong 3"});
  BOOST_TEST(ask(1, other).value_or(0) != 0U);
  accept_secret("shared");
  advance(options.silence);
  BOOST_TEST(ask(2).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(bind_under_way_counts_although_another_secret_is_accepted, gate_fixture) {
  const auto other = refuse_earlier_of_two();
  accept_secret("right after all");
  on_verdict(ask(3).value(), kind::accepted);
  on_verdict(other, kind::refused, 2);
  refuse_each({"wrong 1", "wrong 2"});
  accept_secret("wrong 3");
  BOOST_TEST(ask(1).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(bind_under_way_counts_although_a_command_lifts_a_refusal, gate_fixture) {
  const auto other = refuse_earlier_of_two();
  gate.retry_now(account);
  accept_secret("wrong 1");
  on_verdict(other, kind::refused, 2);
  on_verdict(ask(1).value(), kind::refused);
  refuse_each({"wrong 2"});
  accept_secret("wrong 3");
  BOOST_TEST(ask(1).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(bind_without_a_verdict_ends_no_turn_but_its_own, gate_fixture) {
  const auto first = ask(1).value();
  advance(options.silence);
  const auto silent = ask(2).value();
  on_verdict(first, kind::accepted);
  const auto together = ask(1).value();
  BOOST_TEST(together != silent);
  BOOST_TEST(ask(1).value() != together);
}

BOOST_FIXTURE_TEST_CASE(secret_that_nobody_has_is_forgotten_when_its_binds_are_over, gate_fixture) {
  const auto first = ask(1).value();
  advance(options.silence);
  ask(2);  // never judged
  on_verdict(first, kind::accepted);
  accept_secret("another");
  now += options.turn;  // nobody asked to be told of it
  accept_secret("right");
  BOOST_TEST(ask(1).value_or(0) != 0U);
  BOOST_TEST(!ask(3).has_value());  // untried again: alone
}

BOOST_FIXTURE_TEST_CASE(waiting_ends_at_the_deadline, gate_fixture) {
  ask(1);
  put(gate.ask(++tickets, account, 1, now + seconds{2}, now));
  advance(seconds{2});
  BOOST_TEST(answered(2).value_or(1) == 0U);
  // That it waited for us speaks neither against the server nor against the password.
  BOOST_TEST(static_cast<int>(classify(refusal(2))) == static_cast<int>(failure_class::local));
  BOOST_TEST(!counts_against_server(classify(refusal(2))));
}

BOOST_FIXTURE_TEST_CASE(old_acceptance_is_renewed_by_one_bind, gate_fixture) {
  on_verdict(ask(1).value(), kind::accepted);
  advance(options.fresh);
  const auto version = ask(1);
  BOOST_TEST(version.value_or(0) != 0U);
  BOOST_TEST(!ask(2).has_value());
  BOOST_TEST(!ask(3).has_value());
  on_verdict(*version, kind::refused);  // rotated meanwhile: one bind, not three
  BOOST_TEST(answered(3).value_or(1) == 0U);
  BOOST_TEST(answered(4).value_or(1) == 0U);
}

BOOST_FIXTURE_TEST_CASE(renewal_waits_a_short_turn_only, gate_fixture) {
  on_verdict(ask(1).value(), kind::accepted);
  advance(options.fresh);
  ask(1);
  ask(2);
  advance(options.renewed_turn);
  BOOST_TEST(answered(3).value_or(0) != 0U);
}

BOOST_FIXTURE_TEST_CASE(equal_credentials_share_a_verdict, gate_fixture) {
  const auto other = gate.add_account("cn=service", "password_command get-secret", minutes{1});
  put(gate.set_secret(other, secret{"right"}, now));
  const auto version = ask(1).value();
  BOOST_TEST(!ask(2, other).has_value());
  on_verdict(version, kind::refused);
  BOOST_TEST(answered(2).value_or(1) == 0U);
  BOOST_TEST(gate.refused(other));
}

BOOST_FIXTURE_TEST_CASE(different_accounts_do_not_wait_for_each_other, gate_fixture) {
  const auto same_name = gate.add_account("cn=service", "a", duration::zero());
  const auto same_bytes = gate.add_account("cn=other", "b", duration::zero());
  put(gate.set_secret(same_name, secret{"different"}, now));
  put(gate.set_secret(same_bytes, secret{"right"}, now));
  on_verdict(ask(1).value(), kind::refused);
  BOOST_TEST(ask(2, same_name).value_or(0) != 0U);
  BOOST_TEST(ask(3, same_bytes).value_or(0) != 0U);
  BOOST_TEST(!gate.refused(same_name));
}

BOOST_FIXTURE_TEST_CASE(unknown_versions_are_ignored, gate_fixture) {
  on_verdict(0, kind::accepted);
  on_verdict(~std::uint64_t{0}, kind::refused);
  BOOST_TEST(ask(1).value_or(0) != 0U);
  BOOST_TEST(!ask(2).has_value());
}

BOOST_FIXTURE_TEST_CASE(retry_is_announced, gate_fixture) {
  BOOST_TEST(!gate.retry_at(account, now).has_value());
  on_verdict(ask(1).value(), kind::refused);
  BOOST_TEST((gate.retry_at(account, now) == std::optional{now + options.retry}));
  advance(options.retry);
  BOOST_TEST(!gate.retry_at(account, now).has_value());
  BOOST_TEST(gate.refused(account));  // until it is accepted
}
