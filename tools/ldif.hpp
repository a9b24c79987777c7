// LDIF (RFC 2849): writes entries exactly as `ldapsearch -LLL` prints them, reads change records for `modify`.
#pragma once
#include "understudy/messages/result.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::cli {

/// Appends one entry and the empty line after it: lines folded after 78 columns, base64 for values that RFC 2849 calls
/// unsafe and for userPassword, nothing for an attribute without values. Names that are none, or words of change
/// records
/// ("changetype"), are escaped: what a server sends is never a record of its own.
void write_ldif(std::string& out, const entry& entry);

/// Appends one continuation reference as comment lines ("# refldap://…"), and the empty line after them.
void write_ldif_reference(std::string& out, const std::vector<std::string>& urls);

/// Entries and references of a search in the order in which the directory sent them.
void write_ldif(std::string& out, const result& found);

/// One change to a directory and the line of the input that it starts at.
struct ldif_change {
  std::size_t line = 0;
  any_operation op;
  std::vector<control> controls;
  /// The entry it is about.
  std::string dn;
};

/// LDIF that cannot be read; what() is "line N: what is wrong".
class ldif_error : public std::runtime_error {
 public:
  ldif_error(std::size_t line, const std::string& problem);
  std::size_t line() const noexcept { return line_; }

 private:
  std::size_t line_;
};

/// The change records in `text`: add, delete, modify (add, delete, replace, increment), modrdn and moddn, with
/// controls, base64, file:// values, folded lines, comments, with or without a version line. `content_is_add`: records
/// without a changetype are entries to add. Throws ldif_error at the first line that is wrong.
std::vector<ldif_change> read_ldif_changes(std::string_view text, bool content_is_add = false);

}  // namespace understudy::cli
