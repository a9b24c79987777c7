// understudy passwd: changes a user's password.
#include "understudy/messages/printable.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/user_command.hpp"

#include <unistd.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

struct passwd_options : user_options {
  bool reset = false;
  password_method by = password_method::extended;
};

struct passwords {
  secret old_one, new_one;
};

passwords read_passwords(const passwd_options& options, interrupt_watch& interrupts) {
  passwords read;
  if (!options.reset) read.old_one = read_password("Old password of " + options.user + ": ", interrupts);
  read.new_one = read_password("New password of " + options.user + ": ", interrupts);
  // Nobody sees what is typed.
  if (::isatty(STDIN_FILENO) != 0 && read_password("New password again: ", interrupts) != read.new_one)
    throw input_error("the new password was not typed twice alike; nothing was changed");
  return read;
}

int passwd(interrupt_watch& interrupts, const passwd_options& options) {
  command_time time{options.where.timeout};
  const auto all = one_shot_settings(options.where, time, interrupts);
  auto how = logins_for(options, all);
  const auto given = time.waiting_for_input([&] { return read_passwords(options, interrupts); });
  session directory(all, options.where, time, interrupts);
  if (!directory.connect()) return report_unconnected(directory, options);
  const authenticator users{directory.manager(), with_base(std::move(how), options, directory)};
  const auto change = ask_about_user(directory, interrupts, [&](const login_options& limits) {
    return users.change_password(options.user, given.old_one, given.new_one, options.by, limits);
  });
  directory.check_interrupt();
  if (options.json) {
    auto tree = to_json(static_cast<const user_answer&>(change));
    if (!change.dn.empty()) tree["dn"] = change.dn;
    put_json(tree);
  }
  if (!change) return report_refusal(change, change.policy, directory.given());
  complain("changed: " + shortened(change.dn));
  return exit_ok;
}

}  // namespace

void declare_passwd(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand(
      "passwd", "Change a user's password: the old and the new one are two lines of standard input, or asked for");
  auto options = std::make_shared<passwd_options>();
  options->declare(*sub);
  sub->add_flag("--reset", options->reset, "As the service, without the old password: only the new one is read");
  sub->add_flag_callback(
      "--active-directory", [options] { options->by = password_method::unicode_pwd; },
      "As Active Directory wants it, over TLS alone; default: the extended operation of RFC 3062");
  sub->add_flag_callback(
      "--user-password", [options] { options->by = password_method::user_password; },
      "By a modify of userPassword, after a bind with the old one: for directories without that operation");
  sub->callback([options, &chosen] {
    chosen = [options](interrupt_watch& interrupts) {
      return with_outcome(*options, [&] { return passwd(interrupts, *options); });
    };
  });
}

}  // namespace understudy::cli
