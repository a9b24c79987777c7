// Which directory a command talks to: a configuration file, or the options that ldapsearch has for it.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/remote_nodes.hpp"
#include "understudy/tools/command_time.hpp"
#include "understudy/tools/interrupt.hpp"

#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace understudy::cli {

/// Which directory a command talks to and how: the options that all of them have.
struct target {
  std::string config;
  /// In place of a file; they mean what they mean to ldapsearch.
  std::string uris;           ///< -H: one or several, in order of preference
  std::string bind_dn;        ///< -D
  std::string password_file;  ///< -y: all of its bytes but for one newline at its end are the password
  bool ask_password = false;  ///< -W
  bool start_tls = false;     ///< -Z, -ZZ; both must succeed
  bool simple = false;        ///< -x: name and password or nobody, also where a certificate would say who it is
  std::string ca_cert_path;   ///< --ca-cert
  std::string client_cert_path, client_key_path;  ///< --cert and --key: what the server is shown of us
  bool external = false;  ///< -Y EXTERNAL: bind as that certificate, or at a Unix socket as this process
  ///@{
  /// In place of a directory: --node, and the PEM files of --node-ca, --node-cert, --node-key, --node-crl.
  std::vector<std::string> nodes;
  std::string node_ca, node_cert, node_key, node_crl;
  ///@}
  /// Of the whole command, connecting and stopping included (command_time); zero: as configured.
  duration timeout{};
  bool verbose = false;

  /// -H and what goes with it.
  void declare_uri(CLI::App& sub);
  /// -c, and the same.
  void declare_directory(CLI::App& sub);
  /// -c, and --node with what goes with it; `needed`: there is no command without.
  void declare_node(CLI::App& sub, bool needed);
  /// --timeout and -v. `timeout_of`: what --timeout bounds.
  void declare_limits(CLI::App& sub, const std::string& timeout_of = "the whole command");
  /// All of these; a directory, or nodes in its place.
  void declare(CLI::App& sub, const std::string& timeout_of = "the whole command");
};

/// The nodes that `where` names, or nothing. Throws config_error with every problem, usage_error.
std::optional<remote_nodes> nodes_of(const target& where);

/// The settings that `where` means; of a client of nodes, the defaults. Asks for the password if it is to be asked for,
/// or reads its file, within `time`. Throws config_error with every problem, usage_error, input_error, interrupted.
settings read_settings(const target& where, command_time& time, interrupt_watch& interrupts);

/// The same for a command that sends a few requests and ends: opens no more connections than it uses, does not wait for
/// a dead directory longer than it takes to try every server once, logs errors only.
settings one_shot_settings(const target& where, command_time& time, interrupt_watch& interrupts);

/// A span of time on the command line ("250ms", "5s", "2m"; seconds without a unit). Throws CLI::ValidationError, which
/// names `option`, when it is none, or zero.
duration span_argument(const std::string& option, const std::string& text);

/// Throws CLI::ValidationError, which says that `text` is none of `known`.
[[noreturn]] void refuse_choice(const std::string& option, const std::vector<std::string>& known,
                                const std::string& text);

/// "base|one|sub": how the help, the manual and completions show a choice among `known`.
template <class Value>
std::string choices_of(const std::vector<std::pair<std::string, Value>>& known) {
  return internal::joined(known, "|", [](const auto& each) { return each.first; });
}

/// A choice on the command line: what `text` stands for among `known`. Throws CLI::ValidationError, which names all of
/// them, when it is none.
template <class Value>
Value choice_argument(const std::string& option, const std::vector<std::pair<std::string, Value>>& known,
                      const std::string& text) {
  std::vector<std::string> names;
  for (const auto& [name, value] : known) {
    if (name == text) return value;
    names.push_back(name);
  }
  refuse_choice(option, names, text);
}

}  // namespace understudy::cli
