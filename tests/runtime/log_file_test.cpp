// The log's file: appended to, opened anew after it was renamed, kept when that fails.
#include "understudy/runtime/platform/log_file.hpp"
#include "support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>
#include <system_error>

using namespace understudy::internal;
using namespace understudy::test;

BOOST_AUTO_TEST_CASE(a_log_file_is_appended_to) {
  const temporary_folder folder;
  const auto path = folder.write("log", "before\n");
  log_file file{path.string()};
  file.write("one");
  file.write("two");
  BOOST_TEST(read_file(path) == "before\none\ntwo\n");
}

BOOST_AUTO_TEST_CASE(a_renamed_log_file_is_written_to_until_it_is_opened_anew) {
  const temporary_folder folder;
  const auto path = folder / "log", rotated = folder / "log.1";
  log_file file{path.string()};
  file.write("one");
  std::filesystem::rename(path, rotated);
  file.write("two");
  file.reopen();
  file.write("three");
  BOOST_TEST(read_file(rotated) == "one\ntwo\n");
  BOOST_TEST(read_file(path) == "three\n");
}

BOOST_AUTO_TEST_CASE(a_log_file_that_cannot_be_opened_anew_stays) {
  const temporary_folder folder;
  const auto path = folder / "log", rotated = folder / "log.1";
  log_file file{path.string()};
  std::filesystem::rename(path, rotated);
  std::filesystem::create_directory(path);
  BOOST_CHECK_EXCEPTION(file.reopen(), std::system_error, [&](const std::system_error& e) {
    return std::string{e.what()}.find(path.string()) != std::string::npos;
  });
  file.write("kept");
  BOOST_TEST(read_file(rotated) == "kept\n");
}
