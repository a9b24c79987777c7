// The page and the sample file that describe all settings, made from the table of options.
#pragma once
#include "understudy/config/options.hpp"

#include <string>

namespace understudy::internal {

/// docs/configuration.md.
std::string options_markdown();
/// docs/understudy.sample.toml: every key, those that are not needed commented out with their defaults.
std::string sample_toml();
/// What a package puts into /etc: every key commented out with its default, or an example.
std::string conffile_toml();

/// An option in words; `code` stands between `.
struct option_words {
  std::string type;           ///< "integer"
  std::string default_value;  ///< "`5`", "not set"
  std::string range;          ///< with its unit: "0 to 100 %"; empty: any
};
option_words describe_option(const config::option& row);

}  // namespace understudy::internal
