// The groups of a user as people and programs read them.
#pragma once
#include "understudy/messages/login.hpp"
#include "understudy/tools/explain.hpp"

#include <nlohmann/json_fwd.hpp>

namespace understudy::cli {

/// {"outcome", "dn", "groups": [{"dn", "name"}], "complete"}, and why there are none.
nlohmann::json to_json(const group_result& found);
/// Prints each group's DN, a line each, unless `print` is false; says on standard error why there are none, or that
/// some are missing. Returns the exit code.
int tell_groups(const group_result& found, const given_options& given, bool print);

}  // namespace understudy::cli
