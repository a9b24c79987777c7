// Lines are written at once, and what is lost is counted and told, whoever writes them.
#include "understudy/runtime/platform/log_writer.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/runtime/exceptions.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <boost/test/unit_test.hpp>
#include <thread>
#include <utility>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

log_settings to_file(const std::filesystem::path& path) {
  log_settings how;
  how.file = path.string();
  return how;
}

/// Somebody who reads a pipe, and has read all that is in it.
std::string read_pipe(int reader) {
  std::string seen;
  std::array<char, 65536> some{};
  for (ssize_t got = 0; (got = ::read(reader, some.data(), some.size())) > 0;)
    seen.append(some.data(), static_cast<std::size_t>(got));
  return seen;
}

int open_pipe(const std::string& path) { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }

}  // namespace

BOOST_AUTO_TEST_CASE(lines_of_several_threads_that_nobody_reads_are_counted_and_told_once) {
  const temporary_folder folder;
  const auto pipe = (folder / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int first = open_pipe(pipe);
  log_writer log{to_file(pipe)};
  log.write(log_level::info, "a", "before");
  BOOST_TEST(read_pipe(first) == "before\n");
  ::close(first);
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) log.write(log_level::info, "b", "lost");
  });
  for (int i = 0; i < 50; ++i) log.write(log_level::info, "a", "lost");
  other.join();
  BOOST_TEST(log.lost() == 100u);
  log.note_lost(3, not_read_in_time);
  BOOST_TEST(log.lost() == 103u);
  const int second = open_pipe(pipe);
  log.write(log_level::info, "a", "after");
  BOOST_TEST(log.lost() == 0u);
  const auto seen = read_pipe(second);
  ::close(second);
  BOOST_TEST(seen.find(" warning log: 103 lines were lost: it was not read fast enough\nafter\n") != std::string::npos,
             seen);
}

BOOST_AUTO_TEST_CASE(a_writer_whose_file_cannot_be_opened_anew_says_why_in_the_words_of_its_start) {
  const temporary_folder folder;
  const auto path = folder / "log", rotated = folder / "log.1";
  log_writer log{to_file(path)};
  std::filesystem::rename(path, rotated);
  BOOST_TEST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  BOOST_CHECK_EXCEPTION(log.reopen(), ldap_exception, [](const ldap_exception& e) {
    return e.reason().code == errc::invalid_config &&
           e.reason().message.find("is a FIFO (a named pipe)") != std::string::npos;
  });
  log.write(log_level::info, "a", "kept");
  BOOST_TEST(read_file(rotated) == "kept\n");
  std::filesystem::remove(path);
  log.reopen();
  log.write(log_level::info, "a", "anew");
  BOOST_TEST(read_file(path) == "anew\n");
}

BOOST_AUTO_TEST_CASE(a_listener_that_throws_loses_no_line) {
  int heard = 0;
  log_writer log{{}, [&](log_level, std::string_view, const std::string&) {
                   ++heard;
                   throw std::runtime_error("not now");
                 }};
  log.write(log_level::info, "a", "line");
  log.note_lost(2, not_read_in_time);
  log.tell_lost();
  BOOST_TEST(heard == 2);
  BOOST_TEST(log.lost() == 0u);
}
