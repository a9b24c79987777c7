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

constexpr std::array order{
    item::uris,     item::start_tls, item::ca_cert_path, item::client_cert_path, item::client_key_path,
    item::external, item::bind_dn};

std::string trimmed(const std::string& line) {
  constexpr const char* blanks = " \t\r\n";
  const auto begin = line.find_first_not_of(blanks);
  if (begin == std::string::npos) return {};
  return line.substr(begin, line.find_last_not_of(blanks) - begin + 1);
}

bool begins_with(const std::string& uris, std::string_view scheme) {
  return ascii_lower(uris.substr(0, scheme.size())) == scheme;
}

/// Those of `uris` that have the scheme `from`, in any case, by `to`.
std::string with_other_scheme(std::string uris, std::string_view from, std::string_view to) {
  const auto begins_a_uri = [&](std::size_t at) {
    return at == 0 || std::string_view{", \t"}.find(uris[at - 1]) != std::string_view::npos;
  };
  for (auto at = ascii_lower(uris).find(from); at != std::string::npos;
       at = ascii_lower(uris).find(from, at + to.size()))
    if (begins_a_uri(at)) uris.replace(at, from.size(), to);
  return uris;
}

bool encrypts(const init_answers& answers) { return answers.start_tls || begins_with(answers.uris, "ldaps://"); }

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
      return !given_.ca_cert_path && encrypts(answers_);
    case item::client_cert_path:
      return !given_.client_cert && encrypts(answers_);
    case item::client_key_path:
      return !given_.client_cert && !answers_.client_cert_path.empty();
    case item::external:
      return !given_.external && !given_.bind_dn && begins_with(answers_.uris, "ldapi://");
    case item::bind_dn:
      break;
  }
  return !given_.bind_dn && !answers_.external;
}

void init_questions::go_on() {
  while (at_ < order.size() && !needed(order[at_])) ++at_;
}

void init_questions::begin_again() {
  // What a flag said may be what is wrong.
  given_ = {};
  // A certificate says it too.
  if (!begins_with(answers_.uris, "ldapi://")) answers_.external = false;
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
      return question{item::start_tls, "TLS, by StartTLS? On a port of its own it is ldaps, mostly 636 [" +
                                           std::string{answers_.start_tls ? "Y/n" : "y/N"} + "/ldaps]: "};
    case item::ca_cert_path:
      return question{item::ca_cert_path, "File with the authority of the directory's certificate (PEM)" +
                                              in_brackets_or_none(answers_.ca_cert_path, "the system's authorities")};
    case item::client_cert_path:
      return question{item::client_cert_path, "File with a certificate of ours, if the directory wants one (PEM)" +
                                                  in_brackets_or_none(answers_.client_cert_path, "none")};
    case item::client_key_path:
      return question{item::client_key_path,
                      "File with its private key (PEM)" + in_brackets(answers_.client_key_path, "the same file")};
    case item::external:
      return question{item::external, "Bind as the user of this process (SASL EXTERNAL)? [" +
                                          std::string{answers_.external ? "Y/n" : "y/N"} + "]: "};
    case item::bind_dn:
      break;
  }
  return question{item::bind_dn,
                  "Name (DN) to bind as" +
                      in_brackets_or_none(answers_.bind_dn, answers_.client_cert_path.empty()
                                                                ? "anonymous"
                                                                : "whom the certificate is for, by SASL EXTERNAL")};
}

std::string init_questions::answer_file(const std::string& text, std::string& path) {
  if (text == nothing) path.clear();
  if (text.empty() || text == nothing) return {};
  auto problem = config::why_unreadable(text);
  if (problem.empty()) path = text;
  return problem;
}

std::string init_questions::answer_start_tls(const std::string& text) {
  if (ascii_lower(text) == "ldaps") {
    answers_.uris = with_other_scheme(answers_.uris, "ldap://", "ldaps://");
    answers_.start_tls = false;
    return {};
  }
  const auto yes = yes_or_no(text, answers_.start_tls);
  if (!yes) return "y, n or ldaps";
  answers_.start_tls = *yes;
  if (!*yes) {
    answers_.client_cert_path.clear();
    answers_.client_key_path.clear();
  }
  return {};
}

void init_questions::forget_what_does_not_fit() {
  if (!begins_with(answers_.uris, "ldap://")) answers_.start_tls = false;
  if (!begins_with(answers_.uris, "ldapi://")) {
    answers_.external = false;
    return;
  }
  answers_.client_cert_path.clear();
  answers_.client_key_path.clear();
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
      forget_what_does_not_fit();
      break;
    }
    case item::start_tls:
      problem = answer_start_tls(text);
      break;
    case item::ca_cert_path:
      problem = answer_file(text, answers_.ca_cert_path);
      break;
    case item::client_cert_path:
      problem = answer_file(text, answers_.client_cert_path);
      if (answers_.client_cert_path.empty()) answers_.client_key_path.clear();
      break;
    case item::client_key_path:
      problem = answer_file(text, answers_.client_key_path);
      if (problem.empty() && answers_.client_key_path.empty()) answers_.client_key_path = answers_.client_cert_path;
      break;
    case item::external: {
      const auto yes = yes_or_no(text, answers_.external);
      if (!yes) problem = "y or n";
      if (yes) answers_.external = *yes;
      if (answers_.external) answers_.bind_dn.clear();
      break;
    }
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
  const bool by_certificate = answers.bind_dn.empty() && !answers.client_cert_path.empty();
  if (by_certificate || answers.external) {
    text += std::string{"# As whom requests are made: "} +
            (by_certificate ? "whom the certificate below is for.\n" : "the user of the process, at a Unix socket.\n") +
            "bind_mechanism = \"external\"\n";
  } else if (answers.bind_dn.empty()) {
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
  if (!answers.client_cert_path.empty())
    text += "# What the servers are shown. The key may be read by who runs this alone.\n" +
            line_of("ldap", "client_cert_path", answers.client_cert_path) +
            line_of("ldap", "client_key_path", answers.client_key_path);
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
