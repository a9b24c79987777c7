// Which exception is thrown for which failure; a refusal is caught by its own type and by its cause's.
#include "understudy/runtime/exceptions.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;

namespace {

failure_ptr failed_with(errc code, errc cause = errc::none) {
  auto f = std::make_shared<failure>();
  f->code = code;
  f->cause_code = cause;
  return f;
}

/// True when what is thrown for `reason` can be caught as an `Exception`, with `reason` in it.
template <class Exception>
bool is_caught_as(const failure_ptr& reason) {
  try {
    throw_failure(reason);
  } catch (const Exception& e) {
    return e.code() == reason->code && &e.reason() == reason.get();
  } catch (...) {
    return false;
  }
}

template <class Cause>
void check_refusal_for(errc cause) {
  for (const auto code : {errc::breaker_open, errc::no_server}) {
    const auto refused = failed_with(code, cause);
    BOOST_TEST(is_caught_as<Cause>(refused), cause);
    BOOST_TEST(is_caught_as<no_server>(refused), cause);
    BOOST_TEST(is_caught_as<ldap_exception>(refused), cause);
    BOOST_CHECK_THROW(throw_failure(refused), std::runtime_error);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_refusal_is_caught_by_the_type_of_its_cause_too) {
  check_refusal_for<connection_timeout>(errc::connection_timeout);
  check_refusal_for<connection_failed>(errc::connection_failed);
  check_refusal_for<ssl_error>(errc::ssl_error);
  check_refusal_for<service_authentication_failed>(errc::service_authentication_failed);
  check_refusal_for<authentication_failed>(errc::service_authentication_failed);
  BOOST_TEST(!is_caught_as<ssl_error>(failed_with(errc::breaker_open, errc::connection_failed)));
  BOOST_TEST(!is_caught_as<ssl_error>(failed_with(errc::breaker_open)));
}

BOOST_AUTO_TEST_CASE(that_no_node_is_reached_because_of_certificates_is_caught_as_either) {
  const auto because = failed_with(errc::connection_failed, errc::ssl_error);
  BOOST_TEST(is_caught_as<ssl_error>(because));
  BOOST_TEST(is_caught_as<connection_failed>(because));
  BOOST_TEST(!is_caught_as<ssl_error>(failed_with(errc::connection_failed)));
}

BOOST_AUTO_TEST_CASE(a_refusal_does_not_pass_for_the_end_of_an_operation) {
  BOOST_TEST(!is_caught_as<operation_timeout>(failed_with(errc::breaker_open, errc::operation_timeout)));
  BOOST_TEST(!is_caught_as<outcome_unknown>(failed_with(errc::breaker_open, errc::outcome_unknown)));
  BOOST_TEST(!is_caught_as<ldap_error>(failed_with(errc::breaker_open, errc::ldap_error)));
}

BOOST_AUTO_TEST_CASE(the_services_credentials_are_told_from_a_users) {
  const auto service = failed_with(errc::service_authentication_failed),
             user = failed_with(errc::authentication_failed);
  BOOST_TEST(is_caught_as<service_authentication_failed>(service));
  BOOST_TEST(is_caught_as<authentication_failed>(service));
  BOOST_TEST(is_caught_as<authentication_failed>(user));
  BOOST_TEST(!is_caught_as<service_authentication_failed>(user));
}

BOOST_AUTO_TEST_CASE(every_failure_is_an_ldap_exception) {
  for (std::size_t code = 0; code < errc_count; ++code) {
    const auto reason = failed_with(static_cast<errc>(code));
    BOOST_TEST(is_caught_as<ldap_exception>(reason), reason->code);
    BOOST_TEST(!to_string(reason->code).empty());
  }
}
