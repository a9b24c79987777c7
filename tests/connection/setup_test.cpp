// From the name look-up to ready, and every way not to get there.
#include "rig.hpp"

#include "support/fault_gate.hpp"
#include "support/slapd.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::test;
using kind = connection_event::kind;

BOOST_FIXTURE_TEST_CASE(is_ready_without_a_bind_when_there_is_no_bind_dn, connection_rig) {
  server.bind_dn.clear();
  stub_directory directory;
  use(directory);
  auto one = open_ready();
  BOOST_TEST(seen->credential_questions == 0);
  BOOST_TEST(directory.binds().empty());
  BOOST_TEST(status(one).auth_method == "anonymous");
  BOOST_TEST(outcome(one, find_user()).ok());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(names_server_and_reason_when_it_is_refused, connection_rig) {
  stub_directory directory;
  use(directory);
  directory.stop();
  auto one = open();
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST((cause().code == errc::connection_failed));
  BOOST_TEST((cause().where == stage::connect));
  BOOST_TEST(cause().message.find("Connection refused") != std::string::npos, cause().message);
  BOOST_TEST(cause().server == "127.0.0.1:" + std::to_string(directory.port()));
  BOOST_TEST(seen->reports.empty());  // rounds of connects are the pool's to report
  const auto stray = perform(one, find_user());
  run();
  BOOST_TEST(seen->recasts.size() == 1u);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(gives_up_an_unanswered_connect_in_time, connection_rig) {
  server.timeout = seconds{3};
  stub_directory directory;
  use(directory);
  directory.ignore_connects();
  auto one = open();
  settle();
  advance(seconds{3} - milliseconds{1});
  BOOST_TEST(seen->events.empty());
  advance(milliseconds{1});
  BOOST_REQUIRE(seen->events.size() == 1u);
  BOOST_TEST((cause().code == errc::connection_timeout));
  BOOST_TEST((cause().where == stage::connect));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(tries_every_address_of_a_name, connection_rig) {
  stub_directory directory;
  use(directory);
  server.host = "ldap.example.com";
  // Nobody listens at 127.0.0.2 and 127.0.0.3.
  resolver->set("ldap.example.com", {"127.0.0.2", "127.0.0.3", "127.0.0.1"});
  auto one = open_ready();
  BOOST_TEST(status(one).peer == "127.0.0.1:" + std::to_string(directory.port()));
  remove(one);

  resolver->set("ldap.example.com", {"127.0.0.2", "127.0.0.3"});
  auto two = open();
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST(cause().message.find("127.0.0.2") != std::string::npos, cause().message);
  BOOST_TEST(cause().message.find("127.0.0.3") != std::string::npos, cause().message);
  remove(two);
}

BOOST_FIXTURE_TEST_CASE(leaves_a_silent_address_for_the_next_one, connection_rig) {
  server.timeout = seconds{4};
  server.bind_dn.clear();
  stub_directory silent, directory;
  silent.ignore_connects();
  use(directory);
  server.host = "ldap.example.com";
  resolution found;
  found.addresses = {literal_address("127.0.0.1", silent.port()), literal_address("127.0.0.1", directory.port())};
  resolver->set("ldap.example.com", {"127.0.0.2"});
  resolver->hold(true);
  auto one = open();
  run();
  tell(one, resolved_atom_v, std::uint64_t{env->numbers->load()}, found);
  settle();
  BOOST_TEST(seen->events.empty());
  advance(seconds{2});
  BOOST_REQUIRE(reaches_event(kind::ready));
  BOOST_TEST(outcome(one, find_user()).ok());
  resolver->release();
  run();
  BOOST_TEST(status(one).state == "ready");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(tells_why_a_name_was_not_found, connection_rig) {
  server.host = "nowhere.example.com";
  resolver->fail("nowhere.example.com", "no such host");
  auto one = open();
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST((cause().where == stage::resolve));
  BOOST_TEST(cause().message.find("no such host") != std::string::npos, cause().message);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(does_not_wait_for_ever_for_a_name, connection_rig) {
  server.timeout = seconds{2};
  server.host = "slow.example.com";
  resolver->hold(true);
  auto one = open();
  advance(seconds{2});
  BOOST_REQUIRE(seen->events.size() == 1u);
  BOOST_TEST((cause().code == errc::connection_timeout));
  BOOST_TEST((cause().where == stage::resolve));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(gives_up_a_server_that_never_answers_the_bind, connection_rig) {
  server.timeout = seconds{2};
  stub_directory directory;
  use(directory);
  directory.disturb(operation::bind, {.silent = true});
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::bind) == 1; }));
  advance(seconds{2});
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST((cause().code == errc::connection_timeout));
  BOOST_TEST((cause().where == stage::bind));
  // The credential is neither good nor bad now, but it is judged.
  BOOST_REQUIRE(seen->verdicts.size() == 1u);
  BOOST_TEST((seen->verdicts[0].what == credential_verdict::kind::unknown));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(tells_the_gate_and_the_pool_when_the_service_is_refused, connection_rig) {
  stub_directory directory{{.tls = {}, .ldaps = false, .passwords = {{seen->secret.bind_dn, "another"}}}};
  use(directory);
  auto one = open();
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST((cause().code == errc::authentication_failed));
  BOOST_TEST(cause().ldap_code == 49);
  BOOST_TEST((classify(cause()) == failure_class::credential));
  BOOST_TEST(describe(cause()).find("service-password") == std::string::npos);
  BOOST_REQUIRE(seen->verdicts.size() == 1u);
  BOOST_TEST((seen->verdicts[0].what == credential_verdict::kind::refused));
  remove(one);

  directory.on(operation::bind, reply{{.code = result_code::unwilling_to_perform}});
  auto two = open();
  BOOST_REQUIRE(reaches([&] { return seen->events.size() == 2u; }));
  BOOST_TEST((classify(cause()) == failure_class::policy));
  BOOST_TEST((seen->verdicts.at(1).what == credential_verdict::kind::unknown));
  remove(two);
  BOOST_TEST(!log->contains("service-password"));
}

BOOST_FIXTURE_TEST_CASE(sends_no_bind_when_the_gate_says_no_or_has_no_password, connection_rig) {
  stub_directory directory;
  use(directory);
  failure closed;
  closed.code = errc::authentication_failed;
  closed.ldap_code = 49;
  closed.message = "the password was refused";
  seen->refuse_credential = std::make_shared<const failure>(closed);
  auto one = open();
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST((cause().code == errc::authentication_failed));
  BOOST_TEST((classify(cause()) == failure_class::credential));
  BOOST_TEST(seen->verdicts.empty());
  remove(one);

  seen->refuse_credential = nullptr;
  seen->secret.password = secret{""};
  auto two = open();
  BOOST_REQUIRE(reaches([&] { return seen->events.size() == 2u; }));
  BOOST_TEST((cause().code == errc::invalid_config));
  BOOST_TEST(seen->verdicts.size() == 1u);
  BOOST_TEST(directory.binds().empty());
  remove(two);
}

BOOST_FIXTURE_TEST_CASE(times_the_steps_of_a_probe, connection_rig) {
  stub_directory directory;
  use(directory);
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return status(one).state == "ready"; }));
  const auto report = start<probe_report>(one, check_atom_v, now() + seconds{1});
  BOOST_REQUIRE(reaches([&] { return report->done(); }));
  remove(one);
  auto probe = open(connection_kind::probe);
  BOOST_REQUIRE(reaches([&] { return status(probe).state == "ready"; }));
  const auto full = start<probe_report>(probe, check_atom_v, now() + seconds{1});
  BOOST_REQUIRE(reaches([&] { return full->done(); }));
  BOOST_TEST(full->value->ok);
  BOOST_REQUIRE(full->value->steps.size() == 4u);
  BOOST_TEST((full->value->steps[0].what == stage::resolve));
  BOOST_TEST((full->value->steps[1].what == stage::connect));
  BOOST_TEST((full->value->steps[2].what == stage::bind));
  BOOST_TEST((full->value->steps[3].what == stage::operation));
  remove(probe);
}

BOOST_FIXTURE_TEST_CASE(speaks_to_slapd_over_a_unix_socket_whatever_the_environment_says, connection_rig) {
  ::setenv("LDAPDEREF", "always", 1);
  ::setenv("LDAPSIZELIMIT", "1", 1);
  ::setenv("LDAPTIMELIMIT", "1", 1);
  slapd_options with;
  with.ldapi = true;
  slapd directory{with};
  server.uri = directory.ldapi_url();
  server.bind_dn = seen->secret.bind_dn = admin_dn;
  seen->secret.password = secret{admin_password};
  auto one = open_ready();
  search_request everyone;
  everyone.base = people_dn;
  everyone.scope = search_scope::one;
  const auto found = outcome(one, make_request(everyone));
  BOOST_REQUIRE(found.ok());
  BOOST_TEST((*found.value)->entries.size() == 10u);
  const auto who = outcome(one, make_request(whoami_request{}));
  BOOST_REQUIRE(who.ok());
  BOOST_TEST((*who.value)->response_value.value_or("") == std::string{"dn:"} + admin_dn);
  remove(one);
  for (const auto* name : {"LDAPDEREF", "LDAPSIZELIMIT", "LDAPTIMELIMIT"}) ::unsetenv(name);
}
