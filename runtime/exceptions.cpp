// Which exception belongs to which failure: see exceptions.hpp.
#include "understudy/runtime/exceptions.hpp"

namespace understudy {
namespace {

/// A failure because of another one: caught as either.
template <class Failure, class Cause>
class failed_for final : public Failure, public Cause {
 public:
  explicit failed_for(const failure_ptr& reason) : ldap_exception(reason), Failure(reason), Cause(reason) {}
};
template <class Cause>
using refused_for = failed_for<no_server, Cause>;

/// Only what was met before anything was sent is told by its type: what became of an earlier request is not what became
/// of this one.
[[noreturn]] void throw_refusal(const failure_ptr& reason) {
  switch (reason->cause_code) {
    case errc::connection_timeout:
      throw refused_for<connection_timeout>(reason);
    case errc::connection_failed:
      throw refused_for<connection_failed>(reason);
    case errc::ssl_error:
      throw refused_for<ssl_error>(reason);
    case errc::service_authentication_failed:
      throw refused_for<service_authentication_failed>(reason);
    default:
      throw no_server(reason);
  }
}

}  // namespace

void throw_failure(failure_ptr reason) {
  switch (reason->code) {
    case errc::pool_exhausted:
    case errc::queue_full:
      throw pool_exhausted(std::move(reason));
    case errc::pool_timeout:
      throw pool_timeout(std::move(reason));
    case errc::no_server:
    case errc::breaker_open:
      throw_refusal(reason);
    case errc::connection_timeout:
      throw connection_timeout(std::move(reason));
    case errc::connection_failed:
      // No node can be reached, because of certificates.
      if (reason->cause_code == errc::ssl_error) throw failed_for<connection_failed, ssl_error>(reason);
      [[fallthrough]];
    case errc::local_resources:
      throw connection_failed(std::move(reason));
    case errc::authentication_failed:
      throw authentication_failed(std::move(reason));
    case errc::service_authentication_failed:
      throw service_authentication_failed(std::move(reason));
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
