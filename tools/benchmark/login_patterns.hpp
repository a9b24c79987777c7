// Models of what services have written by hand over libldap to log users in: one of each pattern that is common.
#pragma once
#include "arguments.hpp"
#include "measure.hpp"

#include <memory>

namespace understudy::benchmark {

/// Logs a user in: the service's bind, a search for the name, a bind as what was found.
class login_pattern {
 public:
  virtual ~login_pattern() = default;
  /// False when it failed, or its turn had not come until then. Thread-safe.
  virtual bool log_in(int user, clock::time_point until) = 0;
};

/// `pattern`: "mutex" (one connection, one login at a time), "connect" (a connection for each login) or "pool" (of
/// `connections` (8), which bind as the service again on every loan). All of them have the list of servers of `port`
/// (separated by commas) in their URL, and, which many lack, `timeout` (5) seconds as libldap's limits of connecting
/// and waiting.
std::unique_ptr<login_pattern> make_login_pattern(const arguments& given);

}  // namespace understudy::benchmark
