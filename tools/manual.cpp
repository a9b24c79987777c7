// Pages for man: see manual.hpp.
#include "understudy/tools/manual.hpp"

#include "understudy/config/documentation.hpp"
#include "understudy/config/options.hpp"
#include "understudy/messages/text.hpp"

namespace understudy::cli {

using namespace internal;
namespace {

/// Text as it is to appear: nothing in it is a request, and what stands between ` is bold.
std::string escaped(std::string_view text) {
  std::string out;
  bool bold = false;
  for (const char c : text)
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '`')
      out += (bold = !bold) ? "\\fB" : "\\fR";
    else if (c == '\n')
      out += ' ';
    else
      out += c;
  // A line that begins with one of these would be a request.
  return !out.empty() && (out[0] == '.' || out[0] == '\'') ? "\\&" + out : out;
}

std::string bold(std::string_view text) { return "\\fB" + escaped(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + escaped(text) + "\\fR"; }

std::string upper(std::string text) {
  for (auto& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return text;
}

std::string head(const program_description& program, const std::string& page, const char* section, const char* book) {
  return ".\\\" Made from the program's own tables; do not edit.\n.TH \"" + upper(page) + "\" \"" + section +
         "\" \"\" \"" + program.name + " " + program.version + "\" \"" + book + "\"\n.SH NAME\n";
}

/// Choices are what one types, placeholders stand for it.
std::string value_of(const option_description& option) {
  return option.choices.empty() ? italic(option.placeholder)
                                : joined(option.choices, "|", [](const auto& choice) { return bold(choice); });
}

std::string tag_of(const option_description& option) {
  auto tag = joined(option.names, ", ", [](const auto& name) { return bold(name); });
  if (option.takes_value()) tag += (tag.empty() ? "" : " ") + value_of(option);
  return tag + (option.repeatable ? " ..." : "");
}

std::string paragraphs_of(const std::vector<option_description>& options) {
  std::string text;
  for (const auto& option : options)
    text += ".TP\n" + tag_of(option) + "\n" + escaped(option.meaning) + (option.required ? " (required).\n" : ".\n");
  return text;
}

std::string synopsis_of(const program_description& program, const command_description& command) {
  std::string text =
      ".SH SYNOPSIS\n" + bold(program.name) + " " + bold(command.name) + " [" + italic("OPTION") + " ...]";
  for (const auto& option : command.options)
    if (option.required) text += " " + bold(option.names.back()) + " " + value_of(option);
  for (const auto& argument : command.arguments) {
    const auto shown = value_of(argument) + (argument.repeatable ? " ..." : "");
    text += argument.required ? " " + shown : " [" + shown + "]";
  }
  return text + "\n";
}

std::string page_of(const program_description& program, const command_description& command) {
  return program.name + "-" + command.name;
}

std::string reference(const std::string& page, const char* section) { return bold(page) + "(" + section + ")"; }

std::string see_also(const std::vector<std::string>& pages) { return ".SH SEE ALSO\n" + joined(pages, ",\n") + "\n"; }

/// "Exit codes: 0 done; …" without its first words, which are the heading.
std::string exit_status_of(const program_description& program) {
  const std::string words = "Exit codes: ";
  const auto at = program.footer.find(words);
  return ".SH EXIT STATUS\n" +
         escaped(at == std::string::npos ? program.footer : program.footer.substr(at + words.size())) + "\n";
}

}  // namespace

std::string manual_of(const program_description& program) {
  auto text = head(program, program.name, "1", "User Commands") + program.name + " \\- keeps LDAP connections alive\n" +
              ".SH SYNOPSIS\n" + bold(program.name) + " " + italic("COMMAND") + " [" + italic("OPTION") + " ...] [" +
              italic("ARGUMENT") + " ...]\n.SH DESCRIPTION\n" + escaped(program.meaning) +
              "\nEach command has a page of its own, and its " + bold("--help") + " says the same.\n.SH COMMANDS\n";
  for (const auto& command : program.commands)
    text += ".TP\n" + reference(page_of(program, command), "1") + "\n" + escaped(command.meaning) + ".\n";
  text += ".SH OPTIONS\n" + paragraphs_of(program.options) + exit_status_of(program);
  text += ".SH FILES\n.TP\n" + italic("/etc/understudy/understudy.toml") + "\nWhat the service of systemd reads; see " +
          reference(program.name + ".toml", "5") + ".\n";
  return text + see_also({reference(program.name + ".toml", "5"), reference("systemctl", "1")}) +
         ".PP\nThe documents in\n" + italic("/usr/share/doc/understudy") + ".\n";
}

std::string manual_of(const program_description& program, const command_description& command) {
  return head(program, page_of(program, command), "1", "User Commands") + page_of(program, command) + " \\- " +
         escaped(command.meaning) + "\n" + synopsis_of(program, command) + ".SH DESCRIPTION\n" +
         escaped(command.meaning) + ".\n" +
         (command.arguments.empty() ? "" : ".SH ARGUMENTS\n" + paragraphs_of(command.arguments)) + ".SH OPTIONS\n" +
         paragraphs_of(command.options) + exit_status_of(program) +
         see_also({reference(program.name, "1"), reference(program.name + ".toml", "5")});
}

std::string manual_of_configuration(const program_description& program) {
  auto text = head(program, program.name + ".toml", "5", "File Formats") + program.name +
              ".toml \\- configuration of " + program.name + "\n.SH DESCRIPTION\n" +
              "A file in TOML, or JSON with the same tree when its name ends in " + bold(".json") + ".\n" +
              bold("understudy check FILE") + " says all that is wrong with one.\n.PP\n" +
              escaped(
                  "Spans of time are seconds, or strings like \"250ms\", \"5s\", \"2m\". "
                  "In any string \"${VAR}\" and \"${VAR:-default}\" take variables of the environment. "
                  "A server's own value counts first, then that of the key's section, that in [ldap], the default. "
                  "A reload (SIGHUP) applies what is not marked with \"needs a restart\".") +
              "\n";
  for (const auto& section : config::option_sections()) {
    text += ".SH \"" + escaped(config::shown(section)) + "\"\n" + escaped(section.meaning) + "\n";
    for (const auto& row : config::options()) {
      if (row.section != section.name) continue;
      const auto about = describe_option(row);
      text += ".TP\n" + bold(row.key) + " (" + escaped(about.type) + "; default " + escaped(about.default_value) +
              (about.range.empty() ? "" : "; " + escaped(about.range)) + (row.reloadable ? "" : "; needs a restart") +
              ")\n" + escaped(row.meaning) + "\n";
    }
  }
  return text + see_also({reference(program.name, "1"), reference(page_of(program, {"check", {}, {}, {}}), "1"),
                          reference(page_of(program, {"serve", {}, {}, {}}), "1")});
}

}  // namespace understudy::cli
