// The page and the sample file that describe all settings, made from the table of options.
#pragma once
#include <string>

namespace understudy::internal {

/// docs/configuration.md.
std::string options_markdown();
/// docs/understudy.sample.toml: every key, those that are not needed commented out with their defaults.
std::string sample_toml();

}  // namespace understudy::internal
