// Certificates, and TLS as the stub directory and slapd speak it.
#include "support/ber.hpp"
#include "support/certificates.hpp"
#include "support/raw_client.hpp"
#include "support/slapd.hpp"
#include "support/stub_directory.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

using namespace understudy::test;

namespace {

/// What a TLS client trusts, expects and shows.
struct tls_client_options {
  std::filesystem::path ca = {};
  std::string host = "localhost", ip = {};
  std::filesystem::path crl = {};
  const certificate_files* own = nullptr;
  bool start_tls = false;
};

/// A blocking TLS client (five seconds a read). `verdict` is OpenSSL's on the certificate; `established` whether TLS
/// stands.
struct tls_client {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, &SSL_free};
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  long verdict = -1;
  bool established = false;

  tls_client(std::uint16_t port, const tls_client_options& with, timeval limit = {5, 0}) {
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    if (with.start_tls && !ask_for_tls()) return;
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_locations(context.get(), with.ca.c_str(), nullptr);
    if (!with.crl.empty()) {
      SSL_CTX_load_verify_locations(context.get(), with.crl.c_str(), nullptr);
      X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_CRL_CHECK);
    }
    if (with.own != nullptr) {
      SSL_CTX_use_certificate_file(context.get(), with.own->certificate.c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context.get(), with.own->key.c_str(), SSL_FILETYPE_PEM);
    }
    ssl.reset(SSL_new(context.get()));
    if (with.ip.empty())
      SSL_set1_host(ssl.get(), with.host.c_str());
    else
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), with.ip.c_str());
    SSL_set_fd(ssl.get(), fd);
    established = SSL_connect(ssl.get()) == 1;
    verdict = SSL_get_verify_result(ssl.get());
  }
  ~tls_client() { ::close(fd); }

  bool ask_for_tls() {
    const std::string request = extended_message(1, start_tls_oid);
    char buffer[4096];
    BOOST_REQUIRE(::write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
    const auto got = ::read(fd, buffer, sizeof buffer);
    return got > 0 && decode_answer({buffer, static_cast<std::size_t>(got)}).code == 0;
  }
  std::string ask(const std::string& message) {
    char buffer[4096];
    SSL_write(ssl.get(), message.data(), static_cast<int>(message.size()));
    const int got = SSL_read(ssl.get(), buffer, sizeof buffer);
    return {buffer, static_cast<std::size_t>(std::max(got, 0))};
  }
};

struct tls_fixture {
  certificate_set certificates;

