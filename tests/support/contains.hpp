// Whether a text says something.
#pragma once
#include <string_view>

namespace understudy::test {

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace understudy::test
