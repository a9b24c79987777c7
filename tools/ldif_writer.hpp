// Entries as LDIF (RFC 2849), exactly as `ldapsearch -LLL` prints them.
#pragma once
#include "understudy/messages/result.hpp"

#include <string>
#include <vector>

namespace understudy::cli {

/// Appends one entry and the empty line after it: lines folded after 78 columns, base64 for values that RFC 2849 calls
/// unsafe and for userPassword, nothing for an attribute without values. Names that are none, or words of change
/// records ("changetype"),
/// are escaped: what a server sends is never a record of its own.
void write_ldif(std::string& out, const entry& entry);

/// Appends one continuation reference as comment lines ("# refldap://…"), and the empty line after them.
void write_ldif_reference(std::string& out, const std::vector<std::string>& urls);

/// Entries and references of a search in the order in which the directory sent them.
void write_ldif(std::string& out, const result& found);

}  // namespace understudy::cli
