// The log's two formats: see log_line.hpp.
#include "understudy/runtime/platform/log_line.hpp"
#include "understudy/messages/printable.hpp"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace understudy::internal {
namespace {

std::string_view level_name(log_level level) {
  switch (level) {
    case log_level::error:
      return "error";
    case log_level::warning:
      return "warning";
    case log_level::info:
      return "info";
    case log_level::debug:
      break;
  }
  return "debug";
}

// RFC 3339 in UTC, with milliseconds.
std::string timestamp(wall_time at) {
  auto since = std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count();
  auto whole = static_cast<std::time_t>(since / 1000);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  char day[32], text[48];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text, sizeof text, "%s.%03dZ", day, static_cast<int>(since % 1000));
  return text;
}

// A value that came from outside must not be able to start a line of its own.
void append_value(std::string& out, std::string_view value) {
  if (!value.empty() && value.find_first_of(" \"=\\") == std::string_view::npos) return append_printable(out, value);
  out += '"';
  for (std::size_t begin = 0; begin < value.size();) {
    const auto end = std::min(value.find_first_of("\"\\", begin), value.size());
    append_printable(out, value.substr(begin, end - begin));
    if (end < value.size()) out.append("\\").append(1, value[end]);
    begin = end + 1;
  }
  out += '"';
}

}  // namespace

std::string text_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more) {
  auto line = timestamp(at);
  line.append(" ").append(level_name(level)).append(" ").append(component).append(": ");
  append_printable(line, text);
  for (auto& [key, value] : more) {
    line.append(" ").append(key).append("=");
    append_value(line, value);
  }
  return line;
}

std::string json_line(wall_time at, log_level level, std::string_view component, std::string_view text,
                      const log_port::fields& more) {
  nlohmann::ordered_json line;
  line["time"] = timestamp(at);
  line["level"] = level_name(level);
  line["component"] = component;
  line["text"] = text;
  for (auto& [key, value] : more)
    if (!line.contains(key)) line[std::string{key}] = value;
  // Names from a directory need not be UTF-8, and a terminal may show this: ASCII alone leaves it nothing to obey.
  return line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::string log_line(log_format as, wall_time at, log_level level, std::string_view component, std::string_view text,
                     const log_port::fields& more) {
  return as == log_format::json ? json_line(at, level, component, text, more)
                                : text_line(at, level, component, text, more);
}

}  // namespace understudy::internal
