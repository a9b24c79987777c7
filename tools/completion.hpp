// Completions of shells, made of what the command line is.
#pragma once
#include "understudy/tools/program_description.hpp"

namespace understudy::cli {

/// A script for bash: commands, options, their choices, files. Needs nothing but bash 4.
std::string bash_completion(const program_description& program);
/// The same for zsh, with the meanings.
std::string zsh_completion(const program_description& program);

}  // namespace understudy::cli
