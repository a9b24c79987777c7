// understudy compare: does an entry have this value?
#include "understudy/tools/base64.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {
namespace {

struct compare_options {
  target where;
  std::string dn;
  std::string assertion;
  std::optional<std::string> value;
};

// ATTR and VALUE apart, or as ldapcompare takes them: ATTR:VALUE, ATTR::BASE64.
compare_request request_of(const compare_options& options) {
  if (options.value) return {options.dn, options.assertion, *options.value};
  const auto colon = options.assertion.find(':');
  if (colon == std::string::npos) throw usage_error("compare needs a value: DN ATTR VALUE, or DN ATTR:VALUE");
  auto value = options.assertion.substr(colon + 1);
  if (!value.empty() && value.front() == ':') {
    auto bytes = base64_decode(std::string_view{value}.substr(1));
    if (!bytes) throw usage_error("the value after \"::\" is no base64");
    value = std::move(*bytes);
  }
  return {options.dn, options.assertion.substr(0, colon), std::move(value)};
}

int compare(interrupt_watch& interrupts, const compare_options& options) {
  command_time time{options.where.timeout};
  auto what = request_of(options);
  require_sendable({what, {}});
  session directory(one_shot_settings(options.where, time, interrupts), options.where, time, interrupts);
  if (!directory.connect()) return exit_runtime;
  const auto answer = directory.perform(make_request(std::move(what)));
  if (!answer) return report(*answer.error(), directory.given());
  put(answer->compare_matched() ? "TRUE\n" : "FALSE\n");
  return answer->compare_matched() ? exit_ok : exit_negative;
}

}  // namespace

void declare_compare(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand("compare", "Ask whether an entry has a value; prints TRUE (exit 0) or FALSE (1)");
  auto options = std::make_shared<compare_options>();
  options->where.declare(*sub);
  sub->add_option("DN", options->dn, "The entry")->required();
  sub->add_option("ATTR", options->assertion, "The attribute, or ATTR:VALUE, or ATTR::BASE64")->required();
  sub->add_option("VALUE", options->value, "The value");
  sub->callback([options, &chosen] {
    chosen = [options](interrupt_watch& interrupts) { return compare(interrupts, *options); };
  });
}

}  // namespace understudy::cli
