// understudy authenticate: checks a user's password, and says which groups the user is in.
#include "understudy/messages/printable.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/group_list.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/user_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

struct authenticate_options : user_options {
  bool groups = false;
};

nlohmann::json to_json(const login_result& login) {
  auto tree = cli::to_json(static_cast<const user_answer&>(login));
  if (!login.dn.empty()) tree["dn"] = login.dn;
  if (!login.server.empty()) tree["server"] = login.server;
  if (login.password.expires_in) tree["expires_in"] = login.password.expires_in->count();
  if (login.password.grace_logins) tree["grace_logins"] = *login.password.grace_logins;
  return tree;
}

int refuse_empty(bool json) {
  login_result login;
  login.outcome = login_outcome::bad_credentials;
  login.detail = "an empty password proves nothing";
  if (json) put_json(to_json(login));
  return report_refusal(login, {}, {});
}

void tell(const login_result& login) {
  const auto remark = describe(login.password);
  complain("accepted: " + shortened(login.dn) + (remark.empty() ? "" : "; " + remark));
}

int authenticate(interrupt_watch& interrupts, const authenticate_options& options) {
  command_time time{options.where.timeout};
  const auto all = one_shot_settings(options.where, time, interrupts);
  auto how = logins_for(options, all);
  const auto password =
      time.waiting_for_input([&] { return read_password("Password for " + options.user + ": ", interrupts); });
  if (password.size() == 0) return refuse_empty(options.json);
  session directory(all, options.where, time, interrupts);
  if (!directory.connect()) return report_unconnected(directory, options);
  const authenticator users{directory.manager(), with_base(std::move(how), options, directory)};
  const auto login = ask_about_user(directory, interrupts, [&](const login_options& limits) {
    return users.authenticate(options.user, password, limits);
  });
  directory.check_interrupt();
  auto tree = to_json(login);
  int code = exit_ok;
  if (login)
    tell(login);
  else
    code = report_refusal(login, login.password, directory.given());
  if (login && options.groups) {
    const auto found = ask_about_user(
        directory, interrupts, [&](const login_options& limits) { return users.groups(options.user, {}, limits); });
    directory.check_interrupt();
    tree["groups"] = cli::to_json(found);
    code = tell_groups(found, directory.given(), !options.json);
  }
  if (options.json) put_json(tree);
  return code;
}

}  // namespace

void declare_authenticate(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand(
      "authenticate", "Check a user's password (from standard input or the terminal): accepted is exit 0, refused 1");
  auto options = std::make_shared<authenticate_options>();
  options->declare(*sub);
  sub->add_flag("--groups", options->groups, "Print the user's groups too");
  sub->callback([options, &chosen] {
    chosen = [options](interrupt_watch& interrupts) {
      return with_outcome(*options, [&] { return authenticate(interrupts, *options); });
    };
  });
}

}  // namespace understudy::cli
