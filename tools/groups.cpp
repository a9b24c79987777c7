// understudy groups: the groups that a user is in.
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/group_list.hpp"
#include "understudy/tools/user_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

namespace understudy::cli {

namespace {

struct groups_options : user_options {
  std::optional<group_strategy> by;
  std::optional<std::string> group_base;
};

const std::vector<std::pair<std::string, group_strategy>> strategies{
    {"auto", group_strategy::automatic},    {"member_of", group_strategy::member_of},
    {"member", group_strategy::member},     {"member_uid", group_strategy::member_uid},
    {"in_chain", group_strategy::in_chain}, {"nested", group_strategy::nested}};

int groups(interrupt_watch& interrupts, const groups_options& options) {
  command_time time{options.where.timeout};
  const auto all = one_shot_settings(options.where, time, interrupts);
  auto how = logins_for(options, all);
  if (options.group_base) how.group_base = *options.group_base;
  session directory(all, options.where, time, interrupts);
  if (!directory.connect()) return report_unconnected(directory, options);
  const authenticator users{directory.manager(), with_base(std::move(how), options, directory)};
  const auto found = ask_about_user(directory, interrupts, [&](const login_options& limits) {
    return users.groups(options.user, options.by, limits);
  });
  directory.check_interrupt();
  if (options.json) put_json(to_json(found));
  return tell_groups(found, directory.given(), !options.json);
}

}  // namespace

void declare_groups(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("groups", "Print the DNs of the groups that a user is in");
  auto options = std::make_shared<groups_options>();
  options->declare(*sub);
  sub->add_option("--group-base", options->group_base, "Where groups are; default: authenticator.group_base, or -b")
      ->type_name("DN");
  sub->add_option_function<std::string>(
         "--by", [options](const std::string& text) { options->by = choice_argument("--by", strategies, text); },
         "How they are found: auto, member_of, member, member_uid, in_chain, nested; default: authenticator.groups")
      ->type_name(choices_of(strategies));
  sub->callback([options, &chosen] {
    chosen = [options](interrupt_watch& interrupts) {
      return with_outcome(*options, [&] { return groups(interrupts, *options); });
    };
  });
}

}  // namespace understudy::cli
