// Reads passwords from files and callbacks; commands are in secret_command.cpp.
#include "understudy/config/secret_source.hpp"

#include "understudy/config/files.hpp"
#include "understudy/config/secret_text.hpp"
#include "understudy/config/text.hpp"

namespace understudy {

using namespace config;

namespace config {

secret_reading secret_from(std::string&& text, const std::string& source) {
  if (!text.empty() && text.back() == '\n') {
    text.pop_back();
    if (!text.empty() && text.back() == '\r') text.pop_back();
  }
  secret_reading result;
  if (text.empty()) result.problem = source + " gives an empty password";
  if (result.ok()) result.value = secret{std::move(text)};
  return result;
}

}  // namespace config

namespace {

secret_reading call(const std::function<std::string()>& callback) {
  try {
    return secret_from(callback(), "password_callback");
  } catch (...) {
    return {{}, "password_callback threw an exception"};  // whose text might have the password in it
  }
}

}  // namespace

secret_reading read_secret(const connection_info& server, milliseconds limit) {
  if (!server.password_file.empty()) return read_secret_file(server.password_file);
  if (!server.password_command.empty()) return run_secret_command(server.password_command, limit);
  if (server.password_callback) return call(server.password_callback);
  return {server.password, {}};
}

secret_reading read_secret_file(const std::string& path) {
  auto file = read_whole(path, max_secret_bytes);
  const std::string source = "password_file " + quote(path);
  if (!file.problem.empty()) return {{}, source + " cannot be read: " + file.problem};
  return secret_from(std::move(file.text), source);
}

}  // namespace understudy
