// Log lines are whole, in order, bounded, and never more than one line each.
#include "understudy/runtime/platform/log_sink.hpp"
#include "runtime/process_counts.hpp"
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/platform/log_line.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

const wall_time moment{std::chrono::milliseconds{1767254400123}};

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Somebody who reads a pipe.
class reader {
 public:
  explicit reader(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {}
  ~reader() { close(); }
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// All that came so far.
  const std::vector<std::string>& lines() {
    std::array<char, 4096> some{};
    for (ssize_t got = 0; (got = ::read(fd_, some.data(), some.size())) > 0;)
      for (const char c : std::string_view{some.data(), static_cast<std::size_t>(got)}) {
        if (c != '\n') {
          rest_ += c;
        } else {
          lines_.push_back(std::exchange(rest_, {}));
        }
      }
    return lines_;
  }

 private:
  int fd_;
  std::string rest_;
  std::vector<std::string> lines_;
};

/// While it lives, what is written to standard error goes to a file.
class stderr_to_file {
 public:
  explicit stderr_to_file(const std::filesystem::path& file) : before_(::dup(STDERR_FILENO)) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(fd, STDERR_FILENO);
    ::close(fd);
  }
  ~stderr_to_file() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
  }
  stderr_to_file(const stderr_to_file&) = delete;
  stderr_to_file& operator=(const stderr_to_file&) = delete;

 private:
  int before_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_text_line_has_time_level_component_text_and_details) {
  const auto line = text_line(moment, log_level::warning, "pool", "connection lost",
                              {{"server", "ldap1:389"}, {"cause", "reset by \"peer\""}});
  BOOST_TEST(line ==
             "2026-01-01T08:00:00.123Z warning pool: connection lost server=ldap1:389 cause=\"reset by \\\"peer\\\"\"");
}

