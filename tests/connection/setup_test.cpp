// From the name look-up to ready, and every way not to get there.
#include "rig.hpp"

#include "support/certificates.hpp"
#include "support/fault_gate.hpp"
#include "support/slapd.hpp"
#include "understudy/actors/connection/connect_attempt.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

#include <poll.h>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using kind = connection_event::kind;

namespace {

struct several_addresses : connection_rig {
  certificate_set certificates;

  stub_options tls_options() {
    stub_options o;
    o.tls = tls_files{};
    o.tls->certificate = certificates.server.certificate;
    o.tls->key = certificates.server.key;
    o.ldaps = true;
    return o;
  }

  /// A connection to "localhost", whose addresses are those ports of 127.0.0.1.
  connection_actor open_to(const std::vector<std::uint16_t>& ports) {
    server.host = "localhost";
    resolver->hold(true);
    auto one = open();
    run();
    resolution found;
    for (const auto port : ports) found.addresses.push_back(socket_address_of("127.0.0.1", port));
    tell(one, resolved_atom_v, std::uint64_t{env->numbers->load()}, found);
    return one;
  }

  /// True when the peer of a socket that a connection has closed its side.
  bool end_has_arrived() {
    for (int fd = 0; fd < 1024; ++fd) {
      pollfd ended{fd, POLLRDHUP, 0};
      if (poller->find(fd) != 0 && ::poll(&ended, 1, 0) == 1 && (ended.revents & POLLRDHUP) != 0) return true;
    }
    return false;
  }
};

}  // namespace

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
  BOOST_TEST(seen->redispatches.size() == 1u);
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

