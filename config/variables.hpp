// Environment variables in strings: ${VAR} and ${VAR:-default}.
#pragma once
#include "understudy/config/load.hpp"

#include <string>
#include <string_view>

namespace understudy::internal::config {

struct expansion {
  std::string text;
  bool substituted = false;  ///< a variable or its default stands in it
  std::string problem;       ///< empty when all went well; names variables, never their values
};

/// `text` with its variables replaced. "${VAR}" must be set; "${VAR:-default}" gives `default` when VAR is not set or
/// empty; "$${" is a plain "${". What comes out is not looked at again.
expansion expand(std::string_view text, const environment_lookup& env);

/// The reverse for plain text: such that expand() gives `text` again.
std::string escape_variables(std::string_view text);

}  // namespace understudy::internal::config
