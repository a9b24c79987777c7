// One client's session: what is answered here, what is passed on and where, and who is sent away.
#include "session_messages.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/paged_results.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

const std::string alice = "uid=alice,dc=example,dc=com";

/// A session with what it has decided since the last look.
struct session_rig {
  explicit session_rig(client_rules with = {}, client_origin from = {"192.0.2.1", true, false, false})
      : session(std::move(from), std::make_shared<client_rules>(std::move(with)), limiter, now, offer) {}

  void says(const std::string& message) {
    session.on_message(message, now);
    look();
  }
  void look() {
    for (auto& action : session.take_actions())
      if (auto* reply = std::get_if<session_action::reply>(&action))
        for (auto& said : answers_in(reply->bytes)) heard.push_back(std::move(said));
      else
        actions.push_back(std::move(action));
  }
  template <class Action>
  std::optional<Action> next() {
    if (actions.empty() || !std::holds_alternative<Action>(actions.front())) return std::nullopt;
    auto first = std::get<Action>(std::move(actions.front()));
    actions.erase(actions.begin());
    return first;
  }
  /// The only thing said since the last time.
  raw_answer said() {
    BOOST_TEST_REQUIRE(heard.size() == 1U);
    auto only = heard.front();
    heard.clear();
    return only;
  }
  void wait(duration span) {
    now += span;
    session.tick(now);
    look();
  }
  void bind_as_service(int id = 1) {
    says(bind_message(id, "cn=service", "secret"));
    session.claim_checked(next<session_action::check_claim>().value().number, service_claim::right, now);
    look();
    BOOST_TEST(said().code == 0);
  }
  void bind_as(const std::string& dn, int id = 1) {
    says(bind_message(id, dn, "password"));
    session.claim_checked(next<session_action::check_claim>().value().number, service_claim::other, now);
    look();
    session.acquired(next<session_action::acquire>().value().number, now);
    look();
    session.answered(next<session_action::forward>().value().number, result{}, now);
    look();
    BOOST_TEST(said().code == 0);
    // Others may have to go now that he is in; there is room enough.
    BOOST_TEST(next<session_action::evict>().has_value());
    session.room_made();
  }
  /// What the directory answers a step of a SASL bind, and what is done then.
  void answer_step(session_number number, int id, int code) {
    ldap_answer said;
    said.code = code;
    result done;
    done.code = code;
    done.messages = encode_answer(id, 0x61, said);
    session.answered(number, done, now);
    look();
  }
  void answer(session_number number, const std::vector<control>& controls = {}) {
    result done;
    done.controls = controls;
    ldap_answer answered;
    answered.controls = controls;
    done.messages = encode_answer(2, 0x65, answered);
    session.answered(number, done, now);
    look();
  }

  time_point now{seconds{1000}};
  std::shared_ptr<bind_limiter> limiter = std::make_shared<bind_limiter>();
  std::shared_ptr<proxied_authorization_offer> offer = std::make_shared<proxied_authorization_offer>();
  client_session session;
  std::vector<session_action::any> actions;
  std::vector<raw_answer> heard;
};

client_rules proxy_rules() {
  client_rules rules;
  rules.identity = client_identity::proxy;
  return rules;
}

/// A root DSE as the directory answers it.
result root_dse_with(std::vector<std::string> controls) {
  result answer;
  answer.entries.push_back({"", {{"supportedControl", std::move(controls)}}});
  return answer;
}

/// As whom an operation that was passed on is carried out; "service": it does not say.
std::string identity_of(const session_action::forward& asked) {
  const auto* opaque = std::get_if<opaque_request>(&asked.what->op);
  const auto controls = opaque != nullptr ? *read_controls(opaque->controls) : asked.what->controls;
  const auto* found = find_control(controls, "2.16.840.1.113730.3.4.18");
  if (found == nullptr) return "service";
  BOOST_TEST(found->critical);
  return found->value.value_or("nothing");
}

std::string plain_of(const std::string& authorization, const std::string& authentication, const std::string& password) {
  return authorization + std::string(1, '\0') + authentication + std::string(1, '\0') + password;
}

control page_control(const std::string& cookie) { return paged_results_control({2, cookie}, false); }

std::string paged_search(int id, const std::string& cookie) {
  return search_of(id, "dc=a", search_scope::subtree,
                   control_of(std::string{paged_results_oid}, true, encode_paged_results({2, cookie})));
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_service_is_known_here_and_its_operations_go_to_shared_connections) {
  session_rig r;
  r.bind_as_service();
  r.says(search_of(2, "dc=a"));
  const auto asked = r.next<session_action::forward>();
  BOOST_TEST_REQUIRE(asked.has_value());
  BOOST_TEST(!asked->leased);
  BOOST_TEST(asked->parts);
  r.answer(asked->number);
  BOOST_TEST(r.said().tag == 0x65);
}