BOOST_FIXTURE_TEST_CASE(dials_beside_silent_addresses_and_takes_the_first_that_answers, several_addresses) {
  server.bind_dn.clear();
  stub_directory silent, mute, directory;
  silent.ignore_connects();
  mute.ignore_connects();
  auto one = open_to({silent.port(), mute.port(), directory.port()});
  settle();
  BOOST_TEST(poller->registrations() == 1u);
  advance(connect_attempt::stagger);
  BOOST_TEST(poller->registrations() == 2u);
  BOOST_TEST(seen->events.empty());
  advance(connect_attempt::stagger);
  BOOST_REQUIRE(reaches_event(kind::ready));
  // Who lost the race is closed at once.
  BOOST_TEST(poller->registrations() == 1u);
  BOOST_TEST(status(one).peer == "127.0.0.1:" + std::to_string(directory.port()));
  BOOST_TEST(outcome(one, find_user()).ok());
  // A late answer of the resolver changes nothing.
  resolver->release();
  run();
  BOOST_TEST(status(one).state == "ready");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(keeps_no_socket_of_addresses_that_never_answer, several_addresses) {
  server.timeout = seconds{3};
  stub_directory silent, mute;
  silent.ignore_connects();
  mute.ignore_connects();
  auto one = open_to({silent.port(), mute.port()});
  settle();
  advance(seconds{3} - milliseconds{1});
  BOOST_TEST(seen->events.empty());
  BOOST_TEST(poller->registrations() == 2u);
  advance(milliseconds{1});
  BOOST_REQUIRE(seen->events.size() == 1u);
  BOOST_TEST(poller->registrations() == 0u);
  BOOST_TEST((cause().code == errc::connection_timeout));
  BOOST_TEST((cause().where == stage::connect));
  BOOST_TEST(cause().message.find(std::to_string(silent.port()) + ": timed out") != std::string::npos, cause().message);
  BOOST_TEST(cause().message.find(std::to_string(mute.port()) + ": timed out") != std::string::npos, cause().message);
  remove(one);
  // Nor when it is told to end in the middle.
  auto two = open_to({silent.port(), mute.port()});
  settle();
  advance(connect_attempt::stagger);
  BOOST_TEST(poller->registrations() == 2u);
  remove(two);
}

/// A hung process: the kernel takes the connection, nobody answers.
BOOST_FIXTURE_TEST_CASE(leaves_an_address_that_takes_the_connection_and_says_nothing, several_addresses) {
  for (const bool secure : {false, true}) {
    stub_directory hung, directory;
    hung.pause();
    auto options = tls_options();
    stub_directory secure_directory{options};
    auto& well = secure ? secure_directory : directory;
    server.use_ssl = secure;
    server.ca_cert_path = secure ? certificates.ca.certificate().string() : "";
    const auto before = seen->events.size();
    auto one = open_to({hung.port(), well.port()});
    const auto phase = secure ? "securing" : "binding";
    BOOST_REQUIRE(reaches([&] { return status(one).state == phase; }));
    advance(all.breaker.suspect_after - milliseconds{1});
    BOOST_TEST(seen->events.size() == before);
    advance(milliseconds{1});
    BOOST_REQUIRE(reaches([&] { return seen->events.size() > before; }));
    BOOST_TEST((seen->events.back().what == kind::ready));
    BOOST_TEST(status(one).peer == "127.0.0.1:" + std::to_string(well.port()));
    hung.resume();
    remove(one);
  }
  // The bind that was not answered is judged as such, and the other one as good.
  BOOST_REQUIRE(!seen->verdicts.empty());
  BOOST_TEST((seen->verdicts.front().what == credential_verdict::kind::unknown));
  BOOST_TEST((seen->verdicts.back().what == credential_verdict::kind::accepted));
  BOOST_TEST(seen->verdicts.size() == static_cast<std::size_t>(seen->credential_questions));
}

BOOST_FIXTURE_TEST_CASE(waits_to_the_end_for_a_slow_answer_when_there_is_no_other_address, connection_rig) {
  stub_directory slow;
  use(slow);
  slow.pause();
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return status(one).state == "binding"; }));
  advance(seconds{20});
  BOOST_TEST(seen->events.empty());
  slow.resume();
  BOOST_REQUIRE(reaches_event(kind::ready));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_mute_server_is_given_no_bind_after_a_wait_for_the_credentials, connection_rig) {
  stub_directory mute;
  use(mute);
  mute.pause();
  seen->hold_credentials = true;
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return seen->waiting.size() == 1; }));
  BOOST_TEST(load->held_up);
  advance(milliseconds{50});
  settle();
  // From now on it is the server that is waited for, and not the manager.
  BOOST_TEST(!load->held_up);
  BOOST_TEST((load->awaited_since.load() == now()));
  give_credentials();
  BOOST_REQUIRE(seen->verdicts.size() == 1u);
  BOOST_TEST((seen->verdicts.front().what == credential_verdict::kind::unknown));
  BOOST_TEST(seen->credential_questions == 1);
  mute.resume();
  BOOST_REQUIRE(reaches([&] { return seen->credential_questions == 2; }));
  BOOST_TEST(mute.binds().empty());
  give_credentials();
  BOOST_REQUIRE(reaches_event(kind::ready));
  BOOST_TEST(mute.binds().size() == 1u);
  BOOST_TEST((seen->verdicts.back().what == credential_verdict::kind::accepted));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_is_mute_during_the_wait_for_the_credentials_is_given_up_in_time, connection_rig) {
  server.timeout = seconds{3};
  stub_directory mute;
  use(mute);
  mute.pause();
  seen->hold_credentials = true;
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return seen->waiting.size() == 1; }));
  advance(seconds{3});
  BOOST_REQUIRE(seen->events.size() == 1u);
  BOOST_TEST((cause().code == errc::connection_timeout));
  BOOST_TEST((classify(cause()) == failure_class::transport));
  give_credentials();
  BOOST_REQUIRE(seen->verdicts.size() == 1u);
  BOOST_TEST((seen->verdicts.front().what == credential_verdict::kind::unknown));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_lives_is_no_worse_for_a_wait_for_the_credentials, connection_rig) {
  server.timeout = seconds{3};
  for (const bool busy : {false, true}) {
    stub_directory directory;
    use(directory);
    if (busy)
      directory.when([](const directory_request& r) { return r.kind == operation::search; },
                     [](const directory_request&) {
                       return reply{{.code = 51}, {}};
                     });
    seen->hold_credentials = true;
    const auto before = seen->events.size();
    auto one = open();
    BOOST_REQUIRE(reaches([&] { return seen->waiting.size() == 1; }));
    advance(milliseconds{50});
    BOOST_REQUIRE(reaches([&] { return load->held_up.load(); }));
    BOOST_TEST(directory.count(operation::search) == 1u);
    // It is asked once, and then waited for as long as the bind lockout guard takes.
    advance(seconds{4});
    settle();
    BOOST_TEST(directory.count(operation::search) == 1u);
    BOOST_TEST(seen->events.size() == before);
    give_credentials();
    BOOST_REQUIRE(reaches_event(kind::ready));
    remove(one);
  }
}

