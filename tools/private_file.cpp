// A file beside, then a link or a rename: see private_file.hpp.
#include "understudy/tools/private_file.hpp"

#include "understudy/config/files.hpp"
#include "understudy/runtime/platform/descriptor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace understudy::cli {

using namespace internal;
namespace {

bool write_whole(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(fd) == 0;
}

/// Removes the file beside when it is not wanted any more.
struct leftover {
  std::string path;
  ~leftover() { ::unlink(path.c_str()); }
};

}  // namespace

std::string write_new_file(const std::string& path, std::string_view content, file_readers readers, bool replace) {
  const auto wrong = [&](int code) { return config::errno_text(code); };
  const leftover beside{path + ".new-" + std::to_string(::getpid())};
  const mode_t mode = readers == file_readers::owner ? S_IRUSR | S_IWUSR : S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
  const int fd = ::open(beside.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return wrong(errno);
  const descriptor file{fd, "open"};
  if (!write_whole(fd, content)) return wrong(errno);
  if (replace) return ::rename(beside.path.c_str(), path.c_str()) == 0 ? std::string{} : wrong(errno);
  // Fails when there is something, unlike a rename.
  return ::link(beside.path.c_str(), path.c_str()) == 0 ? std::string{} : wrong(errno);
}

bool exists(const std::string& path) {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0;
}

std::string absolute(const std::string& path) {
  std::error_code failed;
  const auto whole = std::filesystem::absolute(path, failed);
  return failed ? path : whole.lexically_normal().string();
}

}  // namespace understudy::cli
