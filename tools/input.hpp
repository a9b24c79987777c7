// Standard input and passwords.
#pragma once
#include "understudy/messages/secret.hpp"
#include "understudy/tools/interrupt.hpp"

#include <string>

namespace understudy::cli {

/// All of standard input. Throws interrupted, or std::system_error.
std::string read_input(interrupt_watch& interrupts);

/// The first line of standard input, without its line end; when that is a terminal, asks with `prompt` on standard
/// error and shows nothing of what is typed. Throws interrupted, std::system_error, or std::runtime_error when it is
/// endless.
secret read_password(const std::string& prompt, interrupt_watch& interrupts);

}  // namespace understudy::cli
