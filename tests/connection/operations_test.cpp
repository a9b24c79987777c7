// What connections do with operations: requests out, answers in, every outcome once.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

BOOST_FIXTURE_TEST_CASE(binds_as_the_service_and_finds_an_entry, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  BOOST_TEST(directory.binds().size() == 1u);
  BOOST_TEST(directory.binds().front().dn == seen->secret.bind_dn);
  BOOST_TEST(directory.binds().front().password == "service-password");
  BOOST_REQUIRE(seen->verdicts.size() == 1u);
  BOOST_TEST((seen->verdicts.front().what == credential_verdict::kind::accepted));
  BOOST_TEST(seen->verdicts.front().version == 7u);

  const auto found = outcome(one, find_user(4));
  BOOST_REQUIRE(found.ok());
  BOOST_REQUIRE((*found.value)->entries.size() == 1u);
  BOOST_TEST((*found.value)->entries.front().dn == "uid=user4,ou=people,dc=example,dc=com");
  BOOST_TEST((*found.value)->server == "127.0.0.1:" + std::to_string(directory.port()));
  BOOST_TEST(load->completed.load() == 1u);
  const auto state = status(one);
  BOOST_TEST(state.state == "ready");
  BOOST_TEST(state.auth_method == "simple");
  BOOST_TEST(state.in_flight == 0u);
  remove(one);
  BOOST_TEST((seen->events.back().what == connection_event::kind::closed));
  BOOST_TEST(seen->events.back().cause == nullptr);
}