  tls_files files(const certificate_files& of) const { return {of.certificate, of.key, {}, false, 0}; }
  stub_options ldaps(const certificate_files& of) const {
    stub_options with;
    with.tls = files(of);
    with.ldaps = true;
    return with;
  }
  /// How a client that trusts `ca` and expects "localhost" judges a server with that certificate.
  long judged(const certificate_files& server, tls_client_options client = {}) const {
    stub_directory stub(ldaps(server));
    client.ca = certificates.ca.certificate();
    return tls_client(stub.port(), client).verdict;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(good_certificates_are_accepted_by_name_and_address, tls_fixture) {
  BOOST_TEST(judged(certificates.server) == X509_V_OK);
  tls_client_options by_ip;
  by_ip.ip = "127.0.0.1";
  BOOST_TEST(judged(certificates.server, by_ip) == X509_V_OK);
}

BOOST_FIXTURE_TEST_CASE(bad_certificates_are_bad_in_their_own_way, tls_fixture) {
  BOOST_TEST(judged(certificates.expired) == X509_V_ERR_CERT_HAS_EXPIRED);
  BOOST_TEST(judged(certificates.not_yet_valid) == X509_V_ERR_CERT_NOT_YET_VALID);
  BOOST_TEST(judged(certificates.wrong_name) == X509_V_ERR_HOSTNAME_MISMATCH);
  BOOST_TEST(judged(certificates.of_other_ca) == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  tls_client_options strict;
  strict.crl = certificates.crl;
  BOOST_TEST(judged(certificates.revoked, strict) == X509_V_ERR_CERT_REVOKED);
  BOOST_TEST(judged(certificates.server, strict) == X509_V_OK);
  tls_client_options by_ip;
  by_ip.ip = "127.0.0.1";
  BOOST_TEST(judged(certificates.wrong_name, by_ip) == X509_V_ERR_IP_ADDRESS_MISMATCH);
}

BOOST_FIXTURE_TEST_CASE(stub_serves_through_ldaps_and_sees_nothing_in_clear, tls_fixture) {
  stub_directory stub(ldaps(certificates.server));
  tls_client client(stub.port(), {certificates.ca.certificate()});
  BOOST_TEST(decode_answer(client.ask(bind_message(1, "cn=service", "hush"))).code == 0);
  BOOST_TEST(!stub.saw_in_clear("hush"));
  BOOST_TEST(stub.binds().at(0).encrypted);
}

BOOST_FIXTURE_TEST_CASE(stub_grants_refuses_and_mutes_start_tls, tls_fixture) {
  stub_options with;
  with.tls = files(certificates.server);
  stub_directory stub(with);
  tls_client_options client{certificates.ca.certificate()};
  client.start_tls = true;
  tls_client first(stub.port(), client);
  BOOST_TEST(first.established);
  BOOST_TEST(decode_answer(first.ask(bind_message(2, "cn=service", "hush"))).code == 0);
  BOOST_TEST(stub.binds().at(0).encrypted);
  reply refusal;
  refusal.what.code = 52;
  stub.on(operation::start_tls, refusal, 1);
  BOOST_TEST(!tls_client(stub.port(), client).established);
  stub.disturb(operation::start_tls, {.silent = true}, 1);
  BOOST_TEST(!tls_client(stub.port(), client, {0, 50'000}).established);
  BOOST_TEST(stub.count(operation::start_tls) == 3u);
}

BOOST_FIXTURE_TEST_CASE(stub_never_finishes_tls_when_told_so, tls_fixture) {
  stub_directory stub(ldaps(certificates.server));
  stub.set_handshake(handshake::ignore);
  BOOST_TEST(!tls_client(stub.port(), {certificates.ca.certificate()}, {0, 50'000}).established);
  stub.set_handshake(handshake::garbage);
  BOOST_TEST(!tls_client(stub.port(), {certificates.ca.certificate()}).established);
  stub.set_handshake(handshake::complete);
  BOOST_TEST(tls_client(stub.port(), {certificates.ca.certificate()}).established);
}

BOOST_FIXTURE_TEST_CASE(stub_knows_clients_by_their_certificate, tls_fixture) {
  stub_options with = ldaps(certificates.server);
  with.tls->client_ca = certificates.ca.certificate();
  stub_directory stub(with);
  tls_client_options options{certificates.ca.certificate()};
  options.own = &certificates.client;
  tls_client client(stub.port(), options);
  const std::string external = ber(
      0x30, ber_number(0x02, 1) + ber(0x60, ber_number(0x02, 3) + ber(0x04, "") + ber(0xa3, ber(0x04, "EXTERNAL"))));
  BOOST_TEST(decode_answer(client.ask(external)).code == 0);
  BOOST_TEST(client.ask(extended_message(2, whoami_oid)).find("dn:CN=service") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(stub_takes_new_certificates_while_running, tls_fixture) {
  stub_directory stub(ldaps(certificates.expired));
  BOOST_TEST(!tls_client(stub.port(), {certificates.ca.certificate()}).established);
  stub.set_tls(files(certificates.server));
  BOOST_TEST(tls_client(stub.port(), {certificates.ca.certificate()}).established);
}

BOOST_FIXTURE_TEST_CASE(stub_slices_and_coalesces_tls_records, tls_fixture) {
  stub_directory stub(ldaps(certificates.server));
  tls_client client(stub.port(), {certificates.ca.certificate()});
  stub.disturb(operation::compare, {.slice = 1}, 1);
  BOOST_TEST(decode_answer(client.ask(compare_message(1, "o=x", "o", "x"))).id == 1);
  stub.disturb(operation::compare, {.hold = true}, 1);
  const std::string both = client.ask(compare_message(2, "o=x", "o", "x") + compare_message(3, "o=x", "o", "x"));
  BOOST_TEST(both.size() == 28u);
}

BOOST_FIXTURE_TEST_CASE(slapd_serves_through_ldaps_and_start_tls, tls_fixture) {
  slapd_options with;
  with.certificate = certificates.server.certificate;
  with.key = certificates.server.key;
  with.ca = certificates.ca.certificate();
  with.verify_client = "try";
  slapd server(with);
  tls_client_options options{certificates.ca.certificate()};
  tls_client ldaps(server.tls_port(), options);
  BOOST_TEST(ldaps.verdict == X509_V_OK);
  BOOST_TEST(decode_answer(ldaps.ask(bind_message(1, user_dn(1), user_password(1)))).code == 0);
  options.start_tls = true;
  tls_client upgraded(server.port(), options);
  BOOST_TEST(decode_answer(upgraded.ask(bind_message(2, user_dn(1), user_password(1)))).code == 0);
}
