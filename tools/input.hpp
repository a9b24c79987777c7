// Standard input and passwords.
#pragma once
#include "understudy/messages/secret.hpp"
#include "understudy/messages/time.hpp"
#include "understudy/tools/interrupt.hpp"

#include <optional>
#include <string>

namespace understudy::cli {

/// Standard input cannot be used.
class input_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// All of standard input, 256 MiB at most. Throws interrupted or input_error.
std::string read_input(interrupt_watch& interrupts);

/// The first line of standard input, without its line end; when that is a terminal, asks with `prompt` on standard
/// error and shows nothing of what is typed. Throws interrupted, or input_error (also when the line does not end).
secret read_password(const std::string& prompt, interrupt_watch& interrupts);

/// Asks with `prompt` on standard error for a line of standard input, which is shown as it is typed; without its line
/// end. Throws interrupted, or input_error (also when the input ends before the line does).
std::string ask_line(const std::string& prompt, interrupt_watch& interrupts);

/// Asks on the terminal, wherever standard input comes from; shows nothing of what is typed. Throws interrupted, or
/// input_error (also when there is no terminal).
secret ask_password(const std::string& prompt, interrupt_watch& interrupts);

/// All bytes of a file but for one newline at its end, as `password_file` of a configuration has it; warns when others
/// may read the file. Throws interrupted, or input_error when it cannot be read, is longer than a password may be, or
/// has not come to its end by `limit`: it may be a FIFO that nobody writes to.
secret read_password_file(const std::string& path, std::optional<time_point> limit, interrupt_watch& interrupts);

}  // namespace understudy::cli
