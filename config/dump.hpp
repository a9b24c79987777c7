// Settings as text and JSON, key by key from the table of options; secrets masked.
#pragma once
#include "understudy/config/options.hpp"

#include <nlohmann/json_fwd.hpp>

namespace understudy::internal::config {

/// The keys of one server that are worth writing: with a `uri`, not what it says already; without `pool_numbers`, not
/// those that [pool] has.
std::vector<const option*> server_keys(const connection_info& info, bool pool_numbers);

/// "key = value" lines.
std::string server_toml(const connection_info& info, bool pool_numbers);
/// An object; null for what is not set.
nlohmann::json server_json(const connection_info& info, bool pool_numbers);

}  // namespace understudy::internal::config
