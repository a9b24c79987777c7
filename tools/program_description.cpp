// Reads what CLI11 was told.
#include "understudy/tools/program_description.hpp"

#include "understudy/tools/commands.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>

namespace understudy::cli {

namespace {

// As in "base|one|sub".
std::vector<std::string> choices_in(const std::string& placeholder) {
  std::vector<std::string> choices;
  if (placeholder.find('|') == std::string::npos) return choices;
  std::size_t begin = 0;
  for (auto end = placeholder.find('|'); end != std::string::npos; end = placeholder.find('|', begin)) {
    choices.push_back(placeholder.substr(begin, end - begin));
    begin = end + 1;
  }
  choices.push_back(placeholder.substr(begin));
  return choices;
}

option_description description_of(const CLI::Option& option) {
  option_description made;
  for (const auto& name : option.get_snames()) made.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) made.names.push_back("--" + name);
  if (made.names.empty())
    made.placeholder = option.get_name(true);
  else if (option.get_expected_max() > 0)
    made.placeholder = option.get_type_name();
  made.choices = choices_in(made.placeholder);
  made.meaning = option.get_description();
  made.required = option.get_required();
  made.repeatable = made.takes_value() && (option.get_items_expected_max() > 1 ||
                                           option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll);
  return made;
}

void describe(const CLI::App& app, std::vector<option_description>& options,
              std::vector<option_description>& arguments) {
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    auto made = description_of(*option);
    (made.names.empty() ? arguments : options).push_back(std::move(made));
  }
}

}  // namespace

program_description describe_program() {
  CLI::App app;
  command chosen;
  declare_commands(app, chosen);
  program_description made;
  made.name = "understudy";
  const auto version = app.version();
  made.version = version.substr(version.rfind(' ') + 1);
  made.meaning = app.get_description();
  made.footer = app.get_footer();
  std::vector<option_description> none;
  describe(app, made.options, none);
  for (const auto* each : app.get_subcommands({})) {
    if (each->get_group().empty()) continue;
    auto& described = made.commands.emplace_back();
    described.name = each->get_name();
    described.meaning = each->get_description();
    describe(*each, described.options, described.arguments);
  }
  return made;
}

}  // namespace understudy::cli
