// The logical lines of an LDIF text: unfolded, without comments, split into name and value.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::cli {

/// LDIF that cannot be read; what() is "line N: what is wrong".
class ldif_error : public std::runtime_error {
 public:
  ldif_error(std::size_t line, const std::string& problem);
  std::size_t line() const noexcept { return line_; }

 private:
  std::size_t line_;
};

/// "name: value" with the value decoded, or "-" alone (then `name` is "-").
struct ldif_line {
  std::size_t number = 0;  ///< of its first physical line, from 1
  std::string name;
  std::string value;
};

/// The lines between two empty ones.
using ldif_record = std::vector<ldif_line>;

/// Every record of the text, its version line left out. Values of ":: " and ":< file://…" are decoded. Throws
/// ldif_error for a line that is none, undecodable base64, an unreadable file, a version other than 1.
std::vector<ldif_record> read_ldif_records(std::string_view text);

}  // namespace understudy::cli
