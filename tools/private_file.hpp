// Files that a command makes: whole or not at all, and never in the place of another unless that was asked for.
#pragma once
#include "understudy/messages/secret.hpp"

#include <string>
#include <string_view>

namespace understudy::cli {

/// Who may read a new file.
enum class file_readers {
  owner,  ///< 0600
  all     ///< 0644, less what the process's umask takes away
};

/// Writes `content` to a new file at `path`: beside it at first, then by one link or rename, on disk when this returns.
/// Without `replace` a file that is there stays as it is, also one that came in between. What is wrong, for people;
/// empty: nothing.
std::string write_new_file(const std::string& path, std::string_view content, file_readers readers, bool replace);

/// True when something is at `path`, be it what it may.
bool exists(const std::string& path);

/// `path` from the root on.
std::string absolute(const std::string& path);

}  // namespace understudy::cli
