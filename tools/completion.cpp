// Scripts for bash and zsh: see completion.hpp.
#include "understudy/tools/completion.hpp"

#include "understudy/messages/text.hpp"

namespace understudy::cli {

using internal::joined;
namespace {

std::string names_of(const std::vector<option_description>& options) {
  return joined(options, " ", [](const option_description& option) { return joined(option.names, " "); });
}

std::string names_of(const std::vector<command_description>& commands) {
  return joined(commands, " ", [](const command_description& command) { return command.name; });
}

/// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return out + "'";
}

/// What follows one of these options is a value, not another option.
std::string bash_values(const command_description& command) {
  std::string text;
  for (const auto& option : command.options) {
    if (!option.takes_value()) continue;
    text +=
        "    " + joined(option.names, "|", [&](const auto& name) { return quoted(command.name + " " + name); }) + ") ";
    if (option.is_file())
      text += "_understudy_files \"$current\"";
    else if (!option.choices.empty())
      text += "_understudy_words " + quoted(joined(option.choices, " ")) + " \"$current\"";
    text += option.is_file() || !option.choices.empty() ? "; return ;;\n" : "return ;;\n";
  }
  return text;
}

bool takes_files(const command_description& command) {
  for (const auto& argument : command.arguments)
    if (argument.is_file()) return true;
  return false;
}

/// In the description of a zsh argument these have a meaning of their own.
std::string zsh_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_value(const option_description& option) {
  auto text = ":" + zsh_escaped(option.choices.empty() ? option.placeholder
                                : option.names.empty() ? ""
                                                       : option.names.back());
  if (option.is_file()) return text + ":_files";
  if (!option.choices.empty()) return text + ":(" + joined(option.choices, " ") + ")";
  return text + ": ";
}

std::string zsh_option(const option_description& option) {
  // A short one may have its value right behind it, a long one behind "=".
  const auto spelled = [&](const std::string& name) {
    return option.takes_value() ? name + (name.rfind("--", 0) == 0 ? "=" : "+") : name;
  };
  const auto rest = quoted("[" + zsh_escaped(option.meaning) + "]" + (option.takes_value() ? zsh_value(option) : ""));
  const std::string prefix = option.repeatable ? quoted("*") : quoted("(" + joined(option.names, " ") + ")");
  if (option.names.size() == 1) return prefix + spelled(option.names.front()) + rest;
  return prefix + "{" + joined(option.names, ",", spelled) + "}" + rest;
}

std::string zsh_command(const command_description& command) {
  std::string text = "    " + command.name + ")\n      _arguments -s -S";
  for (const auto& option : command.options) text += " \\\n        " + zsh_option(option);
  for (const auto& argument : command.arguments)
    text += " \\\n        " + quoted((argument.repeatable ? "*" : argument.required ? "" : ":") + zsh_value(argument));
  return text + " ;;\n";
}

}  // namespace

std::string bash_completion(const program_description& program) {
  std::string values, options, files;
  for (const auto& command : program.commands) {
    values += bash_values(command);
    options += "    " + command.name + ") options=" + quoted(names_of(command.options)) + " ;;\n";
    if (takes_files(command)) files += (files.empty() ? "" : "|") + command.name;
  }
  return "# Completion of " + program.name + " for bash; made from its command line, do not edit.\n" + R"(
_understudy_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }
_understudy_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_understudy() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD - 1]}" command="${COMP_WORDS[1]}" options=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _understudy_words )" +
         quoted(names_of(program.commands) + " " + names_of(program.options)) + R"( "$current"
    return
  fi
  case "$command $previous" in
)" + values +
         R"(  esac
  case "$command" in
)" + options +
         R"(  esac
  if [[ "$current" == -* ]]; then
    _understudy_words "$options" "$current"
    return
  fi
)" + (files.empty() ? "" : "  case \"$command\" in\n    " + files + ") _understudy_files \"$current\" ;;\n  esac\n") +
         R"(}
complete -F _understudy understudy
)";
}

std::string zsh_completion(const program_description& program) {
  std::string names, cases;
  for (const auto& command : program.commands) {
    names += "    " + quoted(command.name + ":" + zsh_escaped(command.meaning)) + "\n";
    cases += zsh_command(command);
  }
  for (const auto& option : program.options)
    names += "    " + quoted(option.names.back() + ":" + zsh_escaped(option.meaning)) + "\n";
  return "#compdef understudy\n# Completion of " + program.name +
         " for zsh; made from its command line, do not edit.\n" + R"(
_understudy() {
  local -a commands
  commands=(
)" + names +
         R"(  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case "${words[1]}" in
)" + cases +
         R"(  esac
}

_understudy "$@"
)";
}

}  // namespace understudy::cli
