// A folder of its own for each test, gone afterwards.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace understudy::test {

/// A fresh, empty folder, readable by its owner only; removed with all it holds when this ends. Folders left behind by
/// test programs that were killed are removed by later ones.
class temporary_folder {
 public:
  temporary_folder();
  ~temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  /// The path of a file or folder called `name` in it.
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  /// Writes `content` to the file `name` (replacing it at once, as a rename does) and returns its path.
  std::filesystem::path write(std::string_view name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// The content of a file; throws std::runtime_error when it cannot be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace understudy::test
