// understudy search: entries as LDIF, byte for byte as `ldapsearch -LLL` prints them.
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/ldif.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <limits>
#include <map>

namespace understudy::cli {
namespace {

struct search_options {
  target where;
  std::optional<std::string> base;
  search_request what;
};

void print(const result& found) {
  std::string text;
  write_ldif(text, found);
  put(text);
}

int print_partial(const failure& f) {
  if (f.partial) print(*f.partial);
  const auto code = report(f);
  if (f.partial && !f.partial->entries.empty())
    complain("the result is not complete: " + std::to_string(f.partial->entries.size()) + " entries are shown");
  return code;
}

int search(interrupt_watch& interrupts, const search_options& options) {
  session directory(one_shot_settings(options.where, interrupts), options.where, interrupts);
  if (!directory.connect()) return exit_runtime;
  auto what = options.what;
  what.base = directory.base_or_default(options.base);
  const auto found = directory.perform(make_request(std::move(what)));
  if (!found) return print_partial(*found.error());
  print(*found);
  return exit_ok;
}

}  // namespace

void declare_search(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("search", "Search; print the entries as LDIF");
  auto options = std::make_shared<search_options>();
  options->where.declare(*sub);
  static const std::map<std::string, search_scope> scopes{{"base", search_scope::base},
                                                          {"one", search_scope::one},
                                                          {"sub", search_scope::subtree},
                                                          {"children", search_scope::children}};
  sub->add_option("-b,--base", options->base, "Where to search; default: the directory's own naming context")
      ->type_name("DN");
  sub->add_option("-s,--scope", options->what.scope, "How deep: base, one, sub (default) or children")
      ->transform(CLI::CheckedTransformer(scopes).description(""))
      ->type_name("SCOPE");
  sub->add_option("-z,--size-limit", options->what.size_limit, "Entries at most; default: no limit")
      ->check(CLI::Range(0, std::numeric_limits<std::int32_t>::max()).description(""))
      ->type_name("LIMIT");
  sub->add_option("FILTER", options->what.filter, "A search filter (RFC 4515)")->required();
  sub->add_option("ATTR", options->what.attributes, "Attributes to print; default: all user attributes");
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return search(interrupts, *options); }; });
}

}  // namespace understudy::cli
