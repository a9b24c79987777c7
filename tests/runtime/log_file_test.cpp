// The log's file: appended to, opened anew after it was renamed, kept when that fails.
#include "understudy/runtime/platform/log_file.hpp"
#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
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

BOOST_AUTO_TEST_CASE(a_line_after_a_torn_one_is_a_line_of_its_own) {
  const temporary_folder folder;
  const auto pipe = (folder / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  BOOST_TEST_REQUIRE(reader >= 0);
  log_file file{pipe};
  // More than a pipe holds.
  BOOST_TEST(file.write(std::string(1'000'000, 'x')) == not_read_in_time);
  std::string seen;
  std::array<char, 65536> some{};
  const auto read_all = [&] {
    for (ssize_t got = 0; (got = ::read(reader, some.data(), some.size())) > 0;)
      seen.append(some.data(), static_cast<std::size_t>(got));
  };
  read_all();
  BOOST_TEST(file.write("whole") == "");
  BOOST_TEST(file.write("another") == "");
  read_all();
  ::close(reader);
  BOOST_TEST(seen.ends_with("x\nwhole\nanother\n"));
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_the_reason) {
  log_file file{"/dev/full"};
  BOOST_TEST(file.write("a line") == "No space left on device");
}

BOOST_AUTO_TEST_CASE(a_pipe_whose_reader_has_gone_is_a_reason_and_no_signal) {
  const temporary_folder folder;
  const auto pipe = (folder / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  BOOST_TEST_REQUIRE(reader >= 0);
  log_file file{pipe};
  ::close(reader);
  struct sigaction before {};
  BOOST_TEST_REQUIRE(::sigaction(SIGPIPE, nullptr, &before) == 0);
  BOOST_TEST((before.sa_handler == SIG_DFL), "it would end the process");
  for (int i = 0; i < 2; ++i) BOOST_TEST(file.write("a line") == "Broken pipe");
  sigset_t blocked{};
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  BOOST_TEST(::sigismember(&blocked, SIGPIPE) == 0);
}
