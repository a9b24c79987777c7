// Manual pages and completions are those of the command line; shells and man understand them.
#include "cli.hpp"
#include "support/installed_client.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/config/documentation.hpp"
#include "understudy/config/options.hpp"
#include "understudy/tools/completion.hpp"
#include "understudy/tools/manual.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <sstream>

using namespace understudy;
using namespace understudy::cli;
using namespace understudy::test;

namespace {

const command_description& command_named(const program_description& program, const std::string& name) {
  const auto found = std::find_if(program.commands.begin(), program.commands.end(),
                                  [&](const command_description& each) { return each.name == name; });
  BOOST_TEST_REQUIRE((found != program.commands.end()), name);
  return *found;
}

const option_description& option_named(const command_description& command, const std::string& name) {
  const auto found = std::find_if(command.options.begin(), command.options.end(), [&](const option_description& each) {
    return std::find(each.names.begin(), each.names.end(), name) != each.names.end();
  });
  BOOST_TEST_REQUIRE((found != command.options.end()), name);
  return *found;
}

/// Every page that is written.
std::vector<std::string> all_pages() {
  const auto program = describe_program();
  std::vector<std::string> pages{manual_of(program), manual_of_configuration(program)};
  for (const auto& command : program.commands) pages.push_back(manual_of(program, command));
  return pages;
}

/// What bash offers for the last of these words.
std::vector<std::string> bash_offers(const std::vector<std::string>& words, const std::filesystem::path& in = "/") {
  const temporary_folder folder;
  const auto script = folder.write("completion", bash_completion(describe_program())).string();
  child_process::options with;
  with.command = {"bash", "-c",
                  ". \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _understudy; "
                  "for each in \"${COMPREPLY[@]}\"; do echo \"$each\"; done",
                  "bash", script};
  with.command.insert(with.command.end(), words.begin(), words.end());
  with.working_folder = in;
  const auto said = run_program(std::move(with));
  BOOST_TEST(said.error_output == "");
  std::vector<std::string> offered;
  std::istringstream lines{said.output};
  for (std::string line; std::getline(lines, line);) offered.push_back(line);
  return offered;
}

const std::vector<std::string> nothing;

}  // namespace

