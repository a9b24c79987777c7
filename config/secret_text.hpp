// From what a file or program gave to a secret.
#pragma once
#include "understudy/config/secret_source.hpp"

namespace understudy::config {

/// The longest password that is read, with its newline.
inline constexpr std::size_t max_secret_bytes = 64 * 1024;

/// `text` without one newline at its end; empty text is a problem of `source`.
secret_reading secret_from(std::string&& text, const std::string& source);

}  // namespace understudy::config
