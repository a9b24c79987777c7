// Which exception belongs to which failure: see exceptions.hpp.
#include "understudy/runtime/exceptions.hpp"

namespace understudy {

void throw_failure(failure_ptr reason) {
  switch (reason->code) {
    case errc::pool_exhausted:
    case errc::queue_full:
      throw pool_exhausted(std::move(reason));
    case errc::pool_timeout:
      throw pool_timeout(std::move(reason));
    case errc::no_server:
    case errc::breaker_open:
      throw no_server(std::move(reason));
    case errc::connection_timeout:
      throw connection_timeout(std::move(reason));
    case errc::connection_failed:
      throw connection_failed(std::move(reason));
    case errc::authentication_failed:
      throw authentication_failed(std::move(reason));
    case errc::ssl_error:
      throw ssl_error(std::move(reason));
    case errc::operation_timeout:
      throw operation_timeout(std::move(reason));
    case errc::outcome_unknown:
      throw outcome_unknown(std::move(reason));
    case errc::connection_unhealthy:
    case errc::invalid_lease:
      throw connection_unhealthy(std::move(reason));
    case errc::ldap_error:
      throw ldap_error(std::move(reason));
    case errc::none:
    case errc::draining:
    case errc::cancelled:
    case errc::result_too_large:
    case errc::invalid_request:
    case errc::invalid_config:
    case errc::stopped:
    case errc::internal:
      break;
  }
  throw ldap_exception(std::move(reason));
}

}  // namespace understudy
