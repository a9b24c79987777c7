// What is waited for at each stage of a request's way, in words.
#pragma once
#include "understudy/messages/error.hpp"

namespace understudy::internal {

/// "the connection", "the answer to the bind" …: to follow "timed out waiting for".
std::string_view awaited_at(stage where) noexcept;

}  // namespace understudy::internal