BOOST_AUTO_TEST_CASE(the_command_line_is_described_as_it_is_parsed) {
  const auto program = describe_program();
  BOOST_TEST(program.name == "understudy");
  BOOST_TEST(program.version.find('.') != std::string::npos, program.version);
  const auto& search = command_named(program, "search");
  const auto& scope = option_named(search, "--scope");
  BOOST_TEST(scope.names == (std::vector<std::string>{"-s", "--scope"}), boost::test_tools::per_element());
  BOOST_TEST(scope.choices == (std::vector<std::string>{"base", "one", "sub", "children"}),
             boost::test_tools::per_element());
  BOOST_TEST(option_named(search, "--config").is_file());
  BOOST_TEST(option_named(search, "--node").repeatable);
  BOOST_TEST(!option_named(search, "--config").repeatable);
  BOOST_TEST(!option_named(search, "--starttls").takes_value());
  BOOST_TEST_REQUIRE(search.arguments.size() == 2U);
  BOOST_TEST(search.arguments[0].placeholder == "FILTER");
  BOOST_TEST(search.arguments[0].required);
  BOOST_TEST(!search.arguments[1].required);
  BOOST_TEST(search.arguments[1].repeatable);
  BOOST_TEST(option_named(command_named(program, "suspend"), "--node").required);
  // What is only there to be refused is in no help and no page.
  for (const auto& option : search.options)
    BOOST_TEST((std::find(option.names.begin(), option.names.end(), "-w") == option.names.end()));
  for (const auto& command : program.commands) {
    BOOST_TEST(!command.meaning.empty(), command.name);
    for (const auto& option : command.options) {
      BOOST_TEST(!option.meaning.empty(), command.name << option.names[0]);
      // "INT:INT in [0 - 5]" is for nobody.
      BOOST_TEST(option.placeholder.find(" in ") == std::string::npos, option.placeholder);
      for (const auto* type : {"TEXT", "INT", "UINT"}) BOOST_TEST(option.placeholder != type, option.names[0]);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_manual_names_every_command_option_and_key) {
  const auto program = describe_program();
  const auto main = manual_of(program);
  for (const auto& command : program.commands) {
    BOOST_TEST(main.find("\\fBunderstudy\\-" + command.name + "\\fR(1)") != std::string::npos, command.name);
    const auto page = manual_of(program, command);
    BOOST_TEST(page.find("\\fBunderstudy\\fR \\fB" + command.name + "\\fR") != std::string::npos, page);
    for (const auto& option : command.options)
      for (auto name : option.names) {
        for (auto at = name.find('-'); at != std::string::npos; at = name.find('-', at + 2)) name.insert(at, "\\");
        BOOST_TEST(page.find("\\fB" + name + "\\fR") != std::string::npos, name);
      }
    for (const auto& argument : command.arguments)
      BOOST_TEST(page.find("\\fI" + argument.placeholder + "\\fR") != std::string::npos, argument.placeholder);
  }
  const auto keys = manual_of_configuration(program);
  for (const auto& row : internal::config::options())
    BOOST_TEST(keys.find("\n.TP\n\\fB" + std::string{row.key} + "\\fR (") != std::string::npos, row.key);
}

BOOST_AUTO_TEST_CASE(application_man_understands_every_page) {
  if (!is_installed("mandoc", {"sh", "-c", "command -v mandoc"})) return;
  for (const auto& page : all_pages()) {
    child_process::options with;
    // Without a date, on purpose: two builds of the same sources make the same page.
    with.command = {"mandoc", "-T", "lint", "-W", "warning"};
    with.input = page;
    const auto said = run_program(std::move(with));
    std::istringstream lines{said.output + said.error_output};
    for (std::string line; std::getline(lines, line);)
      BOOST_TEST(line.find("missing date") != std::string::npos, line << "\n" << page);
  }
}

BOOST_AUTO_TEST_CASE(bash_completes_commands_options_choices_and_files) {
  const auto commands = bash_offers({"understudy", "se"});
  BOOST_TEST(commands == (std::vector<std::string>{"search", "serve"}), boost::test_tools::per_element());
  BOOST_TEST(bash_offers({"understudy", "--v"}) == (std::vector<std::string>{"--version"}),
             boost::test_tools::per_element());
  BOOST_TEST(bash_offers({"understudy", "search", "--sc"}) == (std::vector<std::string>{"--scope"}),
             boost::test_tools::per_element());
  BOOST_TEST(bash_offers({"understudy", "search", "--scope", "o"}) == (std::vector<std::string>{"one"}),
             boost::test_tools::per_element());
  BOOST_TEST(bash_offers({"understudy", "bench", "--sc"}) == nothing, boost::test_tools::per_element());
  const temporary_folder folder;
  static_cast<void>(folder.write("directory.toml", ""));
  for (const auto& words : std::vector<std::vector<std::string>>{{"understudy", "search", "-c", "dir"},
                                                                 {"understudy", "search", "--config", "dir"},
                                                                 {"understudy", "check", "dir"}})
    BOOST_TEST(bash_offers(words, folder.path()) == (std::vector<std::string>{"directory.toml"}),
               boost::test_tools::per_element());
  // A name or a filter is nothing that a shell could know.
  BOOST_TEST(bash_offers({"understudy", "search", "-b", ""}, folder.path()) == nothing,
             boost::test_tools::per_element());
  BOOST_TEST(bash_offers({"understudy", "search", "dir"}, folder.path()) == nothing, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(application_zsh_understands_its_completion) {
  if (!is_installed("zsh", {"zsh", "--version"})) return;
  const temporary_folder folder;
  const auto script = folder.write("_understudy", zsh_completion(describe_program())).string();
  const auto parsed = run_program(child_process::options{{"zsh", "-n", script}, {}, {}, {}});
  BOOST_TEST(parsed.status == 0, parsed.error_output);
  BOOST_TEST(parsed.error_output == "");
  // What it gives to _arguments, one a line.
  child_process::options with;
  with.command = {"zsh",
                  "-f",
                  "-c",
                  "_arguments() { print -rl -- \"$@\" }; _describe() {}; words=(understudy search ''); CURRENT=3; "
                  ". $1",
                  "zsh",
                  script};
  const auto given = run_program(std::move(with));
  BOOST_TEST(given.error_output == "");
  for (const auto* line :
       {"\n(-s --scope)-s+[How deep", "\n(-s --scope)--scope=[How deep", ":--scope:(base one sub children)\n",
        "\n(-c --config)--config=[The configuration (TOML, or JSON if it ends in .json)]:FILE:_files\n", "\n*--node=[",
        "]:HOST\\:PORT: \n", "\n:FILTER: \n", "\n*:ATTR: \n"})
    BOOST_TEST(given.output.find(line) != std::string::npos, line << "\nis not in\n" << given.output);
}

BOOST_AUTO_TEST_CASE(scripts_of_packages_are_shell_that_dash_understands) {
  const std::filesystem::path folder = std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "tools/packaging/debian";
  for (const auto* name : {"postinst", "prerm", "postrm"}) {
    const auto said = run_program(child_process::options{{"sh", "-n", (folder / name).string()}, {}, {}, {}});
    BOOST_TEST(said.status == 0, name << said.error_output);
    BOOST_TEST(((std::filesystem::status(folder / name).permissions() & std::filesystem::perms::owner_exec) !=
                std::filesystem::perms::none),
               name);
  }
}
