// What look-ups in the domain name system bring, beside addresses.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace understudy {

/// One SRV record (RFC 2782): where a service is offered. The target "." says that it is not offered at all.
struct service_record {
  std::string target;          ///< with or without a dot at its end
  std::uint16_t port = 0;      ///< of the service there
  std::uint16_t priority = 0;  ///< lower is preferred
  std::uint16_t weight = 0;    ///< share of the load among those of equal priority; 0: hardly any beside others
};

/// The SRV records of a name, or why there are none.
struct service_answer {
  std::vector<service_record> records;  ///< in any order
  seconds ttl{0};                       ///< how long they hold: the shortest of all
  std::string problem;                  ///< set when they could not be had, for people; then there are no records
};

}  // namespace understudy
