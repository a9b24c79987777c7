// LDIF change records (RFC 2849) as operations, for `modify`.
#pragma once
#include "understudy/messages/request.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace understudy::cli {

/// One change to a directory and the line of the input that it starts at.
struct ldif_change {
  std::size_t line = 0;
  any_operation op;
  std::vector<control> controls;
  /// The entry it is about.
  std::string dn;
};

/// The change records in `text`: add, delete, modify (add, delete, replace, increment), modrdn and moddn, with
/// controls, base64, file:// values, folded lines, comments, with or without a version line. `content_is_add`: records
/// without a changetype are entries to add. Throws ldif_error at the first line that is wrong.
std::vector<ldif_change> read_ldif_changes(std::string_view text, bool content_is_add = false);

}  // namespace understudy::cli
