// The command line as data: what manual pages and completions of shells are made of.
#pragma once
#include <string>
#include <vector>

namespace understudy::cli {

/// An option of a command, or an argument that is known by its position.
struct option_description {
  std::vector<std::string> names;    ///< "-b", "--base"; none: known by its position
  std::string placeholder;           ///< of its value: "DN"; empty: it takes none
  std::string meaning;               ///< one sentence, without a full stop
  std::vector<std::string> choices;  ///< the values that there are; none: any
  bool required = false;             ///< the command is nothing without it
  bool repeatable = false;           ///< may be given several times

  bool takes_value() const noexcept { return !placeholder.empty(); }
  /// Its value is the path of a file.
  bool is_file() const noexcept { return placeholder == "FILE"; }
};

/// One command; the program itself has one without a name.
struct command_description {
  std::string name;
  std::string meaning;
  std::vector<option_description> options;
  std::vector<option_description> arguments;  ///< in their order
};

/// What there is to call.
struct program_description {
  std::string name;
  std::string version;
  std::string meaning;
  std::string footer;                         ///< what holds for all commands, as the help ends with it
  std::vector<option_description> options;    ///< without a command
  std::vector<command_description> commands;  ///< in the order of the help
};

/// As the program parses it: options that the help does not show are left out.
program_description describe_program();

}  // namespace understudy::cli
