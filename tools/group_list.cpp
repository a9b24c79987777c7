// Lists of groups: see group_list.hpp.
#include "understudy/tools/group_list.hpp"

#include "understudy/messages/printable.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/user_command.hpp"

#include <nlohmann/json.hpp>

namespace understudy::cli {

nlohmann::json to_json(const group_result& found) {
  auto tree = to_json(static_cast<const user_answer&>(found));
  if (!found) return tree;
  tree["dn"] = found.dn;
  tree["complete"] = found.complete;
  tree["groups"] = nlohmann::json::array();
  for (const auto& group : found.groups) tree["groups"].push_back({{"dn", group.dn}, {"name", group.name}});
  return tree;
}

int tell_groups(const group_result& found, const given_options& given, bool print) {
  if (!found) return report_refusal(found, {}, given);
  std::string lines;
  for (const auto& group : found.groups) lines += internal::printable(group.dn) + "\n";
  if (print) put(lines);
  if (!found.complete)
    complain(
        "there are more groups: authenticator.max_groups, authenticator.group_depth, or a limit of the directory's");
  return exit_ok;
}

}  // namespace understudy::cli
