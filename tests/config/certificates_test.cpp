// What validation finds in certificates, keys, hosts and security options before anything is connected.
#include "support/certificates.hpp"
#include "config/config_text.hpp"
#include "understudy/config/certificates.hpp"
#include "understudy/config/endpoint.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

struct files {
  certificate_set certificates;
  connection_info info;

  files() {
    info.uri = "ldaps://ldap.example.com";
    info.ca_cert_path = certificates.ca.certificate().string();
    info.client_cert_path = certificates.client.certificate.string();
    info.client_key_path = certificates.client.key.string();
  }

  std::string errors() const {
    std::string all;
    for (const auto& each : info.validate().schema_errors) all += each + '\n';
    return all;
  }
};

void check_error(const files& in, const std::string& expected) {
  BOOST_TEST(in.errors().find(expected) != std::string::npos, in.errors());
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(certificates_that_belong_together_are_fine, files) { BOOST_TEST(errors() == ""); }

BOOST_FIXTURE_TEST_CASE(a_ca_file_must_hold_certificates, files) {
  info.ca_cert_path = certificates.folder.write("text.pem", "hello").string();
  check_error(*this, "ca_cert_path: \"" + info.ca_cert_path + "\" holds no certificate (PEM)\n");
  info.ca_cert_path = certificates.client.key.string();
  check_error(*this, "holds no certificate (PEM), but a private key\n");
  info.ca_cert_path =
      certificates.folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
          .string();
  check_error(*this, "ca_cert_path: ");
}

BOOST_FIXTURE_TEST_CASE(a_key_must_belong_to_its_certificate, files) {
  info.client_key_path = certificates.server.key.string();
  check_error(*this, "client_key_path: \"" + info.client_key_path +
                         "\" does not belong to the certificate in client_cert_path\n");
  info.client_key_path = certificates.client.certificate.string();
  check_error(*this, "holds no private key (PEM)\n");
}

/// OpenSSL would ask the terminal.
BOOST_FIXTURE_TEST_CASE(an_encrypted_key_needs_its_password, files) {
  info.client_key_path = certificates.encrypted_client_key("open sesame").string();
  check_error(*this,
              "is encrypted: set client_key_password, client_key_password_file or client_key_password_command\n");
  info.client_key_password = secret{"wrong"};
  check_error(*this, "cannot be decrypted with client_key_password (");
  BOOST_TEST(errors().find("wrong\"") == std::string::npos);
  info.client_key_password = secret{"open sesame"};
  BOOST_TEST(errors() == "");
  info.client_key_password = secret{};
  info.client_key_password_file = certificates.folder.write("password", "open sesame\n").string();
  BOOST_TEST(errors() == "");
  info.client_key_password = secret{"open sesame"};
  check_error(*this, "client_key_password_file: is a second source of the password beside client_key_password");
  info.client_key_password = secret{};
  info.client_key_password_file.clear();
  // A command is not run by a validation.
  info.client_key_password_command = {"/nonexistent/program"};
  BOOST_TEST(errors() == "");
  info.client_key_path.clear();
  info.client_cert_path.clear();
  check_error(*this, "client_key_password_command: needs client_key_path");
}

BOOST_FIXTURE_TEST_CASE(a_pipe_is_no_certificate_and_is_not_waited_for, files) {
  info.ca_cert_path = (certificates.folder / "pipe").string();
  BOOST_REQUIRE(::mkfifo(info.ca_cert_path.c_str(), 0600) == 0);
  check_error(*this, "ca_cert_path: ");
}

BOOST_FIXTURE_TEST_CASE(certificates_without_tls_are_of_no_use, files) {
  info.uri = "ldap://ldap.example.com";
  check_error(*this, "ca_cert_path: is of no use without TLS: set use_tls or use_ssl\n");
  check_error(*this, "client_cert_path: is of no use without TLS");
  info.use_tls = true;
  BOOST_TEST(errors() == "");
}

BOOST_FIXTURE_TEST_CASE(who_binds_externally, files) {
  BOOST_TEST(binds_externally(info));
  info.bind_dn = "cn=x";
  info.password = secret{"p"};
  BOOST_TEST(!binds_externally(info));
  info.bind_mechanism = bind_method::external;
  check_error(*this, "bind_dn: contradicts bind_mechanism");
  info.bind_dn.clear();
  check_error(*this, "password: contradicts bind_mechanism");
  info.password = secret{};
  BOOST_TEST(errors() == "");
  info.bind_mechanism = bind_method::simple;
  BOOST_TEST(!binds(info));
  connection_info local;
  local.uri = "ldapi://%2Frun%2Fldapi";
  BOOST_TEST(!binds(local));
  local.bind_mechanism = bind_method::external;
  BOOST_TEST(binds_externally(local));
  BOOST_TEST(local.validate().valid);
  local.uri = "ldaps://a";
  BOOST_TEST(!local.validate().valid);
}

BOOST_AUTO_TEST_CASE(looks_up_names_and_checks_are_three_values) {
  const auto place = [](const std::string& host) {
    connection_info info;
    info.host = host;
    return endpoint_of(info);
  };
  BOOST_TEST(place("ldap.example.com.").host == "ldap.example.com.");
  BOOST_TEST(place("ldap.example.com.").server_name() == "ldap.example.com");
  BOOST_TEST(place("ldap.example.com.").identity() == "ldap.example.com");
  BOOST_TEST(place("fe80::1%eth0").host == "fe80::1%eth0");
  BOOST_TEST(place("fe80::1%eth0").server_name() == "");
  BOOST_TEST(place("fe80::1%eth0").identity() == "fe80::1");
  BOOST_TEST(place("192.0.2.1").server_name() == "");
  BOOST_TEST(place("192.0.2.1").identity() == "192.0.2.1");
  connection_info info;
  for (const auto* uri : {"ldap://[fe80::1%25eth0]", "ldap://[fe80::1%eth0]:389/"}) {
    info.uri = uri;
    BOOST_TEST(endpoint_of(info).host == "fe80::1%eth0", uri);
    BOOST_TEST(info.validate().valid, uri);
  }
}

BOOST_AUTO_TEST_CASE(hosts_have_no_empty_parts) {
  for (const auto* host : {"a..b", ".a", "..", "-a.example.com", "a-.example.com", "fe80::1%", "1:2", "a:b:c"}) {
    connection_info info;
    info.host = host;
    BOOST_TEST(!info.validate().valid, host);
  }
  for (const auto* host : {"a", "a.b.", "_x.example.com", "fe80::1%1", "::1", "127.0.0.1"}) {
    connection_info info;
    info.host = host;
    BOOST_TEST(info.validate().valid, host);
  }
}

BOOST_AUTO_TEST_CASE(an_empty_security_option_is_never_off) {
  const std::string ldap = "[ldap]\nuri = \"ldaps://a\"\n";
  for (const auto* key : {"crl_path", "ca_cert_path", "client_key_password_file", "client_key_password", "bind_dn"}) {
    const auto problem = pool_errors(ldap + key + " = \"${NOTHING}\"\n", {{"NOTHING", ""}});
    BOOST_TEST(
        problem.find(std::string{"ldap."} + key + ": is empty: \"${NOTHING}\" gives nothing") != std::string::npos,
        problem);
  }
  BOOST_TEST(pool_errors(ldap + "crl_path = \"\"\n") == "f:3:1: ldap.crl_path: must not be empty; remove the key\n");
  BOOST_TEST(pool_errors(ldap + "bind_dn = \"\"\n") == "");
}

BOOST_AUTO_TEST_CASE(numbers_beyond_64_bits_are_reported_beside_the_rest) {
  BOOST_TEST(pool_errors("[ldap]\nhost = \"a\" # é\nport = 99999999999999999999\ntimeout = 0xFFFFFFFFFFFFFFFFFF\n"
                         "[pool]\nmax_connections = \"x\"\n") ==
             "f:3:1: ldap.port: must be 1 to 65535, not 99999999999999999999\n"
             "f:4:1: ldap.timeout: must be 1ms to 1h, not 0xFFFFFFFFFFFFFFFFFF\n"
             "f:6:1: pool.max_connections: must be an integer, not a string\n");
  BOOST_TEST(json_errors("{\"ldap\": {\"host\": \"a\", \"port\": 99999999999999999999}}")
                 .find("must be 1 to 65535, not 99999999999999999999") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_log_file_that_cannot_be_opened_is_found) {
  BOOST_TEST(pool_errors("[ldap]\nhost = \"a\"\n[log]\nfile = \"/nonexistent/folder/log\"\n") ==
             "f:4:1: log.file: \"/nonexistent/folder/log\" cannot be written: No such file or directory\n");
  temporary_folder folder;
  BOOST_TEST(pool_errors("[ldap]\nhost = \"a\"\n[log]\nfile = \"" + (folder / "log").string() + "\"\n") == "");
  BOOST_TEST(!std::filesystem::exists(folder / "log"));
}

BOOST_AUTO_TEST_CASE(warns_of_passwords_in_plain_text_and_certificates_unchecked) {
  const auto said = [](const std::string& text) { return joined(lines_of(from_toml(text).warnings)); };
  const std::string bind = "bind_dn = \"cn=x\"\npassword = \"p\"\n";
  BOOST_TEST(
      said("[ldap]\nhost = \"ldap.example.com\"\n" + bind) ==
      "f:3:1: ldap.bind_dn: its password is sent to ldap.example.com:389 in plain text; set use_tls or use_ssl\n");
  BOOST_TEST(said("[ldap]\nhost = \"ldap.example.com\"\nvalidate_cert = false\nuse_tls = true\n" + bind) ==
             "f:3:1: ldap.validate_cert: is off: whoever answers at ldap.example.com:389 is believed, and gets every "
             "password\n");
  for (const auto* host : {"localhost", "127.0.0.1", "::1"})
    BOOST_TEST(said(std::string{"[ldap]\nhost = \""} + host + "\"\n" + bind) == "");
  BOOST_TEST(said("[ldap]\nhost = \"ldap.example.com\"\nuse_tls = true\n" + bind) == "");
  const auto loaded = from_toml("[ldap]\nhost = \"ldap.example.com\"\n" + bind);
  BOOST_TEST(loaded.ok());
  BOOST_TEST_REQUIRE(warnings(loaded.value).size() == 1u);
  BOOST_TEST(warnings(loaded.value)[0].key == "ldap.servers[0].bind_dn");
}
