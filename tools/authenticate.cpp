// understudy authenticate: finds a user's entry and binds as it.
#include "understudy/messages/filter.hpp"
#include "understudy/messages/password_policy.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

struct authenticate_options {
  target where;
  std::optional<std::string> base;
  std::string attribute = "uid";
  std::string user;
};

search_request lookup(const authenticate_options& options) try {
  search_request what;
  what.filter = filter::equal(options.attribute, options.user);
  what.attributes = {"1.1"};
  what.size_limit = 2;
  return what;
} catch (const std::invalid_argument& e) {
  throw usage_error(e.what());
}

int refuse(const std::string& why) {
  complain("refused: " + why);
  return exit_negative;
}

// Two entries are enough to know that there is no one entry.
bool too_many(const outcome& found) {
  return found ? found->entries.size() > 1 : found.error()->ldap_code == result_code::size_limit_exceeded;
}

int bind_as(session& directory, const std::string& dn, const secret& password) {
  const auto answer = directory.perform(make_request(bind_request{dn, password}, {password_policy_request()}));
  const auto remark = describe(read_password_policy(answer ? answer->controls : answer.error()->controls));
  const auto with_remark = [&](const std::string& said) { return remark.empty() ? said : said + "; " + remark; };
  if (!answer && answer.error()->code == errc::authentication_failed)
    return refuse(with_remark(explain(*answer.error())));
  if (!answer) return report(*answer.error(), directory.given());
  complain(with_remark("accepted: " + shortened(dn)));
  return exit_ok;
}

int authenticate(interrupt_watch& interrupts, const authenticate_options& options) {
  command_time time{options.where.timeout};
  auto what = lookup(options);
  require_sendable({what, {}});
  const auto all = one_shot_settings(options.where, time, interrupts);
  const auto password =
      time.waiting_for_input([&] { return read_password("Password for " + options.user + ": ", interrupts); });
  if (password.size() == 0) return refuse("an empty password proves nothing");
  session directory(all, options.where, time, interrupts);
  if (!directory.connect()) return exit_runtime;
  what.base = directory.base_or_default(options.base);
  const auto condition = what.filter;
  const auto found = directory.perform(make_request(std::move(what)));
  if (too_many(found)) return refuse("more than one entry matches " + condition);
  if (!found) return report(*found.error(), directory.given());
  if (found->entries.empty()) return refuse("no entry matches " + condition);
  // It would be no login of anybody's (RFC 4513, 5.1).
  if (found->entries.front().dn.empty()) return refuse("the entry has no name to bind as");
  return bind_as(directory, found->entries.front().dn, password);
}

}  // namespace

void declare_authenticate(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand(
      "authenticate", "Check a user's password (from standard input or the terminal): accepted is exit 0, refused 1");
  auto options = std::make_shared<authenticate_options>();
  options->where.declare(*sub);
  sub->add_option("-b,--base", options->base, "Where to look; default: the directory's own naming context")
      ->type_name("DN");
  sub->add_option("--attribute", options->attribute, "The attribute that holds the user's name; default: uid")
      ->type_name("ATTR");
  sub->add_option("USER", options->user, "The user's name")->required();
  sub->callback([options, &chosen] {
    chosen = [options](interrupt_watch& interrupts) { return authenticate(interrupts, *options); };
  });
}

}  // namespace understudy::cli