BOOST_FIXTURE_TEST_CASE(carries_every_kind_of_operation, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const std::string dn = "uid=user1,ou=people,dc=example,dc=com";

  BOOST_TEST((*outcome(one, make_request(compare_request{dn, "mail", "a"})).value)->compare_matched());
  BOOST_TEST(outcome(one, change_mail()).ok());
  BOOST_TEST(outcome(one, make_request(add_request{"cn=x", {{"cn", {"x", "y"}}}})).ok());
  BOOST_TEST(outcome(one, make_request(delete_request{"cn=x"})).ok());
  BOOST_TEST(outcome(one, make_request(modify_dn_request{"cn=x", "cn=y", false, "ou=z"})).ok());
  const auto who = outcome(one, make_request(whoami_request{}));
  BOOST_REQUIRE(who.ok());
  BOOST_TEST((*who.value)->response_value.value_or("?") == "dn:" + seen->secret.bind_dn);

  const auto modified = directory.requests(operation::modify);
  BOOST_REQUIRE(modified.size() == 1u);
  BOOST_REQUIRE(modified[0].changes.size() == 1u);
  BOOST_TEST((modified[0].changes[0].op == modification::kind::replace));
  BOOST_TEST(modified[0].changes[0].target.values.front() == "new@example.com");
  const auto moved = directory.requests(operation::modify_dn);
  BOOST_REQUIRE(moved.size() == 1u);
  BOOST_TEST(moved[0].new_rdn == "cn=y");
  BOOST_TEST(!moved[0].delete_old_rdn);
  BOOST_TEST(moved[0].new_superior.value_or("") == "ou=z");
  const auto added = directory.requests(operation::add);
  BOOST_REQUIRE(added.size() == 1u);
  BOOST_TEST(added[0].attributes.front().values.size() == 2u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(returns_the_password_that_the_server_generated, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  // PasswdModifyResponseValue ::= SEQUENCE { genPasswd [0] OCTET STRING } (RFC 3062).
  reply generated;
  generated.what.value = std::string{"\x30\x06\x80\x04pass", 8};
  directory.on(operation::password_modify, generated);
  password_modify_request what;
  what.user_identity = "dn:uid=user1";
  const auto got = outcome(one, make_request(what));
  BOOST_REQUIRE(got.ok());
  BOOST_TEST((*got.value)->response_value.value_or("") == "pass");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(passes_the_limits_scope_and_names_of_a_search_as_given, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  search_request what;
  what.scope = search_scope::one;
  what.base = "ou=people";
  what.attributes = {"mail", "+"};
  what.size_limit = 7;
  what.time_limit = 9;
  what.deref = dereference::always;
  what.types_only = true;
  BOOST_TEST(outcome(one, make_request(what)).ok());
  search_request plain;
  plain.base = "ou=people";
  BOOST_TEST(outcome(one, make_request(plain)).ok());
  const auto seen_there = directory.requests(operation::search);
  BOOST_REQUIRE(seen_there.size() == 2u);
  BOOST_TEST((seen_there[0].scope == search_scope::one));
  BOOST_TEST(seen_there[0].size_limit == 7);
  BOOST_TEST(seen_there[0].time_limit == 9);
  BOOST_TEST((seen_there[0].deref == dereference::always));
  BOOST_TEST(seen_there[0].types_only);
  BOOST_TEST(seen_there[0].names == what.attributes, boost::test_tools::per_element());
  BOOST_TEST(seen_there[1].size_limit == 0);
  BOOST_TEST(seen_there[1].time_limit == 0);
  BOOST_TEST((seen_there[1].deref == dereference::never));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(passes_controls_both_ways, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  reply with_control;
  with_control.what.controls = {{"1.2.3.4", false, std::string{"\0back", 5}}};
  directory.on(operation::search, with_control);
  auto what = *find_user();
  what.controls = {{"1.2.840.113556.1.4.319", true, std::string{"a\0b", 3}}, {"1.2.3", false, std::nullopt}};
  const auto got = outcome(one, std::make_shared<const request>(what));
  BOOST_REQUIRE(got.ok());
  BOOST_REQUIRE((*got.value)->controls.size() == 1u);
  BOOST_TEST((*got.value)->controls[0].value.value_or("") == std::string("\0back", 5));
  const auto sent = directory.requests(operation::search).back().controls;
  BOOST_REQUIRE(sent.size() == 2u);
  BOOST_TEST(sent[0].critical);
  BOOST_TEST(sent[0].value.value_or("") == std::string("a\0b", 3));
  BOOST_TEST(!sent[1].value.has_value());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(returns_values_of_any_bytes_and_a_mebibyte_exactly, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  std::string large;
  while (large.size() < 1024 * 1024) large += bytes;
  directory.set_entries({entry{"cn=J\xc3\xbcrgen\\2C x", {{"photo", {bytes, "", large}}, {"none", {}}}}});
  const auto got = outcome(one, find_user());
  BOOST_REQUIRE(got.ok());
  const auto& e = (*got.value)->entries.at(0);
  BOOST_TEST(e.dn == "cn=J\xc3\xbcrgen\\2C x");
  BOOST_REQUIRE(e.attributes.size() == 2u);
  BOOST_REQUIRE(e.attributes[0].values.size() == 3u);
  BOOST_TEST((e.attributes[0].values[0] == bytes));
  BOOST_TEST((e.attributes[0].values[2] == large));
  BOOST_TEST(e.attributes[1].values.empty());

  BOOST_TEST(outcome(one, make_request(compare_request{"cn=x", "photo", large})).ok());
  BOOST_TEST((directory.requests(operation::compare).back().compared_value == large));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(reads_answers_in_slices_and_all_at_once_alike, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto sliced = directory.disturb(operation::search, {.slice = 1});
  const auto a = outcome(one, find_user());
  directory.forget(sliced);
  const auto b = outcome(one, find_user());
  BOOST_REQUIRE(a.ok());
  BOOST_REQUIRE(b.ok());
  BOOST_TEST((*a.value)->entries.at(0).dn == (*b.value)->entries.at(0).dn);
  directory.disturb(operation::search, {.hold = true}, 1);
  const auto first = perform(one, find_user(1));
  const auto second = perform(one, find_user(2));
  BOOST_REQUIRE(reaches([&] { return first->done() && second->done(); }));
  BOOST_TEST(first->ok());
  BOOST_TEST(second->ok());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(returns_the_directorys_own_errors_with_all_they_say, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  reply nowhere;
  nowhere.what.code = result_code::no_such_object;
  nowhere.what.matched_dn = "dc=example,dc=com";
  nowhere.what.diagnostic = "not here";
  nowhere.what.controls = {{"1.2.3", false, std::nullopt}};
  directory.on(operation::search, nowhere, 1);
  auto got = outcome(one, find_user());
  BOOST_REQUIRE(got.error);
  BOOST_TEST((got.code() == errc::ldap_error));
  BOOST_TEST(got.error->ldap_code == 32);
  BOOST_TEST(got.error->matched_dn == "dc=example,dc=com");
  BOOST_TEST(got.error->diagnostic == "not here");
  BOOST_TEST(got.error->controls.size() == 1u);
  BOOST_TEST(got.error->server == "127.0.0.1:" + std::to_string(directory.port()));

  reply elsewhere;
  elsewhere.what.code = result_code::referral;
  elsewhere.what.referrals = {"ldap://ldap2.example.com/dc=example"};
  directory.on(operation::modify, elsewhere, 1);
  got = outcome(one, change_mail());
  BOOST_REQUIRE(got.error);
  BOOST_TEST(got.error->ldap_code == 10);
  BOOST_TEST(got.error->referrals.at(0) == "ldap://ldap2.example.com/dc=example");

  reply references;
  references.what.references = {{"ldap://a/", "ldap://b/"}, {"ldap://c/"}};
  directory.on(operation::search, references, 1);
  got = outcome(one, find_user());
  BOOST_REQUIRE(got.ok());
  BOOST_REQUIRE((*got.value)->references.size() == 2u);
  BOOST_TEST((*got.value)->references[0].at(1) == "ldap://b/");

  directory.on(operation::compare, reply{{.code = result_code::compare_false}}, 1);
  got = outcome(one, make_request(compare_request{"cn=x", "cn", "y"}));
  BOOST_REQUIRE(got.ok());
  BOOST_TEST(!(*got.value)->compare_matched());
  BOOST_TEST(directory.connections() == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(sends_nothing_of_a_malformed_request, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  search_request bad;
  bad.filter = "(cn=x";
  auto got = outcome(one, make_request(bad));
  BOOST_TEST((got.code() == errc::invalid_request));
  BOOST_TEST(got.error->message.find("')' is missing") != std::string::npos, got.error->message);

  const std::string nul{"ou=a\0,dc=x", 10};
  search_request cut;
  cut.base = nul;
  BOOST_TEST((outcome(one, make_request(cut)).code() == errc::invalid_request));
  BOOST_TEST((outcome(one, make_request(delete_request{nul})).code() == errc::invalid_request));
  BOOST_TEST((outcome(one, make_request(compare_request{"cn=x", nul, "y"})).code() == errc::invalid_request));
  BOOST_TEST((outcome(one, make_request(add_request{"cn=x", {}})).code() == errc::invalid_request));
  BOOST_TEST((outcome(one, make_request(extended_request{"1.3.6.1.4.1.1466.20037", std::nullopt, false})).code() ==
              errc::invalid_request));
  BOOST_TEST((outcome(one, make_request(bind_request{"cn=x", secret{"pw"}})).code() == errc::invalid_request));
  BOOST_TEST(directory.requests().size() == 1u);  // the service's bind
  BOOST_TEST(load->completed.load() == 7u);
  BOOST_TEST(seen->reports.empty());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(abandons_a_search_at_its_deadline_and_ignores_the_late_answer, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::search, {.after_abandon = true}, 1);
  const auto late = perform(one, find_user(), milliseconds{500});
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
  advance(milliseconds{499});
  BOOST_TEST(!late->done());
  advance(milliseconds{1});
  BOOST_TEST((late->code() == errc::operation_timeout));
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
  // The connection goes on with others.
  BOOST_TEST(outcome(one, find_user(2)).ok());
  BOOST_TEST(outcome(one, find_user(3)).ok());
  BOOST_TEST(metrics->protocol_errors() == 0u);
  BOOST_TEST(load->completed.load() == 3u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(never_says_that_a_write_that_was_sent_did_not_happen, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  directory.disturb(operation::modify, {.silent = true});
  const auto write = perform(one, change_mail(), milliseconds{500});
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::modify) == 1; }));
  advance(milliseconds{500});
  BOOST_TEST((write->code() == errc::outcome_unknown));
  BOOST_TEST(write->error->message.find("modify") != std::string::npos);
  BOOST_TEST(write->error->server == "127.0.0.1:" + std::to_string(directory.port()));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(cancels_once_wherever_the_request_is, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  auto before = order(find_user());
  before.token->cancel();
  const auto early = perform(one, before);
  run();
  BOOST_TEST((early->code() == errc::cancelled));

  directory.disturb(operation::search, {.silent = true});
  auto sent = order(find_user());
  const auto token = sent.token;
  const auto waiting = perform(one, sent);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::search) == 1; }));
  BOOST_TEST(token->server() == 3u);
  token->cancel();
  tell(one, cancel_atom_v, token);
  BOOST_TEST((waiting->code() == errc::cancelled));
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
  tell(one, cancel_atom_v, token);
  BOOST_TEST(load->completed.load() == 2u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(cuts_off_results_that_are_too_large, connection_rig) {
  all.limits.max_result_bytes = 4096;
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  std::vector<entry> many;
  for (int i = 0; i < 100; ++i) many.push_back({"cn=" + std::to_string(i), {{"v", {std::string(100, 'x')}}}});
  directory.set_entries(many);
  const auto got = outcome(one, find_user());
  BOOST_TEST((got.code() == errc::result_too_large));
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
  directory.set_entries(std::vector<entry>{});
  BOOST_TEST(outcome(one, find_user()).ok());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(tells_the_pool_once_when_it_wants_to_know, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  BOOST_TEST(outcome(one, find_user()).ok());
  BOOST_TEST(seen->loads == 0);
  load->wanted = true;
  BOOST_TEST(outcome(one, find_user()).ok());
  BOOST_TEST(seen->loads == 1);
  BOOST_TEST(!load->wanted.load());
  BOOST_TEST(outcome(one, find_user()).ok());
  BOOST_TEST(seen->loads == 1);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(reads_the_health_of_its_server_before_a_deadline, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  const auto good = start<probe_report>(one, check_atom_v, now() + seconds{1});
  BOOST_REQUIRE(reaches([&] { return good->done(); }));
  BOOST_TEST(good->value->ok);
  BOOST_REQUIRE(good->value->steps.size() == 1u);

  directory.on(operation::search, reply{{.code = result_code::busy}});
  const auto busy = start<probe_report>(one, check_atom_v, now() + seconds{1});
  BOOST_REQUIRE(reaches([&] { return busy->done(); }));
  BOOST_TEST(!busy->value->ok);
  BOOST_TEST((verdict(*busy->value) == probe_verdict::dead), "who is busy serves nobody");
  directory.forget_rules();

  directory.pause();
  const auto bad = start<probe_report>(one, check_atom_v, now() + seconds{1});
  settle();
  advance(seconds{1});
  BOOST_REQUIRE(bad->done());
  BOOST_TEST(!bad->value->ok);
  BOOST_TEST((bad->value->error->code == errc::operation_timeout));
  directory.resume();
  BOOST_TEST(load->completed.load() == 0u);
  remove(one);
}
