// Manual pages, made of what the command line and the configuration are.
#pragma once
#include "understudy/tools/program_description.hpp"

namespace understudy::cli {

/// understudy(1), in the language of man(7).
std::string manual_of(const program_description& program);
/// understudy-COMMAND(1).
std::string manual_of(const program_description& program, const command_description& command);
/// understudy.toml(5), of every key of the configuration.
std::string manual_of_configuration(const program_description& program);

}  // namespace understudy::cli
