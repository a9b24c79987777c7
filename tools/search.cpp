// understudy search: entries as LDIF, byte for byte as `ldapsearch -LLL` prints them.
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/ldif_writer.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <limits>

namespace understudy::cli {
namespace {

struct search_options {
  target where;
  std::optional<std::string> base;
  search_request what;
  std::int32_t page_size = 500;
};

void print(const result& found) {
  std::string text;
  write_ldif(text, found);
  put(text);
}

int print_failure(const session& directory, const failure& f, std::size_t shown) {
  if (f.partial) {
    print(*f.partial);
    shown += f.partial->entries.size();
  }
  const auto code = report(f, directory.given());
  if (shown > 0) complain("the result is not complete: " + std::to_string(shown) + " entries are shown");
  return code;
}

int search_at_once(session& directory, search_request query) {
  const auto found = directory.perform(make_request(std::move(query)));
  if (!found) return print_failure(directory, *found.error(), 0);
  print(*found);
  return exit_ok;
}

// Servers that know paging and refuse it here (to these clients, for this search) answer so.
bool refuses_paging(const failure& f) {
  return f.code == errc::ldap_error && (f.ldap_code == result_code::unavailable_critical_extension ||
                                        f.ldap_code == result_code::unwilling_to_perform);
}

// Page after page, each printed as it comes. What a directory gives at once is limited, what it gives in pages mostly
// is not, and neither is our memory's share of it.
int search_in_pages(session& directory, const search_request& query, std::int32_t page_size) {
  const auto stopping = directory.stop_on_interrupt();
  paged_options options;
  options.page_size = page_size;
  options.critical = false;
  options.timeout = directory.left();
  auto pages = directory.manager().paged(query, options);
  std::size_t shown = 0;
  while (auto entries = pages.try_next_page(directory.left())) {
    result page = pages.last();
    page.entries = std::move(*entries);
    shown += page.entries.size();
    print(page);
  }
  directory.check_interrupt();
  const auto why = pages.error();
  if (!why) return exit_ok;
  if (shown == 0 && refuses_paging(*why)) return search_at_once(directory, query);
  return print_failure(directory, *why, shown);
}

int search(interrupt_watch& interrupts, const search_options& options) {
  command_time time{options.where.timeout};
  auto what = options.what;
  what.base = options.base.value_or("");
  require_sendable({what, {}});
  session directory(one_shot_settings(options.where, time, interrupts), options.where, time, interrupts);
  if (!directory.connect()) return exit_runtime;
  what.base = directory.base_or_default(options.base);
  // A limit of the user's own is the server's to keep, and one entry needs no pages.
  const bool at_once = options.page_size == 0 || what.size_limit > 0 || what.scope == search_scope::base;
  return at_once ? search_at_once(directory, std::move(what)) : search_in_pages(directory, what, options.page_size);
}

}  // namespace

void declare_search(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("search", "Search; print the entries as LDIF");
  auto options = std::make_shared<search_options>();
  options->where.declare(*sub);
  static const std::vector<std::pair<std::string, search_scope>> scopes{{"base", search_scope::base},
                                                                        {"one", search_scope::one},
                                                                        {"sub", search_scope::subtree},
                                                                        {"children", search_scope::children}};
  sub->add_option("-b,--base", options->base, "Where to search; default: the directory's own naming context")
      ->type_name("DN");
  sub->add_option_function<std::string>(
         "-s,--scope",
         [options](const std::string& text) { options->what.scope = choice_argument("--scope", scopes, text); },
         "How deep: base, one, sub (default) or children")
      ->type_name(choices_of(scopes));
  sub->add_option("-z,--size-limit", options->what.size_limit, "Entries at most; default: no limit")
      ->check(CLI::Range(0, std::numeric_limits<std::int32_t>::max()).description(""))
      ->type_name("LIMIT");
  sub->add_option("--page-size", options->page_size,
                  "Entries asked for at a time (RFC 2696); default: 500; 0: all at once, as with -z and -s base")
      ->check(CLI::Range(0, std::numeric_limits<std::int32_t>::max()).description(""))
      ->type_name("SIZE");
  sub->add_option("FILTER", options->what.filter, "A search filter (RFC 4515)")->required();
  sub->add_option("ATTR", options->what.attributes, "Attributes to print; default: all user attributes");
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return search(interrupts, *options); }; });
}

}  // namespace understudy::cli
