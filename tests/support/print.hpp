// Lets Boost.Test print our enumerations by their names.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/snapshot.hpp"

#include <ostream>

namespace understudy {
inline std::ostream& operator<<(std::ostream& out, errc x) { return out << to_string(x); }
inline std::ostream& operator<<(std::ostream& out, stage x) { return out << to_string(x); }
inline std::ostream& operator<<(std::ostream& out, failure_class x) { return out << to_string(x); }
inline std::ostream& operator<<(std::ostream& out, server_state x) { return out << to_string(x); }
inline std::ostream& operator<<(std::ostream& out, breaker_state x) { return out << to_string(x); }
}  // namespace understudy
