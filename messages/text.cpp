// ASCII letters, percent-encoding, sentences.
#include "understudy/messages/text.hpp"

#include "understudy/messages/hex.hpp"

#include <algorithm>

namespace understudy::internal {

std::string ascii_lower(std::string text) {
  for (char& c : text) c = ascii_lower(c);
  return text;
}

bool same_name(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    if (text.front() != '%') {
      result += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto byte = hex_byte(text.substr(1));
    if (!byte) return std::nullopt;
    result += *byte;
    text.remove_prefix(3);
  }
  return result;
}

void append_item(std::string& list, std::string_view separator, std::string_view item) {
  if (!list.empty()) list += separator;
  list += item;
}

std::string_view without_full_stop(std::string_view sentence) noexcept {
  return sentence.substr(0, sentence.size() - (!sentence.empty() && sentence.back() == '.' ? 1 : 0));
}

}  // namespace understudy::internal
