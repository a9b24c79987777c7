// ASCII letters, percent-encoding, sentences.
#include "understudy/messages/text.hpp"

#include <algorithm>
#include <charconv>

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
    if (text.size() < 3) return std::nullopt;
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + 3, byte, 16);
    if (error != std::errc{} || end != text.data() + 3) return std::nullopt;
    result += static_cast<char>(byte);
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

std::string host_and_port(std::string_view host, std::uint16_t port) {
  if (port == 0) return std::string{host};
  const bool brackets = host.find(':') != std::string_view::npos;
  return (brackets ? '[' + std::string{host} + ']' : std::string{host}) + ':' + std::to_string(port);
}

}  // namespace understudy::internal
