// The exceptions of the throwing calls: one type for each kind of failure a caller may want to catch.
#pragma once
#include "understudy/messages/error.hpp"

#include <stdexcept>

namespace understudy {

/// Base of all: what() is one line for people, reason() has the parts.
class ldap_exception : public std::runtime_error {
 public:
  explicit ldap_exception(failure_ptr reason) : std::runtime_error(describe(*reason)), reason_(std::move(reason)) {}
  const failure& reason() const noexcept { return *reason_; }
  errc code() const noexcept { return reason_->code; }

 private:
  failure_ptr reason_;
};

/// Connecting took too long.
class connection_timeout : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// Refused, reset, closed, or not understood.
class connection_failed : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// The service's own bind was refused, or a user's credentials were.
class authentication_failed : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// TLS failed.
class ssl_error : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// No connection free and none may be opened, or the queue is full.
class pool_exhausted : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// No connection became free in time.
class pool_timeout : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// A leased connection broke, or the lease is not (any more) the caller's.
class connection_unhealthy : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// The operation's deadline passed.
class operation_timeout : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// A write or bind was sent and its answer is lost.
class outcome_unknown : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// No server can take the request now (breaker_open too).
class no_server : public ldap_exception {
  using ldap_exception::ldap_exception;
};
/// The directory answered with an error; reason().ldap_code has it.
class ldap_error : public ldap_exception {
  using ldap_exception::ldap_exception;
};

// Every other errc is thrown as ldap_exception itself.

/// Throws the type that belongs to `reason->code`.
[[noreturn]] void throw_failure(failure_ptr reason);

}  // namespace understudy
