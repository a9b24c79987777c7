// TLS: whom we trust, what we say, and that no credential leaves before that is settled.
#include "rig.hpp"

#include "support/certificates.hpp"
#include "support/slapd.hpp"
#include "understudy/actors/connection/tls_client.hpp"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using kind = connection_event::kind;

namespace {

struct tls_rig : connection_rig {
  certificate_set certificates;

  stub_options serve(const certificate_files& with, bool ldaps = true) {
    stub_options o;
    o.tls = tls_files{};
    o.tls->certificate = with.certificate;
    o.tls->key = with.key;
    o.ldaps = ldaps;
    server.ca_cert_path = certificates.ca.certificate().string();
    server.use_ssl = ldaps;
    server.use_tls = !ldaps;
    return o;
  }

  /// A connection to a server with those options fails as ssl_error whose message has `reason`; no password was seen.
  void check_refused(const stub_options& with, const std::string& reason) {
    stub_directory directory{with};
    use(directory);
    const auto before = seen->events.size();
    const auto asked = seen->credential_questions;
    auto one = open();
    BOOST_REQUIRE(reaches([&] { return seen->events.size() > before; }));
    BOOST_TEST((seen->events.back().what == kind::failed));
    BOOST_TEST((cause().code == errc::ssl_error), describe(cause()));
    BOOST_TEST((cause().where == stage::secure));
    BOOST_TEST(cause().message.find(reason) != std::string::npos, cause().message);
    BOOST_TEST(seen->credential_questions == asked);
    BOOST_TEST(directory.binds().empty());
    BOOST_TEST(!directory.saw_in_clear("service-password"));
    remove(one);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(carries_ldaps_and_start_tls_alike, tls_rig) {
  for (const bool ldaps : {true, false}) {
    stub_directory directory{serve(certificates.server, ldaps)};
    use(directory);
    auto one = open_ready();
    BOOST_TEST(status(one).encryption.substr(0, 4) == "TLSv");
    std::vector<answer_ptr<result_ptr>> answers;
    for (int i = 0; i < 64; ++i) answers.push_back(perform(one, find_user(i)));
    BOOST_REQUIRE(reaches([&] { return answers.back()->done(); }));
    for (const auto& a : answers) BOOST_TEST(a->ok());
    BOOST_REQUIRE(directory.binds().size() == 1u);
    BOOST_TEST(directory.binds()[0].encrypted);
    BOOST_TEST(!directory.saw_in_clear("service-password"));
    BOOST_TEST(directory.count(operation::start_tls) == (ldaps ? 0u : 1u));
    remove(one);
  }
}

BOOST_FIXTURE_TEST_CASE(moves_mebibytes_through_tls_in_both_directions, tls_rig) {
  stub_directory directory{serve(certificates.server)};
  use(directory);
  auto one = open_ready();
  std::string large;
  for (int i = 0; large.size() < 3 * 1024 * 1024; ++i) large += std::to_string(i);
  directory.set_entries({entry{"cn=x", {{"v", {large}}}}});
  const auto got = outcome(one, find_user());
  BOOST_REQUIRE(got.ok());
  BOOST_TEST(((*got.value)->entries.at(0).attributes.at(0).values.at(0) == large));
  BOOST_TEST(outcome(one, make_request(compare_request{"cn=x", "v", large})).ok());
  BOOST_TEST((directory.requests(operation::compare).back().compared_value == large));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(refuses_certificates_that_prove_nothing_and_says_why, tls_rig) {
  for (const bool ldaps : {true, false}) {
    check_refused(serve(certificates.expired, ldaps), "certificate has expired");
    check_refused(serve(certificates.not_yet_valid, ldaps), "not yet valid");
    check_refused(serve(certificates.of_other_ca, ldaps), "unable to get local issuer certificate");
  }
}

BOOST_FIXTURE_TEST_CASE(checks_the_configured_name_and_nothing_else, tls_rig) {
  check_refused(serve(certificates.wrong_name), "IP address mismatch");
  server.host = "localhost";
  check_refused(serve(certificates.wrong_name), "hostname mismatch");
  // The name that the user configured counts, wherever it leads.
  server.host = "ldap.example.com";
  resolver->set("ldap.example.com", {"127.0.0.1"});
  stub_directory directory{serve(certificates.wrong_name)};
  use(directory);
  auto one = open_ready();
  remove(one);
  check_refused(serve(certificates.server), "hostname mismatch");
}

BOOST_FIXTURE_TEST_CASE(verifies_nothing_when_told_so, tls_rig) {
  server.validate_cert = false;
  stub_directory directory{serve(certificates.expired)};
  use(directory);
  auto one = open_ready();
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(refuses_revoked_certificates_when_the_ca_file_has_a_revocation_list, tls_rig) {
  auto with = serve(certificates.revoked);
  const auto both = read_file(certificates.ca.certificate()) + read_file(certificates.crl);
  server.ca_cert_path = certificates.folder.write("ca-and-crl.pem", both).string();
  check_refused(with, "certificate revoked");
  with = serve(certificates.server);
  server.ca_cert_path = (certificates.folder / "ca-and-crl.pem").string();
  stub_directory directory{with};
  use(directory);
  auto one = open_ready();
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(refuses_revoked_certificates_by_a_revocation_list_of_its_own, tls_rig) {
  server.crl_path = certificates.crl.string();
  check_refused(serve(certificates.revoked),
                "certificate revoked (revocation lists: crl_path " + server.crl_path + ")");
  server.crl_path = certificates.ca.certificate().string();
  check_refused(serve(certificates.server), "crl_path: \"" + server.crl_path + "\" holds no revocation list");
  server.crl_path = certificates.crl.string();
  stub_directory directory{serve(certificates.server)};
  use(directory);
  auto one = open_ready();
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(refuses_protocols_older_than_the_minimum, tls_rig) {
  auto with = serve(certificates.server);
  with.tls->max_version = TLS1_1_VERSION;
  check_refused(with, "does not speak TLS 1.2 or newer");
  with.tls->max_version = TLS1_2_VERSION;
  server.tls_min_version = tls_version::v1_3;
  check_refused(with, "does not speak TLS 1.3 or newer");
  with.tls->max_version = 0;
  stub_directory directory{with};
  use(directory);
  auto one = open_ready();
  BOOST_TEST(status(one).encryption.substr(0, 7) == "TLSv1.3");
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(never_falls_back_to_plain_text, tls_rig) {
  auto with = serve(certificates.server, false);
  {
    stub_directory directory{with};
    use(directory);
    directory.on(operation::start_tls, reply{{.code = result_code::protocol_error, .diagnostic = "no TLS here"}});
    auto one = open();
    BOOST_REQUIRE(reaches_event(kind::failed));
    BOOST_TEST((cause().code == errc::ssl_error));
    BOOST_TEST(cause().message.find("StartTLS (use_tls) was refused") != std::string::npos, cause().message);
    BOOST_TEST(cause().message.find("no TLS here") != std::string::npos, cause().message);
    BOOST_TEST(directory.binds().empty());
    remove(one);
    // What it says besides is quoted, not repeated.
    directory.on(operation::start_tls, reply{{.code = 2, .diagnostic = std::string(8'000'000, 'x')}});
    auto another = open();
    BOOST_REQUIRE(reaches([&] { return seen->events.size() == 2u; }));
    BOOST_TEST(cause().message.size() < 1'000u);
    BOOST_TEST(cause().message.find("x… (8000000 bytes)") != std::string::npos);
    remove(another);
  }
  // An answer slipped in behind the agreement is not taken for an answer of the protected session.
  stub_directory directory{with};
  use(directory);
  const std::string agreed{"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 14};
  const std::string injected{"\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 14};
  directory.disturb(operation::start_tls, {.raw = agreed + injected});
  const auto before = seen->events.size();
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return seen->events.size() > before; }));
  BOOST_TEST((cause().code == errc::ssl_error));
  BOOST_TEST(cause().message.find("unprotected bytes before TLS") != std::string::npos, cause().message);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(gives_up_handshakes_and_start_tls_that_never_end, tls_rig) {
  server.timeout = seconds{2};
  {
    stub_directory directory{serve(certificates.server)};
    directory.set_handshake(handshake::ignore);
    use(directory);
    auto one = open();
    BOOST_REQUIRE(reaches([&] { return status(one).state == "securing"; }));
    advance(seconds{2});
    BOOST_REQUIRE(reaches_event(kind::failed));
    BOOST_TEST((cause().code == errc::connection_timeout));
    BOOST_TEST((cause().where == stage::secure));
    remove(one);
  }
  stub_directory directory{serve(certificates.server, false)};
  use(directory);
  directory.disturb(operation::start_tls, {.silent = true});
  const auto before = seen->events.size();
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::start_tls) == 1; }));
  advance(seconds{2});
  BOOST_REQUIRE(seen->events.size() > before);
  BOOST_TEST((cause().code == errc::connection_timeout));
  BOOST_TEST((cause().where == stage::secure));
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(names_the_file_that_is_missing_or_broken, tls_rig) {
  const auto good = serve(certificates.server);
  server.ca_cert_path = "/nonexistent/ca.pem";
  check_refused(good, "/nonexistent/ca.pem");
  server.ca_cert_path = certificates.folder.write("empty.pem", "not a certificate").string();
  check_refused(good, "empty.pem");
  server.ca_cert_path = certificates.ca.certificate().string();
  server.client_cert_path = certificates.client.certificate.string();
  server.client_key_path = certificates.server.key.string();
  check_refused(good, "client_key_path");
}

BOOST_FIXTURE_TEST_CASE(shows_its_certificate_to_a_server_that_demands_one, tls_rig) {
  auto with = serve(certificates.server);
  with.tls->client_ca = certificates.ca.certificate();
  with.tls->client_required = true;
  server.client_cert_path = certificates.client.certificate.string();
  server.client_key_path = certificates.client.key.string();
  stub_directory directory{with};
  use(directory);
  auto one = open_ready();
  BOOST_TEST(outcome(one, find_user()).ok());
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(speaks_tls_with_slapd, tls_rig) {
  slapd_options with;
  with.certificate = certificates.server.certificate;
  with.key = certificates.server.key;
  with.ca = certificates.ca.certificate();
  slapd directory{with};
  server.ca_cert_path = certificates.ca.certificate().string();
  server.bind_dn = seen->secret.bind_dn = admin_dn;
  seen->secret.password = secret{admin_password};
  for (const bool ldaps : {true, false}) {
    server.use_ssl = ldaps;
    server.use_tls = !ldaps;
    use_port(ldaps ? directory.tls_port() : directory.port());
    auto one = open_ready();
    const auto got = outcome(one, find_user());
    BOOST_REQUIRE(got.ok());
    BOOST_TEST((*got.value)->entries.at(0).dn == user_dn(1));
    remove(one);
  }
}

BOOST_FIXTURE_TEST_CASE(reads_certificates_again_when_they_change_on_disk, tls_rig) {
  static_cast<void>(serve(certificates.server));
  server.ca_cert_path = certificates.folder.write("trusted.pem", read_file(certificates.ca.certificate())).string();
  const auto contexts = std::make_shared<tls_client_contexts>();
  // On a worker, and then at hand.
  const auto get = [&](const connection_info& from) {
    int told = 0;
    const auto asked = std::make_shared<const connection_info>(from);
    const auto at_once = contexts->get(asked, now(), *workers, [&] { ++told; });
    if (at_once) return *at_once;
    run();
    BOOST_TEST(told == 1);
    return contexts->get(asked, now(), *workers, [] {}).value_or(tls_client_context_result{});
  };
  const auto first = get(server);
  BOOST_REQUIRE(first.context);
  BOOST_TEST((get(server).context == first.context));
  auto strict = server;
  strict.crl_path = certificates.folder.write("lists.pem", read_file(certificates.crl)).string();
  const auto with_list = get(strict);
  BOOST_REQUIRE(with_list.context);
  BOOST_TEST((with_list.context != first.context));
  certificates.folder.write("lists.pem", read_file(certificates.ca.revocation_list({})));
  BOOST_TEST((get(strict).context != with_list.context));
  auto newest = server;
  newest.tls_min_version = tls_version::v1_3;
  BOOST_TEST((get(newest).context != first.context));
  auto unchecked = server;
  unchecked.validate_cert = false;
  BOOST_TEST((get(unchecked).context != first.context));
  certificates.folder.write("trusted.pem", read_file(certificates.other_ca.certificate()));
  const auto second = get(server);
  BOOST_REQUIRE(second.context);
  BOOST_TEST((second.context != first.context));
  certificates.folder.write("trusted.pem", "nonsense");
  const auto broken = get(server);
  BOOST_TEST(!broken.context);
  BOOST_REQUIRE(broken.error);
  BOOST_TEST((broken.error->code == errc::ssl_error));
  BOOST_TEST(broken.error->message.find("ca_cert_path") != std::string::npos, broken.error->message);
}

/// With TLS 1.3 the server says so only after the handshake, and may be gone before our first write.
BOOST_FIXTURE_TEST_CASE(says_that_a_server_demands_a_certificate_every_time, tls_rig) {
  for (const int newest : {0, TLS1_2_VERSION}) {
    auto with = serve(certificates.server);
    with.tls->client_ca = certificates.ca.certificate();
    with.tls->client_required = true;
    with.tls->max_version = newest;
    stub_directory directory{with};
    use(directory);
    for (int i = 0; i < 40; ++i) {
      const auto before = seen->events.size();
      auto one = open();
      BOOST_REQUIRE(reaches([&] { return seen->events.size() > before; }));
      BOOST_TEST((cause().code == errc::ssl_error), describe(cause()));
      BOOST_TEST(cause().message.find("set client_cert_path") != std::string::npos, cause().message);
      remove(one);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(says_that_a_server_that_goes_without_a_word_had_asked_for_a_certificate, tls_rig) {
  auto with = serve(certificates.server);
  with.tls->client_ca = certificates.ca.certificate();
  stub_directory directory{with};
  use(directory);
  directory.disturb_all({.silent = true, .then = ending::close});
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return !seen->events.empty(); }));
  BOOST_TEST((cause().code == errc::ssl_error), describe(cause()));
  BOOST_TEST(cause().message.find("set client_cert_path") != std::string::npos, cause().message);
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(reads_what_a_server_said_that_had_closed_before_it_was_written_to, tls_rig) {
  auto with = serve(certificates.server);
  with.tls->client_ca = certificates.ca.certificate();
  with.tls->client_required = true;
  stub_directory directory{with};
  use(directory);
  auto made = make_tls_client_context(server);
  BOOST_REQUIRE(made.context);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(directory.port());
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  const auto stream = make_tls_client_stream(made.context, fd, endpoint_of(server));
  const auto wait_for = [fd](short events) {
    pollfd wanted{fd, events, 0};
    return ::poll(&wanted, 1, 5000) == 1;
  };
  for (auto step = stream->handshake(); step.what != byte_stream_result::kind::done; step = stream->handshake()) {
    BOOST_REQUIRE((step.what == byte_stream_result::kind::want_read));
    BOOST_REQUIRE(wait_for(POLLIN));
  }
  BOOST_REQUIRE(wait_for(POLLRDHUP));
  directory.stop();
  // The first finds out that nobody is there; the kernel refuses what comes after.
  for (int i = 0; i < 3; ++i) BOOST_TEST((stream->write("request", 7).what == byte_stream_result::kind::done));
  char answer[64];
  const auto said = stream->read(answer, sizeof answer);
  BOOST_REQUIRE(said.error);
  BOOST_TEST((said.error->code == errc::ssl_error), describe(*said.error));
  BOOST_TEST(said.error->message.find("set client_cert_path") != std::string::npos, said.error->message);
  ::close(fd);
}

BOOST_FIXTURE_TEST_CASE(says_which_key_to_set, tls_rig) {
  const auto good = serve(certificates.server);
  server.ca_cert_path = certificates.other_ca.certificate().string();
  check_refused(good, "not signed by an authority in ca_cert_path " + server.ca_cert_path);
  server.ca_cert_path.clear();
  check_refused(good, "set ca_cert_path");
  server.ca_cert_path = certificates.ca.certificate().string();
  check_refused(serve(certificates.wrong_name), "set host or uri");
  // TLS to a port that speaks plain text, and the other way round.
  stub_options plain;
  check_refused(plain, "use_tls begins in plain text");
  stub_directory secure{good};
  use(secure);
  server.use_ssl = false;
  const auto before = seen->events.size();
  auto one = open();
  BOOST_REQUIRE(reaches([&] { return seen->events.size() > before; }));
  BOOST_TEST(cause().message.find("speaks TLS") != std::string::npos, cause().message);
  BOOST_TEST(cause().message.find("use_ssl") != std::string::npos, cause().message);
  remove(one);
  // Some close without a word, as this one; others say in TLS that they did not understand.
  stub_directory alerting;
  use(alerting);
  server.use_ssl = false;
  alerting.disturb_all({.raw = std::string{"\x15\x03\x01\x00\x02\x02\x46", 7}});
  const auto then = seen->events.size();
  auto other = open();
  BOOST_REQUIRE(reaches([&] { return seen->events.size() > then; }));
  BOOST_TEST((cause().code == errc::ssl_error), describe(cause()));
  BOOST_TEST(cause().message.find("the server speaks TLS here") != std::string::npos, cause().message);
  remove(other);
}

BOOST_FIXTURE_TEST_CASE(compares_names_without_their_final_dot_and_addresses_without_their_zone, tls_rig) {
  stub_directory directory{serve(certificates.server)};
  use(directory);
  server.host = "localhost.";
  resolver->set("localhost.", {"127.0.0.1"});
  auto one = open_ready();
  remove(one);
}

BOOST_FIXTURE_TEST_CASE(binds_as_its_certificate_when_there_is_no_bind_dn, tls_rig) {
  auto with = serve(certificates.server);
  with.tls->client_ca = certificates.ca.certificate();
  stub_directory directory{with};
  use(directory);
  server.bind_dn.clear();
  server.client_cert_path = certificates.client.certificate.string();
  server.client_key_path = certificates.client.key.string();
  seen->secret.bind_dn.clear();
  auto one = open_ready();
  BOOST_TEST(status(one).auth_method == "external");
  BOOST_TEST(directory.count(operation::bind) == 1u);
  BOOST_REQUIRE(seen->verdicts.size() == 1u);
  BOOST_TEST((seen->verdicts[0].what == credential_verdict::kind::accepted));
  remove(one);
  // Refused as any other identity of the service, and told to the manager.
  directory.on(operation::bind, reply{{.code = result_code::invalid_credentials}});
  const auto before = seen->events.size();
  auto two = open();
  BOOST_REQUIRE(reaches([&] { return seen->events.size() > before; }));
  BOOST_TEST(cause().message.find("SASL EXTERNAL") != std::string::npos, cause().message);
  BOOST_TEST((classify(cause()) == failure_class::credential));
  BOOST_TEST((seen->verdicts.back().what == credential_verdict::kind::refused));
  remove(two);
  server.bind_mechanism = bind_method::simple;
  auto three = open_ready();
  BOOST_TEST(status(three).auth_method == "anonymous");
  remove(three);
}

/// OpenSSL's own way is to ask the terminal, from whichever thread it runs on.
BOOST_FIXTURE_TEST_CASE(reads_an_encrypted_key_with_its_password_on_a_worker_and_asks_no_terminal, tls_rig) {
  auto with = serve(certificates.server);
  with.tls->client_ca = certificates.ca.certificate();
  with.tls->client_required = true;
  server.client_cert_path = certificates.client.certificate.string();
  server.client_key_path = certificates.encrypted_client_key("open sesame").string();
  check_refused(with, "is encrypted: set client_key_password");
  advance(seconds{2});
  server.client_key_password = secret{"wrong"};
  check_refused(with, "cannot be decrypted with client_key_password");
  server.client_key_password = secret{};
  server.client_key_password_command = {"/bin/sh", "-c", "exit 3"};
  check_refused(with, "ended with status 3");
  server.client_key_password_command.clear();
  server.client_key_password_file = (certificates.folder / "none").string();
  check_refused(with, "none");
  stub_directory directory{with};
  use(directory);
  const auto get_in = [&] {
    advance(seconds{2});
    auto one = open_ready();
    BOOST_TEST(outcome(one, find_user()).ok());
    remove(one);
  };
  server.client_key_password_file = certificates.folder.write("password", "open sesame\n").string();
  get_in();
  server.client_key_password_file.clear();
  server.client_key_password_command = {"/bin/echo", "open sesame"};
  get_in();
  BOOST_TEST(!log->contains("sesame"));
}

/// A password may take its time; meanwhile no byte of the other side is taken for anything.
BOOST_FIXTURE_TEST_CASE(several_connections_wait_for_one_reading_of_the_certificates, tls_rig) {
  const auto marks = certificates.folder.write("marks", "");
  server.client_cert_path = certificates.client.certificate.string();
  server.client_key_path = certificates.encrypted_client_key("open sesame").string();
  server.client_key_password_command = {"/bin/sh", "-c", "echo x >> " + marks.string() + "; echo open sesame"};
  stub_directory directory{serve(certificates.server)};
  use(directory);
  const auto contexts = std::make_shared<tls_client_contexts>();
  const auto asked = std::make_shared<const connection_info>(server);
  int told = 0;
  for (int i = 0; i < 5; ++i) BOOST_TEST(!contexts->get(asked, now(), *workers, [&] { ++told; }).has_value());
  run();
  BOOST_TEST(told == 5);
  BOOST_TEST(contexts->get(asked, now(), *workers, [] {})->context != nullptr);
  BOOST_TEST(read_file(marks) == "x\n");
}
