// What happened comes from the failure, what to do about it from here.
#include "understudy/tools/explain.hpp"

#include "understudy/messages/printable.hpp"
#include "understudy/messages/result.hpp"
#include "understudy/messages/text.hpp"

#include <array>
#include <utility>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr int confidentiality_required = 13;

std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string result_of(const failure& f) {
  return result_code_name(f.ldap_code) + " (" + std::to_string(f.ldap_code) + ")" +
         (f.diagnostic.empty() ? "" : ": " + shortened(f.diagnostic));
}

/// What is said of a server's certificates, where they are those of a link to a node.
std::string with_node_options_for_keys(std::string text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> words{{{"ca_cert_path", "--node-ca"},
                                                                                {"client_cert_path", "--node-cert"},
                                                                                {"client_key_path", "--node-key"},
                                                                                {"crl_path", "--node-crl"}}};
  for (const auto& [key, option] : words)
    for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + option.size()))
      text.replace(at, key.size(), option);
  return text;
}

/// Who gave options has no keys of a configuration to set.
std::string with_options_for_keys(std::string text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> words{
      {{"set use_ssl", "use ldaps://"},
       {"use_ssl", "ldaps://"},
       {"use_tls", "-Z"},
       {"set ca_cert_path to the authority", "give --ca-cert FILE, the certificate of the authority"},
       {"set host or uri to", "give -H"},
       {"set client_cert_path and client_key_path", "give --cert and --key"},
       {"client_cert_path", "--cert"},
       {"client_key_path", "--key"},
       {"ca_cert_path", "--ca-cert"}}};
  for (const auto& [key, option] : words)
    for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + option.size()))
      text.replace(at, key.size(), option);
  return text;
}

/// The directory's answer was no.
std::string_view advice_on(int ldap_code) {
  switch (ldap_code) {
    case result_code::no_such_object:
      return "there is no such entry (or none above a new one), or whom this command binds as may not see it";
    case result_code::size_limit_exceeded:
      return "the limit is that of -z, or one of the directory's, which mostly does not hold for what is asked for in "
             "pages (without -z and --page-size 0)";
    case result_code::insufficient_access:
      return "understudy whoami, with the same options, shows as whom the directory was asked";
    case result_code::stronger_auth_required:
      return "bind as somebody: -D with -y or -W, or bind_dn in a configuration";
    case confidentiality_required:
      return "the directory wants TLS: ldaps:// or -Z, or in a configuration use_ssl or use_tls";
    default:
      return {};
  }
}

std::string refused_bind(const failure& f, const given_options& given) {
  const bool external = f.message.find("by SASL EXTERNAL") != std::string::npos;
  const auto who = external                ? std::string{"the bind by SASL EXTERNAL"}
                   : given.bind_dn.empty() ? std::string{"the bind"}
                                           : "the bind as " + quoted(given.bind_dn);
  auto text = f.server + " refused " + who + " with " + result_of(f);
  if (f.ldap_code != result_code::invalid_credentials) return text;
  if (external) return text + "; it takes nobody for whom the certificate, or the process at its socket, is";
  text += "; wrong name or password";
  return given.password_source.empty() ? text : text + ": the password is " + given.password_source;
}

/// What happened, where the library's own words are for programs.
std::string happened(const failure& f, const given_options& given) {
  switch (f.code) {
    case errc::service_authentication_failed:
      if (f.ldap_code != 0) return refused_bind(f, given);
      break;
    case errc::pool_timeout:
      return f.server +
             " was not ready in time: its answer to the connect, to TLS or to the bind is still waited for, "
             "or the look-up of its name, or a command that gives the password";
    case errc::connection_unhealthy: {
      auto text = f.cause.empty() ? "the connection to " + f.server + " broke" : f.cause;
      text = std::string{without_full_stop(text)};
      return text + "; the answer is not complete";
    }
    case errc::result_too_large:
      return "the answer takes more memory than limits.max_result_bytes allows";
    default:
      break;
  }
  auto text = f.message.empty() ? result_code_name(f.ldap_code) : f.message;
  text = std::string{without_full_stop(text)};
  if (f.ldap_code != 0 && text.find(result_code_name(f.ldap_code)) == std::string::npos) text += ": " + result_of(f);
  if (given.by_node) return with_node_options_for_keys(std::move(text));
  return given.by_options ? with_options_for_keys(std::move(text)) : text;
}

std::string_view advice_on(const failure& f, const given_options& given) {
  switch (f.code) {
    case errc::connection_failed:
      if (given.by_node) return "check host and port, and that understudy serve runs there with [[node.listeners]]";
      if (f.where == stage::resolve) return "check the name of the host";
      if (f.where == stage::connect) return "check host and port, and that a directory runs there";
      return "check that the port is one of LDAP; the directory's own log may say why it ended the connection";
    case errc::pool_timeout:
    case errc::connection_timeout:
      return "understudy health, with the same options, names the step that hangs; --timeout gives it longer";
    case errc::operation_timeout:
      return "--timeout gives it longer";
    case errc::no_server:
    case errc::breaker_open:
      return "understudy health, with the same options, tries each of them";
    case errc::connection_unhealthy:
      return "run the command again";
    case errc::outcome_unknown:
      return "look at the entry before you repeat it";
    case errc::result_too_large:
      return "ask for fewer attributes or a smaller part of the tree, and not with --page-size 0; a server that "
             "ignores "
             "paging sends all at once";
    case errc::local_resources:
      return "this machine or process has reached a limit of its own (ulimit -n for descriptors, -u for threads)";
    default:
      return {};
  }
}

}  // namespace

std::string what_happened(const failure& f, const given_options& given) {
  auto text = f.code == errc::ldap_error ? f.message : std::string{to_string(f.code)} + ": " + happened(f, given);
  text = std::string{without_full_stop(text)};
  if (f.code == errc::ldap_error) {
    if (text.empty()) text = result_code_name(f.ldap_code);
    text += " (" + std::to_string(f.ldap_code) + ")" + (f.diagnostic.empty() ? "" : ": " + shortened(f.diagnostic));
  }
  if (!f.matched_dn.empty()) text += "; matched DN " + quoted(shortened(f.matched_dn));
  return text;
}

std::string explain(const failure& f, const given_options& given) {
  const auto advice = f.code == errc::ldap_error ? advice_on(f.ldap_code) : advice_on(f, given);
  return what_happened(f, given) + (advice.empty() ? "" : "; " + std::string{advice});
}

}  // namespace understudy::cli
