// TOML text to a tree.
#pragma once
#include "understudy/config/tree.hpp"

namespace understudy::internal::config {

/// The tree of a TOML text; what is wrong goes to `problems`, then the tree is empty. `name` begins each place.
tree parse_toml(std::string_view text, const std::string& name, problem_list& problems);

}  // namespace understudy::internal::config
