// Writes manual pages, completions and the package's configuration file into a folder, when the program is built.
#include "understudy/config/documentation.hpp"
#include "understudy/tools/completion.hpp"
#include "understudy/tools/manual.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

using namespace understudy;

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument("usage: write_documents FOLDER");
  const std::filesystem::path folder{argv[1]};
  // Nothing stays of a command that there is no more.
  std::filesystem::remove_all(folder);
  const auto program = cli::describe_program();
  write(folder / "man/man1" / (program.name + ".1"), cli::manual_of(program));
  for (const auto& command : program.commands)
    write(folder / "man/man1" / (program.name + "-" + command.name + ".1"), cli::manual_of(program, command));
  write(folder / "man/man5" / (program.name + ".toml.5"), cli::manual_of_configuration(program));
  write(folder / "bash-completion/completions" / program.name, cli::bash_completion(program));
  write(folder / "zsh/vendor-completions" / ("_" + program.name), cli::zsh_completion(program));
  write(folder / "etc" / (program.name + ".toml"), internal::conffile_toml());
} catch (const std::exception& e) {
  std::cerr << "write_documents: " << e.what() << "\n";
  return 1;
}