BOOST_AUTO_TEST_CASE(a_value_from_outside_cannot_start_a_line) {
  const auto line = text_line(moment, log_level::info, "pool", "one\ntwo", {{"dn", "cn=a\r\nfake\x1b[2J"}});
  BOOST_TEST(line.find('\n') == std::string::npos);
  BOOST_TEST(line.find('\x1b') == std::string::npos);
  BOOST_TEST(line.find("one\\x0atwo") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_json_line_is_one_object_whatever_the_bytes) {
  const auto line = json_line(moment, log_level::error, "pool", "a\nb", {{"dn", "\xff\xfe"}, {"n", "1"}});
  BOOST_TEST(line.find('\n') == std::string::npos);
  const auto parsed = nlohmann::json::parse(line);
  BOOST_TEST(parsed["level"] == "error");
  BOOST_TEST(parsed["component"] == "pool");
  BOOST_TEST(parsed["text"] == "a\nb");
  BOOST_TEST(parsed["time"] == "2026-01-01T08:00:00.123Z");
  BOOST_TEST(parsed["n"] == "1");
}

BOOST_AUTO_TEST_CASE(lines_are_written_in_the_format_that_is_set) {
  for (const auto format : {log_format::text, log_format::json}) {
    test::temporary_folder folder;
    log_settings how;
    how.format = format;
    how.file = (folder / "log").string();
    {
      log_sink sink{how};
      sink.write(log_level::error, "pool", "a line");
    }
    const auto lines = lines_of(how.file);
    BOOST_TEST_REQUIRE(lines.size() == 1U);
    BOOST_TEST((lines[0].front() == '{') == (format == log_format::json), lines[0]);
  }
}

BOOST_AUTO_TEST_CASE(lines_of_the_level_and_above_are_written_to_the_file_in_order) {
  test::temporary_folder folder;
  log_settings how;
  how.level = log_level::warning;
  how.file = folder.path() / "log";
  {
    log_sink log{how};
    BOOST_TEST(log.enabled(log_level::error));
    BOOST_TEST(!log.enabled(log_level::info));
    for (int i = 0; i < 500; ++i) log.write(log_level::warning, "test", "line " + std::to_string(i));
    log.write(log_level::info, "test", "too quiet");
  }
  const auto lines = lines_of(how.file);
  BOOST_REQUIRE_EQUAL(lines.size(), 500);
  for (std::size_t i = 0; i < lines.size(); ++i) BOOST_TEST(lines[i].ends_with("test: line " + std::to_string(i)));
}

BOOST_AUTO_TEST_CASE(a_log_file_that_cannot_be_opened_is_an_exception) {
  log_settings how;
  how.file = "/nonexistent/folder/log";
  BOOST_CHECK_EXCEPTION(log_sink{how}, ldap_exception, [](const ldap_exception& e) {
    return e.reason().code == errc::invalid_config && e.reason().message.find("No such file") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(a_pipe_that_nobody_reads_is_an_exception_and_no_wait) {
  const test::temporary_folder folder;
  log_settings how;
  how.file = (folder / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(how.file.c_str(), 0600) == 0);
  BOOST_CHECK_EXCEPTION(log_sink{how}, ldap_exception, [](const ldap_exception& e) {
    return e.reason().code == errc::invalid_config &&
           e.reason().message.find("is a FIFO (a named pipe)") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(lines_that_cannot_be_written_are_counted_and_told_of_when_they_can) {
  for (const auto format : {log_format::text, log_format::json}) {
    const test::temporary_folder folder;
    log_settings how;
    how.format = format;
    how.file = (folder / "pipe").string();
    BOOST_TEST_REQUIRE(::mkfifo(how.file.c_str(), 0600) == 0);
    reader first{how.file};
    const stderr_to_file screen{folder / "screen"};
    log_sink log{how};
    log.write(log_level::error, "test", "before");
    BOOST_TEST_REQUIRE(test::eventually([&] { return first.lines().size() == 1u; }));
    first.close();
    for (int i = 0; i < 3; ++i) log.write(log_level::error, "test", "lost " + std::to_string(i));
    // The first of them was given up when that is told on the screen, the others may be under way.
    BOOST_TEST_REQUIRE(test::eventually([&] { return lines_of(folder / "screen").size() == 1u; }));
    log.write(log_level::error, "test", "lost too");
    BOOST_TEST_REQUIRE(test::eventually([&] { return log.lost() == 4u; }));
    reader second{how.file};
    log.write(log_level::error, "test", "after");
    BOOST_TEST_REQUIRE(test::eventually([&] { return second.lines().size() == 2u; }));
    BOOST_TEST(second.lines()[0].find("4 lines were lost: Broken pipe") != std::string::npos, second.lines()[0]);
    BOOST_TEST((second.lines()[0].front() == '{') == (format == log_format::json));
    BOOST_TEST(second.lines()[1].find("after") != std::string::npos, second.lines()[1]);
    // Told once, whatever becomes of the next ones.
    second.close();
    log.write(log_level::error, "test", "lost again");
    BOOST_TEST_REQUIRE(test::eventually([&] { return log.lost() == 1u; }));
    BOOST_TEST(lines_of(folder / "screen").size() == 1u);
    BOOST_TEST(lines_of(folder / "screen")[0].find("Broken pipe") != std::string::npos);
    BOOST_TEST(lines_of(folder / "screen")[0].find(how.file) != std::string::npos);
    log.stop();
    BOOST_TEST_REQUIRE(lines_of(folder / "screen").size() == 2u);
    BOOST_TEST(lines_of(folder / "screen")[1].find("1 line was lost at the end") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_told_of_on_standard_error) {
  const test::temporary_folder folder;
  log_settings how;
  how.file = "/dev/full";
  const stderr_to_file screen{folder / "screen"};
  {
    log_sink log{how};
    for (int i = 0; i < 100; ++i) log.write(log_level::error, "test", "lost");
  }
  const auto told = lines_of(folder / "screen");
  BOOST_TEST_REQUIRE(told.size() == 2u);
  BOOST_TEST(told[0].find("lines are lost until it can") != std::string::npos, told[0]);
  BOOST_TEST(told[0].find("No space left on device") != std::string::npos, told[0]);
  BOOST_TEST(told[1].find("100 lines were lost at the end") != std::string::npos, told[1]);
}

BOOST_AUTO_TEST_CASE(a_host_that_listens_keeps_its_standard_error) {
  const test::temporary_folder folder;
  log_settings how;
  how.file = "/dev/full";
  const stderr_to_file screen{folder / "screen"};
  {
    log_sink log{how, [](log_level, std::string_view, const std::string&) {}};
    log.write(log_level::error, "test", "heard");
  }
  BOOST_TEST(lines_of(folder / "screen").empty());
}

BOOST_AUTO_TEST_CASE(a_listener_gets_every_line_until_the_stop) {
  std::mutex mutex;
  std::vector<std::string> heard;
  log_sink log{{}, [&](log_level, std::string_view component, const std::string& line) {
                 std::lock_guard guard{mutex};
                 heard.push_back(std::string{component} + "|" + line.substr(line.find(": ") + 2));
               }};
  log.write(log_level::error, "a", "first");
  log.write(log_level::info, "b", "second");
  log.stop();
  log.write(log_level::error, "c", "third");
  BOOST_TEST(heard == (std::vector<std::string>{"a|first", "b|second"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_holds_up_neither_writers_nor_the_stop) {
  // A pipe that nobody reads stands for a terminal that was stopped.
  test::temporary_folder folder;
  const auto path = folder.path() / "pipe";
  BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  BOOST_REQUIRE(reader >= 0);
  const auto threads = test::threads_now();
  {
    log_settings how;
    how.file = path;
    log_sink log{how};
    for (int i = 0; i < 20000; ++i) log.write(log_level::error, "test", std::string(100, 'x'));
  }
  BOOST_TEST(test::threads_now() == threads);
  ::close(reader);
}
