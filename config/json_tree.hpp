// JSON text and values to a tree.
#pragma once
#include "understudy/config/tree.hpp"

#include <nlohmann/json_fwd.hpp>

namespace understudy::internal::config {

/// The tree of a JSON text; what is wrong goes to `problems`, then the tree is empty. `name` begins each place.
tree parse_json(std::string_view text, const std::string& name, problem_list& problems);
/// The tree of a JSON value; places are JSON pointers (RFC 6901).
tree tree_of(const nlohmann::json& data, problem_list& problems);

}  // namespace understudy::internal::config
