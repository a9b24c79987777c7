// What a failure is called in front of somebody who typed a command: by its code, one line each.
#include "understudy/tools/explain.hpp"
#include "support/contains.hpp"
#include "understudy/messages/result.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::cli;
using test::contains;

namespace {

failure failed(errc code, std::string message = "It did not work.", stage where = stage::operation) {
  failure f;
  f.code = code;
  f.where = where;
  f.message = std::move(message);
  f.server = "ldap1:389";
  f.pool = pool_counts{};
  f.retry_after = milliseconds{900000};
  return f;
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_failure_speaks_of_pools_retries_or_calls_of_the_library) {
  for (std::size_t i = 1; i < errc_count; ++i) {
    const auto text = explain(failed(static_cast<errc>(i)));
    for (const auto* word : {"pool size", "retry after", "()", "[", "configuration"})
      BOOST_TEST(!contains(text, word), text);
    BOOST_TEST(text.find('\n') == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_refused_bind_names_the_source_of_its_password) {
  auto f = failed(errc::service_authentication_failed, "Correct it at its source (password in the configuration).");
  f.ldap_code = result_code::invalid_credentials;
  BOOST_TEST(
      explain(f, {true, "cn=me", "the content of \"pw\" (-y)"}) ==
      "service_authentication_failed: ldap1:389 refused the bind as \"cn=me\" with invalidCredentials (49); wrong "
      "name or password: the password is the content of \"pw\" (-y)");
  f.ldap_code = result_code::invalid_dn_syntax;
  f.diagnostic = "invalid DN";
  BOOST_TEST(
      explain(f, {true, "me", "what was typed (-W)"}) ==
      "service_authentication_failed: ldap1:389 refused the bind as \"me\" with invalidDNSyntax (34): invalid DN");
}

/// No answer of the directory: the password could not be had, which the failure itself tells.
BOOST_AUTO_TEST_CASE(a_password_that_could_not_be_read_is_told_as_it_is) {
  BOOST_TEST(explain(failed(errc::service_authentication_failed, "There is no password: it was not read.")) ==
             "service_authentication_failed: There is no password: it was not read");
}

BOOST_AUTO_TEST_CASE(keys_are_options_where_options_were_given) {
  const auto f =
      failed(errc::ssl_error,
             "use_ssl needs an ldaps port, use_tls does not (set ca_cert_path to the authority that signed it).",
             stage::secure);
  BOOST_TEST(
      explain(f, {true, {}, {}}) ==
      "ssl_error: ldaps:// needs an ldaps port, -Z does not (give --ca-cert FILE, the certificate of the authority "
      "that signed it)");
  BOOST_TEST(explain(f) ==
             "ssl_error: use_ssl needs an ldaps port, use_tls does not (set ca_cert_path to the authority that "
             "signed it)");
}

BOOST_AUTO_TEST_CASE(what_the_library_advises_to_programs_is_said_in_commands) {
  BOOST_TEST(!contains(explain(failed(errc::result_too_large, "…; read it with stream(), or in pages with paged().")),
                       "paged()"));
  auto broken = failed(errc::connection_unhealthy, "The leased connection to ldap1:389 broke; take another lease.");
  BOOST_TEST(explain(broken) ==
             "connection_unhealthy: the connection to ldap1:389 broke; the answer is not complete; run "
             "the command again");
  broken.cause = "The connection to ldap1:389 was lost: Connection reset by peer.";
  BOOST_TEST(explain(broken) ==
             "connection_unhealthy: The connection to ldap1:389 was lost: Connection reset by peer; "
             "the answer is not complete; run the command again");
}

BOOST_AUTO_TEST_CASE(an_ldap_error_is_named_with_its_number_and_what_the_directory_said) {
  auto f = failed(errc::ldap_error, "ldap1:389 refused the search of \"dc=x\" with noSuchObject.");
  f.ldap_code = result_code::no_such_object;
  f.diagnostic = "gone";
  f.matched_dn = "dc=com";
  BOOST_TEST(
      explain(f) ==
      "ldap1:389 refused the search of \"dc=x\" with noSuchObject (32): gone; matched DN "
      "\"dc=com\"; there is no such entry (or none above a new one), or whom this command binds as may not see it");
}

BOOST_AUTO_TEST_CASE(a_connect_that_fails_says_what_to_check) {
  BOOST_TEST(contains(explain(failed(errc::connection_failed, "x", stage::resolve)), "check the name of the host"));
  BOOST_TEST(contains(explain(failed(errc::connection_failed, "x", stage::connect)), "check host and port"));
  BOOST_TEST(contains(explain(failed(errc::connection_failed)), "the directory's own log"));
  BOOST_TEST(contains(explain(failed(errc::pool_timeout)), "understudy health"));
}
