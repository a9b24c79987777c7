// How names are looked up, for services that do not want the system's resolver.
#pragma once
#include "understudy/messages/lookup.hpp"

#include <functional>

namespace understudy {

/// What stands for the system's resolver. Both run on threads of the runtime's own, several at a time, and may block;
/// what they throw counts as "not found", its what() is told to people. An empty one leaves the system's in place.
struct name_lookups {
  /// The addresses of a host, as literals ("192.0.2.1", "2001:db8::1"), in the order of preference. Asked again for new
  /// connections when the last answer is 5 s old; that serves on when a later one fails.
  std::function<std::vector<std::string>(const std::string& host)> addresses;
  /// The SRV records of a name such as "_ldap._tcp.example.com".
  std::function<service_answer(const std::string& name)> services;
};

}  // namespace understudy
