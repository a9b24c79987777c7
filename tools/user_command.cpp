// Options and words of the commands about users.
#include "understudy/tools/user_command.hpp"

#include "understudy/actors/authenticator/login_verdict.hpp"
#include "understudy/messages/filter.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

namespace understudy::cli {

namespace {

std::string refusal_of(const user_answer& why, const given_options& given) {
  if (why.failed) return explain(*why.failed, given);
  return why.detail;
}

}  // namespace

void user_options::declare(CLI::App& sub) {
  where.declare(sub);
  sub.add_option("-b,--base", base, "Where to look; default: authenticator.base, or the directory's own naming context")
      ->type_name("DN");
  sub.add_option("--attribute", attribute,
                 "The attribute that holds the user's name; default: as authenticator.filter says, or uid")
      ->type_name("ATTR");
  sub.add_flag("--json", json, "Print JSON");
  sub.add_option("USER", user, "The user's name")->required();
}

authenticator_settings logins_for(const user_options& options, const settings& all) {
  auto how = all.authenticator;
  if (options.base) how.base = *options.base;
  try {
    if (options.attribute) {
      (void)filter::present(*options.attribute);
      how.filter = "(" + *options.attribute + "={user})";
    }
  } catch (const std::invalid_argument& e) {
    throw usage_error(e.what());
  }
  // Who says where, or by what, wants a search.
  if (options.base || options.attribute) how.dn_templates.clear();
  return how;
}

authenticator_settings with_base(authenticator_settings how, const user_options& options, session& directory) {
  if (how.base.empty() && how.dn_templates.empty()) how.base = directory.base_or_default(options.base);
  return how;
}

int report_refusal(const user_answer& why, const password_policy& said, const given_options& given) {
  const auto remark = describe(said);
  const bool by_directory =
      why.outcome != login_outcome::unavailable && why.outcome != login_outcome::service_identity_rejected;
  const bool refused = why.failed && why.failed->code == errc::authentication_failed;
  if (!by_directory && !refused && why.failed) return report(*why.failed, given);
  if (!by_directory && !refused) {
    complain(why.detail);
    return exit_runtime;
  }
  auto text = refusal_of(why, given);
  if (!remark.empty()) text += (text.empty() ? "" : "; ") + remark;
  complain("refused: " + (text.empty() ? std::string{to_string(why.outcome)} : text));
  return exit_negative;
}

user_answer answer_without_directory(const failure& why) {
  user_answer answer;
  internal::describe_failure(make_failure(why), answer);
  return answer;
}

int report_unconnected(const session& directory, const user_options& options) {
  if (options.json) put_json(to_json(answer_without_directory(*directory.why_not_connected())));
  return exit_runtime;
}

void put_json(const nlohmann::json& tree) {
  put(tree.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n");
}

nlohmann::json to_json(const user_answer& answer) {
  nlohmann::json tree;
  tree["outcome"] = to_string(answer.outcome);
  if (!answer.detail.empty()) tree["detail"] = answer.detail;
  if (answer.outcome == login_outcome::unavailable) tree["retryable"] = answer.retryable;
  tree["retry_after_ms"] = answer.retry_after ? nlohmann::json(answer.retry_after->count()) : nlohmann::json(nullptr);
  if (answer.referrals_met > 0) tree["referrals_met"] = answer.referrals_met;
  if (!answer.referrals.empty()) tree["referrals"] = answer.referrals;
  return tree;
}

}  // namespace understudy::cli
