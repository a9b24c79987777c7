// A service's own look-ups (lookups.hpp) as the resolver wants them.
#pragma once
#include "understudy/runtime/lookups.hpp"
#include "understudy/runtime/platform/resolver.hpp"

namespace understudy::internal {

/// `ask` with its texts made addresses and its exceptions made failures; the system's when it is empty.
name_resolver::lookup address_lookup(std::function<std::vector<std::string>(const std::string& host)> ask);
/// The same for SRV records.
name_resolver::srv_lookup srv_lookup(std::function<service_answer(const std::string& name)> ask);

}  // namespace understudy::internal
