// A failure in the words of somebody who typed a command.
#pragma once
#include "understudy/messages/error.hpp"

#include <string>

namespace understudy::cli {

/// What the command line said, for advice that speaks of it.
struct given_options {
  bool by_options = false;      ///< -H and what goes with it, in place of a file
  std::string bind_dn;          ///< as whom the command binds; empty: anonymously
  std::string password_source;  ///< "the content of \"FILE\" (-y)"; empty: none
  bool by_node = false;         ///< --node: somebody else asks the directory
};

/// One line: the failure's name (of an LDAP error: its result code's name and number), what happened, to what and
/// where. What the library advises to programs is said in terms of options and commands; what counts for services alone
/// (pools, retries, leases) is left out.
std::string what_happened(const failure& f, const given_options& given = {});

/// The same, and what to do about it.
std::string explain(const failure& f, const given_options& given = {});

}  // namespace understudy::cli
