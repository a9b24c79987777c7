// What the commands about users share: where users are, and how a call ends with the command.
#pragma once
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/tools/session.hpp"

#include <nlohmann/json.hpp>

namespace understudy::cli {

/// Prints a tree.
void put_json(const nlohmann::json& tree);
/// What all answers have in common.
nlohmann::json to_json(const user_answer& answer);
/// What that failure means for who asks about a user.
user_answer answer_without_directory(const failure& why);

/// Whom a command is about, and how that user is found.
struct user_options {
  target where;
  std::optional<std::string> base;
  std::optional<std::string> attribute;
  std::string user;
  bool json = false;

  /// -b, --attribute, --json, USER, and what `where` declares.
  void declare(CLI::App& sub);
};

/// The settings of `[authenticator]`, with what the command line says in their place. Without either, a user is
/// searched for by `uid`. Throws usage_error when --attribute is no attribute.
authenticator_settings logins_for(const user_options& options, const settings& all);
/// The same, complete: where nothing says where users are, the directory does. Throws ldap_exception, usage_error.
authenticator_settings with_base(authenticator_settings how, const user_options& options, session& directory);

/// Calls `ask(options)`, with what is left of the command's time; Ctrl-C cancels it.
template <class Ask>
auto ask_about_user(session& directory, interrupt_watch& interrupts, Ask ask) {
  cancel_source cancel;
  const interrupt_action on_signal(interrupts, [&cancel] { cancel.cancel(); });
  login_options options;
  options.timeout = directory.left();
  options.cancel = &cancel;
  return ask(options);
}

/// Says why it was not, on standard error; returns the exit code: 1 when the directory said so, else that of a failure.
int report_refusal(const user_answer& why, const password_policy& said, const given_options& given);
/// No directory could be connected to, and that was said: prints the outcome where JSON is wanted. Returns the exit
/// code.
int report_unconnected(const session& directory, const user_options& options);
/// Does `work`, and prints the outcome of what it throws where JSON is wanted.
template <class Work>
int with_outcome(const user_options& options, Work work) {
  try {
    return work();
  } catch (const ldap_exception& e) {
    if (options.json) put_json(to_json(answer_without_directory(e.reason())));
    throw;
  }
}

}  // namespace understudy::cli
