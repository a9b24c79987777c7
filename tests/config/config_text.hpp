// Short ways to load configurations in tests.
#pragma once
#include "support/certificates.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/options.hpp"

#include <map>
#include <string>
#include <vector>

namespace understudy::test {

/// An environment with these variables and no others.
inline environment_lookup variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto it = values.find(name);
    if (it == values.end()) return std::nullopt;
    return it->second;
  };
}

/// Every problem as it is shown to people.
inline std::vector<std::string> lines_of(const std::vector<config_problem>& problems) {
  std::vector<std::string> lines;
  for (const auto& each : problems) lines.push_back(describe(each));
  return lines;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  return text;
}

inline load_result from_toml(const std::string& text, std::map<std::string, std::string> env = {}) {
  return load_toml(text, "f", variables(std::move(env)));
}

inline load_result from_json(const std::string& text, std::map<std::string, std::string> env = {}) {
  return load_json(text, "f", variables(std::move(env)));
}

/// The problems of a TOML text, a line each.
inline std::string pool_errors(const std::string& text, std::map<std::string, std::string> env = {}) {
  return joined(lines_of(from_toml(text, std::move(env)).problems));
}

inline std::string json_errors(const std::string& text, std::map<std::string, std::string> env = {}) {
  return joined(lines_of(from_json(text, std::move(env)).problems));
}

/// Made once.
inline const certificate_set& certificates_of_nodes() {
  static const certificate_set made;
  return made;
}

/// "[node]", with the certificates that a listener needs.
inline std::string node_section_with_certificates() {
  const auto& files = certificates_of_nodes();
  return "[node]\ncert_path = \"" + files.server.certificate.string() + "\"\nkey_path = \"" +
         files.server.key.string() + "\"\nca_cert_path = \"" + files.ca.certificate().string() + "\"\n";
}

/// A file whose section `row.section` has this line, with what makes it legal. Not for the address of a listener.
inline std::string file_with(const internal::config::option& row, const std::string& line) {
  const std::string section{row.section}, ldap = "[ldap]\nhost = \"a\"\n";
  if (section == internal::config::server_section) return ldap + line;
  if (section == internal::config::listener_section)
    return ldap + node_section_with_certificates() + "[[node.listeners]]\naddress = \"127.0.0.1:4100\"\n" + line;
  if (section == internal::config::client_listener_section)
    return ldap + "[[front_door.listeners]]\naddress = \"127.0.0.1:389\"\n" + line;
  return ldap + '[' + section + "]\n" + line;
}

}  // namespace understudy::test
