// Questions in their order, and the file: see init_answers.hpp.
#include "understudy/tools/init_answers.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/option_value.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <array>

namespace understudy::cli {

using namespace internal;
namespace {

using item = init_questions::item;

constexpr std::array order{item::uris, item::start_tls, item::ca_cert_path, item::bind_dn};

std::string trimmed(const std::string& line) {
  constexpr const char* blanks = " \t\r\n";
  const auto begin = line.find_first_not_of(blanks);
  if (begin == std::string::npos) return {};
  return line.substr(begin, line.find_last_not_of(blanks) - begin + 1);
}

bool begins_with(const std::string& uris, std::string_view scheme) {
  return ascii_lower(uris.substr(0, scheme.size())) == scheme;
}

/// What an empty answer means.
std::string in_brackets(const std::string& text, const std::string& otherwise) {
  return " [" + (text.empty() ? otherwise : text) + "]: ";
}
/// The same where nothing is an answer too.
std::string in_brackets_or_none(const std::string& text, const std::string& none) {
  return in_brackets(text.empty() ? text : text + ", - for " + none, none);
}
constexpr std::string_view nothing = "-";

/// A key of [ldap] as the table of options writes it.
std::string line_of(std::string_view section, std::string_view key, std::string value) {
  return std::string{key} + " = " +
         config::to_toml_text(*config::find_option(section, key), config::option_value{std::move(value)}) + "\n";
}

/// A host alone is what most people type.
std::string with_scheme(std::string uris) {
  if (!uris.empty() && uris.find("://") == std::string::npos && uris.find_first_of(", \t") == std::string::npos)
    uris = "ldap://" + uris;
  return uris;
}

std::string check_uris(const std::string& uris) {
  if (uris.empty()) return "a directory needs a URI, as ldap://ldap.example.com or ldaps://ldap.example.com";
  if (uris.find_first_of(", \t") != std::string::npos) return {};  // each is looked at when they are taken apart
  std::string problem;
  return config::parse_uri(uris, problem) ? std::string{} : problem;
}

}  // namespace

init_questions::init_questions(init_answers begun, const init_given& given)
    : answers_(std::move(begun)), given_(given) {
  go_on();
}

bool init_questions::needed(item about) const {
  switch (about) {
    case item::uris:
      return !given_.uris;
    case item::start_tls:
      return !given_.start_tls && begins_with(answers_.uris, "ldap://");
    case item::ca_cert_path:
      return !given_.ca_cert_path && (answers_.start_tls || begins_with(answers_.uris, "ldaps://"));
    case item::bind_dn:
      break;
  }
  return !given_.bind_dn;
}

void init_questions::go_on() {
  while (at_ < order.size() && !needed(order[at_])) ++at_;
}

void init_questions::begin_again() {
  // What a flag said may be what is wrong.
  given_ = {};
  at_ = 0;
  go_on();
}

std::optional<init_questions::question> init_questions::next() const {
  if (at_ >= order.size()) return std::nullopt;
  switch (order[at_]) {
    case item::uris:
      return question{item::uris, "The directory's URI, or several in order of preference" +
                                      in_brackets(answers_.uris, "as ldap://ldap.example.com")};
    case item::start_tls:
      return question{item::start_tls, "TLS from the beginning on, by StartTLS? [" +
                                           std::string{answers_.start_tls ? "Y/n" : "y/N"} + "]: "};
    case item::ca_cert_path:
      return question{item::ca_cert_path, "File with the authority of the directory's certificate (PEM)" +
                                              in_brackets_or_none(answers_.ca_cert_path, "the system's authorities")};
    case item::bind_dn:
      break;
  }
  return question{item::bind_dn, "Name (DN) to bind as" + in_brackets_or_none(answers_.bind_dn, "anonymous")};
}

std::string init_questions::answer(const std::string& line) {
  if (at_ >= order.size()) return {};
  const auto text = trimmed(line);
  std::string problem;
  switch (order[at_]) {
    case item::uris: {
      const auto uris = text.empty() ? answers_.uris : with_scheme(text);
      problem = check_uris(uris);
      if (problem.empty()) answers_.uris = uris;
      if (!begins_with(answers_.uris, "ldap://")) answers_.start_tls = false;
      break;
    }
    case item::start_tls: {
      const auto yes = yes_or_no(text, answers_.start_tls);
      if (yes) answers_.start_tls = *yes;
      if (!yes) problem = "y or n";
      break;
    }
    case item::ca_cert_path:
      if (text == nothing) answers_.ca_cert_path.clear();
      if (text.empty() || text == nothing) break;
      problem = config::why_unreadable(text);
      if (problem.empty()) answers_.ca_cert_path = text;
      break;
    case item::bind_dn:
      if (!text.empty()) answers_.bind_dn = text == nothing ? std::string{} : text;
      break;
  }
  if (!problem.empty()) return problem;
  ++at_;
  go_on();
  return {};
}

std::optional<bool> yes_or_no(const std::string& line, bool otherwise) {
  const auto text = ascii_lower(trimmed(line));
  if (text.empty()) return otherwise;
  if (text == "y" || text == "yes") return true;
  if (text == "n" || text == "no") return false;
  return std::nullopt;
}

std::string configuration_text(const init_answers& answers, const std::vector<std::string>& uris,
                               const std::string& password_file) {
  std::string text =
      "# A configuration of Understudy, made by `understudy init`.\n"
      "# `understudy check FILE` says what is wrong with it, `understudy doctor -c FILE` what is wrong with the "
      "directory.\n"
      "# Every key, with its default and meaning: docs/configuration.md.\n\n"
      "[ldap]\n";
  if (answers.bind_dn.empty()) {
    text +=
        "# Nobody is named: requests are anonymous. A service mostly has a name of its own:\n"
        "# bind_dn = \"cn=service,ou=apps,dc=example,dc=com\"\n"
        "# password_file = \"/etc/understudy/directory.password\"\n";
  } else {
    text += "# As whom requests are made.\n" + line_of("ldap", "bind_dn", answers.bind_dn) +
            "# In a file of its own, which nobody else may read; one newline at its end is no part of it.\n" +
            line_of("ldap", "password_file", password_file);
  }
  if (answers.start_tls)
    text += "# StartTLS: nothing is ever sent in plain text, also when it fails.\nuse_tls = true\n";
  const bool encrypted = answers.start_tls ||
                         std::any_of(uris.begin(), uris.end(), [](auto& uri) { return begins_with(uri, "ldaps://"); });
  if (encrypted && !answers.ca_cert_path.empty())
    text += "# Whose certificates are trusted.\n" + line_of("ldap", "ca_cert_path", answers.ca_cert_path);
  if (encrypted && answers.ca_cert_path.empty())
    text +=
        "# The system's authorities are trusted; one of your own:\n"
        "# ca_cert_path = \"/etc/ssl/certs/ldap-ca.pem\"\n";
  text += "\n# A table a server. Lower priorities are preferred, equal ones share the load; the next one takes over.\n";
  int priority = 0;
  for (const auto& uri : uris)
    text += "[[ldap.servers]]\n" + line_of("ldap", "uri", uri) + "priority = " + std::to_string(++priority) + "\n\n";
  if (uris.size() == 1) text += "# [[ldap.servers]]\n# uri = \"ldap://ldap2.example.com\"\n# priority = 2\n\n";
  if (!answers.base.empty())
    text += "[authenticator]\n# Users are searched for below, by name.\n" +
            line_of("authenticator", "base", answers.base) + "filter = \"(uid={user})\"\n\n";
  text +=
      "# A node shows its health, metrics and a console here: understudy serve -c FILE\n"
      "# [http]\n# listen = \"127.0.0.1:9389\"\n\n"
      "# Any LDAP client of this machine is served here.\n"
      "# [[front_door.listeners]]\n# address = \"127.0.0.1:3890\"\n";
  return text;
}

}  // namespace understudy::cli