/// It need not answer anybody before the bind (RFC 4513, 2): that it does not is no reason to stay unbound.
BOOST_FIXTURE_TEST_CASE(a_server_that_lets_nobody_ask_before_the_bind_is_dialled_again_and_not_asked, connection_rig) {
  for (const auto how : {ending::close, ending::reset}) {
    stub_directory strict;
    use(strict);
    strict.when([](const directory_request& r) { return r.kind == operation::search && r.identity.empty(); },
                [how](const directory_request&) {
                  return reply{{}, {.silent = true, .then = how}};
                });
    seen->hold_credentials = true;
    const auto before = seen->events.size();
    auto one = open();
    BOOST_REQUIRE(reaches([&] { return seen->waiting.size() == 1; }));
    advance(milliseconds{50});
    BOOST_REQUIRE(reaches([&] { return seen->waiting.size() == 2; }));
    // The server may learn of it later than we.
    BOOST_TEST(reaches([&] { return strict.connections() == 2u; }));
    // However long it takes, it is not asked again, and the wait is ours.
    advance(seconds{4});
    settle();
    BOOST_TEST(load->held_up);
    BOOST_TEST(strict.count(operation::search) == 1u);
    BOOST_TEST(seen->events.size() == before);
    give_credentials();
    BOOST_REQUIRE(reaches_event(kind::ready));
    BOOST_TEST(strict.binds().size() == 1u);
    BOOST_TEST(strict.connections() == 2u);
    remove(one);
    seen->events.clear();
    seen->verdicts.clear();
  }
}

/// Who closes whatever is said is no server, and is dialled no more than once more.
BOOST_FIXTURE_TEST_CASE(a_server_that_closes_a_second_time_has_failed, connection_rig) {
  stub_directory closes;
  use(closes);
  closes.disturb_all({.silent = true, .then = ending::close});
  seen->hold_credentials = true;
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return seen->waiting.size() == 1; }));
  advance(milliseconds{50});
  BOOST_REQUIRE(reaches([&] { return seen->waiting.size() == 2; }));
  closes.close_all();
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST((cause().code == errc::connection_failed));
  BOOST_TEST(closes.connections() == 2u);
  give_credentials();
  remove(one);
}

/// What the first address says as it goes must not be taken for the second one's words.
BOOST_FIXTURE_TEST_CASE(a_refusal_and_an_end_in_one_read_leave_the_next_address_alone, several_addresses) {
  server.use_tls = true;
  server.ca_cert_path = certificates.ca.certificate().string();
  // As large as the first read, so that the end of the stream is seen in the same turn.
  const std::string head{"\x30\x82\x07\xfc\x02\x01\x01\x78\x82\x07\xf5\x0a\x01\x02\x04\x00\x04\x82\x07\xec", 20};
  const std::string refusal = head + std::string(2048 - head.size(), 'x');
  auto options = tls_options();
  options.ldaps = false;
  stub_directory refuses, directory{options};
  refuses.disturb(operation::start_tls, {.raw = refusal, .then = ending::close});
  auto one = open_to({refuses.port(), directory.port()});
  // Connected, and asked; then nothing is read until the answer and the end are both there.
  BOOST_REQUIRE(eventually([&] { return poller->fire_ready() == 1; }));
  run();
  BOOST_REQUIRE(eventually([&] { return end_has_arrived(); }));
  BOOST_REQUIRE(reaches([&] { return !seen->events.empty(); }));
  BOOST_TEST((seen->events.back().what == kind::ready),
             (seen->events.back().cause ? describe(*seen->events.back().cause) : ""));
  const auto now_is = status(one);
  BOOST_TEST(now_is.peer == "127.0.0.1:" + std::to_string(directory.port()));
  std::string steps;
  for (const auto& step : now_is.steps) steps += std::string{to_string(step.what)} + (step.ok ? " " : " FAILED ");
  BOOST_TEST(steps == "resolve connect secure FAILED connect secure bind ");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(a_lost_bind_goes_to_the_next_address, several_addresses) {
  stub_directory closes, directory;
  closes.disturb(operation::bind, {.silent = true, .then = ending::close});
  auto one = open_to({closes.port(), directory.port()});
  BOOST_REQUIRE(reaches_event(kind::ready));
  BOOST_TEST(seen->events.size() == 1u);
  BOOST_TEST(directory.binds().size() == 1u);
  BOOST_REQUIRE(seen->verdicts.size() == 2u);
  BOOST_TEST((seen->verdicts[0].what == credential_verdict::kind::unknown));
  BOOST_TEST((seen->verdicts[1].what == credential_verdict::kind::accepted));
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
  BOOST_TEST((cause().code == errc::service_authentication_failed));
  BOOST_TEST(cause().ldap_code == 49);
  BOOST_TEST((classify(cause()) == failure_class::credential));
  BOOST_TEST(cause().message.find("as \"" + server.bind_dn + "\"") != std::string::npos, cause().message);
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
  closed.code = errc::service_authentication_failed;
  closed.ldap_code = 49;
  closed.message = "the password was refused";
  seen->refuse_credential = std::make_shared<const failure>(closed);
  auto one = open();
  BOOST_REQUIRE(reaches_event(kind::failed));
  BOOST_TEST((cause().code == errc::service_authentication_failed));
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
  server.host.clear();
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
