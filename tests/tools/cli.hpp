// Runs the real program against a throwaway directory.
#pragma once
#include "support/contains.hpp"
#include "support/slapd.hpp"

#include <string>
#include <vector>

namespace understudy::test {

/// PEM files for a server at 127.0.0.1 and localhost, and the CA that vouches for it.
struct server_certificate_files {
  std::filesystem::path ca, certificate, key;
};
server_certificate_files make_certificates(const temporary_folder& folder);

/// How a configuration reaches a slapd.
struct config_for {
  std::string password = admin_password;
  std::string more_server;  ///< lines for the server
  std::string more;         ///< further sections
};

/// A folder for configurations, and the program.
class command_line {
 public:
  /// The program with these arguments to its end.
  program_result run(std::vector<std::string> arguments, const std::string& input = {}) const;
  /// The same, still running.
  std::unique_ptr<child_process> start(std::vector<std::string> arguments, const std::string& input = {}) const;
  /// A configuration file with this text; its path.
  std::string write(const std::string& text) const { return folder_.write("directory.toml", text).string(); }
  /// One for a directory at `uri`, bound as its administrator.
  std::string config(const std::string& uri, const config_for& with = {}) const;
  const temporary_folder& folder() const noexcept { return folder_; }

 private:
  temporary_folder folder_;
};

/// The program and a directory with ten users; `file` is a configuration for it.
struct directory_fixture : command_line {
  slapd directory;
  std::string file = config(directory.url());
};

/// What is typed once the program has asked that.
struct typed_line {
  std::string prompt;  ///< the end of what it has shown by then
  std::string line;    ///< without the newline
};
/// Runs the program in a terminal of its own, and types; what the terminal showed is its output.
program_result run_in_terminal(const temporary_folder& folder, const std::vector<std::string>& arguments,
                               const std::vector<typed_line>& typed);

/// Requires an exit code; shows what the program said when it is another.
void check_exit(const program_result& result, int code);

}  // namespace understudy::test