BOOST_AUTO_TEST_CASE(a_wrong_password_of_the_service_is_refused_here) {
  session_rig r;
  r.says(bind_message(1, "cn=service", "wrong"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::wrong, r.now);
  r.look();
  BOOST_TEST(r.said().code == 49);
  BOOST_TEST(r.actions.empty());
  r.says(bind_message(2, "cn=service", "secret"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::unknown, r.now);
  r.look();
  BOOST_TEST(r.said().code == 52);
}

BOOST_AUTO_TEST_CASE(a_user_is_served_by_the_connection_on_which_his_bind_was_accepted) {
  session_rig r;
  r.bind_as(alice);
  r.says(replace_message(2, alice, "cn", "x"));
  const auto asked = r.next<session_action::forward>();
  BOOST_TEST_REQUIRE(asked.has_value());
  BOOST_TEST(asked->leased);
  r.says(unbind_message(3));
  BOOST_TEST(r.next<session_action::cancel>().has_value());
  BOOST_TEST(r.next<session_action::release>().has_value());
  BOOST_TEST(r.next<session_action::close>().has_value());
}

BOOST_AUTO_TEST_CASE(a_user_whose_bind_is_refused_is_told_and_his_connection_returned) {
  session_rig r;
  r.says(bind_message(1, alice, "wrong"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
  r.look();
  failure no = *make_failure(errc::authentication_failed, stage::operation, "no");
  no.ldap_code = 49;
  r.session.failed(r.next<session_action::forward>().value().number, no, r.now);
  r.look();
  BOOST_TEST(r.said().code == 49);
  BOOST_TEST(r.next<session_action::release>().has_value());
  r.says(search_of(2, "dc=a"));
  BOOST_TEST(r.said().code == 53);
}

BOOST_AUTO_TEST_CASE(a_bind_whose_connection_had_ended_unnoticed_is_tried_on_another_once) {
  session_rig r;
  r.says(bind_message(1, alice, "password"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  for (int attempt = 0; attempt < 2; ++attempt) {
    r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
    r.look();
    r.session.failed(r.next<session_action::forward>().value().number,
                     *make_failure(errc::connection_unhealthy, stage::operation, "gone"), r.now);
    r.look();
    BOOST_TEST(r.next<session_action::release>().has_value());
  }
  BOOST_TEST(r.said().code == 52);
  BOOST_TEST(r.actions.empty());
}

BOOST_AUTO_TEST_CASE(a_user_whose_connection_is_lost_is_told_and_sent_away) {
  session_rig r;
  r.bind_as(alice);
  r.says(search_of(2, "dc=a"));
  r.session.failed(r.next<session_action::forward>().value().number,
                   *make_failure(errc::connection_unhealthy, stage::operation, "gone"), r.now);
  r.look();
  BOOST_TEST_REQUIRE(r.heard.size() == 2U);
  BOOST_TEST(r.heard[0].code == 52);
  BOOST_TEST(r.heard[1].id == 0);
  BOOST_TEST(r.heard[1].code == 52);
  BOOST_TEST(r.next<session_action::release>().has_value());
  BOOST_TEST(r.next<session_action::close>().has_value());
}

BOOST_AUTO_TEST_CASE(refused_binds_are_limited_by_name_and_by_address) {
  session_rig r;
  const auto try_once = [&](int id, const std::string& dn) {
    r.says(bind_message(id, dn, "wrong"));
    const auto asked = r.next<session_action::check_claim>();
    if (!asked) return r.said().code;
    r.session.claim_checked(asked->number, service_claim::other, r.now);
    r.look();
    const auto wish = r.next<session_action::acquire>();
    if (!wish) return r.said().code;
    r.session.acquired(wish->number, r.now);
    r.look();
    failure no = *make_failure(errc::authentication_failed, stage::operation, "no");
    no.ldap_code = 49;
    r.session.failed(r.next<session_action::forward>().value().number, no, r.now);
    r.look();
    r.next<session_action::release>();
    return r.said().code;
  };
  for (int i = 1; i <= 10; ++i) BOOST_TEST(try_once(i, alice) == 49);
  BOOST_TEST(try_once(11, "UID=Alice,dc=example,dc=com") == 51);
  for (int i = 0; i < 90; ++i) BOOST_TEST(try_once(100 + i, "uid=user" + std::to_string(i)) == 49);
  BOOST_TEST(try_once(300, "uid=another") == 51);
  r.now += seconds{61};
  BOOST_TEST(try_once(301, alice) == 49);
}

namespace {

/// What the limiter knows after the directory has answered that many binds as one name with `code`.
struct refusals_seen {
  bool by_name = false, by_address = false;
};
refusals_seen after_binds(int times, int code) {
  session_rig r;
  for (int i = 0; i < times; ++i) {
    r.says(bind_message(1, alice, "guess"));
    r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
    r.look();
    const auto wish = r.next<session_action::acquire>();
    if (!wish) break;
    r.session.acquired(wish->number, r.now);
    r.look();
    failure no = *make_failure(errc::authentication_failed, stage::operation, "no");
    no.ldap_code = code;
    r.session.failed(r.next<session_action::forward>().value().number, no, r.now);
    r.look();
    BOOST_TEST(r.said().code == code);
    r.next<session_action::release>();
  }
  return {!r.limiter->allows_name(comparable_dn(alice), r.now), !r.limiter->allows_address("192.0.2.1", r.now)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_a_directory_answers_to_a_wrong_password_or_a_closed_account_counts_as_refused) {
  // Wrong; locked after too many; no password for simple binds; no such entry; no right to authenticate.
  for (const int code : {49, 19, 48, 32, 50}) BOOST_TEST(after_binds(10, code).by_name, code);
  // An account that is closed, or a server that takes no binds at all: the other names of that address may be right.
  BOOST_TEST(after_binds(10, 53).by_name);
  // What says nothing of the password.
  for (const int code : {1, 2, 3, 7, 8, 10, 11, 12, 13, 34, 51, 52, 80})
    BOOST_TEST(!after_binds(20, code).by_name, code);
  // The address's limit is reached before the name's is asked: 100 of them, as other names.
  const auto refused_address = [](int code) {
    session_rig r;
    for (int i = 0; i < 99; ++i) r.limiter->refused("192.0.2.1", {}, r.now);
    r.says(bind_message(1, alice, "guess"));
    r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
    r.look();
    r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
    r.look();
    failure no = *make_failure(errc::authentication_failed, stage::operation, "no");
    no.ldap_code = code;
    r.session.failed(r.next<session_action::forward>().value().number, no, r.now);
    return !r.limiter->allows_address("192.0.2.1", r.now);
  };
  for (const int code : {49, 19, 48, 32, 50}) BOOST_TEST(refused_address(code), code);
  for (const int code : {53, 34, 51, 52}) BOOST_TEST(!refused_address(code), code);
}

BOOST_AUTO_TEST_CASE(binds_of_several_steps_are_limited_by_the_name_that_they_say) {
  session_rig r;
  // With SCRAM the first step says it, with CRAM-MD5 the second.
  const auto scram = [&](const std::string& name) {
    r.says(sasl_bind_of(1, "SCRAM-SHA-256", "n,," + name + ",r=abc"));
    const auto wish = r.next<session_action::acquire>();
    if (!wish) return r.said().code;
    r.session.acquired(wish->number, r.now);
    r.look();
    r.answer_step(r.next<session_action::forward>().value().number, 1, 14);
    BOOST_TEST(r.said().code == 14);
    r.says(sasl_bind_of(2, "SCRAM-SHA-256", "c=biws,r=abcdef,p=guess"));
    r.answer_step(r.next<session_action::forward>().value().number, 2, 49);
    BOOST_TEST(r.next<session_action::release>().has_value());
    return r.said().code;
  };
  const auto cram = [&](const std::string& name, int code = 49) {
    r.says(sasl_bind_of(1, "CRAM-MD5"));
    r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
    r.look();
    r.answer_step(r.next<session_action::forward>().value().number, 1, 14);
    BOOST_TEST(r.said().code == 14);
    r.says(sasl_bind_of(2, "CRAM-MD5", name + " 0123456789abcdef0123456789abcdef"));
    const auto step = r.next<session_action::forward>();
    if (step) r.answer_step(step->number, 2, code);
    if (code == 49) BOOST_TEST(r.next<session_action::release>().has_value());
    return r.said().code;
  };
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(scram("n=alice") == 49);
    BOOST_TEST(cram("Alice") == 49);
  }
  BOOST_TEST(scram("n=ALICE") == 51);
  BOOST_TEST(cram("alice") == 51);
  // Nor by spaces that a directory leaves out.
  for (const auto* same : {"n= alice", "n=alice ", "n=\tAlice\r\n"}) BOOST_TEST(scram(same) == 51);
  BOOST_TEST(r.actions.empty());
  // Others go on, and one that is right makes up for what was wrong before.
  for (int i = 0; i < 9; ++i) BOOST_TEST(cram("bob") == 49);
  BOOST_TEST(cram("bob", 0) == 0);
  r.limiter->refused("192.0.2.1", "sasl:bob", r.now);
  BOOST_TEST(r.limiter->allows_name("sasl:bob", r.now));
}

BOOST_AUTO_TEST_CASE(who_has_not_bound_reads_the_root_dse_unless_more_is_allowed) {
  session_rig r;
  r.says(bind_message(1, "", ""));
  BOOST_TEST(r.said().code == 0);
  r.says(search_of(2, "dc=a"));
  BOOST_TEST(r.said().code == 53);
  r.says(root_dse_of(3));
  const auto asked = r.next<session_action::forward>();
  BOOST_TEST_REQUIRE(asked.has_value());
  BOOST_TEST(!asked->parts);
  r.says(extended_message(4, whoami_oid));
  BOOST_TEST(r.said().code == 0);

  client_rules open;
  open.allow_anonymous = true;
  // As the service they are not served.
  session_rig refused{open};
  refused.says(search_of(2, "dc=a"));
  BOOST_TEST(refused.said().code == 53);

  open.anonymous_service = true;
  session_rig anonymous{open};
  anonymous.says(search_of(2, "dc=a"));
  BOOST_TEST(!anonymous.next<session_action::forward>().value().leased);
}

BOOST_AUTO_TEST_CASE(everybody_reads_as_the_service_at_and_below_the_bases_alone) {
  client_rules rules;
  rules.identity = client_identity::service;
  rules.bases = {"ou=people,dc=a"};
  session_rig r{rules};
  r.says(search_of(1, "OU=People, dc=a"));
  BOOST_TEST(!r.next<session_action::forward>().value().leased);
  r.says(search_of(2, "uid=x,ou=people,dc=a", search_scope::base));
  BOOST_TEST(r.next<session_action::forward>().has_value());
  r.says(search_of(3, "dc=a"));
  BOOST_TEST(r.said().code == 50);
  r.says(search_of(4, "xou=people,dc=a"));
  BOOST_TEST(r.said().code == 50);
  r.says(search_of(5, "cn=\\,ou=people\\,dc=a"));
  BOOST_TEST(r.said().code == 50);
  r.says(replace_message(6, "uid=x,ou=people,dc=a", "cn", "x"));
  BOOST_TEST(r.said().code == 53);
}

BOOST_AUTO_TEST_CASE(passwords_in_plain_text_are_taken_from_this_machine_alone) {
  const client_origin far{"192.0.2.1", false, false, false}, here{"127.0.0.1", false, true, false};
  session_rig remote{{}, far};
  remote.says(bind_message(1, alice, "password"));
  BOOST_TEST(remote.said().code == 13);
  session_rig local{{}, here};
  local.says(bind_message(1, alice, "password"));
  BOOST_TEST(local.next<session_action::check_claim>().has_value());
  client_rules rules;
  rules.allow_plaintext = true;
  session_rig allowed{rules, far};
  allowed.says(bind_message(1, alice, "password"));
  BOOST_TEST(allowed.next<session_action::check_claim>().has_value());
}

BOOST_AUTO_TEST_CASE(binds_that_prove_nothing_or_are_none_of_ours_are_refused) {
  session_rig r;
  r.says(bind_message(1, alice, ""));
  BOOST_TEST(r.said().code == 53);
  r.says(bind_message(2, "", "password"));
  BOOST_TEST(r.said().code == 48);
  const auto bind_with = [](int id, int version, const std::string& choice) {
    return ber_element(0x30, ber_integer(id) + ber_element(0x60, ber_integer(version) + ber_octets("") + choice));
  };
  r.says(bind_with(3, 2, ber_octets("", 0x80)));
  BOOST_TEST(r.said().code == 2);
  r.says(bind_with(4, 3, ber_element(0xa3, ber_octets("EXTERNAL"))));
  BOOST_TEST(r.said().code == 7);
  BOOST_TEST(r.actions.empty());
}

BOOST_AUTO_TEST_CASE(a_client_has_max_pending_operations_at_once) {
  client_rules rules;
  rules.max_pending = 2;
  session_rig r{rules};
  r.bind_as_service();
  r.says(search_of(2, "dc=a"));
  BOOST_TEST(r.session.takes_messages());
  r.says(search_of(3, "dc=a"));
  BOOST_TEST(!r.session.takes_messages());
  r.answer(r.next<session_action::forward>().value().number);
  BOOST_TEST(r.session.takes_messages());
}

BOOST_AUTO_TEST_CASE(a_client_that_says_nothing_for_idle_timeout_is_sent_away) {
  client_rules rules;
  rules.idle_timeout = seconds{10};
  session_rig r{rules};
  r.bind_as_service();
  r.says(search_of(2, "dc=a"));
  r.wait(seconds{20});
  BOOST_TEST(r.heard.empty());
  r.answer(r.next<session_action::forward>().value().number);
  r.heard.clear();
  r.wait(seconds{9});
  BOOST_TEST(!r.session.closed());
  BOOST_TEST((r.session.next_event() == r.now + seconds{1}));
  r.wait(seconds{1});
  BOOST_TEST(r.said().id == 0);
  BOOST_TEST(r.session.closed());
}

BOOST_AUTO_TEST_CASE(answers_under_way_give_half_a_message_no_more_time) {
  session_rig r;
  r.bind_as_service();
  r.says(search_of(2, "dc=a"));
  r.says(search_of(3, "dc=a"));
  const auto first = r.next<session_action::forward>().value().number;
  const auto second = r.next<session_action::forward>().value().number;
  r.session.on_bytes(r.now);
  r.session.on_partial(true, r.now);
  r.wait(seconds{20});
  r.session.part(first, "", 0, r.now);
  r.session.on_partial(true, r.now);
  r.answer(second);
  r.wait(seconds{9});
  BOOST_TEST(!r.session.closed());
  BOOST_TEST((r.session.next_event() == r.now + seconds{1}));
  r.heard.clear();
  r.wait(seconds{1});
  BOOST_TEST(r.said().code == 2);
  BOOST_TEST(r.session.closed());
}

BOOST_AUTO_TEST_CASE(who_is_not_read_is_not_silent_and_has_two_minutes_for_a_message_all_the_same) {
  session_rig r;
  r.session.on_bytes(r.now);
  r.session.on_partial(true, r.now);
  r.wait(seconds{29});
  r.session.on_held_back();
  r.wait(seconds{60});
  BOOST_TEST(!r.session.closed());
  // It is read again: from now on it may say something.
  r.session.on_partial(true, r.now);
  r.wait(seconds{29});
  BOOST_TEST(!r.session.closed());
  BOOST_TEST((r.session.next_event() == r.now + seconds{1}));
  r.session.on_held_back();
  BOOST_TEST((r.session.next_event() == r.now + seconds{2}));
  r.wait(seconds{2});
  BOOST_TEST(r.said().code == 2);
  BOOST_TEST(r.session.closed());
}

BOOST_AUTO_TEST_CASE(a_paged_search_keeps_its_connection_for_paging_hold) {
  client_rules rules;
  rules.paging_hold = seconds{5};
  session_rig r{rules};
  r.bind_as_service();
  r.says(paged_search(2, ""));
  const auto wish = r.next<session_action::acquire>();
  BOOST_TEST_REQUIRE(wish.has_value());
  BOOST_TEST(!wish->for_bind);
  r.session.acquired(wish->number, r.now);
  r.look();
  r.answer(r.next<session_action::forward>().value().number, {page_control("more")});
  r.heard.clear();
  r.wait(seconds{4});
  r.says(paged_search(3, "more"));
  const auto second = r.next<session_action::forward>();
  BOOST_TEST_REQUIRE(second.has_value());
  BOOST_TEST(second->leased);
  // What is not paged goes on its way beside it.
  r.says(search_of(4, "dc=a"));
  BOOST_TEST(!r.next<session_action::forward>().value().leased);
  r.wait(seconds{10});
  BOOST_TEST(r.actions.empty());
  r.answer(second->number, {page_control("more")});
  r.heard.clear();
  r.wait(seconds{5});
  BOOST_TEST(r.next<session_action::release>().has_value());
  r.says(paged_search(5, "more"));
  BOOST_TEST(r.said().code == 53);
}

BOOST_AUTO_TEST_CASE(the_last_page_returns_the_connection) {
  session_rig r;
  r.bind_as_service();
  r.says(paged_search(2, ""));
  r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
  r.look();
  r.answer(r.next<session_action::forward>().value().number, {page_control("")});
  BOOST_TEST(r.next<session_action::release>().has_value());
}

BOOST_AUTO_TEST_CASE(what_speaks_for_others_or_does_not_end_is_refused) {
  session_rig r;
  r.bind_as_service();
  for (const auto* oid : {"2.16.840.1.113730.3.4.18", "2.16.840.1.113730.3.4.3", "1.3.6.1.4.1.4203.1.9.1.1"}) {
    r.says(search_of(2, "dc=a", search_scope::subtree, control_of(oid, false)));
    BOOST_TEST(r.said().code == 53);
  }
  r.says(search_of(2, "dc=a", search_scope::subtree, control_of("1.2.3.4", true)));
  BOOST_TEST(r.said().code == 12);
  r.says(search_of(2, "dc=a", search_scope::subtree, control_of("1.2.3.4", false)));
  const auto without = r.next<session_action::forward>();
  BOOST_TEST_REQUIRE(without.has_value());
  BOOST_TEST(std::get<opaque_request>(without->what->op).controls.empty());
  r.says(search_of(3, "dc=a", search_scope::subtree, control_of("2.16.840.1.113730.3.4.2", true)));
  BOOST_TEST(!std::get<opaque_request>(r.next<session_action::forward>().value().what->op).controls.empty());
  r.says(extended_message(4, "1.2.3.4"));
  BOOST_TEST(r.said().code == 53);
  // Of the service itself nobody may change the password.
  r.says(extended_message(5, password_modify_oid));
  BOOST_TEST(r.said().code == 53);
  const auto change_of = [](const std::string& name) {
    return ber_element(0x30, ber_octets(name, 0x80) + ber_octets("new", 0x82));
  };
  r.says(extended_of(6, password_modify_oid, change_of("")));
  BOOST_TEST(r.said().code == 53);
  r.says(extended_of(7, password_modify_oid, change_of(alice)));
  BOOST_TEST(r.next<session_action::forward>().has_value());
}

BOOST_AUTO_TEST_CASE(abandoned_and_cancelled_operations_are_given_up_by_their_own_ids) {
  session_rig r;
  r.bind_as_service();
  r.says(search_of(7, "dc=a"));
  const auto first = r.next<session_action::forward>().value();
  r.says(abandon_message(8, 7));
  BOOST_TEST(r.next<session_action::cancel>().value().number == first.number);
  BOOST_TEST(r.heard.empty());
  r.says(search_of(7, "dc=a"));
  const auto again = r.next<session_action::forward>().value();
  r.says(extended_of(9, "1.3.6.1.1.8", ber_element(0x30, ber_integer(7))));
  BOOST_TEST(r.next<session_action::cancel>().value().number == again.number);
  BOOST_TEST_REQUIRE(r.heard.size() == 2U);
  BOOST_TEST(r.heard[0].id == 7);
  BOOST_TEST(r.heard[0].code == 118);
  BOOST_TEST(r.heard[1].id == 9);
  BOOST_TEST(r.heard[1].code == 0);
  r.heard.clear();
  r.says(extended_of(10, "1.3.6.1.1.8", ber_element(0x30, ber_integer(7))));
  BOOST_TEST(r.said().code == 119);
  r.says(replace_message(11, alice, "cn", "x"));
  r.says(extended_of(12, "1.3.6.1.1.8", ber_element(0x30, ber_integer(11))));
  BOOST_TEST(r.said().code == 121);
}

BOOST_AUTO_TEST_CASE(what_is_lost_after_its_first_part_is_never_called_busy_or_unavailable) {
  session_rig r;
  r.bind_as_service();
  const auto code_of = [&](int id, bool begun, errc why, bool write) {
    r.says(write ? replace_message(id, alice, "cn", "x") : search_of(id, "dc=a"));
    const auto number = r.next<session_action::forward>().value().number;
    entry found;
    found.dn = "uid=a";
    if (begun) r.session.part(number, encode_entry(id, found), 0, r.now);
    r.look();
    r.heard.clear();
    r.session.failed(number, *make_failure(why, stage::operation, "why"), r.now);
    r.look();
    return r.said().code;
  };
  BOOST_TEST(code_of(2, false, errc::no_server, false) == 52);
  BOOST_TEST(code_of(3, true, errc::connection_failed, false) == 80);
  BOOST_TEST(code_of(4, false, errc::queue_full, false) == 51);
  BOOST_TEST(code_of(5, false, errc::operation_timeout, false) == 3);
  BOOST_TEST(code_of(6, false, errc::operation_timeout, true) == 51);
  BOOST_TEST(code_of(7, false, errc::outcome_unknown, true) == 80);
  BOOST_TEST(code_of(8, false, errc::result_too_large, false) == 11);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_not_read_is_given_up) {
  client_rules rules;
  rules.max_unread_bytes = 1000;
  session_rig r{rules};
  r.bind_as_service();
  r.says(search_of(2, "dc=a"));
  const auto number = r.next<session_action::forward>().value().number;
  BOOST_TEST(r.session.part(number, "", 1000, r.now));
  BOOST_TEST(!r.session.part(number, "", 1001, r.now));
  r.look();
  BOOST_TEST(r.next<session_action::cancel>().value().number == number);
  BOOST_TEST(r.said().code == 11);
}

BOOST_AUTO_TEST_CASE(the_root_dse_lists_only_what_passes) {
  session_rig r{{}, {"192.0.2.1", false, true, true}};
  r.says(root_dse_of(2));
  entry dse;
  dse.attributes = {{"supportedControl", {"2.16.840.1.113730.3.4.18", "1.2.840.113556.1.4.319"}},
                    {"supportedExtension", {"1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.1.21.1"}},
                    {"supportedSASLMechanisms", {"GSSAPI", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}},
                    {"supportedLDAPVersion", {"2", "3"}},
                    {"namingContexts", {"dc=a"}}};
  result answer;
  answer.messages = encode_entry(2, dse) + encode_answer(2, 0x65, {});
  r.session.answered(r.next<session_action::forward>().value().number, answer, r.now);
  std::string bytes;
  for (auto& action : r.session.take_actions()) bytes += std::get<session_action::reply>(action).bytes;
  const auto has = [&](std::string_view text) { return bytes.find(text) != std::string::npos; };
  BOOST_TEST(has("1.2.840.113556.1.4.319"));
  BOOST_TEST(!has("2.16.840.1.113730.3.4.18"));
  BOOST_TEST(has("1.3.6.1.4.1.4203.1.11.3"));
  BOOST_TEST(has("1.3.6.1.4.1.1466.20037"));
  BOOST_TEST(!has("1.3.6.1.1.21.1"));
  BOOST_TEST(!has("GSSAPI"));
  BOOST_TEST(has("SCRAM-SHA-256"));
  BOOST_TEST(!has("-PLUS"));
  BOOST_TEST(has("PLAIN"));
  BOOST_TEST(!has("EXTERNAL"));
  BOOST_TEST(has("dc=a"));
  BOOST_TEST(answers_in(bytes).size() == 2U);
}

BOOST_AUTO_TEST_CASE(start_tls_makes_nobody_of_who_was_there_before) {
  session_rig r{{}, {"127.0.0.1", false, true, true}};
  r.bind_as_service();
  r.says(extended_message(2, start_tls_oid));
  BOOST_TEST(r.said().code == 0);
  BOOST_TEST(r.next<session_action::start_tls>().has_value());
  BOOST_TEST(!r.session.takes_messages());
  r.session.secured(r.now);
  r.says(search_of(3, "dc=a"));
  BOOST_TEST(r.said().code == 53);
  r.says(extended_message(4, start_tls_oid));
  BOOST_TEST(r.said().code == 1);
  session_rig without;
  without.says(extended_message(1, start_tls_oid));
  BOOST_TEST(without.said().code == 1);
}

BOOST_AUTO_TEST_CASE(who_speaks_no_ldap_is_told_and_sent_away) {
  const std::string id = ber_integer(1);
  const std::vector<std::string> nonsense{
      "GET / HTTP/1.1\r\n",
      // A message id of 0, an operation that is a response, a filter of nothing, a control without an OID.
      ber_element(0x30, ber_integer(0) + ber_element(0x42, {})),
      ber_element(0x30, id + ber_element(0x65, {})),
      ber_element(0x30, id + ber_element(0x63, ber_octets("dc=a"))),
      ber_element(0x30, id + ber_element(0x4a, "dc=a") + ber_element(0xa0, ber_element(0x30, {}))),
  };
  for (const auto& each : nonsense) {
    session_rig r;
    r.says(each);
    const auto notice = r.said();
    BOOST_TEST(notice.id == 0);
    BOOST_TEST(notice.code == 2);
    BOOST_TEST(r.session.closed());
  }
  session_rig twice;
  twice.bind_as_service();
  twice.says(search_of(2, "dc=a"));
  twice.says(search_of(2, "dc=a"));
  BOOST_TEST(twice.said().id == 0);
  BOOST_TEST(twice.session.closed());
}

BOOST_AUTO_TEST_CASE(filters_nested_without_end_are_no_ldap) {
  auto filter = ber_octets("objectClass", 0x87);
  for (int depth = 0; depth < 200; ++depth) filter = ber_element(0xa2, filter);
  const auto body = ber_octets("dc=a") + ber_integer(2, 0x0a) + ber_integer(0, 0x0a) + ber_integer(0) + ber_integer(0) +
                    ber_element(0x01, std::string(1, '\0')) + filter + ber_element(0x30, {});
  session_rig r;
  r.says(ber_element(0x30, ber_integer(1) + ber_element(0x63, body)));
  BOOST_TEST(r.said().code == 2);
}

BOOST_AUTO_TEST_CASE(who_has_not_bound_may_send_little) {
  session_rig r;
  BOOST_TEST(r.session.longest_message() == 64U * 1024);
  r.bind_as_service();
  BOOST_TEST(r.session.longest_message() == 16U * 1024 * 1024);
}

BOOST_AUTO_TEST_CASE(a_drain_finishes_what_runs_and_says_goodbye) {
  session_rig r;
  r.bind_as_service();
  r.says(search_of(2, "dc=a"));
  r.session.drain(r.now);
  r.look();
  BOOST_TEST(!r.session.takes_messages());
  BOOST_TEST(!r.session.closed());
  r.answer(r.next<session_action::forward>().value().number);
  BOOST_TEST_REQUIRE(r.heard.size() == 2U);
  BOOST_TEST(r.heard[1].id == 0);
  BOOST_TEST(r.heard[1].code == 52);
  BOOST_TEST(r.session.closed());
}

// ---- served by proxy ----

BOOST_AUTO_TEST_CASE(who_is_served_by_proxy_binds_at_the_directory_and_then_shares_connections) {
  session_rig r{proxy_rules()};
  r.offer->note({}, true, r.now);
  r.says(bind_message(1, alice, "password"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  const auto wish = r.next<session_action::acquire>();
  BOOST_TEST_REQUIRE(wish.has_value());
  BOOST_TEST(wish->for_bind);
  r.session.acquired(wish->number, r.now);
  r.look();
  const auto bind = r.next<session_action::forward>();
  BOOST_TEST_REQUIRE(bind.has_value());
  BOOST_TEST(bind->leased);
  BOOST_TEST(std::get<bind_request>(bind->what->op).dn == alice);
  r.session.answered(bind->number, result{}, r.now);
  r.look();
  // The connection has shown what it was there for.
  BOOST_TEST(r.next<session_action::release>().has_value());
  BOOST_TEST(r.said().code == 0);
  BOOST_TEST((r.session.standing() == client_standing::proxied));
  r.says(search_of(2, "dc=a"));
  r.says(replace_message(3, alice, "cn", "x"));
  r.says(extended_message(4, whoami_oid));
  r.says(root_dse_of(6));
  for (int i = 0; i < 4; ++i) {
    const auto asked = r.next<session_action::forward>();
    BOOST_TEST_REQUIRE(asked.has_value());
    BOOST_TEST(!asked->leased);
    BOOST_TEST(identity_of(*asked) == "dn:" + alice);
  }
  // A page is found again on its connection alone, which is the service's too.
  r.says(paged_search(7, ""));
  const auto pages = r.next<session_action::acquire>();
  BOOST_TEST_REQUIRE(pages.has_value());
  BOOST_TEST(!pages->for_bind);
  r.session.acquired(pages->number, r.now);
  r.look();
  BOOST_TEST(identity_of(r.next<session_action::forward>().value()) == "dn:" + alice);
  // "My own password": a directory may take it for that of who has bound there, which is the service.
  r.says(extended_message(5, password_modify_oid));
  BOOST_TEST(r.said().code == 53);
  r.says(extended_of(60, password_modify_oid, ber_element(0x30, ber_octets("", 0x80) + ber_octets("new", 0x82))));
  BOOST_TEST(r.said().code == 53);
  // Nobody speaks for somebody else.
  r.says(search_of(8, "dc=a", search_scope::subtree, control_of("2.16.840.1.113730.3.4.18", true, "dn:uid=bob")));
  BOOST_TEST(r.said().code == 53);
}

BOOST_AUTO_TEST_CASE(the_services_own_clients_are_the_service_also_where_others_are_served_by_proxy) {
  session_rig r{proxy_rules()};
  r.bind_as_service();
  r.says(search_of(2, "dc=a"));
  BOOST_TEST(identity_of(r.next<session_action::forward>().value()) == "service");
  r.says(bind_message(3, "", ""));
  BOOST_TEST(r.next<session_action::cancel>().has_value());
  BOOST_TEST(r.said().code == 0);
  r.says(search_of(4, "dc=a"));
  BOOST_TEST(r.said().code == 53);
}

BOOST_AUTO_TEST_CASE(nobody_is_served_by_proxy_before_the_directory_was_seen_to_offer_it) {
  session_rig r{proxy_rules()};
  const auto ask = [&](int id) {
    r.says(bind_message(id, alice, "password"));
    r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
    r.look();
    const auto asked = r.next<session_action::forward>().value();
    BOOST_TEST(std::get<search_request>(asked.what->op).base.empty());
    BOOST_TEST(!asked.leased);
    return asked.number;
  };
  r.session.answered(ask(1), root_dse_with({"1.2.3.4"}), r.now);
  r.look();
  BOOST_TEST(r.said().code == 53);
  BOOST_TEST(!r.offer->seen());
  BOOST_TEST((r.session.standing() == client_standing::anonymous));
  r.session.failed(ask(2), *make_failure(errc::no_server, stage::queue, "none"), r.now);
  r.look();
  BOOST_TEST(r.said().code == 52);
  r.says(search_of(3, "dc=a"));
  BOOST_TEST(r.said().code == 53);
  r.session.answered(ask(4), root_dse_with({"1.2.3.4", "2.16.840.1.113730.3.4.18"}), r.now);
  r.look();
  BOOST_TEST(r.offer->seen());
  BOOST_TEST(r.next<session_action::acquire>().has_value());
}

BOOST_AUTO_TEST_CASE(a_name_that_is_no_dn_is_not_served_by_proxy) {
  session_rig r{proxy_rules()};
  r.says(bind_message(1, "alice@example.com", "password"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  BOOST_TEST(r.said().code == 34);
  BOOST_TEST(r.actions.empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_not_served_by_proxy_either) {
  session_rig r{proxy_rules()};
  r.offer->note({}, true, r.now);
  r.says(bind_message(1, alice, "wrong"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
  r.look();
  failure no = *make_failure(errc::authentication_failed, stage::operation, "no");
  no.ldap_code = 49;
  r.session.failed(r.next<session_action::forward>().value().number, no, r.now);
  r.look();
  BOOST_TEST(r.said().code == 49);
  BOOST_TEST(r.next<session_action::release>().has_value());
  r.says(search_of(2, "dc=a"));
  BOOST_TEST(r.said().code == 53);
}

BOOST_AUTO_TEST_CASE(who_is_served_by_proxy_is_sent_away_when_nobody_is_any_more) {
  session_rig r{proxy_rules()};
  r.offer->note({}, true, r.now);
  r.says(bind_message(1, alice, "password"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  r.session.configure(std::make_shared<client_rules>(), r.now);
  r.look();
  BOOST_TEST(r.said().code == 52);
  BOOST_TEST(r.session.closed());
}

BOOST_AUTO_TEST_CASE(who_is_served_by_proxy_is_served_by_servers_that_offer_it_alone) {
  const auto bound = [](session_rig& r) {
    r.offer->note(7, true, r.now);
    r.says(bind_message(1, alice, "password"));
    r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
    r.look();
    r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
    r.look();
    r.session.answered(r.next<session_action::forward>().value().number, result{}, r.now);
    r.look();
    r.next<session_action::release>();
    BOOST_TEST(r.said().code == 0);
  };
  result refused;
  refused.code = 12;
  const auto refusal_of = [&](int id) {
    ldap_answer said;
    said.code = 12;
    refused.messages = encode_answer(id, 0x65, said);
    return refused;
  };
  session_rig r{proxy_rules()};
  bound(r);
  // One that offers it means some other control.
  r.says(search_of(2, "dc=a"));
  auto asked = r.next<session_action::forward>().value();
  BOOST_TEST(asked.avoided.empty());
  r.session.answered(asked.number, refusal_of(2), r.now, 7);
  r.look();
  BOOST_TEST(r.said().code == 12);
  // Of another one it is not known: it is asked, and the search goes elsewhere.
  r.says(search_of(3, "dc=a"));
  asked = r.next<session_action::forward>().value();
  r.session.answered(asked.number, refusal_of(3), r.now, 8);
  r.look();
  BOOST_TEST(r.heard.empty());
  auto look = r.next<session_action::forward>().value();
  BOOST_TEST(std::get<search_request>(look.what->op).base.empty());
  BOOST_TEST(look.preferred.value() == 8U);
  r.session.answered(look.number, root_dse_with({"1.2.3.4"}), r.now, 8);
  r.look();
  const auto again = r.next<session_action::forward>().value();
  BOOST_TEST(again.number == asked.number);
  BOOST_TEST(again.avoided.contains(8));
  BOOST_TEST(!again.avoided.contains(7));
  BOOST_TEST(identity_of(again) == "dn:" + alice);
  r.answer(again.number);
  BOOST_TEST(r.said().code == 0);
  // From then on it is avoided, and when there is no other, nobody can be served.
  r.says(search_of(4, "dc=a"));
  asked = r.next<session_action::forward>().value();
  BOOST_TEST(asked.avoided.contains(8));
  r.session.answered(asked.number, refusal_of(4), r.now, 8);
  r.look();
  BOOST_TEST(r.said().code == 52);
  BOOST_TEST(r.actions.empty());
  // A third one offers it, and had meant another control; a fourth has gone.
  r.says(search_of(5, "dc=a"));
  r.session.answered(r.next<session_action::forward>().value().number, refusal_of(5), r.now, 9);
  r.look();
  r.session.answered(r.next<session_action::forward>().value().number, root_dse_with({"2.16.840.1.113730.3.4.18"}),
                     r.now, 9);
  r.look();
  BOOST_TEST(r.said().code == 12);
  r.says(search_of(6, "dc=a"));
  r.session.answered(r.next<session_action::forward>().value().number, refusal_of(6), r.now, 10);
  r.look();
  r.session.failed(r.next<session_action::forward>().value().number,
                   *make_failure(errc::no_server, stage::queue, "none"), r.now, 10);
  r.look();
  BOOST_TEST(r.said().code == 52);
  // Abandoned meanwhile.
  r.says(search_of(7, "dc=a"));
  r.session.answered(r.next<session_action::forward>().value().number, refusal_of(7), r.now, 11);
  r.look();
  look = r.next<session_action::forward>().value();
  r.says(abandon_message(8, 7));
  r.next<session_action::cancel>();
  r.session.answered(look.number, root_dse_with({"1.2.3.4"}), r.now, 11);
  r.look();
  BOOST_TEST(r.actions.empty());
  BOOST_TEST(r.heard.empty());
  // It may be another one after a while.
  BOOST_TEST(r.offer->missing(r.now).contains(8));
  BOOST_TEST(!r.offer->missing(r.now + seconds{60}).contains(8));
}

BOOST_AUTO_TEST_CASE(for_a_bind_every_server_is_asked_once_whether_it_offers_proxied_authorization) {
  session_rig r{proxy_rules()};
  r.says(bind_message(1, alice, "password"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  auto asked = r.next<session_action::forward>().value();
  BOOST_TEST(asked.avoided.empty());
  r.session.answered(asked.number, root_dse_with({"1.2.3.4"}), r.now, 7);
  r.look();
  asked = r.next<session_action::forward>().value();
  BOOST_TEST(asked.avoided.contains(7));
  r.session.answered(asked.number, root_dse_with({"2.16.840.1.113730.3.4.18"}), r.now, 8);
  r.look();
  BOOST_TEST(r.next<session_action::acquire>().has_value());
  BOOST_TEST(r.offer->missing(r.now).contains(7));

  session_rig alone{proxy_rules()};
  alone.says(bind_message(1, alice, "password"));
  alone.session.claim_checked(alone.next<session_action::check_claim>().value().number, service_claim::other,
                              alone.now);
  alone.look();
  for (int i = 0; i < 2; ++i) {
    alone.session.answered(alone.next<session_action::forward>().value().number, root_dse_with({"1.2.3.4"}), alone.now,
                           7);
    alone.look();
  }
  BOOST_TEST(alone.said().code == 53);
  BOOST_TEST(alone.actions.empty());
}

// ---- SASL ----

BOOST_AUTO_TEST_CASE(plain_is_a_simple_bind_with_the_dn_that_it_names) {
  session_rig r;
  for (const auto& name : {alice, "dn:" + alice, "DN:" + alice}) {
    r.says(sasl_bind_of(1, "PLAIN", plain_of("", name, "password")));
    const auto asked = r.next<session_action::check_claim>();
    BOOST_TEST_REQUIRE(asked.has_value());
    BOOST_TEST(asked->bind_dn == alice);
    BOOST_TEST(asked->password.reveal() == "password");
    r.session.claim_checked(asked->number, service_claim::wrong, r.now);
    r.look();
    BOOST_TEST(r.said().code == 49);
  }
  r.says(sasl_bind_of(2, "PLAIN", plain_of("dn:UID=Alice, dc=example,dc=com", alice, "password")));
  const auto same = r.next<session_action::check_claim>();
  BOOST_TEST_REQUIRE(same.has_value());
  r.session.claim_checked(same->number, service_claim::right, r.now);
  r.look();
  BOOST_TEST(r.said().code == 0);
  // Of anybody else, of a name that only the directory knows, and what is no PLAIN.
  const std::vector<std::optional<std::string>> refused{
      plain_of("dn:uid=bob,dc=example,dc=com", alice, "password"),
      plain_of("", "alice", "password"),
      plain_of("", "u:alice=x", "password"),
      plain_of("", "", "password"),
      plain_of("", alice, ""),
      plain_of("", alice, "pass") + std::string(1, '\0'),
      alice,
      std::nullopt,
  };
  for (const auto& each : refused) {
    r.says(sasl_bind_of(3, "PLAIN", each));
    BOOST_TEST(r.said().code == 49);
    BOOST_TEST(r.actions.empty());
  }
  r.says(sasl_bind_of(4, "DIGEST-MD5"));
  BOOST_TEST(r.said().code == 7);
  session_rig far{{}, {"192.0.2.1", false, false, false}};
  far.says(sasl_bind_of(1, "PLAIN", plain_of("", alice, "password")));
  BOOST_TEST(far.said().code == 13);
}

BOOST_AUTO_TEST_CASE(a_bind_of_several_steps_is_between_the_client_and_one_connection) {
  session_rig r;
  r.says(sasl_bind_of(1, "SCRAM-SHA-256", "n,,n=alice,r=abc"));
  const auto wish = r.next<session_action::acquire>();
  BOOST_TEST_REQUIRE(wish.has_value());
  BOOST_TEST(wish->for_bind);
  BOOST_TEST((wish->what == holding::negotiation));
  r.session.acquired(wish->number, r.now);
  r.look();
  auto step = r.next<session_action::forward>().value();
  BOOST_TEST(step.leased);
  // As the client sent it.
  const auto& sent = std::get<opaque_request>(step.what->op);
  BOOST_TEST(sent.tag() == 0x60);
  BOOST_TEST(sent.protocol_op.find("n,,n=alice,r=abc") != std::string::npos);
  BOOST_TEST(sent.message_id == 1);
  r.answer_step(step.number, 1, 14);
  BOOST_TEST(r.said().code == 14);
  BOOST_TEST((r.session.standing() == client_standing::anonymous));
  BOOST_TEST((r.session.holds() == holding::negotiation));
  r.says(sasl_bind_of(2, "SCRAM-SHA-256", "c=biws,r=abcdef,p=proof"));
  step = r.next<session_action::forward>().value();
  BOOST_TEST(step.leased);
  r.answer_step(step.number, 2, 0);
  BOOST_TEST(r.said().code == 0);
  BOOST_TEST((r.session.standing() == client_standing::user));
  BOOST_TEST((r.session.holds() == holding::user));
  BOOST_TEST(r.next<session_action::evict>().has_value());
  r.says(search_of(3, "dc=a"));
  BOOST_TEST(r.next<session_action::forward>().value().leased);
}

BOOST_AUTO_TEST_CASE(who_leaves_before_his_password_is_judged_counts_as_refused) {
  const auto leaves = [](duration after, bool sent) {
    session_rig r;
    for (int i = 0; i < 9; ++i) r.limiter->refused("192.0.2.1", "uid=alice", r.now);
    r.says(bind_message(1, "UID=alice", "a guess"));
    r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
    r.look();
    const auto asked = r.next<session_action::acquire>().value().number;
    if (sent) {
      r.session.acquired(asked, r.now);
      r.look();
      BOOST_TEST(r.next<session_action::forward>().has_value());
    }
    r.wait(after);
    r.session.on_end(r.now);
    return r.limiter->allows_name("uid=alice", r.now);
  };
  BOOST_TEST(!leaves(milliseconds{0}, true));
  BOOST_TEST(!leaves(milliseconds{999}, true));
  // A client gives up a directory that hangs.
  BOOST_TEST(leaves(seconds{1}, true));
  BOOST_TEST(leaves(milliseconds{0}, false));
}

BOOST_AUTO_TEST_CASE(a_bind_of_several_steps_that_is_not_gone_on_with_gives_its_connection_back) {
  const auto begun = [](session_rig& r) {
    r.says(sasl_bind_of(1, "SCRAM-SHA-256", "n,,n=alice,r=abc"));
    r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
    r.look();
    r.answer_step(r.next<session_action::forward>().value().number, 1, 14);
    BOOST_TEST(r.said().code == 14);
    BOOST_TEST(r.actions.empty());
  };
  session_rig gone;
  begun(gone);
  gone.session.on_end(gone.now);
  gone.look();
  BOOST_TEST(gone.next<session_action::release>().has_value());
  session_rig slow;
  begun(slow);
  slow.wait(seconds{9});
  BOOST_TEST(slow.actions.empty());
  slow.wait(seconds{1});
  BOOST_TEST(slow.next<session_action::release>().has_value());
  // It says something else: as nobody, and not on that connection.
  session_rig elsewhere;
  begun(elsewhere);
  elsewhere.says(search_of(2, "dc=a"));
  BOOST_TEST(elsewhere.next<session_action::release>().has_value());
  BOOST_TEST(elsewhere.said().code == 53);
  session_rig otherwise;
  begun(otherwise);
  otherwise.says(sasl_bind_of(2, "SCRAM-SHA-1", "n,,n=alice,r=abc"));
  BOOST_TEST(otherwise.next<session_action::release>().has_value());
  BOOST_TEST(otherwise.next<session_action::acquire>().has_value());
  // Others need it; and the directory refuses it.
  session_rig evicted;
  begun(evicted);
  evicted.session.evict();
  evicted.look();
  BOOST_TEST(evicted.next<session_action::release>().has_value());
  BOOST_TEST(!evicted.session.closed());
  session_rig wrong;
  begun(wrong);
  wrong.says(sasl_bind_of(2, "SCRAM-SHA-256", "c=biws,r=abcdef,p=guess"));
  wrong.answer_step(wrong.next<session_action::forward>().value().number, 2, 49);
  BOOST_TEST(wrong.said().code == 49);
  BOOST_TEST(wrong.next<session_action::release>().has_value());
  BOOST_TEST((wrong.session.standing() == client_standing::anonymous));
  // Its server dies: the first step may be taken elsewhere, a later one not.
  session_rig lost;
  lost.says(sasl_bind_of(1, "SCRAM-SHA-256", "n,,n=alice,r=abc"));
  lost.session.acquired(lost.next<session_action::acquire>().value().number, lost.now);
  lost.look();
  const auto unhealthy = *make_failure(errc::connection_unhealthy, stage::operation, "gone");
  lost.session.failed(lost.next<session_action::forward>().value().number, unhealthy, lost.now);
  lost.look();
  BOOST_TEST(lost.next<session_action::release>().has_value());
  lost.session.acquired(lost.next<session_action::acquire>().value().number, lost.now);
  lost.look();
  lost.answer_step(lost.next<session_action::forward>().value().number, 1, 14);
  lost.heard.clear();
  lost.says(sasl_bind_of(2, "SCRAM-SHA-256", "c=biws,r=abcdef,p=proof"));
  lost.session.failed(lost.next<session_action::forward>().value().number, unhealthy, lost.now);
  lost.look();
  BOOST_TEST(lost.said().code == 52);
  BOOST_TEST(lost.next<session_action::release>().has_value());
  BOOST_TEST(lost.actions.empty());
  // Without end.
  session_rig endless;
  begun(endless);
  for (int id = 2; id <= 8; ++id) {
    endless.says(sasl_bind_of(id, "SCRAM-SHA-256", "x"));
    endless.answer_step(endless.next<session_action::forward>().value().number, id, 14);
    BOOST_TEST(endless.said().code == 14);
  }
  endless.says(sasl_bind_of(9, "SCRAM-SHA-256", "x"));
  BOOST_TEST(endless.said().code == 2);
  BOOST_TEST(endless.next<session_action::release>().has_value());
}

BOOST_AUTO_TEST_CASE(mechanisms_of_a_channel_or_a_host_are_refused_with_the_reason) {
  session_rig r;
  const auto why = [&](const std::string& mechanism) {
    r.says(sasl_bind_of(1, mechanism, "x"));
    const auto said = r.said();
    BOOST_TEST(said.code == 7);
    BOOST_TEST(r.actions.empty());
    return said.diagnostic;
  };
  BOOST_TEST(why("SCRAM-SHA-256-PLUS").find("TLS connection") != std::string::npos);
  BOOST_TEST(why("GSSAPI").find("host name") != std::string::npos);
  BOOST_TEST(why("DIGEST-MD5").find("host name") != std::string::npos);
  BOOST_TEST(!why("ANYTHING").empty());
}

BOOST_AUTO_TEST_CASE(binds_of_several_steps_are_limited_by_address) {
  session_rig r;
  for (int i = 0; i < 100; ++i) {
    r.says(sasl_bind_of(1, "SCRAM-SHA-256", "n,,n=user" + std::to_string(i) + ",r=abc"));
    r.session.acquired(r.next<session_action::acquire>().value().number, r.now);
    r.look();
    const auto step = r.next<session_action::forward>().value();
    r.answer_step(step.number, 1, 49);
    BOOST_TEST(r.said().code == 49);
    r.next<session_action::release>();
  }
  r.says(sasl_bind_of(1, "SCRAM-SHA-256", "n,,n=alice,r=abc"));
  BOOST_TEST(r.said().code == 51);
  BOOST_TEST(r.actions.empty());
}

BOOST_AUTO_TEST_CASE(external_is_served_by_proxy_when_the_directory_takes_what_was_shown) {
  const std::string subject = "CN=reporting,O=Example";
  client_origin shown{"192.0.2.1", true, false, false, subject};
  session_rig r{proxy_rules(), shown};
  r.offer->note({}, true, r.now);
  r.says(sasl_bind_of(1, "EXTERNAL", ""));
  auto asked = r.next<session_action::forward>();
  BOOST_TEST_REQUIRE(asked.has_value());
  BOOST_TEST(!asked->leased);
  BOOST_TEST(std::holds_alternative<whoami_request>(asked->what->op));
  BOOST_TEST(identity_of(*asked) == "dn:" + subject);
  failure denied = *make_failure(errc::ldap_error, stage::operation, "no");
  denied.ldap_code = 123;
  r.session.failed(asked->number, denied, r.now);
  r.look();
  BOOST_TEST(r.said().code == 49);
  r.says(search_of(2, "dc=a"));
  BOOST_TEST(r.said().code == 53);
  r.says(sasl_bind_of(3, "EXTERNAL", "dn:cn=Reporting, o=example"));
  asked = r.next<session_action::forward>();
  r.session.answered(asked.value().number, result{}, r.now);
  r.look();
  BOOST_TEST(r.said().code == 0);
  r.says(search_of(4, "dc=a"));
  BOOST_TEST(identity_of(r.next<session_action::forward>().value()) == "dn:" + subject);
  r.says(sasl_bind_of(5, "EXTERNAL", "dn:cn=somebody else"));
  BOOST_TEST(r.next<session_action::cancel>().has_value());
  BOOST_TEST(r.said().code == 49);

  session_rig nothing{proxy_rules()};
  nothing.says(sasl_bind_of(1, "EXTERNAL"));
  BOOST_TEST(nothing.said().code == 48);
  session_rig otherwise{{}, shown};
  otherwise.says(sasl_bind_of(1, "EXTERNAL"));
  BOOST_TEST(otherwise.said().code == 7);
}

BOOST_AUTO_TEST_CASE(what_was_shown_within_start_tls_counts_from_then_on) {
  session_rig r{proxy_rules(), {"127.0.0.1", false, true, true}};
  r.offer->note({}, true, r.now);
  r.says(extended_message(1, start_tls_oid));
  BOOST_TEST(r.said().code == 0);
  r.session.secured(r.now, "CN=reporting");
  BOOST_TEST(r.next<session_action::start_tls>().has_value());
  r.says(sasl_bind_of(2, "EXTERNAL"));
  BOOST_TEST(identity_of(r.next<session_action::forward>().value()) == "dn:CN=reporting");
}

// ---- where a client reads, and who makes room ----

BOOST_AUTO_TEST_CASE(after_a_write_reads_prefer_the_server_that_took_it_for_write_coherence) {
  client_rules rules;
  rules.write_coherence = seconds{5};
  session_rig r{rules};
  r.bind_as_service();
  const auto reads_from = [&](int id) {
    r.says(search_of(id, "dc=a"));
    const auto asked = r.next<session_action::forward>().value();
    r.says(abandon_message(id + 1000, id));
    r.next<session_action::cancel>();
    return asked.preferred;
  };
  BOOST_TEST(!reads_from(2).has_value());
  // Who has answered a read is not preferred.
  r.says(search_of(30, "dc=a"));
  r.session.answered(r.next<session_action::forward>().value().number, result{}, r.now, 9);
  r.session.take_actions();
  BOOST_TEST(!reads_from(31).has_value());
  r.says(replace_message(3, alice, "cn", "x"));
  const auto write = r.next<session_action::forward>().value();
  BOOST_TEST(!write.preferred.has_value());
  result done;
  done.messages = encode_answer(3, 0x67, {});
  r.session.answered(write.number, done, r.now, 7);
  r.look();
  r.heard.clear();
  BOOST_TEST(reads_from(4).value() == 7U);
  r.says(paged_search(5, ""));
  const auto pages = r.next<session_action::acquire>().value();
  BOOST_TEST(pages.preferred.value() == 7U);
  r.session.not_acquired(pages.number, *make_failure(errc::pool_timeout, stage::queue, "full"), r.now);
  r.look();
  r.heard.clear();
  // One that may have been carried out counts too, one that was refused does not.
  r.says(replace_message(6, alice, "cn", "x"));
  r.session.failed(r.next<session_action::forward>().value().number,
                   *make_failure(errc::outcome_unknown, stage::operation, "lost"), r.now, 8);
  r.says(replace_message(7, alice, "cn", "x"));
  r.session.failed(r.next<session_action::forward>().value().number,
                   *make_failure(errc::no_server, stage::queue, "none"), r.now, 9);
  r.look();
  BOOST_TEST(reads_from(8).value() == 8U);
  r.wait(seconds{5});
  BOOST_TEST(!reads_from(9).has_value());
  session_rig without;
  without.bind_as_service();
  without.says(replace_message(2, alice, "cn", "x"));
  without.session.answered(without.next<session_action::forward>().value().number, done, without.now, 7);
  without.look();
  without.says(search_of(3, "dc=a"));
  BOOST_TEST(!without.next<session_action::forward>().value().preferred.has_value());
}

BOOST_AUTO_TEST_CASE(nobody_makes_room_for_a_bind_before_the_directory_has_accepted_it) {
  session_rig r;
  r.says(bind_message(1, alice, "password"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  const auto wish = r.next<session_action::acquire>().value();
  r.wait(seconds{5});
  BOOST_TEST(r.actions.empty());
  r.session.acquired(wish.number, r.now);
  r.look();
  const auto bind = r.next<session_action::forward>().value();
  r.wait(seconds{5});
  BOOST_TEST(r.actions.empty());
  r.session.answered(bind.number, result{}, r.now);
  r.look();
  BOOST_TEST(r.next<session_action::evict>().has_value());
  // Nobody was idle then.
  r.wait(milliseconds{499});
  BOOST_TEST(r.actions.empty());
  BOOST_TEST((r.session.next_event() == r.now + milliseconds{1}));
  r.wait(milliseconds{1});
  BOOST_TEST(r.next<session_action::evict>().has_value());
  r.session.room_made();
  r.wait(seconds{5});
  BOOST_TEST(r.actions.empty());
}

BOOST_AUTO_TEST_CASE(where_users_have_one_connection_who_waits_for_it_asks_for_it) {
  client_rules rules;
  rules.most_users = 0;
  session_rig r{rules};
  r.says(bind_message(1, alice, "password"));
  r.session.claim_checked(r.next<session_action::check_claim>().value().number, service_claim::other, r.now);
  r.look();
  BOOST_TEST(r.next<session_action::acquire>().has_value());
  r.wait(milliseconds{500});
  BOOST_TEST(r.next<session_action::evict>().has_value());
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_given_up_for_others_and_its_client_told) {
  session_rig r;
  BOOST_TEST((r.session.holds() == holding::none));
  r.bind_as(alice);
  BOOST_TEST((r.session.holds() == holding::user));
  BOOST_TEST((r.session.idle_since() == r.now));
  r.says(search_of(2, "dc=a"));
  const auto asked = r.next<session_action::forward>().value();
  BOOST_TEST(!r.session.idle_since().has_value());
  r.session.evict();
  r.look();
  BOOST_TEST(!r.session.closed());
  r.now += seconds{3};
  r.answer(asked.number);
  r.heard.clear();
  BOOST_TEST((r.session.idle_since() == r.now));
  r.session.evict();
  r.look();
  BOOST_TEST(r.next<session_action::release>().has_value());
  const auto notice = r.said();
  BOOST_TEST(notice.id == 0);
  BOOST_TEST(notice.code == 52);
  BOOST_TEST(r.session.closed());
}

BOOST_AUTO_TEST_CASE(who_reads_in_pages_is_told_why_there_is_no_next_one) {
  const auto begun = [] {
    auto r = std::make_unique<session_rig>();
    r->bind_as_service();
    r->says(paged_search(2, ""));
    BOOST_TEST((r->session.holds() == holding::pages));
    r->session.acquired(r->next<session_action::acquire>().value().number, r->now);
    r->look();
    BOOST_TEST(!r->session.idle_since().has_value());
    r->answer(r->next<session_action::forward>().value().number, {page_control("more")});
    r->heard.clear();
    BOOST_TEST((r->session.idle_since() == r->now));
    return r;
  };
  // Given up for others: the client stays, its search does not.
  const auto evicted = begun();
  evicted->session.evict();
  evicted->look();
  BOOST_TEST(evicted->next<session_action::release>().has_value());
  BOOST_TEST(!evicted->session.closed());
  evicted->says(paged_search(3, "more"));
  BOOST_TEST(evicted->said().code == 11);
  // What is in use is not given up.
  const auto used = begun();
  used->says(paged_search(3, "more"));
  const auto second = used->next<session_action::forward>().value();
  used->session.evict();
  used->look();
  BOOST_TEST(used->actions.empty());
  // Its server is gone: nobody can have the rest, now or later.
  used->session.failed(second.number, *make_failure(errc::connection_unhealthy, stage::operation, "gone"), used->now);
  used->look();
  BOOST_TEST(used->said().code == 52);
  BOOST_TEST(used->next<session_action::release>().has_value());
  used->says(paged_search(4, "more"));
  BOOST_TEST(used->said().code == 52);
  // Begun again it is another search.
  used->says(paged_search(5, ""));
  BOOST_TEST(used->next<session_action::acquire>().has_value());
  // A cookie of nowhere.
  session_rig fresh;
  fresh.bind_as_service();
  fresh.says(paged_search(2, "more"));
  BOOST_TEST(fresh.said().code == 53);
}

BOOST_AUTO_TEST_CASE(clients_are_told_nothing_of_what_is_inside) {
  session_rig r;
  r.bind_as_service();
  const std::string inside = "The leased connection to 10.0.0.7:389 broke; take another lease (limits.max_requests).";
  int id = 1;
  for (std::size_t code = 1; code < errc_count; ++code) {
    auto why = *make_failure(static_cast<errc>(code), stage::operation, inside);
    if (why.code == errc::ldap_error || why.code == errc::authentication_failed) why.ldap_code = 50;
    r.says(search_of(++id, "dc=a"));
    r.session.failed(r.next<session_action::forward>().value().number, why, r.now);
    r.look();
    const auto said = r.said();
    BOOST_TEST(said.code != 0);
    for (const auto* word : {"lease", "10.0.0.7", "limits.", "pool", "breaker"})
      BOOST_TEST(said.diagnostic.find(word) == std::string::npos, said.diagnostic);
    BOOST_TEST((said.diagnostic.empty() == (said.code == 50)), said.diagnostic);
  }
}

BOOST_AUTO_TEST_CASE(a_changed_password_is_overwritten_where_it_was) {
  session_rig r;
  r.bind_as(alice);
  const std::string fresh = "a new password that is long enough to be elsewhere";
  const auto value = ber_element(0x30, ber_octets("old", 0x81) + ber_octets(fresh, 0x82));
  r.says(extended_of(2, password_modify_oid, value));
  auto asked = r.next<session_action::forward>().value();
  const auto& bytes = std::get<opaque_request>(asked.what->op).protocol_op;
  BOOST_TEST(bytes.find(fresh) != std::string::npos);
  // What stands in memory that was given back may not be looked at: what is known of it is that it is overwritten.
  BOOST_TEST(may_carry_password(asked.what->op));
}
