// Making, filling and removing the folders of tests.
#include "support/temporary_folder.hpp"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace understudy::test {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view prefix = "understudy-test-";
constexpr std::chrono::minutes stale_after{10};

/// True when the folder's maker (its process id follows the prefix) is gone, and has been for a while.
bool abandoned(const fs::directory_entry& candidate) {
  const std::string name = candidate.path().filename();
  if (name.compare(0, prefix.size(), prefix) != 0) return false;
  const auto pid = static_cast<pid_t>(std::strtol(name.c_str() + prefix.size(), nullptr, 10));
  if (pid <= 0 || ::kill(pid, 0) == 0 || errno != ESRCH) return false;
  std::error_code error;
  const auto changed = fs::last_write_time(candidate.path(), error);
  return !error && fs::file_time_type::clock::now() - changed > stale_after;
}

/// Other test programs may sweep at the same time: what is already gone is no error.
void sweep(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& candidate : fs::directory_iterator(parent, ignored))
    if (abandoned(candidate)) fs::remove_all(candidate.path(), ignored);
}

}  // namespace

temporary_folder::temporary_folder() {
  const fs::path parent = fs::temp_directory_path();
  static const bool swept = (sweep(parent), true);
  static_cast<void>(swept);
  std::string pattern = parent / (std::string{prefix} + std::to_string(::getpid()) + "-XXXXXX");
  if (::mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), pattern);
  path_ = pattern;
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;  // A destructor has nobody to tell; the sweep of a later program takes what is left.
  fs::remove_all(path_, ignored);
}

fs::path temporary_folder::write(std::string_view name, std::string_view content) const {
  const fs::path target = path_ / name;
  const fs::path partial = path_ / (std::string{name} + ".partial");
  std::ofstream out(partial, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + partial.string());
  fs::rename(partial, target);
  return target;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream content;
  content << in.rdbuf();
  return std::move(content).str();
}

}  // namespace understudy::test
