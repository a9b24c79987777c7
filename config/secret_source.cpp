// Reads passwords from files and callbacks; commands are in secret_command.cpp.
#include "understudy/config/secret_source.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/secret_text.hpp"
#include "understudy/config/text.hpp"

#include <unistd.h>

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

secret_reading call(const std::function<std::string()>& callback, const std::string& key) {
  try {
    return secret_from(callback(), key);
  } catch (...) {
    return {{}, key + " threw an exception"};  // whose text might have the password in it
  }
}

}  // namespace

std::vector<std::string> secret_source::given() const {
  std::vector<std::string> names;
  const std::string name{key};
  if (!value.empty()) names.push_back(name);
  if (!file.empty()) names.push_back(name + "_file");
  if (!command.empty()) names.push_back(name + "_command");
  if (callback) names.push_back(name + "_callback");
  return names;
}

secret_source password_of(const connection_info& s) {
  return {"password", s.password, s.password_file, s.password_command, s.password_callback};
}

secret_source client_key_password_of(const connection_info& s) {
  return {"client_key_password", s.client_key_password, s.client_key_password_file, s.client_key_password_command,
          s.client_key_password_callback};
}

secret_reading read_source(const secret_source& source, milliseconds limit, const still_wanted& wanted) {
  const std::string key{source.key};
  if (!source.file.empty()) return read_secret_file(source.file, key + "_file");
  if (!source.command.empty()) return run_secret_command(source.command, limit, key + "_command", wanted);
  if (source.callback) return call(source.callback, key + "_callback");
  return {source.value, {}};
}

secret_reading read_secret(const connection_info& server, milliseconds limit, const still_wanted& wanted) {
  if (!binds_externally(server)) return read_source(password_of(server), limit, wanted);
  if (endpoint_of(server).local) return {secret{"user " + std::to_string(::geteuid())}, {}};
  return {secret{server.client_cert_path + ' ' + file_state(server.client_cert_path)}, {}};
}

secret_reading read_secret_file(const std::string& path, std::string_view key) {
  auto file = read_whole(path, max_secret_bytes);
  const std::string source = std::string{key} + ' ' + quote(path);
  if (!file.problem.empty()) return {{}, source + " cannot be read: " + file.problem};
  return secret_from(std::move(file.text), source);
}

}  // namespace understudy
