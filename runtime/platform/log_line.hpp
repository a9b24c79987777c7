// How a line of the log is written.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// One line of text ("2026-01-31T08:00:00.123Z info pool: connection ready server=ldap1:389"), control characters
/// escaped, without the newline.
std::string text_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more);
/// The same as one JSON object.
std::string json_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more);
/// Either of them, as the log's format is.
std::string log_line(log_format as, wall_time at, log_level level, std::string_view component, std::string_view text,
                     const log_port::fields& more);

}  // namespace understudy::internal
