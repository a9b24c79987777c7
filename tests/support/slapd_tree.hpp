// What a throwaway slapd is told: its configuration file and its tree.
#pragma once
#include "support/slapd.hpp"

namespace understudy::test {

/// The tree as LDIF.
std::string slapd_tree(const slapd_options& with);
/// slapd.conf for a server that keeps everything in `folder`.
std::string slapd_config(const slapd_options& with, const std::filesystem::path& folder);

}  // namespace understudy::test
