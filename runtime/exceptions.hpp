// The exceptions of the throwing calls: one type for each kind of failure a caller may want to catch.
#pragma once
#include "understudy/messages/error.hpp"

#include <stdexcept>

namespace understudy {

/// Base of all: what() is one line for people, reason() has the parts. Virtual, since a refusal can be of two types.
class ldap_exception : public std::runtime_error {
 public:
  /// Of `reason`, which is not null.
  explicit ldap_exception(failure_ptr reason) : std::runtime_error(describe(*reason)), reason_(std::move(reason)) {}
  /// Everything that is known of it.
  const failure& reason() const noexcept { return *reason_; }
  /// Which failure it is; finer than the type.
  errc code() const noexcept { return reason_->code; }

 private:
  failure_ptr reason_;
};

/// Connecting took too long.
class connection_timeout : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit connection_timeout(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// Refused, reset, closed, or not understood; or this machine has no descriptor, port or memory left for it.
class connection_failed : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit connection_failed(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// Credentials were refused: a user's, if it is not the type below.
class authentication_failed : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit authentication_failed(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// The service's own credentials were refused (or there are none): no user did anything wrong, whoever runs the service
/// has to change its configuration.
class service_authentication_failed : public authentication_failed {
 public:
  /// Of `reason`, which is not null.
  explicit service_authentication_failed(failure_ptr reason)
      : ldap_exception(reason), authentication_failed(std::move(reason)) {}
};
/// TLS failed.
class ssl_error : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit ssl_error(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// No connection free and none may be opened, or the queue is full.
class pool_exhausted : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit pool_exhausted(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// No connection became free in time.
class pool_timeout : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit pool_timeout(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// A leased connection broke, or the lease is not (any more) the caller's.
class connection_unhealthy : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit connection_unhealthy(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// The operation's deadline passed.
class operation_timeout : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit operation_timeout(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// A write or bind was sent and its answer is lost.
class outcome_unknown : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit outcome_unknown(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// No server can take the request now (breaker_open too). When every server is down for the same reason, and that is
/// one of not being reached (connection_timeout, connection_failed, ssl_error, service_authentication_failed), what is
/// thrown is of that type as well: both catch it, code() tells the refusal and reason().cause_code its cause.
class no_server : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit no_server(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};
/// The directory answered with an error; reason().ldap_code has it.
class ldap_error : public virtual ldap_exception {
 public:
  /// Of `reason`, which is not null.
  explicit ldap_error(failure_ptr reason) : ldap_exception(std::move(reason)) {}
};

// Every other errc is thrown as ldap_exception itself.

/// Throws the type that belongs to `reason->code`; for a refusal see no_server.
[[noreturn]] void throw_failure(failure_ptr reason);

}  // namespace understudy
